//! Reading a log back: what is handed out is what may be run, and what is damaged is named.
//!
//! A batch of ours is looked at as a whole before any of it is handed out. The end of the last file that holds anything may
//! be torn: it is cut back to where the promise to keep it ended. Anything else that does not fit means that something was lost that was
//! promised, and then nothing is loaded at all.

use super::batch::{Head, LONGEST, MARK};
use super::manifest::{FileInfo, Kind, Manifest};
use crate::disk::{Disk, replace};
use resplite_resp::request::{Args, OwnedArgs};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that one read of a file asks for.
const BLOCK: usize = 256 * 1024;
/// Longest argument that a log may hold; longer than what any server accepts.
const MOST_ARGUMENT: u64 = 4 << 30;
/// Longest remark of another server; longer than what any of them reads back.
const MOST_REMARK: usize = 1024;
/// Most arguments of one command.
const MOST_ARGUMENTS: u64 = 1 << 31;

/// What takes in the content of a log.
pub trait Replay {
    /// A file begins: what follows is of database 0 until a SELECT says otherwise.
    fn begin_file(&mut self);

    /// A snapshot in the RDB format. Returns its length in bytes, and the rest of the file, in which commands may follow.
    ///
    /// # Errors
    /// What is wrong with it.
    fn snapshot(&mut self, input: Box<dyn Read + Send>) -> Result<(u64, Box<dyn Read + Send>), String>;

    /// A command. Transactions come as MULTI, commands and EXEC.
    ///
    /// # Errors
    /// It cannot be run, and so what follows should not be either.
    fn command(&mut self, args: Args<'_>) -> Result<(), String>;

    /// MULTI was not followed by EXEC: what has come since is to be forgotten.
    fn discard(&mut self);

    /// So many bytes of all files have been read.
    fn progress(&mut self, bytes: u64);
}

/// What a directory held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loaded {
    /// No log.
    Nothing,
    /// A log, of whose end so many bytes were torn and have been cut off.
    Log {
        /// Bytes that were cut off.
        cut: u64,
    },
}

/// Why a log was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The disk failed.
    Io(io::Error),
    /// A file is damaged where it must not be.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// What was found there.
        what: String,
        /// What `resplite check-aof` is to be called with.
        remedy: PathBuf,
    },
    /// A file is well, and whoever was to run it cannot.
    Refused {
        /// The file.
        file: PathBuf,
        /// Where it stands.
        offset: u64,
        /// Why it cannot be run.
        what: String,
    },
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        LoadError::Io(error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Io(error) => write!(out, "the log cannot be read: {error}"),
            LoadError::Refused { file, offset, what } => {
                write!(out, "the log cannot be run: {}, offset {offset}: {what}", file.display())
            }
            LoadError::Damaged { file, offset, what, remedy } => write!(
                out,
                "the log is damaged: {}, offset {offset}: {what}. Make a copy of the directory, then run: resplite \
                 check-aof --fix {}",
                file.display(),
                remedy.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {}

/// Which log to load and what to accept.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Directory of the log's files.
    pub directory: PathBuf,
    /// First part of the files' names.
    pub name: String,
    /// Whether a torn end is cut off, or refused.
    pub accepts_truncated: bool,
}

/// Loads the log of a directory.
///
/// A single file of that name beside the directory, as servers before Redis 7 wrote it, is taken over as its base.
///
/// # Errors
/// The disk fails or a file is damaged; what has been handed out by then is to be forgotten.
pub fn load(disk: &dyn Disk, options: &LoadOptions, replay: &mut dyn Replay) -> Result<Loaded, LoadError> {
    let path = Manifest::path(&options.directory, &options.name);
    let manifest = match Manifest::read(disk, &path)? {
        Some(manifest) => manifest,
        None => match take_over(disk, options, &path)? {
            Some(manifest) => manifest,
            None => return Ok(Loaded::Nothing),
        },
    };
    let files: Vec<&FileInfo> = manifest.base().into_iter().chain(manifest.increments()).collect();
    let (mut before, mut cut) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        let place = options.directory.join(&file.name);
        let Some(len) = disk.len(&place)? else {
            let what = "the manifest names it, and it is not there".into();
            return Err(LoadError::Damaged { file: place, offset: 0, what, remedy: path });
        };
        replay.begin_file();
        let mut scan = Scan::new(disk.read(&place)?, len, before, replay);
        if let Err(damage) = scan.run() {
            let tail = tail(disk, &place, damage.offset)?;
            let is_torn = match damage.kind {
                DamageKind::Io(error) => return Err(LoadError::Io(error)),
                DamageKind::Truncated => true,
                DamageKind::Wrong => damage.is_ours || tail.is_ours,
                DamageKind::Refused => {
                    return Err(LoadError::Refused { file: place, offset: damage.offset, what: damage.what });
                }
            };
            let accepts = is_torn && options.accepts_truncated && !tail.is_promised;
            let is_base = file.kind == Kind::Base && damage.offset == 0 && len > 0;
            if !accepts || is_base || !are_empty(disk, options, &files[index + 1..])? {
                return Err(LoadError::Damaged { file: place, offset: damage.offset, what: damage.what, remedy: path });
            }
            scan.replay.discard();
            cut = len - damage.offset;
            log::warn!(
                "{}: the last {cut} bytes, from offset {} on, were torn ({}) and are cut off",
                place.display(),
                damage.offset,
                damage.what
            );
            disk.truncate(&place, damage.offset)?;
        }
        before += len;
    }
    Ok(Loaded::Log { cut })
}

