//! A batch: what one write appends to a log, behind a line that says how long it is and what it adds up to.
//!
//! The line begins with `#`, so Redis and Valkey take it for a remark. It stands in front of what it describes: whoever
//! reads knows what to expect before he reads it, and records that another server has appended behind ours, which have no
//! such line, are told apart from a batch of ours that was torn. It also says up to where the file was known to be synced
//! when it was written: what is damaged before that point was promised to be there, what lies behind it was not.

use crc64fast::Digest;

/// How the line of a batch begins.
pub(crate) const MARK: &[u8] = b"#resplite:";
/// Longest line of a batch; Redis reads remarks of up to 127 bytes.
pub(crate) const LONGEST: usize = 100;

/// The line in front of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// Bytes behind the line.
    pub(crate) len: u64,
    checksum: u64,
    /// Up to where the file was synced.
    pub(crate) synced: u64,
}

impl Head {
    /// The head of a batch for a file that is synced up to `synced`.
    pub(crate) fn new(payload: &[u8], synced: u64) -> Self {
        let len = payload.len() as u64;
        Head { len, checksum: checksum(payload, len, synced), synced }
    }

    /// Appends the line.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(MARK);
        out.extend_from_slice(format!("{}:{:016x}:{}\r\n", self.len, self.checksum, self.synced).as_bytes());
    }

    /// Reads a line without its line end, or `None` if it is none of ours or damaged.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line.strip_prefix(MARK)?.strip_suffix(b"\r")?).ok()?;
        let mut parts = text.split(':');
        let (len, checksum, synced) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        if parts.next().is_some() || checksum.len() != 16 {
            return None;
        }
        Some(Head { len: number(len)?, checksum: u64::from_str_radix(checksum, 16).ok()?, synced: number(synced)? })
    }

    /// Whether these are the bytes that the line was written for.
    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() as u64 == self.len && checksum(payload, self.len, self.synced) == self.checksum
    }
}

/// CRC-64/XZ of the numbers of the line and of the bytes behind it.
fn checksum(payload: &[u8], len: u64, synced: u64) -> u64 {
    let mut digest = Digest::new();
    digest.write(&len.to_le_bytes());
    digest.write(&synced.to_le_bytes());
    digest.write(payload);
    digest.sum64()
}

#[cfg(test)]
mod tests {
    use super::{Head, LONGEST};

    #[test]
    fn a_head_comes_back_and_every_flipped_bit_is_seen() {
        let payload = b"*1\r\n$4\r\nPING\r\n";
        for synced in [0, 7, u64::MAX] {
            let mut line = Vec::new();
            Head::new(payload, synced).write(&mut line);
            assert!(line.len() <= LONGEST);
            let bare = line.strip_suffix(b"\n").unwrap();
            let head = Head::parse(bare).unwrap();
            assert!(head.fits(payload) && head.synced == synced);
            for bit in 0..bare.len() * 8 {
                let mut flipped = bare.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                // A letter's case does not change a hexadecimal digit.
                let same = flipped.eq_ignore_ascii_case(bare) && Head::parse(&flipped) == Some(head);
                assert!(same || Head::parse(&flipped).is_none_or(|head| !head.fits(payload)), "bit {bit}");
            }
            for bit in 0..payload.len() * 8 {
                let mut flipped = payload.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!head.fits(&flipped));
            }
        }
    }
}
