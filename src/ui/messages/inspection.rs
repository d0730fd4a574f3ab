//! The words of the Inspector: what things are, how they are protected, and what is to be said of them.

use keyside_core::inspection::{Finding, ForeignKind, Found, InspectedPrivateKey, KeyEncoding, Lock};
use keyside_core::service::inspect::InspectFileError;
use keyside_pki::certification_request::Oddity;
use keyside_pki::password_based_encryption::{Cipher, Derivation, Encryption, HashFunction};
use keyside_pki::pfx::{Audience, Caveat, MacProtection};
use keyside_pki::pkcs12_pbe;
use keyside_pki::public_key::PublicKeyKind;

use super::{Message, message, worker};

/// Why nothing can be told of a file.
pub fn fault(error: &InspectFileError) -> Message {
    match error {
        InspectFileError::WrongPassphrase => message(
            "The passphrase is wrong",
            "It opens nothing in this file. Try again as often as you like; upper and lower case and spaces matter.",
        ),
        InspectFileError::NotRecognized => message(
            "This file is of no kind that can be inspected, or is damaged",
            "The Inspector knows certificates (.cer, .crt, .pem, .der), certificate requests (.csr), private keys (.key), PKCS#12 (.p12, .pfx), PKCS#7 (.p7b, .p7c), revocation lists (.crl) and the backups of this site. Try another copy of the file.",
        ),
        InspectFileError::TooLarge => message(
            "This file is too large",
            "Files of certificates and keys have a few thousand bytes; more than a megabyte is not looked into.",
        ),
        InspectFileError::Worker(error) => worker(error),
    }
}

/// What something is.
pub fn title(found: &Found) -> String {
    match found {
        Found::Certificate(certificate) if certificate.is_ca => "Certificate of a certification authority".into(),
        Found::Certificate(_) => "Certificate".into(),
        Found::Request(_) => "Certificate request".into(),
        Found::PrivateKey(_) => "Private key".into(),
        Found::PublicKey(_) => "Public key".into(),
        Found::Crl(_) => "Certificate revocation list".into(),
        Found::Pkcs7(_) => "PKCS#7 file".into(),
        Found::Pfx(_) => "PKCS#12 file".into(),
        Found::Others(_) => "Other contents".into(),
        Found::Backup(_) => "Backup of this site".into(),
        Found::Unreadable(_) => "Unreadable part".into(),
        Found::Foreign(kind) => foreign_kind(*kind).0.into(),
    }
}

/// The name of a file that is not opened here, and the way to convert it.
pub fn foreign_kind(kind: ForeignKind) -> (&'static str, &'static str) {
    match kind {
        ForeignKind::Jks => (
            "Java keystore (JKS)",
            "Java's own program makes a PKCS#12 file of it, which opens here: keytool -importkeystore -srckeystore FILE -destkeystore NEW-FILE.p12 -deststoretype PKCS12",
        ),
        ForeignKind::Jceks => (
            "Java keystore (JCEKS)",
            "Java's own program makes a PKCS#12 file of it, which opens here: keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS -destkeystore NEW-FILE.p12 -deststoretype PKCS12",
        ),
        ForeignKind::Bks => (
            "Keystore of Bouncy Castle",
            "KeyStore Explorer opens it, and changes its type to PKCS#12: Tools, Change KeyStore Type.",
        ),
        ForeignKind::OpenSshPrivateKey => (
            "Private key of OpenSSH",
            "This changes a copy of it to PKCS#8, which opens here: ssh-keygen -p -m PKCS8 -f COPY-OF-FILE",
        ),
        ForeignKind::SshPublicKey => (
            "Public key of OpenSSH",
            "It is for logging in with SSH, and is no certificate. This shows it in the usual form: ssh-keygen -e -m PKCS8 -f FILE",
        ),
        ForeignKind::Putty => (
            "Private key of PuTTY",
            "PuTTYgen opens it: Conversions, Export OpenSSH key. Then: ssh-keygen -p -m PKCS8 -f NEW-FILE",
        ),
        ForeignKind::Pvk => (
            "Private key of Microsoft (PVK)",
            "This makes a file of it that opens here: openssl rsa -inform PVK -in FILE | openssl pkcs8 -topk8 -out NEW-FILE",
        ),
        ForeignKind::SMime => (
            "Signed or encrypted mail (S/MIME)",
            "This takes the certificates out of a signed one: openssl smime -pk7out -in FILE | openssl pkcs7 -print_certs -out NEW-FILE",
        ),
        ForeignKind::Spkac => (
            "Certificate request of an old browser (SPKAC)",
            "It has no subject, and no CA here takes it. This shows what is in it: openssl spkac -in FILE. Register on this site in its place.",
        ),
        ForeignKind::OpenPgp => (
            "Key or message of OpenPGP",
            "It is for encrypting mail with GnuPG and the like, and is no certificate of the kind that this site works with. This shows what is in it: gpg --show-keys FILE",
        ),
        ForeignKind::Sqlite => (
            "Database, such as Firefox's own keystore",
            "Firefox exports the certificate with its key: Settings, Certificates, Your Certificates, Backup. With NSS's program: pk12util -d FOLDER -n NAME -o NEW-FILE.p12",
        ),
        ForeignKind::Jwk => (
            "Key in JSON (JWK)",
            "It has no certificate. The program that made it can export PEM or PKCS#12, which open here.",
        ),
        ForeignKind::Zip => (
            "Archive (ZIP), or a document of Word",
            "Unpack it, then choose the file in it. From a document, copy the text from “BEGIN” to “END” into a plain text file.",
        ),
        ForeignKind::Gzip => ("Compressed file (gzip)", "Unpack it, then choose the file in it: gunzip FILE"),
        ForeignKind::Html => (
            "Web page",
            "The page was saved in place of the file that it links to: often it says that one must log in first. Open it in a browser, and download the file itself.",
        ),
        ForeignKind::Pdf => ("Document (PDF)", "Ask its sender for the certificate's own file."),
        ForeignKind::Ole => (
            "Mail of Outlook, or an old document of Word",
            "Open it in its program, and save the attachment or the text by itself.",
        ),
        ForeignKind::Image => ("Picture", "A picture of a certificate is not enough: ask for the file itself."),
    }
}

