//! Reading a whole file to see what is in it; printing that is elsewhere.

use super::{Loaded, RdbError, Reader, Record};
use crate::entry::Value;
use crate::types::Limits;
use std::io::Read;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number behind the magic.
    pub version: u32,
    /// Length of the RDB part in bytes.
    pub bytes: u64,
    /// Databases that hold something or are at least named.
    pub databases: u64,
    /// Keys in all databases.
    pub keys: u64,
    /// Those that have a deadline, be it past.
    pub expires: u64,
    /// Keys without a value's elements, which are left out on loading.
    pub skipped: u64,
    /// Libraries of functions.
    pub functions: u64,
    /// Strings.
    pub strings: TypeSummary,
    /// Lists.
    pub lists: TypeSummary,
    /// Sets.
    pub sets: TypeSummary,
    /// Hashes.
    pub hashes: TypeSummary,
    /// Sorted sets.
    pub sorted_sets: TypeSummary,
    /// Streams.
    pub streams: TypeSummary,
}

/// What a file holds of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSummary {
    /// Keys.
    pub keys: u64,
    /// Bytes in the file, of keys, values and what belongs to them.
    pub bytes: u64,
}

/// Reads and checks a whole file, shows each record to `visit`, and counts.
pub fn check(reader: impl Read, limits: Limits, mut visit: impl FnMut(&Record<'_>)) -> Result<Summary, RdbError> {
    let mut reader = Reader::new(reader, limits)?;
    let mut summary = Summary { version: reader.version(), ..Summary::default() };
    let mut before = reader.offset();
    loop {
        let Some(record) = reader.next()? else { break };
        visit(&record);
        let mut kind = None;
        match &record {
            Record::Select(_) => summary.databases += 1,
            Record::Function(_) => summary.functions += 1,
            Record::Entry(entry) => {
                summary.keys += 1;
                summary.expires += u64::from(entry.deadline.is_some());
                kind = Some(summary.of(&entry.value));
            }
            Record::Aux { .. } | Record::Resize { .. } => {}
        }
        let after = reader.offset();
        if let Some(kind) = kind {
            kind.keys += 1;
            kind.bytes += after - before;
        }
        before = after;
    }
    summary.bytes = reader.offset();
    summary.skipped = reader.skipped();
    Ok(summary)
}

impl Summary {
    fn of(&mut self, value: &Loaded<'_>) -> &mut TypeSummary {
        match value {
            Loaded::Text(_) | Loaded::Value(Value::Int(_) | Value::Text { .. }) => &mut self.strings,
            Loaded::Value(Value::List(_)) => &mut self.lists,
            Loaded::Value(Value::Set(_)) => &mut self.sets,
            Loaded::Value(Value::Hash(_)) => &mut self.hashes,
            Loaded::Value(Value::SortedSet(_)) => &mut self.sorted_sets,
            Loaded::Value(Value::Stream(_)) => &mut self.streams,
        }
    }
}
