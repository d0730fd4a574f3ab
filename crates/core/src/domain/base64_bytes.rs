//! Bytes that stand as base64 in text formats.

use core::fmt;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Bytes that stand as base64 (RFC 4648, section 4) in JSON and in the browser's store.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Base64Bytes(pub Vec<u8>);

impl fmt::Debug for Base64Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Bytes({} bytes)", self.0.len())
    }
}

impl Zeroize for Base64Bytes {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl From<Base64Bytes> for String {
    fn from(bytes: Base64Bytes) -> Self {
        Base64::encode_string(&bytes.0)
    }
}

impl TryFrom<String> for Base64Bytes {
    type Error = base64ct::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Base64::decode_vec(&text).map(Self)
    }
}

impl From<Vec<u8>> for Base64Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_as_base64_in_json() -> Result<(), serde_json::Error> {
        // RFC 4648, section 10.
        for (bytes, json) in [("", r#""""#), ("f", r#""Zg==""#), ("fo", r#""Zm8=""#), ("foobar", r#""Zm9vYmFy""#)] {
            let bytes = Base64Bytes(bytes.into());
            assert_eq!(serde_json::to_string(&bytes)?, json);
            assert_eq!(serde_json::from_str::<Base64Bytes>(json)?, bytes);
        }
        Ok(())
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["Zg", "Zg=", "Zh==", "Z g==", "Zm9v\n", "-_-_", "Zg==Zg=="] {
            assert!(Base64Bytes::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bytes_are_not_printed() {
        assert_eq!(format!("{:?}", Base64Bytes(vec![7; 3])), "Base64Bytes(3 bytes)");
    }
}
