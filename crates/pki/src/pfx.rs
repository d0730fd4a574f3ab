//! PFX, the outermost structure of PKCS#12 (RFC 7292): a private key and its chain in one file.
//!
//! Written here and not by a crate because readers are particular, and the writers at hand do not do what they need: the friendlyName
//! must be the Common Name on both the key and the leaf (or Java's alias is "1" and NSS shows the whole subject), and the
//! localKeyID must stand on exactly these two (Apple's readers refuse it elsewhere).

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5911::{ID_DATA, ID_ENCRYPTED_DATA};
use hmac::digest::FixedOutputReset;
use hmac::digest::block_api::BlockSizeUser;
use hmac::{KeyInit, Mac, SimpleHmac};
use pkcs12::kdf::Pkcs12KeyType;
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::Error;
use super::key_derivation::Pbkdf2;
use super::{encrypted_private_key, pkcs12_kdf};
use crate::element::{BMP_STRING, CONTEXT_0, OCTET_STRING, SEQUENCE, element, integer, oid, set_of};

mod pbmac1;
mod profile;
mod protection;
mod reader;

pub use profile::Profile;
pub use protection::{Audience, Caveat, Mac as MacProtection, Protection, Verdict, protection};
pub use reader::open_with;
pub use reader::{Identity, IdentityError, MAXIMUM_SIZE, Opened, OpenedCertificate, OpenedKey, open};

const STRUCTURE: &str = "PFX";
/// v3 (RFC 7292, section 4).
const VERSION: u32 = 3;
/// The tag of encryptedContent, `[0] IMPLICIT OCTET STRING` (RFC 5652, section 6.1).
const ENCRYPTED_CONTENT: u8 = 0x80;

/// PKCS#9 friendlyName (RFC 2985, section 5.5.1).
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
/// PKCS#9 localKeyId (RFC 2985, section 5.5.2).
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");

/// What goes into the file.
pub struct Contents<'a> {
    /// The PKCS#8 PrivateKeyInfo, in the clear.
    pub private_key_info: &'a [u8],
    /// The certificate of that key and the chain above it, each DER, leaf first.
    pub certificates: &'a [&'a [u8]],
    /// The name to show: the Common Name.
    pub friendly_name: &'a str,
}

/// A PFX in the making, with keys that are being derived.
pub struct Builder {
    /// For [`Profile::Compatible`], which derives keys as it encrypts.
    password: Zeroizing<Vec<u8>>,
    mac_key: profile::MacKey,
    encryptions: [profile::Encryption; 2],
}

/// Begins to make a PFX, the same passphrase for privacy and integrity.
pub async fn begin(profile: Profile, passphrase: &str, pbkdf2: &impl Pbkdf2, rng: &mut impl CryptoRng) -> Builder {
    let for_key = profile.begin(passphrase, pbkdf2, rng).await;
    let for_certificates = profile.begin(passphrase, pbkdf2, rng).await;
    // This takes long, and the other keys may be derived elsewhere meanwhile.
    let password = pkcs12_kdf::password(passphrase);
    let mac_key = profile.mac_key(&password, rng);
    Builder { password, mac_key, encryptions: [for_key, for_certificates] }
}

impl Builder {
    /// Puts the contents in. Returns DER.
    pub async fn build(self, contents: &Contents<'_>, rng: &mut impl CryptoRng) -> Result<Vec<u8>, Error> {
        let Self { password, mac_key, encryptions: [for_key, for_certificates] } = self;
        let leaf =
            contents.certificates.first().ok_or_else(|| Error::encoding(STRUCTURE)("there is no certificate"))?;
        let attributes = key_attributes(contents.friendly_name, leaf);

        let mut certificate_bags = Vec::new();
        for (i, certificate) in contents.certificates.iter().enumerate() {
            let value = element(CONTEXT_0, &[&element(OCTET_STRING, &[certificate])]);
            let bag = element(SEQUENCE, &[&oid(pkcs12::PKCS_12_X509_CERT_OID), &value]);
            let attributes: &[u8] = if i == 0 { &attributes } else { &[] };
            certificate_bags.extend(safe_bag(pkcs12::PKCS_12_CERT_BAG_OID, &bag, attributes));
        }
        let (algorithm, encrypted) = for_key.encrypt(contents.private_key_info, &password, rng).await?;
        let shrouded_key = encrypted_private_key::encode(&algorithm, &encrypted);
        let key_bag = safe_bag(pkcs12::PKCS_12_PKCS8_KEY_BAG_OID, &shrouded_key, &attributes);

        let certificates = element(SEQUENCE, &[&certificate_bags]);
        let (algorithm, encrypted) = for_certificates.encrypt(&certificates, &password, rng).await?;
        let certificates = encrypted_data(&algorithm, &encrypted);
        let authenticated_safe = element(SEQUENCE, &[&certificates, &data(&element(SEQUENCE, &[&key_bag]))]);
        let mac_data = mac_key.mac_data(&authenticated_safe)?;
        Ok(element(SEQUENCE, &[&integer(VERSION), &data(&authenticated_safe), &mac_data]))
    }
}

