//! The pages, one file each.

pub mod about;
pub mod certificates;
pub mod collect;
pub mod devices;
pub mod help;
pub mod home;
pub mod inspect;
pub mod install;
pub mod lost;
pub mod not_found;
pub mod register;
pub mod renew;
pub mod request;
pub mod submitted;
pub mod trust;
