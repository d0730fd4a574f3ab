//! OpenSSL's opinion of a private key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation;

use crate::Result;

/// OpenSSL's program, known to refuse bad keys.
pub(crate) struct OpenSsl {
    program: PathBuf,
    version: String,
}

impl OpenSsl {
    /// Tries it out first: it must take a good key and refuse a damaged one, or its exit codes would mean nothing.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        let output = Command::new(program).arg("version").output();
        let output = output.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let this = Self { program: program.to_owned(), version };
        let key_pair =
            key_generation::generate(KeySize::Rsa2048, &mut rand::rng()).map_err(|error| error.to_string())?;
        let mut key = key_pair.to_private_key_info().map_err(|error| error.to_string())?;
        this.check(&key)?;
        // In a key of 2048 bits this is inside the numbers behind the second prime's first byte.
        let place = key.len() - 450;
        if let Some(byte) = key.get_mut(place) {
            *byte ^= 1;
        }
        match this.check(&key) {
            Ok(()) => Err(format!("{} takes a damaged key for a valid one", this.version)),
            Err(_) => Ok(this),
        }
    }

    /// What it says about its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Fails unless `openssl pkey -check` finds this PrivateKeyInfo valid.
    pub(crate) fn check(&self, private_key_info: &[u8]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["pkey", "-inform", "DER", "-check", "-noout"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", self.program.display()))?;
        // Taken, so that it is closed when all is written.
        let mut input = child.stdin.take().ok_or("OpenSSL has no input")?;
        input.write_all(private_key_info).map_err(|error| format!("OpenSSL does not read: {error}"))?;
        drop(input);
        let output = child.wait_with_output().map_err(|error| format!("OpenSSL does not end: {error}"))?;
        if output.status.success() && output.stdout.starts_with(b"Key is valid") {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("`openssl pkey -check` refuses a key ({}): {said}", output.status))
    }
}