/// A SafeBag (RFC 7292, section 4.2); `attributes` are a whole SET, or nothing.
fn safe_bag(id: ObjectIdentifier, value: &[u8], attributes: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&oid(id), &element(CONTEXT_0, &[value]), attributes])
}

/// friendlyName and localKeyID for the key and the leaf.
fn key_attributes(friendly_name: &str, leaf: &[u8]) -> Vec<u8> {
    // A BMPString holds the Basic Multilingual Plane only.
    let one_unit = |c: char| if c > '\u{FFFF}' { '\u{FFFD}' } else { c };
    let name: String = friendly_name.chars().map(one_unit).collect();
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attribute = |id, tag, value: &[u8]| element(SEQUENCE, &[&oid(id), &set_of(vec![element(tag, &[value])])]);
    set_of(vec![
        attribute(FRIENDLY_NAME, BMP_STRING, &name),
        attribute(LOCAL_KEY_ID, OCTET_STRING, &Sha256::digest(leaf)),
    ])
}

/// The HMAC of `bytes` with the digest `D`, under a key derived with the same digest from a [`pkcs12_kdf::password`].
fn mac<D>(bytes: &[u8], password: &[u8], salt: &[u8], iterations: i32) -> Result<Vec<u8>, Error>
where
    D: Digest + FixedOutputReset + BlockSizeUser,
{
    hmac::<D>(&mac_key::<D>(password, salt, iterations), bytes)
}

/// The key for that.
fn mac_key<D>(password: &[u8], salt: &[u8], iterations: i32) -> Zeroizing<Vec<u8>>
where
    D: Digest + FixedOutputReset + BlockSizeUser,
{
    pkcs12_kdf::derive::<D>(password, salt, Pkcs12KeyType::Mac, iterations, <D as Digest>::output_size())
}

/// The iterations of a warm-up: 1 ms.
const WARM_UP: i32 = 4000;

/// Derives a key of no secret with little work, so that a browser has compiled the derivation well by the time a PFX is made.
pub fn warm_up() {
    core::hint::black_box(mac_key::<Sha256>(&[0, 0], &[], WARM_UP));
}

/// The HMAC (RFC 2104) of `bytes` with the digest `D`.
fn hmac<D>(key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Error>
where
    D: Digest + FixedOutputReset + BlockSizeUser,
{
    let mut mac = SimpleHmac::<D>::new_from_slice(key).map_err(Error::encoding(STRUCTURE))?;
    mac.update(bytes);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// A ContentInfo of type Data (RFC 5652, section 4).
fn data(content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&oid(ID_DATA), &element(CONTEXT_0, &[&element(OCTET_STRING, &[content])])])
}

/// A ContentInfo of type EncryptedData (RFC 5652, section 8).
fn encrypted_data(algorithm: &[u8], encrypted: &[u8]) -> Vec<u8> {
    let content_info = element(SEQUENCE, &[&oid(ID_DATA), algorithm, &element(ENCRYPTED_CONTENT, &[encrypted])]);
    let encrypted_data = element(SEQUENCE, &[&integer(0), &content_info]);
    element(SEQUENCE, &[&oid(ID_ENCRYPTED_DATA), &element(CONTEXT_0, &[&encrypted_data])])
}

#[cfg(test)]
mod testing {
    //! PFX files that other programs wrote; `tests/vectors/pfx/make.sh` says how.

    use pollster::block_on;

    use super::{Contents, Error, Profile, begin};
    use crate::key_derivation::OnThisThread;

    /// The passphrase of most.
    pub(super) const CORRECT: &str = "Correct-4-horse";
    const UTF_8: &str = "Grüße, 漢字 🔑 4";
    const BASIC_MULTILINGUAL_PLANE: &str = "Grüße, 漢字 4";

    /// What is in each of them.
    pub(super) const LEAF: &[u8] = include_bytes!("../../../tests/vectors/pfx/leaf.der");
    pub(super) const ROOT: &[u8] = include_bytes!("../../../tests/vectors/pfx/root.der");
    /// The SubjectPublicKeyInfo of the key in each of them.
    pub(super) const PUBLIC_KEY: &[u8] = include_bytes!("../../../tests/vectors/pfx/public_key.der");

