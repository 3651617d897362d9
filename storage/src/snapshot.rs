//! Pictures of the keyspace at one moment, taken while it changes: no fork, no second copy of the memory.
//!
//! Entries carry one bit, the epoch, which all of them share with their shard between two pictures. A picture begins by
//! changing the shards' epoch, under all locks, in no time. Then a walk visits what is still of the old epoch, encodes
//! it and moves it to the new one; whoever is about to change or remove an entry of the old epoch does the same first.
//! Collections of more than [`PART`] elements are encoded in parts: they keep their own picture
//! meanwhile, see `types/members.rs`.

pub mod commands;

use crate::clock::Millis;
use crate::entry::{Collection, Entry, ValueRef};
use crate::keyspace::{Keyspace, Locked};
use crate::rdb::{Options, Pieces};
use crate::shard::Db;
use crate::types::hash::{Hash, Timed};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::{Item, PART};
use commands::Commands;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes, about, that one step of the walk encodes while it holds a shard.
const STEP_BYTES: usize = 32 * 1024;
/// Entries that one step of the walk visits at most.
const STEP_ENTRIES: usize = 256;
/// Bytes put aside in one shard before they are handed to whoever writes the picture.
const HAND_OVER: usize = 256 * 1024;

/// What a picture is written as.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// The RDB format.
    Rdb(Options),
    /// Commands that create every key.
    Commands,
}

/// A part of a picture, encoded; parts follow each other in the order in which they are handed out.
pub struct Output(Encoded);

enum Encoded {
    Rdb(Pieces),
    Commands(Commands),
}

/// Which of the types that are saved in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LargeKind {
    Set,
    Hash,
    SortedSet,
}

/// A collection that is saved in parts.
pub(crate) struct Large {
    db: usize,
    key: Box<[u8]>,
    kind: LargeKind,
    deadline: Option<Millis>,
    /// The earliest deadline of a hash's fields.
    field_deadline: Option<Millis>,
    len: usize,
}

impl Large {
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Output {
    fn new(form: Form) -> Self {
        Output(match form {
            Form::Rdb(options) => Encoded::Rdb(Pieces::new(options)),
            Form::Commands => Encoded::Commands(Commands::default()),
        })
    }

    /// Bytes encoded so far.
    pub fn len(&self) -> usize {
        match &self.0 {
            Encoded::Rdb(pieces) => pieces.len(),
            Encoded::Commands(commands) => commands.len(),
        }
    }

    /// Whether nothing has been encoded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes everything out.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(self, out: &mut impl io::Write) -> io::Result<()> {
        match self.0 {
            Encoded::Rdb(pieces) => pieces.write_to(out),
            Encoded::Commands(commands) => out.write_all(&commands.into_bytes()),
        }
    }

