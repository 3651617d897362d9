//! The numbers of the format: record kinds, value types, string forms; how they are read and written is elsewhere.

pub(super) const SLOT_INFO: u8 = 244;
pub(super) const FUNCTION: u8 = 245;
pub(super) const FUNCTION_EARLY: u8 = 246;
pub(super) const MODULE_AUX: u8 = 247;
pub(super) const IDLE: u8 = 248;
pub(super) const FREQUENCY: u8 = 249;
pub(super) const AUX: u8 = 250;
pub(super) const RESIZE: u8 = 251;
pub(super) const DEADLINE_MILLIS: u8 = 252;
pub(super) const DEADLINE_SECONDS: u8 = 253;
pub(super) const SELECT: u8 = 254;
pub(super) const END: u8 = 255;

pub(super) const STRING: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;
pub(super) const SORTED_SET_TEXT: u8 = 3;
pub(super) const HASH: u8 = 4;
pub(super) const SORTED_SET_BINARY: u8 = 5;
pub(super) const MODULE: u8 = 6;
pub(super) const MODULE_2: u8 = 7;
pub(super) const HASH_ZIPMAP: u8 = 9;
pub(super) const LIST_ZIPLIST: u8 = 10;
pub(super) const SET_INTSET: u8 = 11;
pub(super) const SORTED_SET_ZIPLIST: u8 = 12;
pub(super) const HASH_ZIPLIST: u8 = 13;
pub(super) const LIST_QUICKLIST: u8 = 14;
pub(super) const STREAM: u8 = 15;
pub(super) const HASH_LISTPACK: u8 = 16;
pub(super) const SORTED_SET_LISTPACK: u8 = 17;
pub(super) const LIST_QUICKLIST_2: u8 = 18;
pub(super) const STREAM_2: u8 = 19;
pub(super) const SET_LISTPACK: u8 = 20;
pub(super) const STREAM_3: u8 = 21;
/// In Redis a form of hashes with deadlines that no release wrote; in Valkey the form of its releases.
pub(super) const HASH_DEADLINES_EARLY: u8 = 22;
pub(super) const HASH_LISTPACK_DEADLINES_EARLY: u8 = 23;
pub(super) const HASH_DEADLINES: u8 = 24;
pub(super) const HASH_LISTPACK_DEADLINES: u8 = 25;

pub(super) const LENGTH_14: u16 = 0x4000;
pub(super) const LENGTH_32: u8 = 0x80;
pub(super) const LENGTH_64: u8 = 0x81;

pub(super) const STRING_INT8: u8 = 0xc0;
pub(super) const STRING_INT16: u8 = 0xc1;
pub(super) const STRING_INT32: u8 = 0xc2;
pub(super) const STRING_LZF: u8 = 0xc3;

/// A list node that is one element.
pub(super) const NODE_PLAIN: usize = 1;
/// A list node that is a listpack.
pub(super) const NODE_PACKED: usize = 2;
