//! The RSA key sizes on offer.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The modulus size of an RSA key in bits: 2048, 3072 or 4096.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum KeySize {
    /// 2048 bits: accepted everywhere.
    #[default]
    Rsa2048,
    /// 3072 bits: 128-bit security (NIST SP 800-57 part 1, table 2).
    Rsa3072,
    /// 4096 bits.
    Rsa4096,
}

impl KeySize {
    /// Every size on offer, smallest first.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The modulus size in bits.
    pub fn bits(self) -> u16 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
        }
    }
}

impl fmt::Display for KeySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bits())
    }
}

/// A key size that is not on offer; the bits asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bits is not an RSA key size on offer")]
pub struct UnknownKeySize(pub u16);

impl From<KeySize> for u16 {
    fn from(size: KeySize) -> Self {
        size.bits()
    }
}

impl TryFrom<u16> for KeySize {
    type Error = UnknownKeySize;

    fn try_from(bits: u16) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|size| size.bits() == bits).ok_or(UnknownKeySize(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_size_stands_as_its_bits() -> Result<(), serde_json::Error> {
        for (size, bits) in KeySize::ALL.into_iter().zip([2048, 3072, 4096]) {
            assert_eq!(size.to_string(), bits.to_string());
            assert_eq!(serde_json::to_string(&size)?, bits.to_string());
            assert_eq!(serde_json::from_str::<KeySize>(&bits.to_string())?, size);
        }
        Ok(())
    }

    #[test]
    fn other_sizes_are_not_on_offer() {
        for bits in [0, 1024, 2047, 2049, 8192] {
            assert_eq!(KeySize::try_from(bits), Err(UnknownKeySize(bits)));
        }
        for json in ["65536", "-2048", "2048.5", "\"2048\""] {
            assert!(serde_json::from_str::<KeySize>(json).is_err(), "{json}");
        }
    }
}
