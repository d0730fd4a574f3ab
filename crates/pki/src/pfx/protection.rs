//! What a PFX tells without its passphrase: how it is protected, and so who can open it.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_SHA_1, ID_SHA_224, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use pkcs12::MacData;
use serde::{Deserialize, Serialize};

use super::pbmac1::{PBMAC1, Pbmac1};
use super::reader::{BagValue, Content, Parts, for_each_bag};
use crate::encrypted_private_key;
use crate::error::Error;
use crate::password_based_encryption::{self as pbe, Derivation, Encryption, HashFunction};

/// The most iterations that Windows works through, by the words in its own log.
const MOST_ITERATIONS_OF_WINDOWS: u32 = 600_000;
/// The most iterations that Java works through.
const MOST_ITERATIONS_OF_JAVA: u32 = 5_000_000;

/// How a PFX is protected, as far as it can be told from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What notices changes; without it anybody can change the file unnoticed.
    pub mac: Option<Mac>,
    /// How each encrypted part is encrypted. What is in it cannot be told; mostly it is the certificates.
    pub parts: Vec<Encryption>,
    /// How each private key that stands outside of those parts is encrypted.
    pub private_keys: Vec<Encryption>,
    /// How many private keys lie in the clear.
    pub clear_private_keys: usize,
    /// Whether there are parts that open with something else than a passphrase.
    pub has_other_parts: bool,
}

/// What notices changes to a PFX.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mac {
    /// HMAC with PKCS#12's own derivation (RFC 7292, section 4).
    Hmac {
        /// The hash function of the HMAC and of the derivation.
        hash: HashFunction,
        /// How often the passphrase is hashed.
        iterations: u32,
        /// The salt's size in bytes.
        salt_size: usize,
    },
    /// PBMAC1 (RFC 9579): HMAC with PBKDF2.
    Pbmac1 {
        /// The hash function of the HMAC.
        hash: HashFunction,
        /// How often the derivation's HMAC is applied.
        iterations: u32,
        /// The salt's size in bytes.
        salt_size: usize,
    },
    /// Another algorithm, or parameters that cannot be read: its object identifier.
    Other(String),
}

impl Mac {
    fn of(mac_data: &MacData) -> Self {
        let algorithm = &mac_data.mac.algorithm;
        let other = || Self::Other(algorithm.oid.to_string());
        if algorithm.oid == PBMAC1 {
            return Pbmac1::read(algorithm).map_or_else(
                |_| other(),
                |pbmac1| Self::Pbmac1 {
                    hash: pbmac1.hash,
                    iterations: pbmac1.iterations(),
                    salt_size: pbmac1.salt_size(),
                },
            );
        }
        match (hash_function(algorithm.oid), u32::try_from(mac_data.iterations)) {
            (Some(hash), Ok(iterations)) => {
                Self::Hmac { hash, iterations, salt_size: mac_data.mac_salt.as_bytes().len() }
            }
            _ => other(),
        }
    }

    fn iterations(&self) -> u32 {
        match self {
            Self::Hmac { iterations, .. } | Self::Pbmac1 { iterations, .. } => *iterations,
            Self::Other(_) => 0,
        }
    }
}

/// The hash function with an object identifier.
pub(super) fn hash_function(oid: ObjectIdentifier) -> Option<HashFunction> {
    match oid {
        ID_SHA_1 => Some(HashFunction::Sha1),
        ID_SHA_224 => Some(HashFunction::Sha224),
        ID_SHA_256 => Some(HashFunction::Sha256),
        ID_SHA_384 => Some(HashFunction::Sha384),
        ID_SHA_512 => Some(HashFunction::Sha512),
        _ => None,
    }
}

/// Tells how a PFX, DER or BER, is protected. No passphrase is needed.
pub fn protection(bytes: &[u8]) -> Result<Protection, Error> {
    let pfx = Parts::read(bytes)?;
    let mut protection = Protection {
        mac: pfx.mac_data.as_ref().map(Mac::of),
        parts: Vec::new(),
        private_keys: Vec::new(),
        clear_private_keys: 0,
        has_other_parts: false,
    };
    for content in &pfx.contents {
        match content {
            Content::Clear(safe_contents) => for_each_bag(safe_contents, &mut |bag| {
                match bag.value() {
                    BagValue::Key(_) => protection.clear_private_keys += 1,
                    BagValue::ShroudedKey(info) => {
                        protection.private_keys.push(encrypted_private_key::encryption(info)?);
                    }
                    _ => (),
                }
                Ok(())
            })?,
            Content::Encrypted(data) => protection.parts.push(pbe::describe(&data.enc_content_info.content_enc_alg)),
            Content::Other(_) => protection.has_other_parts = true,
        }
    }
    Ok(protection)
}

