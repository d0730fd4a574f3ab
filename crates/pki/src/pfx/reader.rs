//! Reading PFX files that any program may have written.
//!
//! The crate `p12-keystore` reads them too, but not the BER of NSS, it leaves keys and passphrases behind in memory, and it brings a
//! second reader of certificates into the page; what it stands on (`pkcs12`, `cms`, `pkcs5`) is used here directly.

use core::fmt;

use cms::content_info::ContentInfo;
use cms::encrypted_data::EncryptedData;
use der::asn1::OctetString;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5911::{ID_DATA, ID_ENCRYPTED_DATA};
use der::{Any, AnyRef, Decode, Encode, ErrorKind, Reader, Tag, TagNumber, Tagged};
use pkcs8::PrivateKeyInfoRef;
use pkcs12::pfx::Pfx;
use pkcs12::{CertBag, MacData};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use x509_cert::attr::Attributes;
use zeroize::Zeroizing;

use super::pbmac1::{PBMAC1, Pbmac1};
use super::protection::hash_function;
use super::{FRIENDLY_NAME, LOCAL_KEY_ID, STRUCTURE, mac};
use crate::certificate::Certificate;
use crate::element::{BMP_STRING, Elements};
use crate::error::Error;
use crate::key_pair::KeyPair;
use crate::password_based_encryption::{self, Budget, HashFunction, Secret};
use crate::{ber, encrypted_private_key, name};

const SAFE_CONTENTS: &str = "SafeContents";

/// The largest file that is read, in bytes.
pub const MAXIMUM_SIZE: usize = 1024 * 1024;
/// How deep SafeContents may stand in each other (RFC 7292, section 4.2.6); nobody is known to do it at all.
const MAXIMUM_DEPTH: usize = 8;

/// What was in a PFX, in the file's order.
#[derive(Debug, Default)]
pub struct Opened {
    /// The private keys.
    pub private_keys: Vec<OpenedKey>,
    /// The certificates.
    pub certificates: Vec<OpenedCertificate>,
    /// The number of private keys with another passphrase than the file, which stayed closed.
    pub locked_private_keys: usize,
    /// The number of secrets of other kinds and of CRLs, which were not looked into.
    pub others: usize,
}

/// A private key in a PFX. It is not printed.
pub struct OpenedKey {
    /// The PKCS#8 PrivateKeyInfo, in the clear; wiped when dropped.
    pub private_key_info: Zeroizing<Vec<u8>>,
    /// The name that keystores show.
    pub friendly_name: Option<String>,
    /// What ties it to its certificate.
    pub local_key_id: Option<Vec<u8>>,
}

impl fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedKey").field("friendly_name", &self.friendly_name).finish_non_exhaustive()
    }
}

/// A certificate in a PFX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCertificate {
    /// The certificate, DER; it was not looked into.
    pub der: Vec<u8>,
    /// The name that keystores show.
    pub friendly_name: Option<String>,
    /// What ties it to its private key.
    pub local_key_id: Option<Vec<u8>>,
}

/// A key with its certificate and the others that came along.
#[derive(Debug)]
pub struct Identity<'a> {
    /// The key as it was in the file.
    pub key: &'a OpenedKey,
    /// The key, ready to be used.
    pub key_pair: KeyPair,
    /// The certificate of that key.
    pub leaf: Certificate,
    /// The other certificates, in the file's order.
    pub chain: Vec<Certificate>,
}

/// A reason for which a PFX has no key with its certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is no private key in it.
    #[error("there is no private key in the file")]
    NoKey,
    /// The private keys in it have another passphrase than the file.
    #[error("the private key has another passphrase than the file")]
    KeyLocked,
    /// There is no certificate of the private key in it.
    #[error("there is no certificate of the private key in the file")]
    NoCertificate,
    /// The private key cannot be worked with.
    #[error("{0}")]
    UnusableKey(Error),
}

