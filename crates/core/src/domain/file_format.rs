//! The formats of the files that users download: what they hold, their names, extensions and media types.
//!
//! A file has certificates only ([`FileFormat`]) or the private key as well ([`ExportFormat`]). The bytes are made in
//! [`certificate_file`](crate::service::certificate_file) and in [`custody`](crate::custody).

use core::fmt;
use core::str::FromStr;

use keyside_pki::pfx::Profile;
use serde::{Deserialize, Serialize};

const PEM_EXTENSION: &str = "pem";
const PEM_MEDIA_TYPE: &str = "application/x-pem-file";

/// A file that holds a certificate without its key.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// The certificate and its chain as PEM (RFC 7468).
    #[default]
    Pem,
    /// The certificate alone as DER.
    Der,
    /// The certificate and its chain as a certs-only CMS SignedData (RFC 8551, section 3.8), DER.
    P7b,
}

impl FileFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Pem, Self::Der, Self::P7b];

    /// Its name, as the API and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Der => "der",
            Self::P7b => "p7b",
        }
    }

    /// The letters that people know it by.
    pub fn abbreviation(self) -> &'static str {
        match self {
            Self::Pem => "PEM",
            Self::Der => "DER",
            Self::P7b => "P7B",
        }
    }

    /// The extension of a file's name, by which systems know what to do with it.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Pem => PEM_EXTENSION,
            Self::Der => "cer",
            Self::P7b => "p7b",
        }
    }

    /// The media type, by which browsers know what to do with it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pem => PEM_MEDIA_TYPE,
            Self::Der => "application/pkix-cert",
            // Windows has this one for `.p7b` files.
            Self::P7b => "application/x-pkcs7-certificates",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text is not the name of a file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a file format is one of: pem, der, p7b")]
pub struct UnknownFileFormat;

impl FromStr for FileFormat {
    type Err = UnknownFileFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or(UnknownFileFormat)
    }
}

/// A file of a private key, its certificate and the chain above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportFormat {
    /// PKCS#12 (RFC 7292), DER.
    Pkcs12(Profile),
    /// PEM (RFC 7468), one text: the EncryptedPrivateKeyInfo, then the certification path, leaf first.
    Pem,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Pkcs12(Profile::Modern), Self::Pkcs12(Profile::Compatible), Self::Pem];

    /// The name that people know it by.
    pub fn abbreviation(self) -> &'static str {
        match self {
            Self::Pkcs12(_) => "PKCS#12",
            Self::Pem => "PEM",
        }
    }

    /// The extension of a file's name, by which systems know what to do with it.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Pkcs12(_) => "p12",
            Self::Pem => PEM_EXTENSION,
        }
    }

    /// The media type, by which browsers know what to do with it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pkcs12(_) => "application/x-pkcs12",
            Self::Pem => PEM_MEDIA_TYPE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() -> Result<(), serde_json::Error> {
        for format in FileFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format)?, format!("\"{format}\""));
        }
        Ok(())
    }

    #[test]
    fn other_names_are_unknown() {
        for text in ["", "PEM", "p12", "pem "] {
            assert_eq!(text.parse::<FileFormat>(), Err(UnknownFileFormat), "{text}");
        }
    }
}
