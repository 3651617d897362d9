//! Looking at a log without loading it, and cutting off what is damaged.

use super::load::{DamageKind, Replay, Scan};
use super::manifest::{FileInfo, Manifest};
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

/// Looks at every file that a manifest names, or at one file; with `fix` the last file is cut off where damage begins.
///
/// # Errors
/// The disk fails, or the manifest is none.
pub fn check(disk: &dyn Disk, path: &Path, fix: bool) -> io::Result<Vec<FileReport>> {
    let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
    let files = if is_manifest {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{}: no such file", path.display()));
        let manifest = Manifest::read(disk, path)?.ok_or_else(missing)?;
        let files: Vec<&FileInfo> = manifest.base().into_iter().chain(manifest.increments()).collect();
        files.iter().map(|file| path.with_file_name(&file.name)).collect()
    } else {
        vec![path.to_owned()]
    };
    let mut reports = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Some(len) = disk.len(file)? else {
            let damage = Some((0, "it is not there".to_owned()));
            reports.push(FileReport { path: file.clone(), len: 0, commands: 0, damage, is_cut: false });
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
        // Cutting a file in the middle of the log would leave a gap before what follows.
        let is_cut = fix && index + 1 == files.len() && damage.as_ref().is_some_and(|(offset, _)| *offset > 0);
        if let (true, Some((offset, _))) = (is_cut, &damage) {
            disk.truncate(file, *offset)?;
        }
        reports.push(FileReport { path: file.clone(), len, commands: count.commands, damage, is_cut });
    }
    Ok(reports)
}