impl Opened {
    /// Each key with its certificate and the other certificates; what ends last comes first.
    ///
    /// The certificate is found by its public key: names and localKeyIDs may say anything. Of several for one key, the one that ends last is
    /// taken. Keys and certificates that cannot be worked with are passed over.
    ///
    /// # Errors
    /// There is no such key.
    pub fn identities(&self) -> Result<Vec<Identity<'_>>, IdentityError> {
        let mut identities: Vec<Identity<'_>> = Vec::new();
        let mut error = if self.locked_private_keys > 0 { IdentityError::KeyLocked } else { IdentityError::NoKey };
        let readable = self.certificates.iter().filter_map(|found| Certificate::from_der(&found.der).ok());
        let certificates: Vec<Certificate> = readable.collect();
        for key in &self.private_keys {
            match identity(key, &certificates) {
                Ok(identity) if identities.iter().any(|other| other.leaf == identity.leaf) => {}
                Ok(identity) => identities.push(identity),
                Err(why) => error = why,
            }
        }
        identities.sort_by_key(|identity| core::cmp::Reverse(identity.leaf.validity().1));
        if identities.is_empty() { Err(error) } else { Ok(identities) }
    }
}

/// The key with the one of `certificates` that is its own and ends last; the others are the chain.
fn identity<'a>(key: &'a OpenedKey, certificates: &[Certificate]) -> Result<Identity<'a>, IdentityError> {
    let key_pair = KeyPair::from_private_key_info(&key.private_key_info).map_err(IdentityError::UnusableKey)?;
    let public_key = key_pair.to_subject_public_key_info().map_err(IdentityError::UnusableKey)?;
    let (place, leaf) = certificates
        .iter()
        .enumerate()
        .filter(|(_, certificate)| certificate.certifies(&public_key))
        .max_by_key(|(_, certificate)| certificate.validity().1)
        .ok_or(IdentityError::NoCertificate)?;
    let others = certificates.iter().enumerate().filter(|(other, _)| *other != place);
    Ok(Identity {
        key,
        key_pair,
        leaf: leaf.clone(),
        chain: others.map(|(_, certificate)| certificate.clone()).collect(),
    })
}

/// Opens a PFX, DER or BER.
///
/// The MAC is verified first: [`Error::WrongPassphrase`] if it does not fit. A file without one is believed when it can be decrypted.
pub fn open(bytes: &[u8], passphrase: &str) -> Result<Opened, Error> {
    open_with(bytes, passphrase, None, &mut Budget::default())
}

/// Opens a PFX within a budget that it shares with others, with another passphrase for its keys if they have one of their own.
pub fn open_with(
    bytes: &[u8],
    passphrase: &str,
    key_passphrase: Option<&str>,
    budget: &mut Budget,
) -> Result<Opened, Error> {
    let pfx = Parts::read(bytes)?;
    let mut outcome = Err(Error::WrongPassphrase);
    for secret in Secret::all(passphrase) {
        let key_secret = key_passphrase.map(Secret::new);
        outcome = pfx.open(&secret, key_secret.as_ref(), budget);
        if !matches!(outcome, Err(Error::WrongPassphrase)) {
            break;
        }
    }
    outcome
}

/// A PFX as it is from outside.
pub(super) struct Parts {
    pub(super) mac_data: Option<MacData>,
    /// The octets that the MAC is over.
    authenticated_safe: Zeroizing<Vec<u8>>,
    pub(super) contents: Vec<Content>,
}

/// A ContentInfo of the AuthenticatedSafe (RFC 7292, section 4.1).
pub(super) enum Content {
    /// SafeContents that are not encrypted, DER.
    Clear(Zeroizing<Vec<u8>>),
    /// SafeContents that are encrypted under a passphrase.
    Encrypted(EncryptedData),
    /// SafeContents that are protected in another way, such as for a public key.
    Other(ObjectIdentifier),
}

