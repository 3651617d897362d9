//! What a command did, as the commands that do it again: the records that the door hands to the log.
//!
//! Whatever depends on time or chance, or is relative, is written as its effect; the rest as the client sent it.

use resplite_resp::request::Args;
use resplite_storage::snapshot::commands::{write_bulk, write_command, write_count};

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
/// A buffer that one long command has made larger than this is given back.
const KEEP: usize = 64 * 1024;

/// The records of one command or of one EXEC, which the log takes as a whole.
#[derive(Default)]
pub(crate) struct Journal {
    /// Begins with MULTI, which is left out if one record is all there is.
    bytes: Vec<u8>,
    records: usize,
    first_db: usize,
    db: usize,
    /// The running command has said itself what is to be logged.
    pub(crate) is_rewritten: bool,
    /// The running command is logged even if it changed no key.
    pub(crate) is_forced: bool,
}

impl Journal {
    /// Notes a command as the client sent it.
    #[inline]
    pub(crate) fn command(&mut self, db: usize, name: &[u8], args: Args<'_>) {
        self.begin(db);
        write(&mut self.bytes, name, args);
    }

    /// Notes a command that says what another one did.
    pub(crate) fn effect(&mut self, db: usize, args: &[&[u8]]) {
        self.begin(db);
        write_command(&mut self.bytes, args);
    }

    fn begin(&mut self, db: usize) {
        if self.records == 0 {
            self.bytes.clear();
            self.bytes.extend_from_slice(MULTI);
            (self.first_db, self.db) = (db, db);
        } else if self.db != db {
            write_command(&mut self.bytes, &[b"SELECT", db.to_string().as_bytes()]);
            self.db = db;
        }
        self.records += 1;
    }

    /// Whether nothing has been noted.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether the running command has neither noted nor asked for anything.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        self.records == 0 && !self.is_rewritten && !self.is_forced
    }

    /// Hands everything over, in a transaction if there is more than one record: the database of the first record, that
    /// of the last, and the bytes.
    #[inline]
    pub(crate) fn publish<R>(&mut self, append: impl FnOnce(usize, usize, &[u8]) -> R) -> R {
        let bytes = if self.records > 1 {
            self.bytes.extend_from_slice(EXEC);
            &self.bytes[..]
        } else {
            self.bytes.get(MULTI.len()..).unwrap_or_default()
        };
        let result = append(self.first_db, self.db, bytes);
        self.records = 0;
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        }
        result
    }
}

/// Longest head of an array or of a bulk string, and the line end behind the latter.
const MOST_FRAME: usize = 32;

/// Appends a command as logs hold it.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, name: &[u8], args: Args<'_>) {
    out.reserve(name.len() + args.byte_len() + (args.len() + 1) * MOST_FRAME);
    write_count(out, b'*', args.len());
    write_bulk(out, name);
    args.iter().skip(1).for_each(|arg| write_bulk(out, arg));
}

#[cfg(test)]
mod tests {
    use super::Journal;

    #[test]
    fn one_record_is_alone_and_several_are_a_transaction() {
        let published = |journal: &mut Journal| {
            journal.publish(|first, last, bytes| (first, last, String::from_utf8_lossy(bytes).replace("\r\n", " ")))
        };
        let mut journal = Journal::default();
        journal.effect(2, &[b"DEL", b"a"]);
        assert_eq!(published(&mut journal), (2, 2, "*2 $3 DEL $1 a ".into()));
        assert!(journal.is_empty());
        journal.effect(1, &[b"DEL", b"a"]);
        journal.effect(0, &[b"DEL", b"b"]);
        let all = "*1 $5 MULTI *2 $3 DEL $1 a *2 $6 SELECT $1 0 *2 $3 DEL $1 b *1 $4 EXEC ";
        assert_eq!(published(&mut journal), (1, 0, all.into()));
    }
}
