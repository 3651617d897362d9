//! The checksum of RDB files and DUMP payloads; who computes it over what is decided elsewhere.

use crc::{CRC_64_REDIS, Crc, Digest, Table};
use std::fmt;

static TABLES: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A running CRC-64 (Jones), as Redis puts it at the end of files and payloads.
#[derive(Clone)]
pub struct Checksum {
    digest: Digest<'static, u64, Table<16>>,
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Checksum({:016x})", self.value())
    }
}

impl Checksum {
    /// The checksum of no bytes.
    pub fn new() -> Self {
        Checksum { digest: TABLES.digest() }
    }

    /// Takes in the bytes that follow those so far. O(bytes), a fraction of a nanosecond each.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The checksum of all bytes so far; written to files in little-endian order.
    pub fn value(&self) -> u64 {
        self.digest.clone().finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn it_is_that_of_redis() {
        let mut checksum = Checksum::new();
        assert_eq!(checksum.value(), 0);
        checksum.update(b"1234");
        checksum.update(b"56789");
        assert_eq!(checksum.value(), 0xe9c6_d914_c4b8_d9ca);
    }
}