impl Parts {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::malformed(STRUCTURE);
        if bytes.len() > MAXIMUM_SIZE {
            return Err(malformed(ErrorKind::Overlength.into()));
        }
        let der = ber::to_der(bytes).map_err(&malformed)?;
        let pfx = Pfx::from_der(&der).map_err(&malformed)?;
        if pfx.auth_safe.content_type != ID_DATA {
            return Err(Error::UnsupportedAlgorithm(pfx.auth_safe.content_type));
        }
        let authenticated_safe = octets(&pfx.auth_safe.content).map_err(&malformed)?;
        let der = ber::to_der(&authenticated_safe).map_err(&malformed)?;
        let contents = Vec::<ContentInfo>::from_der(&der)
            .and_then(|contents| contents.iter().map(Content::read).collect())
            .map_err(&malformed)?;
        Ok(Self { mac_data: pfx.mac_data, authenticated_safe, contents })
    }

    fn open(&self, secret: &Secret, key_secret: Option<&Secret>, budget: &mut Budget) -> Result<Opened, Error> {
        if let Some(mac_data) = &self.mac_data {
            verify_mac(mac_data, &self.authenticated_safe, secret, budget)?;
        }
        let mut opened = Opened::default();
        // True once the passphrase is known to be the file's.
        let mut is_proved = self.mac_data.is_some();
        for content in &self.contents {
            match content {
                Content::Clear(safe_contents) => is_proved |= opened.add(safe_contents, secret, key_secret, budget)?,
                Content::Encrypted(data) => {
                    let info = &data.enc_content_info;
                    let encrypted = info.encrypted_content.as_ref().map(OctetString::as_bytes).unwrap_or_default();
                    let clear = password_based_encryption::decrypt(&info.content_enc_alg, encrypted, secret, budget)?;
                    // One wrong passphrase in about 256 leaves padding that looks right.
                    let safe_contents = ber::to_der(&clear).map_err(|_| Error::WrongPassphrase)?;
                    opened.add(&safe_contents, secret, key_secret, budget)?;
                    is_proved = true;
                }
                Content::Other(content_type) => return Err(Error::UnsupportedAlgorithm(*content_type)),
            }
        }
        if opened.locked_private_keys > 0 && !is_proved { Err(Error::WrongPassphrase) } else { Ok(opened) }
    }
}

impl Content {
    fn read(info: &ContentInfo) -> der::Result<Self> {
        match info.content_type {
            ID_DATA => Ok(Self::Clear(ber::to_der(&octets(&info.content)?)?)),
            ID_ENCRYPTED_DATA => info.content.decode_as().map(Self::Encrypted),
            other => Ok(Self::Other(other)),
        }
    }
}

fn octets(content: &Any) -> der::Result<Zeroizing<Vec<u8>>> {
    content.decode_as::<OctetString>().map(|octets| Zeroizing::new(octets.into_bytes().into_vec()))
}

/// Verifies that `secret` made the MAC (RFC 7292, section 5.1).
fn verify_mac(mac_data: &MacData, bytes: &[u8], secret: &Secret, budget: &mut Budget) -> Result<(), Error> {
    let algorithm = &mac_data.mac.algorithm;
    let digest = if algorithm.oid == PBMAC1 {
        Pbmac1::read(algorithm)?.mac(bytes, secret, budget)?
    } else {
        let (salt, iterations) = (mac_data.mac_salt.as_bytes(), mac_data.iterations);
        let hash = hash_function(algorithm.oid).ok_or(Error::UnsupportedAlgorithm(algorithm.oid))?;
        let count = u32::try_from(iterations).map_err(|_| Error::DerivationTooCostly)?;
        budget.spend_on_hash(hash, count, hash.size())?;
        let password = &secret.pkcs12;
        match hash {
            HashFunction::Sha1 => mac::<Sha1>(bytes, password, salt, iterations)?,
            HashFunction::Sha224 => mac::<Sha224>(bytes, password, salt, iterations)?,
            HashFunction::Sha256 => mac::<Sha256>(bytes, password, salt, iterations)?,
            HashFunction::Sha384 => mac::<Sha384>(bytes, password, salt, iterations)?,
            HashFunction::Sha512 => mac::<Sha512>(bytes, password, salt, iterations)?,
        }
    };
    // Whoever has the file can try as often as they like: there is nothing to learn from how long this takes.
    if digest == mac_data.mac.digest.as_bytes() { Ok(()) } else { Err(Error::WrongPassphrase) }
}

/// A SafeBag (RFC 7292, section 4.2), by reference: its value may be a private key in the clear.
pub(super) struct Bag<'a> {
    id: ObjectIdentifier,
    /// What stands in the explicit `[0]`, DER.
    value: &'a [u8],
    attributes: Option<Attributes>,
}

