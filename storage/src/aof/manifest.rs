//! The manifest: which files a log consists of, in which order; a text file in the format of Redis 7.

use crate::disk::{Disk, replace};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a file of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The state that the log begins with.
    Base,
    /// Changes since.
    Increment,
    /// Not needed any more; to be removed.
    History,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// Name in the log's directory.
    pub name: String,
    /// Number among the files of its kind.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
}

/// The files of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    /// At most one base, then the increments in ascending order, history anywhere.
    pub files: Vec<FileInfo>,
}

/// A manifest that cannot be read.
#[derive(Debug)]
pub struct ManifestError {
    /// Counted from one.
    pub line: usize,
    reason: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.reason)
    }
}

/// A manifest longer than this is none.
const MOST_BYTES: u64 = 16 << 20;

impl Manifest {
    /// The path of the manifest of the log `name` in `directory`.
    pub fn path(directory: &Path, name: &str) -> PathBuf {
        directory.join(format!("{name}.manifest"))
    }

    /// Reads a manifest; `None` if there is none.
    ///
    /// # Errors
    /// Those of the disk; a line that is none of a manifest.
    pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Self>> {
        if disk.len(path)?.is_none() {
            return Ok(None);
        }
        let mut text = Vec::new();
        disk.read(path)?.take(MOST_BYTES).read_to_end(&mut text)?;
        let parsed = Self::parse(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))?;
        Ok(Some(parsed))
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// A line that is none of a manifest.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Manifest::default();
        let mut last = 0;
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |reason| ManifestError { line: index + 1, reason };
            let line = std::str::from_utf8(line).map_err(|_| wrong("not text"))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words = words(line).ok_or_else(|| wrong("unbalanced quotes"))?;
            let (mut name, mut sequence, mut kind) = (None, None, None);
            if !words.len().is_multiple_of(2) {
                return Err(wrong("words that do not come in pairs"));
            }
            for pair in words.chunks_exact(2) {
                match &*pair[0].to_ascii_lowercase() {
                    "file" => name = Some(pair[1].clone()),
                    "seq" => sequence = pair[1].parse().ok(),
                    "type" => {
                        kind = match &*pair[1] {
                            "b" => Some(Kind::Base),
                            "i" => Some(Kind::Increment),
                            "h" => Some(Kind::History),
                            _ => return Err(wrong("an unknown type of file")),
                        };
                    }
                    // Later versions may say more.
                    _ => {}
                }
            }
            let (Some(name), Some(sequence), Some(kind)) = (name, sequence, kind) else {
                return Err(wrong("a file without name, number or type"));
            };
            if name.contains(['/', '\\']) || name == ".." || name.is_empty() {
                return Err(wrong("a name that leads out of the directory"));
            }
            match kind {
                Kind::Base if manifest.base().is_some() => return Err(wrong("a second base")),
                Kind::Increment if sequence <= last => return Err(wrong("increments that are not in ascending order")),
                Kind::Increment => last = sequence,
                Kind::Base | Kind::History => {}
            }
            manifest.files.push(FileInfo { name, sequence, kind });
        }
        Ok(manifest)
    }

    /// The text of the manifest.
    pub fn text(&self) -> String {
        let line = |file: &FileInfo| {
            let kind = match file.kind {
                Kind::Base => 'b',
                Kind::Increment => 'i',
                Kind::History => 'h',
            };
            let plain = file.name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\'));
            match plain {
                true => format!("file {} seq {} type {kind}\n", file.name, file.sequence),
                false => format!("file {:?} seq {} type {kind}\n", file.name, file.sequence),
            }
        };
        self.files.iter().map(line).collect()
    }

    /// Puts the manifest in the place of the last one.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        replace(disk, path, self.text().as_bytes())
    }

    /// The base, if there is one.
    pub fn base(&self) -> Option<&FileInfo> {
        self.files.iter().find(|file| file.kind == Kind::Base)
    }

    /// The increments, the oldest first.
    pub fn increments(&self) -> impl DoubleEndedIterator<Item = &FileInfo> {
        self.files.iter().filter(|file| file.kind == Kind::Increment)
    }

    /// The number of the next file of a kind.
    pub fn next(&self, kind: Kind) -> u64 {
        let numbers = self.files.iter().filter(|file| file.kind == kind || file.kind == Kind::History);
        numbers.map(|file| file.sequence).max().unwrap_or(0) + 1
    }
}

/// Splits a line at blanks, minding quotes.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let Some(first) = letters.peek().copied() else { return Some(words) };
        let mut word = String::new();
        if first == '"' || first == '\'' {
            letters.next();
            loop {
                match letters.next()? {
                    '\\' if first == '"' => word.push(letters.next()?),
                    letter if letter == first => break,
                    letter => word.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
                word.push(letter);
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::{FileInfo, Kind, Manifest};

    #[test]
    fn what_servers_write_is_read_and_written_again() {
        let text = "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n\
            file appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.1.base.rdb seq 1 type h\n";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.text(), text);
        assert_eq!(manifest.base().unwrap().sequence, 2);
        assert_eq!((manifest.next(Kind::Base), manifest.next(Kind::Increment)), (3, 3));
        let odd = Manifest { files: vec![FileInfo { name: "a \"b\" c.aof".into(), sequence: 1, kind: Kind::Base }] };
        assert_eq!(Manifest::parse(odd.text().as_bytes()).unwrap(), odd);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, line) in [
            ("file a seq 1 type b\nfile b seq 2 type b\n", 2),
            ("file a seq 2 type i\nfile b seq 2 type i\n", 2),
            ("file ../a seq 1 type b\n", 1),
            ("\n\nfile a seq x type b", 3),
            ("file a seq 1 type z", 1),
            ("file a seq 1", 1),
            ("file 'a seq 1 type b", 1),
            ("file", 1),
        ] {
            assert_eq!(Manifest::parse(text.as_bytes()).unwrap_err().line, line, "{text}");
        }
        assert!(Manifest::parse(b"\xff").is_err());
        assert_eq!(Manifest::parse(b"# remark\n\n").unwrap(), Manifest::default());
    }
}