    fn select(&mut self, db: usize) {
        match &mut self.0 {
            Encoded::Rdb(pieces) => pieces.select(db),
            Encoded::Commands(commands) => commands.select(db),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match &mut self.0 {
            Encoded::Rdb(pieces) => pieces.entry(entry.key(), entry.value(), entry.deadline()),
            Encoded::Commands(commands) => commands.entry(entry.key(), entry.value(), entry.deadline()),
        }
    }

    /// The beginning of a collection whose elements follow in parts.
    fn head(&mut self, large: &Large) {
        let Large { db, key, kind, deadline, field_deadline, len } = large;
        self.select(*db);
        if let Encoded::Rdb(pieces) = &mut self.0 {
            match kind {
                LargeKind::Set => pieces.set_head(key, *deadline, *len),
                LargeKind::Hash => pieces.hash_head(key, *deadline, *field_deadline, *len),
                LargeKind::SortedSet => pieces.sorted_set_head(key, *deadline, *len),
            }
        }
    }

    /// Says whose elements the next ones are; needed before each part.
    fn resume(&mut self, kind: LargeKind, key: &[u8]) {
        if let Encoded::Commands(commands) = &mut self.0 {
            commands.begin(kind, key);
        }
    }

    /// The end of a collection that was written in parts.
    fn tail(&mut self, large: &Large) {
        if let Encoded::Commands(commands) = &mut self.0 {
            commands.deadline(&large.key, large.deadline);
        }
    }

    fn set_member(&mut self, member: Item<'_>) {
        match &mut self.0 {
            Encoded::Rdb(pieces) => pieces.set_member(member),
            Encoded::Commands(commands) => commands.element(&[member]),
        }
    }

    /// A field of a hash whose earliest deadline of a field is `earliest`.
    fn field(&mut self, earliest: Option<Millis>, field: Timed<'_>) {
        match &mut self.0 {
            Encoded::Rdb(pieces) => pieces.hash_field(earliest, field),
            Encoded::Commands(commands) => commands.field(field),
        }
    }

    fn scored(&mut self, member: Item<'_>, score: f64) {
        match &mut self.0 {
            Encoded::Rdb(pieces) => pieces.sorted_set_pair(member, score),
            Encoded::Commands(commands) => commands.scored(member, score),
        }
    }

    /// Appends the next elements of a collection's picture; returns whether they were the last, or `None` if there is no
    /// picture.
    fn part(&mut self, entry: &mut Entry, most: usize) -> Option<bool> {
        if !has_picture(entry) {
            return None;
        }
        let kind = large_kind(entry)?;
        let key = entry.key().to_vec();
        self.resume(kind, &key);
        let is_last = match kind {
            LargeKind::Set => Set::of_mut(entry)?.take_part(most, |member| self.set_member(member)),
            LargeKind::Hash => {
                let hash = Hash::of_mut(entry)?;
                let earliest = hash.pictured_deadline();
                hash.take_part(most, |field| self.field(earliest, field))
            }
            LargeKind::SortedSet => {
                SortedSet::of_mut(entry)?.take_part(most, |member, score| self.scored(member, score))
            }
        };
        if let Encoded::Commands(commands) = &mut self.0 {
            commands.end();
        }
        Some(is_last)
    }
}

fn large_kind(entry: &Entry) -> Option<LargeKind> {
    match entry.value() {
        ValueRef::Set(_) => Some(LargeKind::Set),
        ValueRef::Hash(_) => Some(LargeKind::Hash),
        ValueRef::SortedSet(_) => Some(LargeKind::SortedSet),
        ValueRef::String(_) | ValueRef::List(_) | ValueRef::Stream(_) => None,
    }
}

fn has_picture(entry: &Entry) -> bool {
    match entry.value() {
        ValueRef::Set(set) => set.has_picture(),
        ValueRef::Hash(hash) => hash.has_picture(),
        ValueRef::SortedSet(set) => set.has_picture(),
        ValueRef::String(_) | ValueRef::List(_) | ValueRef::Stream(_) => false,
    }
}

/// Begins the picture of a collection that is to be saved in parts; returns its number of elements.
fn begin_picture(entry: &mut Entry) -> Option<usize> {
    if let Some(set) = Set::of_mut(entry).filter(|set| set.is_large()) {
        set.begin_picture();
        return Some(set.len());
    }
    if let Some(hash) = Hash::of_mut(entry).filter(|hash| hash.is_large()) {
        hash.begin_picture();
        return Some(hash.len());
    }
    let set = SortedSet::of_mut(entry).filter(|set| set.is_large())?;
    set.begin_picture();
    Some(set.len())
}

/// Bytes put aside that may wait for the disk before those who write wait as well.
const MOST_WAITING: usize = 64 << 20;

/// What parts that were put aside wait in until the walk fetches them.
#[derive(Default)]
pub(crate) struct Backlog {
    parts: Mutex<Vec<Output>>,
    bytes: AtomicUsize,
    fetched: Condvar,
}

impl Backlog {
    fn push(&self, part: Output) {
        self.bytes.fetch_add(part.len(), Ordering::Relaxed);
        self.parts.lock().push(part);
    }