/// A kind of key, with its size.
pub fn key_kind(kind: &PublicKeyKind) -> String {
    match kind {
        PublicKeyKind::Rsa(bits) => format!("RSA, {bits} bits"),
        PublicKeyKind::EllipticCurve(curve) => format!("elliptic curve, {curve}"),
        PublicKeyKind::Other(algorithm) => format!("another kind ({algorithm})"),
    }
}

/// Whether a private key is encrypted, and how.
pub fn key_protection(key: &InspectedPrivateKey) -> String {
    match (key.encoding, key.lock, &key.encryption) {
        (KeyEncoding::OldPem, ..) => {
            "Encrypted in OpenSSL's old format, which is not opened here. This makes a file of it that is: openssl pkcs8 -topk8 -in FILE -out NEW-FILE".into()
        }
        (_, Lock::Clear, _) => "Not encrypted".into(),
        (_, Lock::Unsupported, Some(scheme)) => format!("{}, which is not opened here", encryption(scheme)),
        (_, Lock::Locked, None) => "It has a passphrase of its own, which is not the file's; not opened".into(),
        (_, Lock::Locked, Some(scheme)) => format!("{}; not opened", encryption(scheme)),
        (_, _, Some(scheme)) => format!("{}; the passphrase opens it", encryption(scheme)),
        (_, _, None) => "Encrypted by the file that it is in; the passphrase opens it".into(),
    }
}

/// How a private key is written.
pub fn key_encoding(encoding: KeyEncoding) -> &'static str {
    match encoding {
        KeyEncoding::Pkcs8 => "PKCS#8",
        KeyEncoding::Pkcs1 => "PKCS#1 (RSA PRIVATE KEY)",
        KeyEncoding::Sec1 => "EC PRIVATE KEY",
        KeyEncoding::OldPem => "PEM in OpenSSL's old format",
        KeyEncoding::Pfx => "in the PKCS#12 file",
    }
}

/// How something is encrypted under a passphrase.
pub fn encryption(encryption: &Encryption) -> String {
    match encryption {
        Encryption::Pbes2 { derivation, cipher: used } => {
            format!("{}, {}", cipher(*used), self::derivation(derivation))
        }
        Encryption::Pkcs12 { cipher, iterations } => {
            format!("{}, SHA-1 with {iterations} iterations", old_cipher(*cipher))
        }
        Encryption::Other(algorithm) => format!("an algorithm that is not known here ({algorithm})"),
    }
}