/// Who can open a PFX, given its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many programs there are that can.
    pub audience: Audience,
    /// What stands in the way of some of them, and what else is to be said.
    pub caveats: Vec<Caveat>,
}

/// How many programs can open a PFX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Practically all of them, old ones too: Triple DES or weaker, and SHA-1.
    All,
    /// Those of today, but not Windows Server 2016, macOS 12 to 14, iOS 16 and Android up to 13: AES or SHA-2.
    Current,
    /// The newest alone, from OpenSSL 3.4 and OpenJDK 26 on: PBMAC1.
    Newest,
    /// Nobody can say: an algorithm is not known here.
    Unknown,
}

/// What is to be said of a PFX besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat {
    /// RC2 or RC4: encryption that broke long ago, which OpenSSL 3 opens with `-legacy` alone.
    BrokenCipher,
    /// Without a MAC some programs report a wrong password, and changes go unnoticed.
    NoMac,
    /// scrypt is not known to Java and GnuTLS.
    Scrypt,
    /// Windows refuses so many iterations.
    TooManyIterationsForWindows,
    /// Java refuses so many iterations.
    TooManyIterationsForJava,
    /// A private key lies in the clear: whoever has the file has the key.
    KeyInTheClear,
}

impl Protection {
    /// Whether a passphrase opens anything, or proves that nothing was changed.
    pub fn takes_passphrase(&self) -> bool {
        self.mac.is_some() || self.encryptions().next().is_some()
    }

    fn encryptions(&self) -> impl Iterator<Item = &Encryption> {
        self.parts.iter().chain(&self.private_keys)
    }