    fn pop(&self) -> Option<Output> {
        let part = self.parts.lock().pop()?;
        self.bytes.fetch_sub(part.len(), Ordering::Relaxed);
        self.fetched.notify_all();
        Some(part)
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits while too much waits; no shard may be locked.
    #[inline]
    pub(crate) fn throttle(&self) {
        if self.len() > MOST_WAITING {
            let mut parts = self.parts.lock();
            while self.len() > MOST_WAITING {
                self.fetched.wait(&mut parts);
            }
        }
    }
}

type HandedOver = Arc<Backlog>;

/// A shard's side of a picture that is being taken.
pub(crate) struct Progress {
    form: Form,
    out: Output,
    /// The database that was last selected in `out`.
    db: Option<usize>,
    /// Collections whose own picture has been begun.
    large: VecDeque<Large>,
    /// What was left of the pictures of collections that went.
    rest: HashMap<(usize, Box<[u8]>), Output>,
    /// Databases that were flushed.
    flushed: Vec<Db>,
    handed_over: HandedOver,
}

impl Progress {
    pub(crate) fn new(form: Form, handed_over: HandedOver) -> Self {
        Progress {
            form,
            out: Output::new(form),
            db: None,
            large: VecDeque::new(),
            rest: HashMap::new(),
            flushed: Vec::new(),
            handed_over,
        }
    }

    /// Encodes an entry of database `db` that is of the old epoch.
    pub(crate) fn save(&mut self, db: usize, entry: &mut Entry) {
        if let Some(kind) = large_kind(entry)
            && let Some(len) = begin_picture(entry)
        {
            let (key, deadline, field_deadline) = (entry.key().into(), entry.deadline(), entry.field_deadline());
            self.large.push_back(Large { db, key, kind, deadline, field_deadline, len });
            return;
        }
        if self.db != Some(db) {
            self.db = Some(db);
            self.out.select(db);
        }
        self.out.entry(entry);
        if self.out.len() > HAND_OVER {
            let out = self.fetch();
            self.handed_over.push(out);
        }
    }

    /// Takes the rest of an entry's picture if it has one: the entry is about to leave its place.
    pub(crate) fn finish(&mut self, db: usize, entry: &mut Entry) {
        let mut rest = Output::new(self.form);
        if rest.part(entry, usize::MAX).is_some() {
            self.rest.insert((db, entry.key().into()), rest);
        }
    }

    /// Keeps a database that was flushed until it has been saved.
    pub(crate) fn keep(&mut self, db: Db) {
        self.flushed.push(db);
    }

    fn fetch(&mut self) -> Output {
        self.db = None;
        std::mem::replace(&mut self.out, Output::new(self.form))
    }
}

/// What one step of a shard's walk brought.
pub(crate) enum Step {
    /// There is more.
    More(Output),
    /// Behind this comes a collection that is saved in parts.
    Large(Output, Large),
    /// A flushed database is left, which needs no lock.
    Flushed(Output, Box<Db>, bool),
    /// The shard is done.
    Done(Output),
}

impl Progress {
    /// One step over a shard's databases.
    pub(crate) fn step(&mut self, epoch: bool, dbs: &mut [Db]) -> Step {
        let mut seen = 0;
        let mut walked = true;
        for db in dbs {
            while !db.is_walked() && seen < STEP_ENTRIES && self.out.len() < STEP_BYTES {
                seen += 1 + db.walk(epoch, self);
            }
            walked &= db.is_walked();
        }
        let out = self.fetch();
        if let Some(large) = self.large.pop_front() {
            return Step::Large(out, large);
        }
        if !walked {
            return Step::More(out);
        }
        match self.flushed.pop() {
            Some(db) => Step::Flushed(out, Box::new(db), epoch),
            None => Step::Done(out),
        }
    }