fn cipher(cipher: Cipher) -> &'static str {
    match cipher {
        Cipher::Aes128Cbc => "AES-128",
        Cipher::Aes192Cbc => "AES-192",
        Cipher::Aes256Cbc => "AES-256",
        Cipher::TripleDesCbc => "triple DES",
    }
}

fn old_cipher(cipher: pkcs12_pbe::Cipher) -> &'static str {
    match cipher {
        pkcs12_pbe::Cipher::ThreeKeyTripleDes => "triple DES",
        pkcs12_pbe::Cipher::TwoKeyTripleDes => "triple DES with two keys",
        pkcs12_pbe::Cipher::Rc2With128Bits => "RC2 with 128 bits",
        pkcs12_pbe::Cipher::Rc2With40Bits => "RC2 with 40 bits",
        pkcs12_pbe::Cipher::Rc4With128Bits => "RC4 with 128 bits",
        pkcs12_pbe::Cipher::Rc4With40Bits => "RC4 with 40 bits",
    }
}

fn derivation(derivation: &Derivation) -> String {
    match derivation {
        Derivation::Pbkdf2 { hash, iterations } => {
            format!("PBKDF2 ({}) with {iterations} iterations", hash_function(*hash))
        }
        Derivation::Scrypt { memory } => format!("scrypt with {} MiB", memory.div_ceil(1024 * 1024)),
    }
}

fn hash_function(hash: HashFunction) -> &'static str {
    match hash {
        HashFunction::Sha1 => "SHA-1",
        HashFunction::Sha224 => "SHA-224",
        HashFunction::Sha256 => "SHA-256",
        HashFunction::Sha384 => "SHA-384",
        HashFunction::Sha512 => "SHA-512",
    }
}

/// What notices changes to a PKCS#12 file.
pub fn mac(mac: Option<&MacProtection>) -> String {
    match mac {
        Some(MacProtection::Hmac { hash, iterations, salt_size }) => {
            format!("{} with {iterations} iterations, salt of {salt_size} bytes", hash_function(*hash))
        }
        Some(MacProtection::Pbmac1 { hash, iterations, salt_size }) => {
            format!("PBMAC1, {} with {iterations} iterations, salt of {salt_size} bytes", hash_function(*hash))
        }
        Some(MacProtection::Other(algorithm)) => format!("an algorithm that is not known here ({algorithm})"),
        None => "none".into(),
    }
}

/// How many programs can open a PKCS#12 file.
pub fn audience(audience: Audience) -> &'static str {
    match audience {
        Audience::All => "Practically every program, old ones too.",
        Audience::Current => {
            "Current programs: Windows 10 (1709) and Server 2019 or later, OpenSSL, Java 8u301 or later, Firefox. Windows Server 2016, macOS 12 to 14, iOS 16 and Android up to 13 report a wrong password; of a certificate from here, collect the Compatible file for them."
        }
        Audience::Newest => "The newest programs alone: OpenSSL 3.4, Java 26 or later. Others report a wrong password.",
        Audience::Unknown => "That cannot be told: it is protected in a way that is not known here.",
    }
}

/// What else is to be said of a PKCS#12 file.
pub fn caveat(caveat: Caveat) -> Message {
    match caveat {
        Caveat::BrokenCipher => message(
            "Weak encryption",
            "RC2 and RC4 broke long ago, and OpenSSL 3 opens them with the option -legacy alone. Make the file anew.",
        ),
        Caveat::NoMac => {
            message("No MAC", "Changes to the file go unnoticed, and some programs report a wrong password.")
        }
        Caveat::Scrypt => message("scrypt", "Java and GnuTLS do not know it."),
        Caveat::TooManyIterationsForWindows => message(
            "Too many iterations for Windows",
            "Windows opens files with at most 600,000 of them. Make a new file with fewer.",
        ),
        Caveat::TooManyIterationsForJava => message("Many iterations", "Java refuses more than five million of them."),
        Caveat::KeyInTheClear => message(
            "The private key is not encrypted",
            "Whoever has this file has the key. Keep it where only you can read it, or encrypt it.",
        ),
    }
}

/// Whose a certificate or request is.
fn subject(found: &Found) -> Option<String> {
    match found {
        Found::Certificate(certificate) => Some(format!("the certificate of {}", certificate.summary.subject)),
        Found::Request(request) => Some(format!("the certificate request of {}", request.subject)),
        _ => None,
    }
}

