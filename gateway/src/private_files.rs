//! Files and folders that only their owner can read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes the folder `path`, and those above it that are missing, with mode 0700. One that is there already stays as it is.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path)
}

/// Makes the file `path` with mode 0600. It must not be there yet.
pub fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

/// True if its owner and the owner's group alone can read the file `path`, and the owner alone can write it. A service that runs under a user of
/// its own reads a secret as a member of its group, or as a credential of systemd, where the bits of the group are those of an access list. Where files have no mode,
/// nothing is known against it.
pub fn is_private(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o027 == 0);
    #[cfg(not(unix))]
    Ok(metadata.is_file())
}

/// Writes the entries of the folder `path` down to the disk, so that a rename in it outlasts a power cut.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // Windows does not open folders as files, and keeps their entries safe itself.
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}
