//! Reading the values of settings that have a form of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_pki::certificate::Certificate;
use keyside_pki::file;
use serde::Deserialize;
use x509_cert::name::Name;

use super::faults::ConfigError;

/// Reads a text file.
pub fn text_file(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Reads an RFC 4514 name.
pub fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let text = String::deserialize(deserializer)?;
    Name::from_str(&text).map_err(|error| {
        serde::de::Error::custom(format!(
            "“{text}” is not a name as RFC 4514 writes it, as in “CN=Example CA,O=Example,C=US” ({error})"
        ))
    })
}

/// Reads a subject template; its text is kept for the API.
pub fn template<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(String, SubjectTemplate), D::Error> {
    let text = String::deserialize(deserializer)?;
    let template = text.parse().map_err(serde::de::Error::custom)?;
    Ok((text, template))
}

/// Reads a date as TOML has it, or a text.
pub fn date_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::Datetime(date) => Ok(date.to_string()),
        toml::Value::String(text) => Ok(text),
        _ => Err(serde::de::Error::custom("write a date as in 2024-11-30, or a text as in “November 2024”")),
    }
}

/// Reads the certificate in the file that is named.
pub fn certificate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Certificate>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    let bytes = fs::read(&path).map_err(|source| ConfigError::Read { path: path.clone(), source });
    let certificate = match file::certificates(&bytes.map_err(serde::de::Error::custom)?).as_deref() {
        Ok([certificate]) => Ok(certificate.clone()),
        Ok(several) => Err(format!("it holds {} certificates instead of one", several.len())),
        Err(error) => Err(error.to_string()),
    };
    certificate.map(Some).map_err(|fault| serde::de::Error::custom(format!("{}: {fault}", path.display())))
}
