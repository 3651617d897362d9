//! What can be wrong with a file or a payload; the texts that clients see are elsewhere.

use std::fmt;
use std::io;

/// Why a file could not be read, and where.
#[derive(Debug)]
pub struct RdbError {
    offset: u64,
    problem: Problem,
}

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The input could not be read.
    Io(io::Error),
    /// The input ends too early.
    Truncated,
    /// The input does not begin with a known magic.
    NotRdb,
    /// The magic is followed by a version that is not known.
    Version(u32),
    /// The checksum at the end is not that of what was read.
    Checksum {
        /// The one in the file.
        stored: u64,
        /// The one of what was read.
        computed: u64,
    },
    /// The bytes break the format.
    Corrupt(&'static str),
    /// The format is respected, but the feature is not there.
    Unsupported {
        /// What is not supported.
        feature: &'static str,
        /// The key that needs it; empty if none does.
        key: Vec<u8>,
    },
}

impl RdbError {
    pub(super) fn new(offset: u64, problem: Problem) -> Self {
        RdbError { offset, problem }
    }

    /// Bytes from the start of the input to where the problem was noticed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    pub(super) fn name_key(mut self, name: &[u8]) -> Self {
        if let Problem::Unsupported { key, .. } = &mut self.problem {
            name.clone_into(key);
        }
        self
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at byte {}: {}", self.offset, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Io(error) => write!(out, "the file cannot be read: {error}"),
            Problem::Truncated => out.write_str("the file ends too early"),
            Problem::NotRdb => out.write_str("this is not an RDB file"),
            Problem::Version(version) => write!(out, "RDB version {version} is not known"),
            Problem::Checksum { stored, computed } => {
                write!(out, "the checksum is {computed:016x}, but the file says {stored:016x}")
            }
            Problem::Corrupt(what) => out.write_str(what),
            Problem::Unsupported { feature, key } if key.is_empty() => write!(out, "{feature}: not supported yet"),
            Problem::Unsupported { feature, key } => {
                write!(out, "the key \"{}\" needs {feature}: not supported yet", key.escape_ascii())
            }
        }
    }
}

impl std::error::Error for RdbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The version is not known, the checksum is not that of the payload, or it is too short to have one.
    Checksum,
    /// Version and checksum are right, the value is not (or not supported yet).
    Format,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            RestoreError::Checksum => "wrong version or checksum of a serialized value",
            RestoreError::Format => "not a serialized value",
        })
    }
}

impl std::error::Error for RestoreError {}
