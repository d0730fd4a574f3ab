//! The cache outside the checkout, folders that appear whole or not at all, and locks.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where tools are kept between runs: `$KEYSIDE_CACHE`, else `$XDG_CACHE_HOME/keyside`, else `~/.cache/keyside`.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("KEYSIDE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("keyside")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/keyside")))
        .ok_or_else(|| Error::new("no folder for the cache").way_out("Set KEYSIDE_CACHE to a folder."))?;
    std::path::absolute(&cache).map_err(|error| Error::file("resolve", &cache, &error))
}

/// Makes a folder and those above it.
pub(crate) fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::file("create", folder, &error))
}

/// Removes a folder with all that is in it; it need not exist.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if folder.exists() => Err(Error::file("remove", folder, &error)),
        _ => Ok(()),
    }
}

/// What stands in the name of a folder that is being filled, followed by the process that fills it: programs started by
/// one that was killed may still be writing to theirs.
const UNFINISHED: &str = ".unfinished-";

/// Fills `folder` by way of a temporary one that takes its name once `fill` has succeeded, so that an install that was
/// interrupted is not taken for a finished one.
pub(crate) fn fill_whole(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut unfinished = folder.as_os_str().to_owned();
    unfinished.push(format!("{UNFINISHED}{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    create(&unfinished)?;
    fill(&unfinished)?;
    remove(folder)?;
    fs::rename(&unfinished, folder).map_err(|error| Error::file("put in place", folder, &error))
}

/// Removes what interrupted calls of [`fill_whole`] have left in `folder`; no other may be under way.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::file("read", folder, &error))?.flatten() {
        if entry.file_name().to_string_lossy().contains(UNFINISHED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes the lock `path` until the answer is dropped; says so when another process has it and waits for that one.
pub(crate) fn lock(path: &Path, what_for: &str) -> Result<File> {
    if let Some(folder) = path.parent() {
        create(folder)?;
    }
    let failed = |error| Error::file("lock", path, &error);
    let file = File::create(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            println!("Another command is {what_for}: waiting for it.");
            file.lock().map_err(failed)?;
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()))
    }

    #[test]
    fn an_interrupted_fill_leaves_nothing_that_counts_and_the_next_one_recovers() -> Result<()> {
        let scratch = scratch("fill");
        let folder = scratch.join("tool-1.2.3");
        let interrupted = fill_whole(&folder, |unfinished| {
            create(&unfinished.join("half"))?;
            Err(Error::new("interrupted"))
        });
        assert!(interrupted.is_err());
        assert!(!folder.exists());
        remove_unfinished(&scratch)?;
        fill_whole(&folder, |unfinished| create(&unfinished.join("whole")))?;
        assert!(folder.join("whole").exists());
        assert!(!folder.join("half").exists());
        remove(&scratch)
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped() -> Result<()> {
        let path = scratch("lock");
        let held = lock(&path, "testing")?;
        let second = File::create(&path).map_err(|error| Error::file("open", &path, &error))?;
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        assert!(second.try_lock().is_ok());
        fs::remove_file(&path).map_err(|error| Error::file("remove", &path, &error))
    }
}