/// Bytes of all files that [`load`] would read.
///
/// # Errors
/// Those of the disk; the manifest is none.
pub fn size(disk: &dyn Disk, options: &LoadOptions) -> io::Result<u64> {
    let path = Manifest::path(&options.directory, &options.name);
    let manifest = Manifest::read(disk, &path)?.unwrap_or_default();
    let mut size = 0;
    for file in manifest.base().into_iter().chain(manifest.increments()) {
        size += disk.len(&options.directory.join(&file.name))?.unwrap_or(0);
    }
    Ok(size)
}

/// Makes a log of a single file, as older servers wrote it, by moving it into the directory.
fn take_over(disk: &dyn Disk, options: &LoadOptions, path: &Path) -> io::Result<Option<Manifest>> {
    let parent = crate::disk::directory_of(&options.directory);
    let old = parent.join(&options.name);
    if disk.len(&options.directory.join(&options.name))?.is_none() {
        if disk.len(&old)?.is_none() {
            return Ok(None);
        }
        disk.create_dir(&options.directory)?;
        disk.sync_dir(parent)?;
        disk.rename(&old, &options.directory.join(&options.name))?;
        disk.sync_dir(&options.directory)?;
        disk.sync_dir(parent)?;
    }
    let manifest = Manifest { files: vec![FileInfo { name: options.name.clone(), sequence: 1, kind: Kind::Base }] };
    replace(disk, path, manifest.text().as_bytes())?;
    Ok(Some(manifest))
}