    /// Appends the next elements of a collection; returns whether they were the last.
    pub(crate) fn part(&mut self, dbs: &mut [Db], hash: u64, large: &Large, out: &mut Output) -> bool {
        for db in dbs.iter_mut().chain(&mut self.flushed).filter(|db| db.number() == large.db) {
            if let Some(is_last) = db.find_mut(hash, &large.key).and_then(|entry| out.part(entry, PART)) {
                return is_last;
            }
        }
        if let Some(rest) = self.rest.remove(&(large.db, large.key.clone())) {
            *out = rest;
        }
        true
    }
}

/// A picture that has been begun and is being written; see [`Keyspace::begin_snapshot`].
///
/// It must be walked to its end, even if nobody wants it any more: entries that were not visited would be missing in the
/// next one.
pub struct Snapshot {
    form: Form,
    shard: usize,
    sizes: Vec<(usize, usize)>,
    has_field_deadlines: bool,
    large: Option<Large>,
    flushed: Option<(Box<Db>, bool, Progress)>,
    handed_over: HandedOver,
}

impl Snapshot {
    /// Keys and keys with a deadline that each database had.
    pub fn sizes(&self) -> &[(usize, usize)] {
        &self.sizes
    }

    /// Whether there were fields of hashes with a deadline.
    pub fn has_field_deadlines(&self) -> bool {
        self.has_field_deadlines
    }

    /// What comes next, or `None` at the end. Holds one shard at a time, for a few hundred entries.
    pub fn advance(&mut self, keyspace: &Keyspace) -> Option<Output> {
        if let Some(large) = self.large.take() {
            let mut out = Output::new(self.form);
            let is_last = keyspace.with_shard(self.shard, |shard| shard.snapshot_part(&large, &mut out));
            if is_last {
                out.tail(&large);
            } else {
                self.large = Some(large);
            }
            return Some(out);
        }
        if let Some(out) = self.handed_over.pop() {
            return Some(out);
        }
        if let Some((mut db, epoch, mut progress)) = self.flushed.take() {
            while !db.is_walked() && progress.out.len() < STEP_BYTES {
                db.walk_alone(epoch, &mut progress);
            }
            let out = progress.fetch();
            if !db.is_walked() {
                self.flushed = Some((db, epoch, progress));
            }
            return Some(out);
        }
        if self.shard == keyspace.shards() {
            return None;
        }
        match keyspace.with_shard(self.shard, |shard| shard.snapshot_step()) {
            Some(Step::More(out)) => Some(out),
            Some(Step::Large(mut out, large)) => {
                out.head(&large);
                self.large = Some(large);
                Some(out)
            }
            Some(Step::Flushed(out, db, epoch)) => {
                self.flushed = Some((db, epoch, Progress::new(self.form, self.handed_over.clone())));
                Some(out)
            }
            Some(Step::Done(out)) => {
                self.shard += 1;
                Some(out)
            }
            None => {
                self.shard += 1;
                self.advance(keyspace)
            }
        }
    }
}

impl Progress {
    /// Encodes an entry whole, however large: nobody waits for it.
    pub(crate) fn save_whole(&mut self, db: usize, entry: &Entry) {
        if self.db != Some(db) {
            self.db = Some(db);
            self.out.select(db);
        }
        self.out.entry(entry);
    }
}

impl Keyspace {
    /// Begins a picture of the keyspace as it is now. All shards must be locked, and no other picture be on its way.
    pub fn begin_snapshot(locked: &mut Locked<'_>, form: Form) -> Snapshot {
        debug_assert!(locked.is_all());
        let databases = locked.keyspace().databases();
        let mut sizes = vec![(0, 0); databases];
        let mut has_field_deadlines = false;
        let handed_over = locked.keyspace().backlog().clone();
        for shard in locked.shards() {
            for (db, (keys, expires)) in sizes.iter_mut().enumerate() {
                *keys += shard.db(db).len();
                *expires += shard.db(db).deadlines().len();
                has_field_deadlines |= !shard.db(db).field_deadlines().is_empty();
            }
            shard.begin_snapshot(Progress::new(form, handed_over.clone()));
        }
        Snapshot { form, shard: 0, sizes, has_field_deadlines, large: None, flushed: None, handed_over }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Snapshot};
    use crate::entry::{Collection, Entry, Value, ValueRef};
    use crate::keyspace::{Keyspace, KeyspaceOptions, ShardSet};
    use crate::rdb::{Options, Reader, Record};
    use crate::shard::{Edit, Expiry, NewString};
    use crate::types::hash::{Hash, Timed};
    use crate::types::list::{List, Side};
    use crate::types::set::Set;
    use crate::types::sorted_set::SortedSet;
    use crate::types::{Item, Limits};
    use fastrand::Rng;
    use resplite_resp::request::{Batch, Decoder, Limits as RequestLimits};
    use std::collections::BTreeMap;