/// What is to be said of the thing at `place` in `found`, and whether it is good news.
pub fn finding(finding: &Finding, place: usize, found: &[Found]) -> (bool, Message) {
    match finding {
        Finding::KeyFits { key, item } if *key == place => {
            let whose = found.get(*item).and_then(subject).unwrap_or_default();
            (true, message("The key fits", format!("It is the key of {whose}.")))
        }
        Finding::KeyFits { .. } => {
            (true, message("The key fits", "This file has the private key of this certificate or request."))
        }
        Finding::KeyFitsNothing { .. } => (
            false,
            message("The key does not fit", "No certificate and no request in this file belongs to this private key."),
        ),
        Finding::LeadsToCa { trust_anchor, .. } => {
            (true, message("Issued by this site's CA", format!("The chain leads to {trust_anchor}.")))
        }
        Finding::LeadsToRootInFile { root, .. } => (
            false,
            message(
                "Not issued by this site's CA",
                format!("The chain leads to {root}, a root that comes in the same file. Anybody can make such a root."),
            ),
        ),
        Finding::LeadsNowhere { .. } => (
            false,
            message(
                "The chain does not build",
                "Neither this file nor this site has a certificate of the issuer that leads to a root.",
            ),
        ),
        Finding::PathRefused { why, .. } => (
            false,
            message("Issued by this site's CA, but not to be used", format!("The chain leads there, but {why}.")),
        ),
        Finding::PathNotChecked { why, .. } => (
            false,
            message(
                "The chain cannot be checked here",
                format!("This does not mean that something is wrong with it: {why}."),
            ),
        ),
        Finding::SelfSigned { .. } => (
            false,
            message("Signed by itself", "It is a root of its own, or a test certificate; it is not this site's CA."),
        ),
        Finding::NotYetValid { .. } => {
            (false, message("Not valid yet", "Its validity begins in the future, or this computer's clock is wrong."))
        }
        Finding::Expired { .. } => (
            false,
            message(
                "Expired",
                "Programs refuse it. Get a new certificate; keep this one if old mail is encrypted with it.",
            ),
        ),
        Finding::BrokenHash { .. } => (
            false,
            message(
                "Weak signature",
                "Two texts with the same MD5 or SHA-1 can be made, so programs refuse such signatures.",
            ),
        ),
        Finding::SmallKey { bits, .. } => (
            false,
            message("Small key", format!("RSA keys of {bits} bits are refused by many programs; 2048 are needed.")),
        ),
        Finding::SignatureInvalid { .. } => (
            false,
            message(
                "The signature does not fit",
                "The request was changed, or made without its private key. No CA takes it.",
            ),
        ),
        Finding::BytesFollow { count, .. } => (
            false,
            message(
                "Something stands behind it",
                format!(
                    "Bytes that do not belong to it: {count}. They do no harm, but some programs refuse such a file."
                ),
            ),
        ),
        Finding::NotStandard { oddity: Oddity::NoAttributes, .. } => (
            false,
            message(
                "Not quite as the standard has it",
                "The request leaves its attributes out. Most CAs take it; some refuse it.",
            ),
        ),
        Finding::NotStandard { oddity: Oddity::Version, .. } => (
            false,
            message(
                "Not quite as the standard has it",
                "The request's version is not 0, the only one there is. Some CAs refuse it.",
            ),
        ),
        Finding::KeyInTheClear { .. } => (
            false,
            message(
                "Not encrypted",
                "Whoever has this file has the key. Keep it where only you can read it, or encrypt it: openssl pkcs8 -topk8 -in FILE -out NEW-FILE",
            ),
        ),
    }
}

/// What a key or a certificate may be used for; a name of RFC 5280, sections 4.2.1.3 and 4.2.1.12, in words.
pub fn usage(name: &str) -> &str {
    match name {
        "digitalSignature" => "digital signatures",
        "nonRepudiation" => "signatures that commit",
        "keyEncipherment" => "encrypting keys",
        "dataEncipherment" => "encrypting data",
        "keyAgreement" => "agreeing on keys",
        "keyCertSign" => "signing certificates",
        "cRLSign" => "signing revocation lists",
        "encipherOnly" => "encrypting only",
        "decipherOnly" => "decrypting only",
        "serverAuth" => "web servers",
        "clientAuth" => "logging in to web servers",
        "codeSigning" => "signing programs",
        "emailProtection" => "e-mail",
        "timeStamping" => "time stamps",
        "OCSPSigning" => "telling what is revoked (OCSP)",
        "anyExtendedKeyUsage" => "anything",
        other => other,
    }
}