    macro_rules! vectors {
        ($($name:literal: $passphrase:expr,)*) => {
            [$((
                $name,
                include_bytes!(concat!("../../../tests/vectors/pfx/", $name, ".p12")).as_slice(),
                $passphrase,
            )),*]
        };
    }

    /// Name, bytes and passphrase.
    pub(super) const VECTORS: [(&str, &[u8], &str); 19] = vectors![
        "openssl": CORRECT,
        "openssl_sha_512": CORRECT,
        "openssl_legacy": CORRECT,
        "openssl_two_key_triple_des": CORRECT,
        "openssl_pbes2_triple_des": CORRECT,
        "openssl_no_mac": CORRECT,
        "openssl_clear": CORRECT,
        "openssl_clear_no_mac": CORRECT,
        "openssl_utf_8": UTF_8,
        "openssl_legacy_utf_8": UTF_8,
        "openssl_empty": "",
        "openssl_legacy_empty": "",
        "java": CORRECT,
        "java_legacy": CORRECT,
        "nss": CORRECT,
        "nss_utf_8": BASIC_MULTILINGUAL_PLANE,
        "nss_legacy": CORRECT,
        "gnutls": CORRECT,
        "python_pbmac1": CORRECT,
    ];

    pub(super) fn vector(name: &str) -> &'static [u8] {
        VECTORS.into_iter().find(|(found, ..)| *found == name).map(|(_, bytes, _)| bytes).unwrap_or_default()
    }

    /// Makes a file with that passphrase.
    pub(super) fn build(profile: Profile, contents: &Contents<'_>) -> Result<Vec<u8>, Error> {
        let rng = &mut rand::rng();
        block_on(async { begin(profile, CORRECT, &OnThisThread, rng).await.build(contents, rng).await })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use cms::content_info::ContentInfo;
    use cms::encrypted_data::EncryptedData;
    use der::asn1::{Any, BmpString, OctetString};
    use der::oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
    use der::{Decode, Encode};
    use pkcs5::EncryptionScheme;
    use pkcs5::pbes2::{Kdf, PBES2_OID};
    use pkcs12::SafeBag;
    use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
    use pkcs12::pfx::Pfx;
    use pkcs12::safe_bag::SafeContents;
    use spki::AlgorithmIdentifierOwned;

    use super::testing::build;
    use super::*;
    use crate::password_based_encryption::{self, Budget, Secret};
    use crate::testing::key_pair;

    const LEAF: &[u8] = include_bytes!("../../../tests/vectors/certification_path/leaf.der");
    const ISSUING: &[u8] = include_bytes!("../../../tests/vectors/certification_path/issuing.der");
    const ROOT: &[u8] = include_bytes!("../../../tests/vectors/certification_path/root.der");

    const PASSPHRASE: &str = "Correct-4-horse";

    const PROFILES: [Profile; 2] = [Profile::Modern, Profile::Compatible];

    fn built(profile: Profile, friendly_name: &str) -> Pfx {
        let private_key_info = key_pair().to_private_key_info().unwrap();
        let certificates = [LEAF, ISSUING, ROOT];
        let contents = Contents { private_key_info: &private_key_info, certificates: &certificates, friendly_name };
        Pfx::from_der(&build(profile, &contents).unwrap()).unwrap()
    }

    fn decrypted(algorithm: &AlgorithmIdentifierOwned, encrypted: &OctetString) -> Zeroizing<Vec<u8>> {
        let (secret, mut budget) = (Secret::new(PASSPHRASE), Budget::default());
        password_based_encryption::decrypt(algorithm, encrypted.as_bytes(), &secret, &mut budget).unwrap()
    }

    /// The certificate bags, in order, and the key bag; with the algorithms that they were encrypted with.
    fn bags(pfx: &Pfx) -> (SafeContents, SafeBag, [AlgorithmIdentifierOwned; 2]) {
        let safe: OctetString = pfx.auth_safe.content.decode_as().unwrap();
        let safe = Vec::<ContentInfo>::from_der(safe.as_bytes()).unwrap();
        let encrypted: EncryptedData = safe[0].content.decode_as().unwrap();
        let encrypted = encrypted.enc_content_info;
        let certificates = decrypted(&encrypted.content_enc_alg, &encrypted.encrypted_content.unwrap());
        let keys: OctetString = safe[1].content.decode_as().unwrap();
        let keys = SafeContents::from_der(keys.as_bytes()).unwrap();
        assert_eq!((safe.len(), keys.len()), (2, 1));
        let shrouded = Any::from_der(&keys[0].bag_value).unwrap();
        let shrouded = EncryptedPrivateKeyInfo::from_der(shrouded.value()).unwrap();
        let clear = decrypted(&shrouded.encryption_algorithm, &shrouded.encrypted_data);
        assert_eq!(clear, key_pair().to_private_key_info().unwrap());
        let algorithms = [encrypted.content_enc_alg, shrouded.encryption_algorithm];
        (SafeContents::from_der(&certificates).unwrap(), keys[0].clone(), algorithms)
    }

    fn attribute(bag: &SafeBag, oid: ObjectIdentifier) -> Option<Any> {
        let attributes = bag.bag_attributes.as_ref()?;
        attributes.iter().find(|attribute| attribute.oid == oid).and_then(|found| found.values.get(0).cloned())
    }

    fn friendly_name(bag: &SafeBag) -> Option<String> {
        attribute(bag, FRIENDLY_NAME).map(|value| value.decode_as::<BmpString>().unwrap().to_string())
    }

    #[test]
    fn key_and_leaf_are_named_and_tied_and_nothing_else() {
        for profile in PROFILES {
            let (certificates, key, _) = bags(&built(profile, "Ada Example"));
            for (bag, der) in certificates.iter().zip([LEAF, ISSUING, ROOT]) {
                // The bag's value stands in an explicit [0].
                let explicit = Any::from_der(&bag.bag_value).unwrap();
                assert!(explicit.value().ends_with(der), "leaf first, then the chain");
            }
            let leaf = &certificates[0];
            assert_eq!(friendly_name(leaf).as_deref(), Some("Ada Example"));
            assert_eq!(friendly_name(&key).as_deref(), Some("Ada Example"));
            assert!(attribute(leaf, LOCAL_KEY_ID).is_some());
            assert_eq!(attribute(leaf, LOCAL_KEY_ID), attribute(&key, LOCAL_KEY_ID));
            assert_eq!(certificates.len(), 3);
            assert!(certificates[1..].iter().all(|bag| bag.bag_attributes.is_none()));
        }
    }

    #[test]
    fn a_name_beyond_the_basic_multilingual_plane_is_written_as_far_as_it_goes() {
        let (_, key, _) = bags(&built(Profile::Modern, "Zoë 漢字 🔑"));
        assert_eq!(friendly_name(&key).as_deref(), Some("Zoë 漢字 \u{FFFD}"));
    }

    #[test]
    fn key_and_certificates_are_encrypted_as_the_profile_says() {
        for (profile, oid) in
            [(Profile::Modern, PBES2_OID), (Profile::Compatible, pkcs12::PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC)]
        {
            let (.., algorithms) = bags(&built(profile, "Ada Example"));
            assert_eq!(algorithms.map(|algorithm| algorithm.oid), [oid, oid], "{profile:?}");
        }
    }

    #[test]
    fn the_derivations_cost_what_readers_accept() {
        for (profile, digest, size, iterations) in
            [(Profile::Modern, ID_SHA_256, 32, 600_000), (Profile::Compatible, ID_SHA_1, 20, 10_000)]
        {
            let pfx = built(profile, "Ada Example");
            let mac = pfx.mac_data.as_ref().unwrap();
            assert_eq!(mac.iterations, iterations);
            assert_eq!(mac.mac_salt.as_bytes().len(), 8);
            assert_eq!(mac.mac.algorithm.oid, digest);
            assert_eq!(mac.mac.digest.as_bytes().len(), size);
        }
        let (.., compatible) = bags(&built(Profile::Compatible, "Ada Example"));
        for algorithm in compatible {
            let parameters: Pkcs12PbeParams = algorithm.parameters.unwrap().decode_as().unwrap();
            assert_eq!((parameters.salt.as_bytes().len(), parameters.iterations), (8, 10_000));
        }
        let (.., modern) = bags(&built(Profile::Modern, "Ada Example"));
        for algorithm in modern {
            let scheme = EncryptionScheme::from_der(&algorithm.to_der().unwrap()).unwrap();
            let derivation = &scheme.pbes2().unwrap().kdf;
            assert!(matches!(derivation, Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count == 300_000), "{derivation:?}");
        }
    }

    #[test]
    fn the_same_contents_never_look_the_same() {
        for profile in PROFILES {
            let (one, other) = (built(profile, "Ada Example"), built(profile, "Ada Example"));
            assert_ne!(one.mac_data.unwrap().mac_salt, other.mac_data.unwrap().mac_salt);
            assert_ne!(one.auth_safe, other.auth_safe);
        }
    }

    #[test]
    fn a_key_without_a_certificate_is_not_packed() {
        let private_key_info = key_pair().to_private_key_info().unwrap();
        let contents =
            Contents { private_key_info: &private_key_info, certificates: &[], friendly_name: "Ada Example" };
        for profile in PROFILES {
            assert!(matches!(build(profile, &contents), Err(Error::Encoding { structure: STRUCTURE, .. })));
        }
    }
}