    const LIMITS: Limits = Limits::DEFAULT;
    const DATABASES: usize = 3;
    const LARGE: usize = 3000;

    /// Everything in a keyspace as text: what two pictures of the same moment have in common.
    type Content = BTreeMap<(usize, String), (Option<u64>, Vec<String>)>;

    fn keyspace(shards: usize, rng: &mut Rng) -> Keyspace {
        let keyspace = Keyspace::new(KeyspaceOptions { shards, databases: DATABASES, seed: rng.u64(..) });
        for number in 0..900 {
            let deadline = rng.bool().then(|| rng.u64(1000..2000));
            put(&keyspace, rng.usize(..2), &format!("key{number}"), value(rng, 8), deadline);
        }
        for number in 0..4 {
            put(&keyspace, 0, &format!("large{number}"), value(rng, LARGE), Some(5000));
        }
        keyspace
    }

    fn value(rng: &mut Rng, most: usize) -> Value {
        let count = rng.usize(most / 2..most) + 1;
        match rng.u8(if most > 100 { 2..5 } else { 0..5 }) {
            0 => Value::Int(rng.i64(..)),
            1 => {
                let mut list = List::new();
                (0..count).for_each(|item| list.push(Side::Back, item.to_string().as_bytes(), &LIMITS));
                list.into_value()
            }
            2 => {
                let mut set = Set::new();
                (0..count).for_each(|item| _ = set.insert(format!("m{item}").as_bytes(), &LIMITS));
                set.into_value()
            }
            3 => {
                let mut hash = Hash::new();
                (0..count).for_each(|item| _ = hash.set(format!("m{item}").as_bytes(), b"old", &LIMITS));
                for item in (0..count).filter(|_| !count.is_multiple_of(3) && rng.bool()) {
                    hash.set_deadline(format!("m{item}").as_bytes(), Some(3000 + item as u64), &LIMITS);
                }
                hash.into_value()
            }
            _ => {
                let mut set = SortedSet::new();
                for item in 0..count {
                    set.add(format!("m{item}").as_bytes(), item as f64 / 4.0, Default::default(), &LIMITS);
                }
                set.into_value()
            }
        }
    }

