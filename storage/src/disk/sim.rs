//! A tool for tests: a disk in memory that fails, fills up and crashes where it is told to, and then loses what was not synced.

use super::{Disk, DiskFile, directory_of, held};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// When a [`SimDisk`] misbehaves. Calls are counted from 0; reading, listing and asking count as well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// The call that fails; a write may have put down a part of its bytes then, and a failed sync loses what it was for.
    pub fail_at: Option<u64>,
    /// The call at which the machine stops: it and every later one fail.
    pub crash_at: Option<u64>,
    /// How many bytes fit on the disk, all files together.
    pub capacity: Option<u64>,
    /// What decides how much of a failed write was put down.
    pub seed: u64,
}

/// A disk in memory; clones share it. Written bytes last when their file was synced, names when their directory was.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    plan: Plan,
    calls: u64,
    files: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    lasting: BTreeMap<PathBuf, usize>,
    /// Changes of names since their directory was synced, in order.
    changes: Vec<Change>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
}

#[derive(Clone, Default)]
struct Inode {
    /// What a reader sees.
    current: Vec<u8>,
    /// What is sure to be there after a crash.
    lasting: Vec<u8>,
    /// Writes behind it, each of which may or may not be there after a crash.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Set(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl SimDisk {
    /// An empty disk that works.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the disk does as `plan` says. The count of calls starts again.
    pub fn set_plan(&self, plan: Plan) {
        let mut state = self.state.lock();
        state.plan = plan;
        state.calls = 0;
    }

    /// How many calls there were since the plan was made.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// How many bytes all files have together.
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// The disk after a crash at this moment, as chance has it: of each file what was synced and any of the later
    /// writes, the last of them perhaps in part, with zeros where one is missing; of the names those that were synced
    /// and the first few of the later changes.
    pub fn crash(&self, seed: u64) -> SimDisk {
        let state = self.state.lock();
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut names = state.lasting.clone();
        let kept = chance.usize(..=state.changes.len());
        for change in &state.changes[..kept] {
            change.apply(&mut names);
        }
        let files = state.files.iter().map(|file| file.after_crash(&mut chance)).collect();
        let after =
            State { files, lasting: names.clone(), names, directories: state.directories.clone(), ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// The bytes of a file, if there is one.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.names.get(path).map(|&file| state.files[file].current.clone())
    }

    /// Puts a file there that lasts.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let file = state.files.len();
        state.files.push(Inode { current: bytes.to_vec(), lasting: bytes.to_vec(), unsynced: Vec::new() });
        state.names.insert(path.to_owned(), file);
        state.lasting.insert(path.to_owned(), file);
        state.directories.insert(directory_of(path).to_owned());
    }
}

impl Inode {
    fn after_crash(&self, chance: &mut fastrand::Rng) -> Inode {
        let mut bytes = self.lasting.clone();
        // Most often the tail is missing from some write on, which is what disks do; sometimes any of them are.
        let ordered = chance.bool();
        let survivors = chance.usize(..=self.unsynced.len());
        for (i, (offset, written)) in self.unsynced.iter().enumerate() {
            let survives = if ordered { i < survivors } else { chance.bool() };
            let torn = if ordered { i == survivors } else { !survives && chance.bool() };
            let len = match (survives, torn) {
                (true, _) => written.len(),
                (false, true) => chance.usize(..=written.len()),
                (false, false) => continue,
            };
            if len == 0 {
                continue;
            }
            if bytes.len() < offset + len {
                bytes.resize(offset + len, 0);
            }
            bytes[*offset..offset + len].copy_from_slice(&written[..len]);
        }
        Inode { current: bytes.clone(), lasting: bytes, unsynced: Vec::new() }
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Change::Set(path, file) => {
                names.insert(path.clone(), *file);
            }
            Change::Remove(path) => {
                names.remove(path);
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }

    fn directory(&self) -> &Path {
        match self {
            Change::Set(path, _) | Change::Remove(path) | Change::Rename(path, _) => directory_of(path),
        }
    }
}

impl State {
    /// Counts a call; says whether it fails, and the error if it does so before it has any effect.
    fn call(&mut self, path: &Path) -> io::Result<bool> {
        let call = self.calls;
        self.calls += 1;
        if self.plan.crash_at.is_some_and(|at| call > at) {
            return Err(io::Error::other(format!("{}: the machine has stopped", path.display())));
        }
        Ok(self.plan.fail_at == Some(call) || self.plan.crash_at == Some(call))
    }

