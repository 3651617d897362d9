//! Looking at a log without loading it, and cutting off what is damaged.

use super::load::{DamageKind, Replay, Scan};
use super::manifest::{Kind, Manifest};
use crate::disk::Disk;
use crate::rdb::Reader;
use crate::types::Limits;
use resplite_resp::request::Args;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What one file is like.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Commands in it that are well.
    pub commands: u64,
    /// Where damage begins, and what it is.
    pub damage: Option<(u64, String)>,
    /// Whether it may be cut off there without leaving a gap before what follows, or losing everything.
    pub can_be_cut: bool,
    /// Whether it was cut off there.
    pub is_cut: bool,
}

/// Counts what would be run.
#[derive(Default)]
struct Count {
    commands: u64,
}

impl Replay for Count {
    fn begin_file(&mut self) {}

    fn snapshot(&mut self, input: Box<dyn Read + Send>) -> Result<(u64, Box<dyn Read + Send>), String> {
        let mut reader = Reader::new(input, Limits::DEFAULT).map_err(|error| error.to_string())?;
        while reader.next().map_err(|error| error.to_string())?.is_some() {}
        let len = reader.offset();
        let (ahead, rest) = reader.into_parts();
        Ok((len, Box::new(io::Cursor::new(ahead).chain(rest))))
    }

    fn command(&mut self, _: Args<'_>) -> Result<(), String> {
        self.commands += 1;
        Ok(())
    }

    fn discard(&mut self) {}

    fn progress(&mut self, _: u64) {}
}

/// Looks at every file that a manifest names, or at one file; with `fix` the last file that holds anything is cut off where
/// damage begins.
///
/// # Errors
/// The disk fails, or the manifest is none.
pub fn check(disk: &dyn Disk, path: &Path, fix: bool) -> io::Result<Vec<FileReport>> {
    let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
    let files: Vec<(PathBuf, Kind)> = if is_manifest {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{}: no such file", path.display()));
        let manifest = Manifest::read(disk, path)?.ok_or_else(missing)?;
        let files = manifest.base().into_iter().chain(manifest.increments());
        files.map(|file| (path.with_file_name(&file.name), file.kind)).collect()
    } else {
        // It may be anything.
        vec![(path.to_owned(), Kind::Base)]
    };
    let mut reports = Vec::new();
    for (index, (file, kind)) in files.iter().enumerate() {
        let Some(len) = disk.len(file)? else {
            let damage = Some((0, "it is not there".to_owned()));
            reports.push(FileReport {
                path: file.clone(),
                len: 0,
                commands: 0,
                damage,
                can_be_cut: false,
                is_cut: false,
            });
            continue;
        };
        let mut count = Count::default();
        let damage = match Scan::new(disk.read(file)?, len, 0, &mut count).run() {
            Ok(()) => None,
            Err(damage) => match damage.kind {
                DamageKind::Io(error) => return Err(error),
                _ => Some((damage.offset, damage.what)),
            },
        };
        // Of a base there must be something left, or everything would be gone.
        let cut_at = damage.as_ref().map(|(offset, _)| *offset).filter(|at| *at > 0 || *kind == Kind::Increment);
        let can_be_cut = cut_at.is_some() && are_empty(disk, &files[index + 1..])?;
        let is_cut = fix && can_be_cut;
        if let (true, Some(at)) = (is_cut, cut_at) {
            disk.truncate(file, at)?;
        }
        reports.push(FileReport { path: file.clone(), len, commands: count.commands, damage, can_be_cut, is_cut });
    }
    Ok(reports)
}

/// Whether these files are there and hold nothing.
fn are_empty(disk: &dyn Disk, files: &[(PathBuf, Kind)]) -> io::Result<bool> {
    for (file, _) in files {
        if disk.len(file)? != Some(0) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::batch::Head;
    use crate::disk::sim::SimDisk;

    const MANIFEST: &str = "/log/a.aof.manifest";

    /// A log of increments with these contents.
    fn log(contents: &[&[u8]]) -> SimDisk {
        let disk = SimDisk::new();
        let mut manifest = String::new();
        for (index, content) in contents.iter().enumerate() {
            let sequence = index + 1;
            disk.put(Path::new(&format!("/log/a.aof.{sequence}.incr.aof")), content);
            manifest.push_str(&format!("file a.aof.{sequence}.incr.aof seq {sequence} type i\n"));
        }
        disk.put(Path::new(MANIFEST), manifest.as_bytes());
        disk
    }

    fn batch() -> Vec<u8> {
        let payload = b"*1\r\n$8\r\nFLUSHALL\r\n";
        let mut bytes = Vec::new();
        Head::new(payload, 0).write(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn cut(disk: &SimDisk) -> Vec<bool> {
        check(disk, Path::new(MANIFEST), true).unwrap().iter().map(|report| report.is_cut).collect()
    }

    #[test]
    fn a_torn_file_before_only_empty_files_is_cut() {
        let whole = batch();
        let torn = [&whole[..], &whole[..whole.len() - 1]].concat();
        let disk = log(&[&torn, b"", b""]);
        assert_eq!(cut(&disk), [true, false, false]);
        assert_eq!(disk.content(Path::new("/log/a.aof.1.incr.aof")), Some(whole.clone()));
        assert!(check(&disk, Path::new(MANIFEST), false).unwrap().iter().all(|report| report.damage.is_none()));
        let disk = log(&[&torn, b"", &whole]);
        assert_eq!(cut(&disk), [false, false, false]);
        assert_eq!(disk.content(Path::new("/log/a.aof.1.incr.aof")), Some(torn));
    }

    #[test]
    fn an_increment_may_be_torn_from_its_beginning_on() {
        let whole = batch();
        let disk = log(&[&whole, &whole[..whole.len() - 1]]);
        assert_eq!(cut(&disk), [false, true]);
        assert_eq!(disk.content(Path::new("/log/a.aof.2.incr.aof")), Some(Vec::new()));
        // A file that is looked at by itself may be no log at all.
        let path = Path::new("/log/letter");
        disk.put(path, b"Dear reader");
        assert!(!check(&disk, path, true).unwrap()[0].is_cut);
    }
}