    fn put(keyspace: &Keyspace, db: usize, key: &str, value: Value, deadline: Option<u64>) {
        let mut locked = keyspace.lock(&ShardSet::All);
        let at = locked.key(db, key.as_bytes());
        locked.shard(at.hash).put(at, value, deadline, 0);
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn said(item: Item<'_>) -> String {
        text(&item.to_vec())
    }

    fn elements(entry: &Entry) -> Vec<String> {
        let mut found: Vec<String> = match entry.value() {
            ValueRef::String(string) => return vec![string.with_bytes(text)],
            ValueRef::List(list) => return list.iter().map(|item| text(&item.to_vec())).collect(),
            ValueRef::Set(set) => set.iter().map(|item| text(&item.to_vec())).collect(),
            ValueRef::Hash(hash) => {
                let until = |at: Option<u64>| at.map(|at| format!(" until {at}")).unwrap_or_default();
                let show = |(field, value, at): Timed<'_>| format!("{}={}{}", said(field), said(value), until(at));
                hash.iter_timed().map(show).collect()
            }
            ValueRef::SortedSet(set) => {
                set.iter().map(|(member, score)| format!("{}={score}", text(&member.to_vec()))).collect()
            }
            ValueRef::Stream(stream) => return vec![format!("{stream:?}")],
        };
        found.sort();
        found
    }

    fn content(keyspace: &Keyspace) -> Content {
        let mut locked = keyspace.lock(&ShardSet::All);
        let mut content = Content::new();
        for shard in locked.shards() {
            for db in 0..DATABASES {
                for entry in shard.db(db).entries() {
                    content.insert((db, text(entry.key())), (entry.deadline(), elements(entry)));
                }
            }
        }
        content
    }

    /// The content that commands create. No key may be created twice, no element be added twice.
    fn replayed(bytes: &[u8]) -> Content {
        let mut batch = Batch::new();
        let limits = RequestLimits { authenticated: true, ..RequestLimits::default() };
        let decoded = Decoder::new().decode(bytes, &limits, usize::MAX, &mut batch);
        assert!(decoded.consumed == bytes.len() && decoded.error.is_none());
        let (mut db, mut content) = (0, Content::new());
        for args in batch.iter(bytes) {
            let args: Vec<String> = args.iter().map(text).collect();
            if args[0] == "SELECT" {
                db = args[1].parse().unwrap();
                continue;
            }
            let (deadline, found) = content.entry((db, args[1].clone())).or_default();
            match &*args[0] {
                "PEXPIREAT" => {
                    assert!(deadline.replace(args[2].parse().unwrap()).is_none());
                    continue;
                }
                "HPEXPIREAT" => {
                    let field = format!("{}=", args[5]);
                    let timed = found.iter_mut().find(|shown| shown.starts_with(&field)).expect("the field is there");
                    timed.push_str(&format!(" until {}", args[2]));
                }
                "HSET" => found.extend(args[2..].chunks(2).map(|pair| format!("{}={}", pair[0], pair[1]))),
                "ZADD" => found.extend(args[2..].chunks(2).map(|pair| format!("{}={}", pair[1], pair[0]))),
                name => {
                    assert!(name != "SET" || found.is_empty(), "{} is there twice", args[1]);
                    found.extend_from_slice(&args[2..]);
                    if name != "SADD" {
                        continue;
                    }
                }
            }
            found.sort();
        }
        content
    }

    /// The content that a file of the other form holds. No key may be there twice.
    fn read(bytes: &[u8]) -> Content {
        let mut whole = b"REDIS0012".to_vec();
        whole.extend_from_slice(bytes);
        // The end, and a checksum that says that there is none.
        whole.extend_from_slice(&[255, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut reader = Reader::new(&whole[..], LIMITS).unwrap();
        let (mut db, mut content) = (0, Content::new());
        while let Some(record) = reader.next().unwrap() {
            match record {
                Record::Select(selected) => db = selected,
                Record::Entry(record) => {
                    let entry = record.into_entry(0);
                    let held = (entry.deadline(), elements(&entry));
                    assert!(content.insert((db, text(entry.key())), held).is_none());
                }
                _ => {}
            }
        }
        content
    }

    /// Some change of a keyspace.
    fn change(keyspace: &Keyspace, rng: &mut Rng) {
        let mut locked = keyspace.lock(&ShardSet::All);
        let db = rng.usize(..2);
        let large = rng.u8(..3) > 0;
        let key = if large { format!("large{}", rng.u8(..4)) } else { format!("key{}", rng.u16(..930)) };
        let at = locked.key(db, key.as_bytes());
        match rng.u8(..if large { 30 } else { 12 }) {
            0 => drop(locked.shard(at.hash).remove(at, 0)),
            1 => locked.shard(at.hash).set_string(at, NewString::Bytes(b"new"), Expiry::Never, crate::uses::Use::At(0)),
            2 => drop(locked.shard(at.hash).set_deadline(at, 0, Some(3000))),
            3 => {
                let other = format!("other{}", rng.u8(..));
                let target = locked.key(rng.usize(..DATABASES), other.as_bytes());
                if let Some(mut entry) = locked.shard(at.hash).remove(at, 0) {
                    locked.shard(target.hash).put(target, entry.take_value(), None, 0);
                }
            }
            4 if rng.u8(..8) == 0 => locked.shards().for_each(|shard| drop(shard.clear(db))),
            5 if rng.u8(..4) == 0 => locked.shards().for_each(|shard| shard.swap(db, 2)),
            _ => {
                let elements: Vec<String> = (0..3).map(|_| format!("m{}", rng.usize(..LARGE + 50))).collect();
                let (pops, adds) = (rng.u8(..12) == 0, rng.bool());
                let mut inner = rng.fork();
                locked.shard(at.hash).update(at, 0, |entry| {
                    for element in &elements {
                        let element = element.as_bytes();
                        if let Some(set) = Set::of_mut(entry) {
                            match (pops, adds) {
                                (true, _) => set.pop(LARGE / 2, &mut inner, &LIMITS, |_| {}),
                                (_, true) => _ = set.insert(element, &LIMITS),
                                (_, false) => _ = set.remove(element),
                            }
                        } else if let Some(hash) = Hash::of_mut(entry) {
                            match (pops, adds) {
                                (true, _) => _ = hash.take_due(4000, LARGE / 2, |_| {}),
                                (_, true) => {
                                    hash.set(element, b"changed", &LIMITS);
                                    hash.set_deadline(element, inner.bool().then_some(10_000), &LIMITS);
                                }
                                (_, false) => _ = hash.remove(element),
                            }
                        } else if let Some(set) = SortedSet::of_mut(entry) {
                            match (pops, adds) {
                                (true, _) => _ = set.remove_range(10..1000),
                                (_, true) => _ = set.add(element, -1.0, Default::default(), &LIMITS),
                                (_, false) => _ = set.remove(element),
                            }
                        } else if let Some(list) = List::of_mut(entry) {
                            list.push(Side::Front, element, &LIMITS);
                        } else {
                            entry.edit_string(|text| text.push(b'x'));
                        }
                    }
                    Edit::changed(())
                });
            }
        }
    }

    fn take(keyspace: &Keyspace, mut snapshot: Snapshot, mut between: impl FnMut()) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(out) = snapshot.advance(keyspace) {
            out.write_to(&mut bytes).unwrap();
            between();
        }
        bytes
    }

    #[test]
    fn a_picture_is_of_one_moment_whatever_happens_meanwhile() {
        for seed in 0..60 {
            let mut rng = Rng::with_seed(seed);
            let keyspace = keyspace(if seed % 2 == 0 { 1 } else { 8 }, &mut rng);
            for round in 0..3 {
                let before = content(&keyspace);
                let form = if round == 1 { Form::Rdb(Options { compress: false }) } else { Form::Commands };
                let snapshot = Keyspace::begin_snapshot(&mut keyspace.lock(&ShardSet::All), form);
                assert_eq!(snapshot.sizes().iter().map(|sizes| sizes.0).sum::<usize>(), before.len());
                let changes = rng.usize(..8);
                let bytes = take(&keyspace, snapshot, || (0..changes).for_each(|_| change(&keyspace, &mut rng)));
                let after = if round == 1 { read(&bytes) } else { replayed(&bytes) };
                let (count, expected) = (after.len(), before.len());
                for (key, value) in before {
                    assert!(after.get(&key) == Some(&value), "seed {seed}, round {round}: {key:?}");
                }
                assert_eq!(count, expected, "seed {seed}, round {round}");
            }
        }
    }
}