    fn step(&mut self, path: &Path) -> io::Result<()> {
        if self.call(path)? { Err(simulated(path)) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&file| self.files[file].current.len() as u64).sum()
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{}: no such file", path.display())))
    }
}

fn simulated(path: &Path) -> io::Error {
    io::Error::other(format!("{}: simulated error", path.display()))
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.step(path)?;
        let file = state.files.len();
        state.files.push(Inode::default());
        state.change(Change::Set(path.to_owned(), file));
        Ok(Box::new(SimFile { disk: self.clone(), file, path: path.to_owned() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.step(path)?;
        let file = state.file(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), file, path: path.to_owned() }))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.state.lock();
        state.step(path)?;
        let file = state.file(path)?;
        Ok(Box::new(Cursor::new(state.files[file].current.clone())))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        let mut state = self.state.lock();
        state.step(path)?;
        Ok(state.names.get(path).map(|&file| state.files[file].current.len() as u64))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(path)?;
        state.directories.insert(path.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(from)?;
        state.file(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(path)?;
        state.file(path)?;
        state.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(path)?;
        let file = state.file(path)?;
        let file = &mut state.files[file];
        file.current.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        file.lasting = file.current.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(directory)?;
        let changes = std::mem::take(&mut state.changes);
        for change in changes {
            if change.directory() == directory {
                change.apply(&mut state.lasting);
            } else {
                state.changes.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        let mut state = self.state.lock();
        state.step(path)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(held(path));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state.lock().locks.remove(&self.path);
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    path: PathBuf,
}

impl DiskFile for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let fails = state.call(&self.path)?;
        let used = state.used();
        let room = state.plan.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        let mut len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if fails {
            let mut chance = fastrand::Rng::with_seed(state.plan.seed ^ state.calls);
            len = chance.usize(..=len);
        }
        let written = &bytes[..len];
        let file = &mut state.files[self.file];
        file.unsynced.push((file.current.len(), written.to_vec()));
        file.current.extend_from_slice(written);
        if fails {
            return Err(simulated(&self.path));
        }
        if len < bytes.len() {
            let text = format!("{}: no space left", self.path.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let fails = state.call(&self.path)?;
        let file = &mut state.files[self.file];
        if !fails {
            file.lasting = file.current.clone();
            file.unsynced.clear();
            return Ok(());
        }
        Err(simulated(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_what_was_synced() {
        let disk = SimDisk::new();
        let path = Path::new("/data/file");
        let mut file = disk.create(path).unwrap();
        file.write_all(b"one").unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("/data")).unwrap();
        file.write_all(b"two").unwrap();
        file.write_all(b"three").unwrap();
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let bytes = disk.crash(seed).content(path).unwrap();
            assert!(bytes.starts_with(b"one"));
            seen.insert(bytes);
        }
        assert!(seen.contains(b"one".as_slice()));
        assert!(seen.contains(b"onetwothree".as_slice()));
        assert!(seen.contains(b"one\0\0\0three".as_slice()));
    }

    #[test]
    fn a_name_is_lost_until_its_directory_is_synced() {
        let disk = SimDisk::new();
        let path = Path::new("/data/file");
        disk.create(path).unwrap().sync().unwrap();
        assert!((0..50).any(|seed| disk.crash(seed).content(path).is_none()));
        disk.sync_dir(Path::new("/data")).unwrap();
        assert!((0..50).all(|seed| disk.crash(seed).content(path).is_some()));
    }

    #[test]
    fn fails_once_and_stops_for_good() {
        let disk = SimDisk::new();
        let path = Path::new("/file");
        disk.set_plan(Plan { fail_at: Some(1), ..Plan::default() });
        let mut file = disk.create(path).unwrap();
        assert!(file.sync().is_err());
        assert!(file.sync().is_ok());
        disk.set_plan(Plan { crash_at: Some(0), capacity: Some(2), ..Plan::default() });
        assert!(file.sync().is_err());
        assert!(file.sync().is_err());
        disk.set_plan(Plan { capacity: Some(2), ..Plan::default() });
        assert_eq!(file.write_all(b"abc").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
