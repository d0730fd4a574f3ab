//! Officers: those who authorise and decide in the console.
//!
//! An officer signs in by a one-time link, or with a certificate that was issued here. Either begins a session. Of links and
//! sessions the database has the hash alone: whoever reads it cannot sign in.

pub mod failed_sign_ins;
pub mod invitation;
pub mod sign_in;
pub mod token;
