//! What the user means: pure types and rules, without a wire, a store or a screen.

pub mod authorization_code;
pub mod base64_bytes;
pub mod device;
pub mod device_request;
pub mod distinguished_name;
pub mod email_address;
pub mod enrollment;
pub mod file_format;
pub mod file_name;
pub mod guessable_passphrase;
pub mod hexadecimal;
pub mod key_size;
pub mod passphrase;
pub mod preflight;
pub mod reminder;
pub mod revocation;
pub mod transaction_id;
pub mod user_agent;
