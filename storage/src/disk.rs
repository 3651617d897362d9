//! The one door to files: everything that is kept goes through [`Disk`], so that tests can put a disk that fails in its
//! place; no formats.

pub mod sim;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// A file that is being written.
pub trait DiskFile: Send {
    /// Writes all of `bytes` at the end.
    ///
    /// # Errors
    /// Any part of `bytes` may have been written then.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was written will survive a loss of power.
    ///
    /// # Errors
    /// Nobody knows then what has reached the disk; trying again proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}

/// What is asked of a file system. Errors name the file.
pub trait Disk: Send + Sync {
    /// Opens a new, empty file; one of that name is emptied.
    ///
    /// # Errors
    /// Those of the file system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file to write behind its end.
    ///
    /// # Errors
    /// Those of the file system; the file does not exist.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to read it from its beginning.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Length of a file in bytes, `None` if there is none.
    ///
    /// # Errors
    /// Those of the file system.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Creates a directory unless it exists.
    ///
    /// # Errors
    /// Those of the file system.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in the place of a file that has it.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Cuts a file to `len` bytes and syncs it.
    ///
    /// # Errors
    /// Those of the file system.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Returns when the names in a directory will survive a loss of power.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes a lock file for as long as what is returned lives.
    ///
    /// # Errors
    /// Somebody else has it, in this process or another one.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>>;
}

/// Puts a file with these bytes in the place of whatever has this name: the old one or the new one is there, whole, at
/// every moment. What is too long for the memory is written by its owner and put in its place by [`install`].
///
/// # Errors
/// Those of the disk; the old file is still there then, or, if only the directory could not be synced, maybe the new one.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = disk.create(&temporary)?;
    file.write_all(bytes)?;
    file.sync()?;
    drop(file);
    install(disk, &temporary, path)
}

/// Puts a file that has been written and synced in the place of another one of the same directory, for good.
///
/// # Errors
/// Those of the disk; if only the directory could not be synced, either of the two may be there after a loss of power.
pub fn install(disk: &dyn Disk, temporary: &Path, path: &Path) -> io::Result<()> {
    disk.rename(temporary, path)?;
    disk.sync_dir(directory_of(path))
}

/// The directory that a file lies in.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

struct RealFile {
    file: File,
    path: Box<Path>,
}

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).map_err(|error| naming(&self.path, error))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| naming(&self.path, error))
    }
}

/// A lock file that is held.
struct HeldLock(File);

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Closing would do only if nobody else had the file open, and every process that is being started has it until
        // it runs its program. Where unlocking fails, closing is what is left.
        let _ = self.0.unlock();
    }
}

/// The error for a lock that somebody else has.
fn held(path: &Path) -> io::Error {
    let text = format!("{}: another server keeps its data in this directory", path.display());
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

/// An error with the name of the file in front.
fn naming(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = File::create(path).map_err(|error| naming(path, error))?;
        Ok(Box::new(RealFile { file, path: path.into() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).open(path).map_err(|error| naming(path, error))?;
        Ok(Box::new(RealFile { file, path: path.into() }))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path).map_err(|error| naming(path, error))?))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(naming(path, error)),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(naming(path, error)),
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(|error| naming(from, error))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path).map_err(|error| naming(path, error))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let cut = || {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(len)?;
            file.sync_all()
        };
        cut().map_err(|error| naming(path, error))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| naming(path, error))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|error| naming(path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(HeldLock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(held(path)),
            Err(fs::TryLockError::Error(error)) => Err(naming(path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, HeldLock, RealDisk, replace};
    use std::io::Read;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_lock_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for text in ["first", "second"] {
            replace(&RealDisk, &path, text.as_bytes()).unwrap();
            let mut found = String::new();
            RealDisk.read(&path).unwrap().read_to_string(&mut found).unwrap();
            assert_eq!(found, text);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let lock = directory.path().join("lock");
        let held = RealDisk.lock(&lock).unwrap();
        let error = RealDisk.lock(&lock).map(drop).unwrap_err();
        assert!(error.to_string().contains("another server"), "{error}");
        drop(held);
        assert!(RealDisk.lock(&lock).is_ok());
        let error = RealDisk.read(&directory.path().join("none")).map(drop).unwrap_err();
        assert!(error.to_string().contains("none: "), "{error}");
    }

    #[test]
    fn a_lock_is_given_back_even_if_a_process_that_is_being_started_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let file = std::fs::File::create(&path).unwrap();
        let inherited = file.try_clone().unwrap();
        file.try_lock().unwrap();
        drop(HeldLock(file));
        assert!(RealDisk.lock(&path).is_ok());
        drop(inherited);
    }
}
