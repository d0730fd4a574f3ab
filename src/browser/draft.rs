//! What was typed into the registration form, kept over a reload or a crash. Never a passphrase.
//!
//! In IndexedDB, since what goes into `localStorage` may not survive a crash of the browser.

use keyside_core::domain::key_size::KeySize;
use keyside_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::database::DRAFTS;
use super::records;

/// The key of the only record.
const KEY: &str = "registration";

/// The form's fields that are worth keeping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The Common Name as typed.
    pub common_name: String,
    /// The e-mail address as typed.
    pub email_address: String,
    /// The company as typed.
    #[serde(default)]
    pub company: String,
    /// The authorization code as typed, or as the link had it.
    #[serde(default)]
    pub authorization_code: String,
    /// The key size chosen.
    pub key_size: KeySize,
}

/// The draft kept, if there is one.
pub async fn load() -> Result<Option<Draft>, StoreError> {
    records::get(DRAFTS, KEY).await
}

/// Keeps the draft.
pub async fn save(draft: &Draft) -> Result<(), StoreError> {
    records::put(DRAFTS, KEY, draft).await
}

/// Forgets the draft.
pub async fn clear() -> Result<(), StoreError> {
    records::remove(DRAFTS, KEY).await
}