/// What a SafeBag is, with its value.
pub(super) enum BagValue<'a> {
    /// A PrivateKeyInfo in the clear.
    Key(&'a [u8]),
    /// An EncryptedPrivateKeyInfo.
    ShroudedKey(&'a [u8]),
    /// A CertBag.
    Certificate(&'a [u8]),
    /// SafeContents.
    SafeContents(&'a [u8]),
    /// A CRL, a secret, or what is not known.
    Other,
}

impl<'a> Bag<'a> {
    /// The bags of SafeContents.
    pub(super) fn all(safe_contents: &'a [u8]) -> der::Result<Vec<Self>> {
        Vec::<AnyRef<'a>>::from_der(safe_contents)?.into_iter().map(Self::read).collect()
    }

    fn read(bag: AnyRef<'a>) -> der::Result<Self> {
        bag.sequence(|reader| {
            let id = reader.decode()?;
            let explicit: AnyRef<'a> = reader.decode()?;
            let tag = explicit.tag();
            if tag != (Tag::ContextSpecific { constructed: true, number: TagNumber(0) }) {
                return Err(tag.unexpected_error(None).into());
            }
            Ok(Self { id, value: explicit.value(), attributes: reader.decode()? })
        })
    }

    pub(super) fn value(&self) -> BagValue<'a> {
        match self.id {
            pkcs12::PKCS_12_KEY_BAG_OID => BagValue::Key(self.value),
            pkcs12::PKCS_12_PKCS8_KEY_BAG_OID => BagValue::ShroudedKey(self.value),
            pkcs12::PKCS_12_CERT_BAG_OID => BagValue::Certificate(self.value),
            pkcs12::PKCS_12_SAFE_CONTENTS_BAG_OID => BagValue::SafeContents(self.value),
            _ => BagValue::Other,
        }
    }

    fn attribute(&self, oid: ObjectIdentifier) -> Option<&Any> {
        let attribute = self.attributes.as_ref()?.iter().find(|attribute| attribute.oid == oid)?;
        attribute.values.get(0)
    }

    /// The friendlyName, whatever half characters there are in it. Some programs write other encodings into the BMPString, or another string type.
    fn friendly_name(&self) -> Option<String> {
        let value = self.attribute(FRIENDLY_NAME)?.to_der().ok()?;
        let value = Elements::of(&value).next_element().ok()?;
        let name =
            if value.tag == BMP_STRING { bmp_text(value.contents) } else { name::text_of(value.tag, value.contents)? };
        Some(name).filter(|name| !name.is_empty())
    }

    fn local_key_id(&self) -> Option<Vec<u8>> {
        self.attribute(LOCAL_KEY_ID).map(|id| id.value().to_vec())
    }
}

/// The text of a BMPString, or of bytes in another encoding in its place.
fn bmp_text(bytes: &[u8]) -> String {
    let (pairs, rest) = bytes.as_chunks();
    // In UTF-16 Latin letters have zeros between them, and six characters of other scripts are hardly ever all bytes of Latin letters.
    let is_in_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b'-' | b'_' | b'@' | 0x80..);
    let is_of_bytes = !rest.is_empty() || (bytes.len() >= 12 && bytes.iter().all(is_in_name));
    match core::str::from_utf8(bytes) {
        Ok(text) if is_of_bytes => text.to_owned(),
        Err(_) if !rest.is_empty() => name::latin_1(bytes),
        _ => String::from_utf16_lossy(&pairs.iter().copied().map(u16::from_be_bytes).collect::<Vec<u16>>()),
    }
}

/// Hands each bag in SafeContents to `each`, also those of SafeContents in them.
pub(super) fn for_each_bag(
    safe_contents: &[u8],
    each: &mut impl FnMut(&Bag<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    descend(safe_contents, MAXIMUM_DEPTH, each)
}

fn descend(
    safe_contents: &[u8],
    levels: usize,
    each: &mut impl FnMut(&Bag<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let malformed = Error::malformed(SAFE_CONTENTS);
    let levels = levels.checked_sub(1).ok_or_else(|| malformed(ErrorKind::NestingDepth.into()))?;
    for bag in Bag::all(safe_contents).map_err(malformed)? {
        match bag.value() {
            BagValue::SafeContents(within) => descend(within, levels, each)?,
            _ => each(&bag)?,
        }
    }
    Ok(())
}

impl Opened {
    /// Adds what is in SafeContents. Returns true if a key among them was decrypted.
    fn add(
        &mut self,
        safe_contents: &[u8],
        secret: &Secret,
        key_secret: Option<&Secret>,
        budget: &mut Budget,
    ) -> Result<bool, Error> {
        let malformed = Error::malformed(SAFE_CONTENTS);
        let mut has_decrypted = false;
        for_each_bag(safe_contents, &mut |bag| {
            let (friendly_name, local_key_id) = (bag.friendly_name(), bag.local_key_id());
            match bag.value() {
                BagValue::Key(info) => {
                    PrivateKeyInfoRef::try_from(info).map_err(|_| malformed(ErrorKind::Failed.into()))?;
                    let private_key_info = Zeroizing::new(info.to_vec());
                    self.private_keys.push(OpenedKey { private_key_info, friendly_name, local_key_id });
                }
                BagValue::ShroudedKey(info) => {
                    let mut clear = encrypted_private_key::decrypt_with(info, secret, budget);
                    if let (Err(Error::WrongPassphrase), Some(own)) = (&clear, key_secret) {
                        clear = encrypted_private_key::decrypt_with(info, own, budget);
                    }
                    match clear {
                        Ok(private_key_info) => {
                            has_decrypted = true;
                            self.private_keys.push(OpenedKey { private_key_info, friendly_name, local_key_id });
                        }
                        Err(Error::WrongPassphrase) => self.locked_private_keys += 1,
                        Err(error) => return Err(error),
                    }
                }
                BagValue::Certificate(bag) => {
                    if let Some(der) = certificate(bag).map_err(&malformed)? {
                        self.certificates.push(OpenedCertificate { der, friendly_name, local_key_id });
                    }
                }
                BagValue::SafeContents(_) => (),
                BagValue::Other => self.others += 1,
            }
            Ok(())
        })?;
        Ok(has_decrypted)
    }
}

/// The X.509 certificate in a CertBag, if it is one (RFC 7292, section 4.2.3).
fn certificate(bag: &[u8]) -> der::Result<Option<Vec<u8>>> {
    let id: ObjectIdentifier = AnyRef::from_der(bag)?.sequence(|reader| {
        let id = reader.decode()?;
        let _: AnyRef<'_> = reader.decode()?;
        Ok::<_, der::Error>(id)
    })?;
    if id != pkcs12::PKCS_12_X509_CERT_OID {
        return Ok(None);
    }
    CertBag::from_der(bag).map(|bag| Some(bag.cert_value.into_bytes().into_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use der::Encode;

    use super::*;
    use crate::element::{SEQUENCE, element};
    use crate::pfx::testing::build;
    use crate::pfx::testing::{CORRECT, LEAF, PUBLIC_KEY, ROOT, VECTORS, vector};
    use crate::pfx::{Contents, Profile};
    use crate::testing::{authority, key_pair};

    #[test]
    fn what_other_programs_wrote_is_opened() {
        for (name, bytes, correct) in VECTORS {
            let opened = open(bytes, correct).unwrap_or_else(|error| panic!("{name}: {error}"));
            let identity = opened.identities().unwrap().remove(0);
            assert_eq!(identity.key_pair.to_subject_public_key_info().unwrap(), PUBLIC_KEY, "{name}");
            assert_eq!(identity.leaf.der(), LEAF, "{name}");
            let chain: Vec<_> = identity.chain.iter().map(Certificate::der).collect();
            assert_eq!(chain, [ROOT], "{name}");
            assert!(identity.key.local_key_id.is_some(), "{name}");
            // Java's names are in lower case.
            let name_of_key = identity.key.friendly_name.as_deref().map(str::to_lowercase);
            assert_eq!(name_of_key.as_deref(), Some("ada example"), "{name}");
            let leaf = opened.certificates.iter().find(|certificate| certificate.der == LEAF).unwrap();
            assert_eq!(leaf.local_key_id, identity.key.local_key_id, "{name}");
            assert_eq!(leaf.friendly_name, identity.key.friendly_name, "{name}");
        }
    }

    #[test]
    fn another_passphrase_opens_nothing() {
        for (name, bytes, correct) in VECTORS {
            for wrong in ["correct-4-horse", "Correct-4-horse ", "", "Grüsse, 漢字 🔑 4"] {
                if wrong == correct || name == "openssl_clear_no_mac" {
                    continue;
                }
                let outcome = open(bytes, wrong).map(drop);
                assert_eq!(outcome, Err(Error::WrongPassphrase), "{name} with {wrong:?}");
            }
        }
    }

    #[test]
    fn what_is_in_the_clear_opens_with_anything() {
        let opened = open(vector("openssl_clear_no_mac"), "anything").unwrap();
        assert_eq!((opened.private_keys.len(), opened.certificates.len()), (1, 2));
    }

    #[test]
    fn what_keyside_writes_is_opened() {
        for profile in [Profile::Modern, Profile::Compatible] {
            let private_key_info = key_pair().to_private_key_info().unwrap();
            let certificates = [LEAF, &authority().issuing, &authority().root];
            let contents = Contents {
                private_key_info: &private_key_info,
                certificates: &certificates,
                friendly_name: "Zoë 漢字",
            };
            let pfx = build(profile, &contents).unwrap();
            let opened = open(&pfx, CORRECT).unwrap();
            assert_eq!(opened.private_keys[0].private_key_info, private_key_info);
            assert_eq!(opened.private_keys[0].friendly_name.as_deref(), Some("Zoë 漢字"));
            let inside: Vec<&[u8]> = opened.certificates.iter().map(|certificate| &*certificate.der).collect();
            assert_eq!(inside, certificates);
            assert_eq!(open(&pfx, "wrong").map(drop), Err(Error::WrongPassphrase));
        }
    }

    #[test]
    fn a_cipher_that_is_not_read_is_named() {
        let bytes = include_bytes!("../../../../tests/vectors/pfx/openssl_rc4.p12");
        let outcome = open(bytes, CORRECT).map(drop);
        assert_eq!(outcome, Err(Error::UnsupportedAlgorithm(pkcs12::PKCS_12_PBE_WITH_SHAAND40_BIT_RC4)));
        assert_eq!(open(bytes, "wrong").map(drop), Err(Error::WrongPassphrase), "the MAC comes first");
    }

    #[test]
    fn a_cut_file_is_damaged_and_not_of_another_passphrase() {
        for name in ["openssl", "nss", "openssl_no_mac"] {
            let bytes = vector(name);
            for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
                let outcome = open(&bytes[..length], CORRECT).map(drop);
                assert!(matches!(outcome, Err(Error::Malformed { .. })), "{name}, {length} bytes: {outcome:?}");
            }
            let longer = [bytes, &[0]].concat();
            assert!(matches!(open(&longer, CORRECT), Err(Error::Malformed { .. })));
        }
    }

    #[test]
    fn a_flipped_bit_changes_nothing_or_is_noticed() {
        let bytes = vector("openssl");
        let expected = open(bytes, CORRECT).unwrap();
        for place in 0..bytes.len() {
            for bit in [0x01, 0x80] {
                let mut bad = bytes.to_vec();
                bad[place] ^= bit;
                if let Ok(opened) = open(&bad, CORRECT) {
                    assert_eq!(opened.certificates, expected.certificates, "byte {place}");
                    let (found, expected) = (&opened.private_keys[0], &expected.private_keys[0]);
                    assert_eq!(found.private_key_info, expected.private_key_info, "byte {place}");
                }
            }
        }
    }

    #[test]
    fn iterations_and_sizes_have_bounds() {
        let mut pfx = Pfx::from_der(vector("openssl")).unwrap();
        for (iterations, expected) in [
            (12_000_001, Error::DerivationTooCostly),
            (i32::MAX, Error::DerivationTooCostly),
            (3, Error::WrongPassphrase),
        ] {
            pfx.mac_data.as_mut().unwrap().iterations = iterations;
            let outcome = open(&pfx.to_der().unwrap(), CORRECT).map(drop);
            assert_eq!(outcome, Err(expected), "{iterations}");
        }
        let large = vec![0x30; MAXIMUM_SIZE + 1];
        assert!(matches!(open(&large, CORRECT), Err(Error::Malformed { .. })));
    }

    /// SafeContents of one bag that holds `value`, DER.
    fn safe_contents(id: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
        let explicit = Any::new(Tag::ContextSpecific { constructed: true, number: TagNumber(0) }, value).unwrap();
        let bag = [id.to_der().unwrap(), explicit.to_der().unwrap()].concat();
        Any::new(Tag::Sequence, Any::new(Tag::Sequence, bag).unwrap().to_der().unwrap()).unwrap().to_der().unwrap()
    }

    fn pfx_of(safe_contents: &[u8]) -> Vec<u8> {
        let safe = element(SEQUENCE, &[&super::super::data(safe_contents)]);
        let auth_safe = ContentInfo::from_der(&super::super::data(&safe)).unwrap();
        Pfx { version: pkcs12::pfx::Version::V3, auth_safe, mac_data: None }.to_der().unwrap()
    }

    #[test]
    fn safe_contents_in_safe_contents_have_an_end() {
        let info = key_pair().to_private_key_info().unwrap();
        let mut contents = safe_contents(pkcs12::PKCS_12_KEY_BAG_OID, &info);
        for level in 1..=MAXIMUM_DEPTH {
            let outcome = open(&pfx_of(&contents), CORRECT);
            assert_eq!(outcome.unwrap().private_keys[0].private_key_info, info, "{level}");
            contents = safe_contents(pkcs12::PKCS_12_SAFE_CONTENTS_BAG_OID, &contents);
        }
        assert!(matches!(open(&pfx_of(&contents), CORRECT), Err(Error::Malformed { .. })));
    }

    #[test]
    fn what_is_not_known_in_it_is_passed_over() {
        let crl = safe_contents(pkcs12::PKCS_12_CRL_BAG_OID, &Any::null().to_der().unwrap());
        let opened = open(&pfx_of(&crl), CORRECT).unwrap();
        assert!(opened.private_keys.is_empty() && opened.certificates.is_empty());
        let nonsense = safe_contents(pkcs12::PKCS_12_KEY_BAG_OID, &Any::null().to_der().unwrap());
        assert!(matches!(open(&pfx_of(&nonsense), CORRECT), Err(Error::Malformed { .. })));
    }

    fn opened(keys: usize, certificates: &[&[u8]]) -> Opened {
        let key = |_| OpenedKey {
            private_key_info: key_pair().to_private_key_info().unwrap(),
            friendly_name: None,
            local_key_id: None,
        };
        let certificate =
            |der: &&[u8]| OpenedCertificate { der: der.to_vec(), friendly_name: None, local_key_id: None };
        Opened {
            private_keys: (0..keys).map(key).collect(),
            certificates: certificates.iter().map(certificate).collect(),
            ..Opened::default()
        }
    }

    #[test]
    fn an_identity_is_one_key_with_its_certificate() {
        use crate::testing::{NOW, YEAR, spki_of};
        let certify = |until| authority().certify("CN=Ada Example".parse().unwrap(), spki_of(&key_pair()), NOW, until);
        let (old, new) = (certify(NOW + YEAR), certify(NOW + 2 * YEAR));
        let file = opened(1, &[ROOT, b"nonsense", &old, &new]);
        let identity = file.identities().unwrap().remove(0);
        assert_eq!(identity.leaf.der(), new);
        let chain: Vec<_> = identity.chain.iter().map(Certificate::der).collect();
        assert_eq!(chain, [ROOT, old.as_slice()]);
        for (file, expected) in [
            (opened(0, &[&new]), IdentityError::NoKey),
            (Opened { locked_private_keys: 1, ..opened(0, &[&new]) }, IdentityError::KeyLocked),
            (opened(1, &[ROOT, LEAF]), IdentityError::NoCertificate),
        ] {
            assert_eq!(file.identities().map(drop), Err(expected));
        }
        assert_eq!(opened(2, &[&new]).identities().unwrap().len(), 1, "the same, twice");
    }

    #[test]
    fn a_key_is_not_printed() {
        let printed = format!("{:?}", open(vector("openssl"), CORRECT).unwrap());
        assert!(printed.contains("OpenedKey { friendly_name: Some(\"Ada Example\"), .. }"), "{printed}");
    }
}
