//! Reading streams in their three forms; the forms of other types, and writing, are elsewhere.

use super::code;
use super::error::RdbError;
use super::input::Input;
use super::values::Loading;
use crate::clock::Millis;
use crate::entry::Collection;
use crate::listpack::Listpack;
use crate::types::stream::{Facts, Group, Id, Pending, Stream};
use std::collections::BTreeMap;
use std::io::Read;

const DAMAGED: &str = "a stream is damaged";
const GROUP: &str = "a stream's group is damaged";

/// Reads a stream; each form adds to the one before.
pub(super) fn read<R: Read>(kind: u8, input: &mut Input<R>) -> Result<Loading, RdbError> {
    let mut blocks = Vec::new();
    for _ in 0..input.length()? {
        let first = <[u8; 16]>::try_from(input.owned()?).map_err(|_| input.corrupt(DAMAGED))?;
        let block = Listpack::from_bytes(input.owned()?).map_err(|_| input.corrupt("a listpack is damaged"))?;
        blocks.push((Id::from_bytes(first), block));
    }
    let len = input.length()?;
    let mut facts = Facts { last_id: read_id(input)?, max_deleted_id: Id::MIN, added: len };
    if kind != code::STREAM {
        // The first id follows from the blocks.
        read_id(input)?;
        facts.max_deleted_id = read_id(input)?;
        facts.added = input.length()?;
    }
    let mut stream = Stream::from_blocks(blocks, facts)
        .filter(|stream| stream.entries().len() == len)
        .ok_or_else(|| input.corrupt(DAMAGED))?;
    for _ in 0..input.length()? {
        let name = input.owned()?;
        let group = read_group(kind, input, &stream)?;
        if !stream.add_group(&name, group) {
            return Err(input.corrupt("a stream has a group twice"));
        }
    }
    Ok(Loading::Value(stream.into_value()))
}

fn read_group<R: Read>(kind: u8, input: &mut Input<R>, stream: &Stream) -> Result<Group, RdbError> {
    let last_id = read_id(input)?;
    let entries_read = match kind {
        code::STREAM => stream.entries().count_up_to(last_id),
        _ => Some(input.length()?).filter(|read| *read != u64::MAX),
    };
    let mut group = Group::new(last_id, entries_read);
    // Whose deliveries they are follows only with the consumers.
    let mut deliveries = BTreeMap::new();
    for _ in 0..input.length()? {
        let id = Id::from_bytes(input.array()?);
        let delivered = read_time(input)?;
        if deliveries.insert(id, (delivered, input.length()?)).is_some() {
            return Err(input.corrupt(GROUP));
        }
    }
    for _ in 0..input.length()? {
        let name = input.owned()?;
        let seen = read_time(input)?;
        let (consumer, is_new) = group.see_consumer(&name, seen);
        if !is_new {
            return Err(input.corrupt("a group has a consumer twice"));
        }
        let active = match kind {
            code::STREAM_3 => Millis::try_from(i64::from_le_bytes(input.array()?)).ok(),
            _ => Some(seen),
        };
        group.set_times(consumer, seen, active);
        for _ in 0..input.length()? {
            let id = Id::from_bytes(input.array()?);
            let (delivered, count) = deliveries.remove(&id).ok_or_else(|| input.corrupt(GROUP))?;
            group.set_pending(id, Pending { delivered, count, consumer });
        }
    }
    // A delivery to nobody could never be acknowledged for its consumer.
    if deliveries.is_empty() { Ok(group) } else { Err(input.corrupt(GROUP)) }
}

fn read_id<R: Read>(input: &mut Input<R>) -> Result<Id, RdbError> {
    Ok(Id::new(input.length()?, input.length()?))
}

/// A time, which a damaged file may have before the epoch.
fn read_time<R: Read>(input: &mut Input<R>) -> Result<Millis, RdbError> {
    Ok(Millis::try_from(i64::from_le_bytes(input.array()?)).unwrap_or(0))
}
