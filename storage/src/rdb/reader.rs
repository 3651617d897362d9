//! Reading files record by record; what is done with them, and how values are encoded, is elsewhere.

use super::error::{Problem, RdbError};
use super::input::Input;
use super::values::{Loading, Scratch, read_value};
use super::{Dialect, code};
use crate::clock::Millis;
use crate::entry::{Entry, Text, Value};
use crate::types::Limits;
use std::io::Read;

/// How much is read at a time.
const BLOCK: usize = 1 << 17;
/// The newest version of Redis' own format that is read: that of 7.4.
const NEWEST: u32 = 12;
/// The first version of Valkey's format, which has the new magic.
const VALKEY: u32 = 80;
/// The first version whose files end in a checksum.
const CHECKSUM_SINCE: u32 = 5;

/// Reads a file. Everything is checked; what it allocates stays in proportion to what it has read.
pub struct Reader<R> {
    input: Input<R>,
    limits: Limits,
    version: u32,
    key: Vec<u8>,
    scratch: Scratch,
    skipped: u64,
    is_done: bool,
}

/// A part of a file, lent until the next one is read.
pub enum Record<'a> {
    /// A fact about the file.
    Aux {
        /// What it is about.
        name: &'a [u8],
        /// What it says.
        value: &'a [u8],
    },
    /// The entries that follow belong to this database.
    Select(usize),
    /// So many keys are said to follow in this database, and so many of them with a deadline. Not to be trusted.
    Resize {
        /// Keys.
        keys: u64,
        /// Keys with a deadline.
        expires: u64,
    },
    /// The source of a library of functions.
    Function(&'a [u8]),
    /// A key.
    Entry(KeyRecord<'a>),
}

/// A key with everything that the file says about it.
pub struct KeyRecord<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Loaded<'a>,
    /// When it expires, if ever; that may be past.
    pub deadline: Option<Millis>,
    /// Seconds since it was last used.
    pub idle: Option<u64>,
    /// How often it was used, on the logarithmic scale of Redis.
    pub frequency: Option<u8>,
}

impl KeyRecord<'_> {
    /// The entry for the keyspace; short strings are copied once. `access` is as for [`Entry::new`].
    #[inline]
    pub fn into_entry(self, access: u32) -> Entry {
        match self.value {
            Loaded::Text(text) => Entry::with_text(self.key, text, self.deadline, access),
            Loaded::Value(value) => Entry::new(self.key, value, self.deadline, access),
        }
    }
}

/// A value as it was read.
pub enum Loaded<'a> {
    /// A short string that is not an integer in canonical form.
    Text(&'a [u8]),
    /// Any other value.
    Value(Value),
}

impl Loaded<'_> {
    /// The value by itself; short strings are copied.
    pub fn into_value(self) -> Value {
        match self {
            Loaded::Text(text) => Value::Text { text: Text::Owned(text.to_vec()), edited: false },
            Loaded::Value(value) => value,
        }
    }
}

/// A record without what it lends.
enum Step {
    Aux,
    Select(usize),
    Resize { keys: u64, expires: u64 },
    Function,
    Entry(About, Option<Value>),
}

/// What precedes a key.
#[derive(Default)]
struct About {
    deadline: Option<Millis>,
    idle: Option<u64>,
    frequency: Option<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads magic and version. Values get the encodings that `limits` ask for.
    pub fn new(reader: R, limits: Limits) -> Result<Self, RdbError> {
        let mut input = Input::new(reader, BLOCK);
        let magic: [u8; 9] = match input.array() {
            Ok(magic) => magic,
            Err(error) if matches!(error.problem(), Problem::Truncated) => {
                return Err(input.error(Problem::NotRdb));
            }
            Err(error) => return Err(error),
        };
        let (digits, versions) = if let Some(digits) = magic.strip_prefix(b"REDIS") {
            (digits, 1..=NEWEST)
        } else if let Some(digits) = magic.strip_prefix(b"VALKEY") {
            (digits, VALKEY..=VALKEY)
        } else {
            return Err(RdbError::new(0, Problem::NotRdb));
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(RdbError::new(0, Problem::NotRdb));
        }
        let version = digits.iter().fold(0, |version, digit| version * 10 + u32::from(digit - b'0'));
        if !versions.contains(&version) {
            return Err(RdbError::new(0, Problem::Version(version)));
        }
        Ok(Reader { input, limits, version, key: Vec::new(), scratch: Scratch::default(), skipped: 0, is_done: false })
    }