/// Whether nothing has been written to these files. Before anything is, the file before them is synced: so as long as they
/// are empty that one may be torn, as if it were the last.
fn are_empty(disk: &dyn Disk, options: &LoadOptions, files: &[&FileInfo]) -> io::Result<bool> {
    for file in files {
        if disk.len(&options.directory.join(&file.name))? != Some(0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What lies behind damage.
struct Tail {
    /// A batch says that the file was synced beyond the damage.
    is_promised: bool,
    /// There is a batch, if only in part, or nothing behind the zeros that a loss of power leaves: this is no file of
    /// another server whose format is not known.
    is_ours: bool,
}

fn tail(disk: &dyn Disk, path: &Path, offset: u64) -> io::Result<Tail> {
    let mut input = disk.read(path)?;
    io::copy(&mut input.by_ref().take(offset), &mut io::sink())?;
    let mut rest = Vec::new();
    input.read_to_end(&mut rest)?;
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    let is_hole = zeros > 0 && rest.get(zeros).is_none_or(|byte| *byte == MARK[0]);
    let mut tail = Tail { is_promised: false, is_ours: is_hole };
    let mut from = 0;
    while let Some(found) = memchr::memmem::find(&rest[from..], MARK) {
        let start = from + found;
        from = start + MARK.len();
        tail.is_ours = true;
        let line = &rest[start..rest.len().min(start + LONGEST)];
        let Some(end) = memchr::memchr(b'\n', line) else { continue };
        let Some(head) = Head::parse(&line[..end]) else { continue };
        let payload = start + end + 1;
        let Some(payload) = usize::try_from(head.len).ok().and_then(|len| rest.get(payload..payload.checked_add(len)?))
        else {
            continue;
        };
        tail.is_promised |= head.synced > offset && head.fits(payload);
    }
    Ok(tail)
}

/// What is wrong with a file.
pub(super) struct Damage {
    pub(super) kind: DamageKind,
    /// Up to here all is well.
    pub(super) offset: u64,
    pub(super) what: String,
    /// Whether there are batches of ours in the file.
    pub(super) is_ours: bool,
}

pub(super) enum DamageKind {
    /// The file ends in the middle of something.
    Truncated,
    /// What is there is not what belongs there.
    Wrong,
    /// Whoever was to run it did not.
    Refused,
    /// The disk failed.
    Io(io::Error),
}

/// A walk over one file.
pub(super) struct Scan<'r> {
    input: Box<dyn Read + Send>,
    len: u64,
    /// Bytes of the files before this one.
    before: u64,
    buffer: Vec<u8>,
    at: usize,
    /// Offset of the buffer in the file.
    offset: u64,
    args: OwnedArgs,
    /// Where the transaction began whose EXEC has not come.
    multi: Option<u64>,
    is_ours: bool,
    pub(super) replay: &'r mut dyn Replay,
}

/// What stands at the beginning of some bytes.
enum Parsed {
    /// A command of so many bytes.
    Command(usize),
    /// The beginning of one; more is needed.
    Incomplete,
    /// Something else.
    Wrong(&'static str),
}

impl<'r> Scan<'r> {
    pub(super) fn new(input: Box<dyn Read + Send>, len: u64, before: u64, replay: &'r mut dyn Replay) -> Self {
        Scan {
            input,
            len,
            before,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            args: OwnedArgs::new(),
            multi: None,
            is_ours: false,
            replay,
        }
    }

    fn here(&self) -> u64 {
        self.offset + self.at as u64
    }

    fn damage(&self, kind: DamageKind, offset: u64, what: impl Into<String>) -> Damage {
        // A transaction counts as a whole.
        let offset = self.multi.unwrap_or(offset);
        Damage { kind, offset, what: what.into(), is_ours: self.is_ours }
    }

    /// Reads until `wanted` bytes are there or the file ends; returns whether they are.
    fn fill(&mut self, wanted: usize) -> Result<bool, Damage> {
        if self.buffer.len() - self.at >= wanted {
            return Ok(true);
        }
        if self.at > 0 {
            self.offset += self.at as u64;
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        while self.buffer.len() < wanted {
            let before = self.buffer.len();
            // In steps, whatever a damaged file says that it wants.
            let step = (wanted - before).clamp(BLOCK, BLOCK.max(before));
            let read = self.input.by_ref().take(step as u64).read_to_end(&mut self.buffer);
            if let Err(error) = read {
                let what = error.to_string();
                return Err(self.damage(DamageKind::Io(error), self.here(), what));
            }
            if self.buffer.len() == before {
                return Ok(false);
            }
        }
        self.replay.progress(self.before + self.offset + self.buffer.len() as u64);
        Ok(true)
    }

    pub(super) fn run(&mut self) -> Result<(), Damage> {
        if self.fill(6)? && (self.buffer.starts_with(b"REDIS") || self.buffer.starts_with(b"VALKEY")) {
            self.snapshot()?;
        }
        loop {
            if !self.fill(1)? {
                let end = self.here();
                return match self.multi {
                    None => Ok(()),
                    Some(_) => Err(self.damage(DamageKind::Truncated, end, "a transaction without its end")),
                };
            }
            match self.buffer[self.at] {
                b'#' => self.remark()?,
                _ => self.foreign_command()?,
            }
        }
    }

    fn snapshot(&mut self) -> Result<(), Damage> {
        let input = std::mem::replace(&mut self.input, Box::new(io::empty()));
        let head = io::Cursor::new(std::mem::take(&mut self.buffer));
        match self.replay.snapshot(Box::new(head.chain(input))) {
            Ok((len, rest)) => {
                (self.input, self.offset) = (rest, len);
                Ok(())
            }
            Err(what) => Err(self.damage(DamageKind::Wrong, 0, what)),
        }
    }

    /// A line that begins with `#`: the head of a batch of ours, or what another server remarks.
    fn remark(&mut self) -> Result<(), Damage> {
        let start = self.here();
        let mut wanted = LONGEST;
        let end = loop {
            let is_all = !self.fill(wanted)?;
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.at..]) {
                break end;
            }
            if is_all {
                return Err(self.damage(DamageKind::Truncated, start, "a remark without its end"));
            }
            if wanted > MOST_REMARK {
                return Err(self.damage(DamageKind::Wrong, start, "a remark that does not end"));
            }
            wanted = wanted.saturating_mul(2);
        };
        let line = &self.buffer[self.at..self.at + end];
        if !line.starts_with(MARK) {
            // The head of a batch that was torn after its first letters, with something behind it, is no remark.
            let text = line.strip_suffix(b"\r").unwrap_or(line);
            if text.iter().any(u8::is_ascii_control) || memchr::memmem::find(line, MARK).is_some() {
                return Err(self.damage(DamageKind::Wrong, start, "a remark that is none"));
            }
            self.at += end + 1;
            return Ok(());
        }
        self.is_ours = true;
        if self.multi.is_some() {
            return Err(self.damage(DamageKind::Wrong, start, "a transaction without its end"));
        }
        let Some(head) = Head::parse(line) else {
            return Err(self.damage(DamageKind::Wrong, start, "a batch with a damaged head"));
        };
        let payload_at = start + end as u64 + 1;
        let len = usize::try_from(head.len).unwrap_or(usize::MAX);
        if head.len > self.len.saturating_sub(payload_at.min(self.len)) {
            return Err(self.damage(DamageKind::Truncated, start, "a batch that is cut short"));
        }
        self.at += end + 1;
        if !self.fill(len)? {
            return Err(self.damage(DamageKind::Truncated, start, "a batch that is cut short"));
        }
        if !head.fits(&self.buffer[self.at..self.at + len]) {
            return Err(self.damage(DamageKind::Wrong, start, "a batch whose checksum does not fit"));
        }
        let stop = self.at + len;
        while self.at < stop {
            match parse(&self.buffer[self.at..stop], &mut self.args) {
                Parsed::Command(used) => {
                    let at = self.here();
                    self.at += used;
                    self.run_command(at)?;
                }
                // The checksum fits, so this is what was written: somebody's mistake, not the disk's.
                Parsed::Incomplete => return Err(self.damage(DamageKind::Refused, start, "a batch of half a command")),
                Parsed::Wrong(what) => return Err(self.damage(DamageKind::Refused, start, what)),
            }
        }
        if self.multi.take().is_some() {
            // It is the batch that is damaged: cut in two, its head would describe what is no longer there.
            return Err(self.damage(DamageKind::Refused, start, "a batch of half a transaction"));
        }
        Ok(())
    }

    /// A command that stands outside of any batch: another server wrote it.
    fn foreign_command(&mut self) -> Result<(), Damage> {
        let start = self.here();
        let mut wanted = 64;
        loop {
            let is_all = !self.fill(wanted)?;
            match parse(&self.buffer[self.at..], &mut self.args) {
                Parsed::Command(used) => {
                    self.at += used;
                    return self.run_command(start);
                }
                Parsed::Incomplete if is_all => {
                    return Err(self.damage(DamageKind::Truncated, start, "a command that is cut short"));
                }
                Parsed::Incomplete => wanted = (self.buffer.len() - self.at + 1).max(wanted).saturating_mul(2),
                Parsed::Wrong(what) => return Err(self.damage(DamageKind::Wrong, start, what)),
            }
        }
    }

    fn run_command(&mut self, start: u64) -> Result<(), Damage> {
        let args = self.args.as_args();
        if args.name().eq_ignore_ascii_case(b"multi") {
            // A second one is an error and changes nothing.
            self.multi.get_or_insert(start);
        }
        if let Err(what) = self.replay.command(args) {
            return Err(self.damage(DamageKind::Refused, start, what));
        }
        let name = self.args.as_args().name();
        if name.eq_ignore_ascii_case(b"exec") || name.eq_ignore_ascii_case(b"discard") {
            self.multi = None;
        }
        Ok(())
    }
}

/// Reads one command as logs hold them: an array of bulk strings.
fn parse(bytes: &[u8], args: &mut OwnedArgs) -> Parsed {
    let mut at = 0;
    let count = match number(bytes, &mut at, b'*') {
        Ok(Some(count)) => count,
        Ok(None) => return Parsed::Incomplete,
        Err(what) => return Parsed::Wrong(what),
    };
    if count == 0 || count > MOST_ARGUMENTS {
        return Parsed::Wrong("a command with an impossible number of arguments");
    }
    args.clear();
    for _ in 0..count {
        let len = match number(bytes, &mut at, b'$') {
            Ok(Some(len)) if len <= MOST_ARGUMENT => len as usize,
            Ok(Some(_)) => return Parsed::Wrong("an argument of an impossible length"),
            Ok(None) => return Parsed::Incomplete,
            Err(what) => return Parsed::Wrong(what),
        };
        let Some(arg) = bytes.get(at..at + len + 2) else { return Parsed::Incomplete };
        if !arg.ends_with(b"\r\n") {
            return Parsed::Wrong("an argument of another length than it says");
        }
        args.push(&arg[..len]);
        at += len + 2;
    }
    Parsed::Command(at)
}

/// Reads a line of `kind` and a number.
fn number(bytes: &[u8], at: &mut usize, kind: u8) -> Result<Option<u64>, &'static str> {
    let rest = &bytes[*at..];
    let Some(first) = rest.first() else { return Ok(None) };
    if *first != kind {
        return Err("something that is no command");
    }
    let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(32)]) else {
        return if rest.len() >= 32 { Err("a number that does not end") } else { Ok(None) };
    };
    let text = rest[1..end].strip_suffix(b"\r").ok_or("a line end that is none")?;
    let number = resplite_resp::number::parse_u64(text).ok_or("a number that is none")?;
    *at += end + 1;
    Ok(Some(number))
}
