//! Files of the page: read and written with errors that name them, and told apart by their contents.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha384};

use crate::error::{Error, Result};
use crate::repository;

/// Reads a file; a relative path is below the repository.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let path = repository().join(path);
    fs::read(&path).map_err(|error| Error::file("read", &path, &error))
}

/// Reads a file of text; a relative path is below the repository.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::new(format!("{} is not UTF-8", path.display())))
}

/// Writes a file.
pub(super) fn write(path: &Path, contents: &[u8]) -> Result<()> {
    fs::write(path, contents).map_err(|error| Error::file("write", path, &error))
}

/// A digest of the names and contents of these files and folders, hexadecimal.
pub(super) fn digest<'path>(paths: impl IntoIterator<Item = &'path Path>) -> Result<String> {
    let mut digest = Sha384::new();
    for path in paths {
        add(&repository().join(path), &mut digest)?;
    }
    Ok(hexadecimal(&digest.finalize()))
}

fn add(path: &Path, digest: &mut Sha384) -> Result<()> {
    let unreadable = |error| Error::file("read", path, &error);
    digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    if path.is_dir() {
        let entries: std::io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
        let mut paths: Vec<_> = entries.map_err(unreadable)?.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        digest.update(paths.len().to_be_bytes());
        paths.iter().try_for_each(|path| add(path, digest))
    } else {
        let contents = fs::read(path).map_err(unreadable)?;
        digest.update(contents.len().to_be_bytes());
        digest.update(&contents);
        Ok(())
    }
}

/// A file whose name changes with its contents, as the page's document names it.
#[derive(Clone, Debug)]
pub(super) struct NamedFile {
    /// Its name.
    pub(super) name: String,
    /// The integrity that it must have (Subresource Integrity, section 3.1).
    pub(super) integrity: String,
}

impl NamedFile {
    /// Writes `contents` into `folder` as `name`, with a hash of 64 bits put before its first `_bg.` or its ending.
    pub(super) fn write(folder: &Path, name: &str, contents: &[u8]) -> Result<Self> {
        let digest = Sha384::digest(contents);
        let end = name.find("_bg.").or_else(|| name.rfind('.')).unwrap_or(name.len());
        let (stem, ending) = name.split_at(end);
        let hash = hexadecimal(digest.get(..8).unwrap_or_default());
        let named = Self {
            name: format!("{stem}-{hash}{ending}"),
            integrity: format!("sha384-{}", Base64::encode_string(&digest)),
        };
        write(&folder.join(&named.name), contents)?;
        Ok(named)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_hash_and_integrity_are_those_of_its_contents() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-{}-named", std::process::id()));
        crate::folders::create(&folder)?;
        for (name, expected) in [
            ("app.js", "app-cb00753f45a35e8b.js"),
            ("app_bg.wasm", "app-cb00753f45a35e8b_bg.wasm"),
            ("split_other.wasm", "split_other-cb00753f45a35e8b.wasm"),
        ] {
            let named = NamedFile::write(&folder, name, b"abc")?;
            assert_eq!(named.name, expected);
            // openssl dgst -sha384 -binary | base64
            assert_eq!(named.integrity, "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn");
            assert_eq!(read(&folder.join(expected))?, b"abc");
        }
        crate::folders::remove(&folder)
    }

    #[test]
    fn a_digest_changes_with_names_and_contents() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-{}-digest", std::process::id()));
        let mut seen = Vec::new();
        for (name, contents) in [("a", "bc"), ("ab", "c"), ("a", "bd")] {
            crate::folders::remove(&folder)?;
            crate::folders::create(&folder)?;
            write(&folder.join(name), contents.as_bytes())?;
            let digest = digest([folder.as_path()])?;
            assert_eq!(digest, super::digest([folder.as_path()])?);
            assert!(!seen.contains(&digest), "{name}: {contents}");
            seen.push(digest);
        }
        crate::folders::remove(&folder)
    }
}