    /// The next part. `None` after the end and, where there is one, a checksum that is right or zero.
    #[allow(clippy::should_implement_trait, reason = "what is lent cannot be an iterator's item")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, RdbError> {
        let Some(step) = self.advance()? else { return Ok(None) };
        Ok(Some(match step {
            Step::Aux => Record::Aux { name: &self.key, value: &self.scratch.text },
            Step::Select(db) => Record::Select(db),
            Step::Resize { keys, expires } => Record::Resize { keys, expires },
            Step::Function => Record::Function(&self.scratch.text),
            Step::Entry(About { deadline, idle, frequency }, value) => {
                let value = value.map_or(Loaded::Text(&self.scratch.text), Loaded::Value);
                Record::Entry(KeyRecord { key: &self.key, value, deadline, idle, frequency })
            }
        }))
    }

    /// The number behind the magic.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// How many bytes have been consumed; after the end, the length of the RDB part of the input.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// Keys that were left out so far because their collections were empty.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What was read ahead, and the reader with what follows that: an AOF may go on behind its RDB part.
    pub fn into_parts(self) -> (Vec<u8>, R) {
        self.input.into_parts()
    }

    fn advance(&mut self) -> Result<Option<Step>, RdbError> {
        let mut about = About::default();
        if self.is_done {
            return Ok(None);
        }
        loop {
            let kind = self.input.byte()?;
            match kind {
                code::DEADLINE_MILLIS => {
                    about.deadline = deadline(i64::from_le_bytes(self.input.array()?));
                }
                code::DEADLINE_SECONDS => {
                    let seconds = i64::from(i32::from_le_bytes(self.input.array()?));
                    about.deadline = deadline(seconds * 1000);
                }
                code::IDLE => about.idle = Some(self.input.length()?),
                code::FREQUENCY => about.frequency = Some(self.input.byte()?),
                code::END => {
                    self.finish()?;
                    return Ok(None);
                }
                code::SELECT => {
                    let db = self.input.length()?;
                    let db = usize::try_from(db).map_err(|_| self.input.corrupt("a database number is too large"))?;
                    return Ok(Some(Step::Select(db)));
                }
                code::RESIZE => {
                    let (keys, expires) = (self.input.length()?, self.input.length()?);
                    return Ok(Some(Step::Resize { keys, expires }));
                }
                code::SLOT_INFO => {
                    for _ in 0..3 {
                        self.input.length()?;
                    }
                }
                code::AUX => {
                    self.input.read_element(&mut self.key)?;
                    self.input.read_element(&mut self.scratch.text)?;
                    return Ok(Some(Step::Aux));
                }
                code::FUNCTION => {
                    self.input.read_element(&mut self.scratch.text)?;
                    return Ok(Some(Step::Function));
                }
                code::FUNCTION_EARLY => {
                    return Err(self.input.unsupported("functions as release candidates of Redis 7 wrote them"));
                }
                code::MODULE_AUX => self.skip_module_aux()?,
                _ => {
                    self.input.read_element(&mut self.key)?;
                    let dialect = Dialect::of(self.version);
                    let loading = read_value(kind, &mut self.input, &mut self.scratch, dialect, &self.limits);
                    match loading.map_err(|error| error.name_key(&self.key))? {
                        Loading::Text => return Ok(Some(Step::Entry(about, None))),
                        Loading::Value(value) => return Ok(Some(Step::Entry(about, Some(value)))),
                        Loading::Empty => {
                            self.skipped += 1;
                            about = About::default();
                        }
                    }
                }
            }
        }
    }

    /// Compares the checksum behind the end.
    fn finish(&mut self) -> Result<(), RdbError> {
        if self.version >= CHECKSUM_SINCE {
            let computed = self.input.checksum();
            let stored = u64::from_le_bytes(self.input.array()?);
            // Zero says that the writer had checksums switched off.
            if stored != 0 && stored != computed {
                return Err(self.input.error(Problem::Checksum { stored, computed }));
            }
        }
        self.is_done = true;
        Ok(())
    }

    /// What a module has saved for itself: an id, a sequence of values with their kinds, an end.
    fn skip_module_aux(&mut self) -> Result<(), RdbError> {
        self.input.length()?;
        loop {
            match self.input.length()? {
                0 => return Ok(()),
                1 | 2 => {
                    self.input.length()?;
                }
                3 => self.input.skip(4)?,
                4 => self.input.skip(8)?,
                5 => self.input.read_element(&mut self.scratch.text)?,
                _ => return Err(self.input.corrupt("a module's data has an unknown form")),
            }
        }
    }
}

impl Dialect {
    /// That of a known version.
    pub(super) fn of(version: u32) -> Self {
        if version >= VALKEY { Dialect::Valkey } else { Dialect::Redis }
    }

    /// As `of`, for the version of a payload; `None` if it is not known.
    pub(super) fn of_payload(version: u16) -> Option<Self> {
        let version = u32::from(version);
        (version <= NEWEST || version == VALKEY).then(|| Dialect::of(version))
    }
}

/// A deadline of a file: -1 is none, and what lies before 1970 is past in any case.
fn deadline(millis: i64) -> Option<Millis> {
    (millis != -1).then(|| Millis::try_from(millis).unwrap_or(0))
}
