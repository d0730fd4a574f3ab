//! Commands and small programs that users copy from the page.

pub mod device_recipes;
pub mod snippets;
