//! The authorization code: the one-time secret with which an authorized person shows to be that person.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::transaction_id::{MalformedTransactionId, TransactionId};

/// An authorization code. The gateway makes it as it makes transaction IDs, so it is as easy to copy by hand. It does not print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationCode(String);

impl AuthorizationCode {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AuthorizationCode {
    type Err = MalformedTransactionId;

    /// Reads what a person has typed: case, spaces and hyphens do not matter, and a mistyped symbol is noticed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<TransactionId>().map(|symbols| Self(symbols.to_string()))
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthorizationCode(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    const CODE: &str = "000-000-000-000-000-000-000-000-011";

    #[test]
    fn it_is_read_however_it_was_typed_and_does_not_print() {
        let code: AuthorizationCode = CODE.parse().unwrap();
        assert_eq!(code.as_str(), CODE);
        assert_eq!(" 000000000 000000000 0oooo00lI ".parse(), Ok(code.clone()));
        assert!("000-000-000-000-000-000-000-000-012".parse::<AuthorizationCode>().is_err());
        assert_eq!(format!("{code:?}"), "AuthorizationCode(…)");
        assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{CODE}\""));
    }
}