    /// Who can open it: tried with OpenSSL, GnuTLS, NSS and Java, and reported of Windows, macOS, iOS and Android.
    pub fn verdict(&self) -> Verdict {
        let any = |is: &dyn Fn(&Encryption) -> bool| self.encryptions().any(is);
        let audience = if self.has_other_parts
            || matches!(self.mac, Some(Mac::Other(_)))
            || any(&|encryption| matches!(encryption, Encryption::Other(_)))
        {
            Audience::Unknown
        } else if matches!(self.mac, Some(Mac::Pbmac1 { .. })) {
            Audience::Newest
        } else if any(&|encryption| matches!(encryption, Encryption::Pbes2 { .. }))
            || matches!(self.mac, Some(Mac::Hmac { hash, .. }) if hash != HashFunction::Sha1)
        {
            Audience::Current
        } else {
            Audience::All
        };
        let is_broken = |encryption: &Encryption| matches!(encryption, Encryption::Pkcs12 { cipher, .. } if !cipher.is_triple_des());
        let takes_scrypt = |encryption: &Encryption| {
            matches!(encryption, Encryption::Pbes2 { derivation: Derivation::Scrypt { .. }, .. })
        };
        let iterations = self.encryptions().map(Encryption::iterations).chain(self.mac.as_ref().map(Mac::iterations));
        let most = iterations.max().unwrap_or_default();
        let caveats = [
            (any(&is_broken), Caveat::BrokenCipher),
            (self.mac.is_none(), Caveat::NoMac),
            (any(&takes_scrypt), Caveat::Scrypt),
            (most > MOST_ITERATIONS_OF_WINDOWS, Caveat::TooManyIterationsForWindows),
            (most > MOST_ITERATIONS_OF_JAVA, Caveat::TooManyIterationsForJava),
            (self.clear_private_keys > 0, Caveat::KeyInTheClear),
        ];
        Verdict {
            audience,
            caveats: caveats.into_iter().filter_map(|(applies, caveat)| applies.then_some(caveat)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;
    use crate::password_based_encryption::Cipher;
    use crate::pfx::testing::{VECTORS, vector};
    use crate::pkcs12_pbe;

    fn protection_of(name: &str) -> Protection {
        protection(vector(name)).unwrap()
    }

    fn pbes2(cipher: Cipher, iterations: u32) -> Encryption {
        Encryption::Pbes2 { derivation: Derivation::Pbkdf2 { hash: HashFunction::Sha256, iterations }, cipher }
    }

    fn hmac(hash: HashFunction, iterations: u32, salt_size: usize) -> Option<Mac> {
        Some(Mac::Hmac { hash, iterations, salt_size })
    }

    #[test]
    fn it_is_told_without_the_passphrase() {
        let openssl = protection_of("openssl");
        assert_eq!(openssl.mac, hmac(HashFunction::Sha256, 2, 8));
        assert_eq!(openssl.parts, [pbes2(Cipher::Aes256Cbc, 2)]);
        assert_eq!(openssl.private_keys, [pbes2(Cipher::Aes256Cbc, 2)]);
        assert!(openssl.takes_passphrase());

        let legacy = protection_of("openssl_legacy");
        let pkcs12 = |cipher| Encryption::Pkcs12 { cipher, iterations: 2 };
        assert_eq!(legacy.mac, hmac(HashFunction::Sha1, 2, 8));
        assert_eq!(legacy.parts, [pkcs12(pkcs12_pbe::Cipher::Rc2With40Bits)]);
        assert_eq!(legacy.private_keys, [pkcs12(pkcs12_pbe::Cipher::ThreeKeyTripleDes)]);

        let nss = protection_of("nss");
        assert_eq!(nss.mac, hmac(HashFunction::Sha256, 600_000, 16));
        assert_eq!(nss.parts, [pbes2(Cipher::Aes128Cbc, 600_000)]);
        assert_eq!(nss.private_keys, [pbes2(Cipher::Aes256Cbc, 600_000)]);

        let clear = protection_of("openssl_clear_no_mac");
        assert_eq!((clear.mac.as_ref(), clear.clear_private_keys), (None, 1));
        assert!(!clear.takes_passphrase());

        let pbmac1 = protection_of("python_pbmac1");
        assert_eq!(pbmac1.mac, Some(Mac::Pbmac1 { hash: HashFunction::Sha256, iterations: 2, salt_size: 8 }));
    }

    #[test]
    fn who_can_open_it_is_told() {
        use Audience::{All, Current, Newest};
        for (name, audience, caveats) in [
            ("openssl", Current, &[][..]),
            ("openssl_sha_512", Current, &[]),
            ("openssl_legacy", All, &[Caveat::BrokenCipher]),
            ("openssl_pbes2_triple_des", Current, &[]),
            ("openssl_no_mac", Current, &[Caveat::NoMac]),
            ("openssl_clear", Current, &[Caveat::KeyInTheClear]),
            ("openssl_clear_no_mac", All, &[Caveat::NoMac, Caveat::KeyInTheClear]),
            ("java", Current, &[]),
            ("java_legacy", All, &[Caveat::BrokenCipher]),
            ("nss", Current, &[]),
            ("nss_legacy", All, &[Caveat::BrokenCipher]),
            ("gnutls", Current, &[]),
            ("python_pbmac1", Newest, &[]),
        ] {
            let verdict = protection_of(name).verdict();
            assert_eq!((verdict.audience, verdict.caveats.as_slice()), (audience, caveats), "{name}");
        }
        let compatible = Encryption::Pkcs12 { cipher: pkcs12_pbe::Cipher::ThreeKeyTripleDes, iterations: 10_000 };
        let protection = Protection {
            mac: hmac(HashFunction::Sha1, 10_000, 8),
            parts: vec![compatible.clone()],
            private_keys: vec![compatible],
            clear_private_keys: 0,
            has_other_parts: false,
        };
        assert_eq!(protection.verdict(), Verdict { audience: All, caveats: vec![] });
        let mac = hmac(HashFunction::Sha1, 6_000_000, 8);
        let costly = Protection { mac, ..protection.clone() };
        assert_eq!(costly.verdict().caveats, [Caveat::TooManyIterationsForWindows, Caveat::TooManyIterationsForJava]);
        let derivation = Derivation::Scrypt { memory: 1 << 24 };
        let scrypt = vec![Encryption::Pbes2 { derivation, cipher: Cipher::Aes256Cbc }];
        assert_eq!(Protection { parts: scrypt, ..protection.clone() }.verdict().caveats, [Caveat::Scrypt]);
        for unknown in [
            Protection { mac: Some(Mac::Other("1.2.3".into())), ..protection.clone() },
            Protection { parts: vec![Encryption::Other("1.2.3".into())], ..protection.clone() },
            Protection { has_other_parts: true, ..protection },
        ] {
            assert_eq!(unknown.verdict().audience, Audience::Unknown);
        }
    }

    #[test]
    fn a_cut_file_is_damaged() {
        for (name, bytes, _) in VECTORS {
            let cut = protection(&bytes[..bytes.len() / 2]);
            assert!(matches!(cut, Err(Error::Malformed { .. })), "{name}: {cut:?}");
        }
    }
}
