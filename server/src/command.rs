//! What a command is: its facts, from which arity errors, locks, COMMAND's answers and the documentation follow.

use crate::commands;
use crate::context::Ctx;
use crate::error::CmdResult;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A command's body: reads its arguments, calls the type, writes the reply. It never locks, waits or asks for the time.
pub(crate) type Handler = for<'a> fn(&mut Ctx<'_>, Args<'a>, &mut Reply) -> CmdResult;

/// Facts about a command as a set of bits; the names are those of COMMAND INFO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flags(u32);

impl Flags {
    pub(crate) const NONE: Flags = Flags(0);
    pub(crate) const WRITE: Flags = Flags(1);
    pub(crate) const READONLY: Flags = Flags(1 << 1);
    pub(crate) const DENYOOM: Flags = Flags(1 << 2);
    pub(crate) const ADMIN: Flags = Flags(1 << 3);
    pub(crate) const PUBSUB: Flags = Flags(1 << 4);
    pub(crate) const NOSCRIPT: Flags = Flags(1 << 5);
    pub(crate) const BLOCKING: Flags = Flags(1 << 6);
    pub(crate) const LOADING: Flags = Flags(1 << 7);
    pub(crate) const STALE: Flags = Flags(1 << 8);
    pub(crate) const SKIP_MONITOR: Flags = Flags(1 << 9);
    pub(crate) const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    pub(crate) const ASKING: Flags = Flags(1 << 11);
    pub(crate) const FAST: Flags = Flags(1 << 12);
    pub(crate) const NO_AUTH: Flags = Flags(1 << 13);
    /// Not shown: it may have others do what is logged.
    pub(crate) const MAY_REPLICATE: Flags = Flags(1 << 14);
    pub(crate) const MOVABLEKEYS: Flags = Flags(1 << 15);
    pub(crate) const NO_MULTI: Flags = Flags(1 << 16);
    pub(crate) const ALLOW_BUSY: Flags = Flags(1 << 17);
    pub(crate) const NO_ASYNC_LOADING: Flags = Flags(1 << 18);
    pub(crate) const NO_MANDATORY_KEYS: Flags = Flags(1 << 19);
    /// Not shown: SUBSCRIBE and its kin, whose replies are messages themselves.
    pub(crate) const SUBSCRIPTION: Flags = Flags(1 << 20);

    /// Names in the order in which COMMAND INFO lists them.
    pub(crate) const NAMES: &'static [(Flags, &'static str)] = &[
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::ASKING, "asking"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLEKEYS, "movablekeys"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    pub(crate) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    #[inline]
    pub(crate) const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The family a command belongs to, as COMMAND DOCS and the ACL categories name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }

    /// The ACL category that every command of the group is in.
    pub(crate) fn category(self) -> Option<&'static str> {
        match self {
            Group::Bitmap => Some("bitmap"),
            Group::Cluster => None,
            Group::Connection => Some("connection"),
            Group::Generic => Some("keyspace"),
            Group::Geo => Some("geo"),
            Group::Hash => Some("hash"),
            Group::HyperLogLog => Some("hyperloglog"),
            Group::List => Some("list"),
            // The flag says it: help is not in the category.
            Group::PubSub => None,
            Group::Scripting => Some("scripting"),
            Group::Server => None,
            Group::Set => Some("set"),
            Group::SortedSet => Some("sortedset"),
            Group::Stream => Some("stream"),
            Group::String => Some("string"),
            Group::Transactions => Some("transaction"),
        }
    }
}

/// How a key specification finds its keys from there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Find {
    /// Up to this argument, relative to the begin (negative: from the end), in these steps, or only the first 1/limit part.
    Range { last: i32, step: usize, limit: usize },
    /// A count stands `count` arguments behind the begin, its keys start `first` behind it, in these steps.
    Count { count: usize, first: usize, step: usize },
    /// In a way that clients are not told; this finds the key, if there is one.
    Unknown(fn(Args<'_>) -> Option<usize>),
}

/// One group of a command's key arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpec {
    /// What is done with them, in COMMAND INFO's words: one of RO RW OW RM, then ACCESS UPDATE INSERT DELETE ..
    pub(crate) flags: &'static [&'static str],
    /// The argument that the search begins at.
    pub(crate) begin: usize,
    /// A word, looked for from there on, that the keys follow.
    pub(crate) keyword: Option<&'static str>,
    pub(crate) find: Find,
    /// Where COMMAND INFO says that the search for the word begins: Redis' own does not find all keys.
    pub(crate) shown_from: Option<i64>,
    /// An empty argument is no key if this word is among the arguments.
    pub(crate) empty_with: Option<&'static str>,
    /// Finds the key where the search for the word may not: the word can be given again, or be what another word is followed by.
    pub(crate) exact: Option<fn(Args<'_>) -> Option<usize>>,
    /// They are no keys, but in a cluster they decide about the node as if they were: nothing is locked for them.
    pub(crate) is_channel: bool,
}

/// Key specifications' flags that occur often.
pub(crate) mod usage {
    pub(crate) const READ: &[&str] = &["RO", "ACCESS"];
    /// Looks at the key or its metadata, not at the data.
    pub(crate) const LOOK: &[&str] = &["RO"];
    pub(crate) const UPDATE: &[&str] = &["RW", "UPDATE"];
    pub(crate) const UPDATE_ACCESS: &[&str] = &["RW", "ACCESS", "UPDATE"];
    /// Writes only where nothing was.
    pub(crate) const INSERT_ONLY: &[&str] = &["OW", "INSERT"];
    pub(crate) const INSERT: &[&str] = &["RW", "INSERT"];
    pub(crate) const DELETE: &[&str] = &["RW", "DELETE"];
    pub(crate) const UPDATE_DELETE: &[&str] = &["RW", "UPDATE", "DELETE"];
    pub(crate) const ACCESS_DELETE: &[&str] = &["RW", "ACCESS", "DELETE"];
    pub(crate) const OVERWRITE: &[&str] = &["OW", "UPDATE"];
    pub(crate) const REMOVE: &[&str] = &["RM", "DELETE"];
}

impl KeySpec {
    /// The one key at `index`.
    pub(crate) const fn one(flags: &'static [&'static str], index: usize) -> Self {
        KeySpec {
            flags,
            begin: index,
            keyword: None,
            find: Find::Range { last: 0, step: 1, limit: 0 },
            shown_from: None,
            empty_with: None,
            exact: None,
            is_channel: false,
        }
    }

    /// Keys from `index` to `last`, every `step`-th argument.
    pub(crate) const fn range(flags: &'static [&'static str], index: usize, last: i32, step: usize) -> Self {
        KeySpec {
            flags,
            begin: index,
            keyword: None,
            find: Find::Range { last, step, limit: 0 },
            shown_from: None,
            empty_with: None,
            exact: None,
            is_channel: false,
        }
    }

    /// The key behind a word, which is looked for from `index` on.
    pub(crate) const fn behind(flags: &'static [&'static str], index: usize, keyword: &'static str) -> Self {
        let mut spec = Self::one(flags, index);
        spec.keyword = Some(keyword);
        spec
    }

    /// Keys behind a word, which is looked for from `index` on; as many other arguments follow them.
    pub(crate) const fn halved(flags: &'static [&'static str], index: usize, keyword: &'static str) -> Self {
        let find = Find::Range { last: -1, step: 1, limit: 2 };
        KeySpec {
            flags,
            begin: index,
            keyword: Some(keyword),
            find,
            shown_from: None,
            empty_with: None,
            exact: None,
            is_channel: false,
        }
    }

    /// Keys behind a word, which is looked for from `index` on, up to the end.
    pub(crate) const fn to_the_end(flags: &'static [&'static str], index: usize, keyword: &'static str) -> Self {
        let mut spec = Self::range(flags, index, -1, 1);
        spec.keyword = Some(keyword);
        spec
    }

    /// Has COMMAND INFO say that the search for the word begins there.
    pub(crate) const fn shown_from(mut self, from: i64) -> Self {
        self.shown_from = Some(from);
        self
    }

    /// Has the key be found by `find`, whatever COMMAND INFO says of the search.
    pub(crate) const fn found_by(mut self, find: fn(Args<'_>) -> Option<usize>) -> Self {
        self.exact = Some(find);
        self
    }

    /// Has an empty argument be no key if this word follows.
    pub(crate) const fn empty_with(mut self, word: &'static str) -> Self {
        self.empty_with = Some(word);
        self
    }

    /// A count at `index` and its keys behind it.
    pub(crate) const fn counted(flags: &'static [&'static str], index: usize) -> Self {
        KeySpec {
            flags,
            begin: index,
            keyword: None,
            find: Find::Count { count: 0, first: 1, step: 1 },
            shown_from: None,
            empty_with: None,
            exact: None,
            is_channel: false,
        }
    }

    /// A key that only the command itself knows how to find.
    pub(crate) const fn unknown(flags: &'static [&'static str], find: fn(Args<'_>) -> Option<usize>) -> Self {
        KeySpec {
            flags,
            begin: 0,
            keyword: None,
            find: Find::Unknown(find),
            shown_from: None,
            empty_with: None,
            exact: None,
            is_channel: false,
        }
    }

    /// Shard channels from `index` to `last`.
    pub(crate) const fn channels(index: usize, last: i32) -> Self {
        let mut spec = Self::range(&["not_key"], index, last, 1);
        spec.is_channel = true;
        spec
    }

    /// Calls `found` with the index of each key; returns whether all keys that the arguments announce are there. What does
    /// not fit is left out, the handler will complain about it.
    pub(crate) fn for_each(&self, args: Args<'_>, mut found: impl FnMut(usize)) -> bool {
        let exact = if let Find::Unknown(find) = self.find { Some(find) } else { self.exact };
        if let Some(find) = exact {
            find(args).into_iter().for_each(found);
            return true;
        }
        let len = args.len();
        let begin = match self.keyword {
            None => self.begin,
            Some(word) => {
                let found = args.iter().skip(self.begin).position(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
                found.map_or(len, |at| self.begin + at + 1)
            }
        };
        if begin >= len {
            return false;
        }
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last as usize
                } else if limit <= 1 {
                    len.saturating_sub(last.unsigned_abs() as usize)
                } else {
                    (begin + (len - begin) / limit).saturating_sub(1)
                };
                (begin, last, step)
            }
            Find::Count { count, first, step } => {
                let counted = args.get(begin + count).and_then(resplite_resp::number::parse_i64);
                let Some(counted) = counted.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0)
                else {
                    return false;
                };
                let first = begin + first;
                (first, first.saturating_add((counted - 1).saturating_mul(step)), step)
            }
            Find::Unknown(_) => return true,
        };
        let mut index = first;
        while index <= last && index < len {
            let stands_for_others =
                |word: &str| args.iter().skip(index).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
            if !(args[index].is_empty() && self.empty_with.is_some_and(stands_for_others)) {
                found(index);
            }
            index += step;
        }
        last < len
    }
}

/// Channels among the arguments, from the first one on, which the rights of the client must cover.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Channels {
    /// One, and what follows it is something else.
    First,
    /// All arguments.
    Names,
    /// All arguments, which are patterns of channels.
    Patterns,
}

/// What the door locks before the handler runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Locks {
    /// The shards of the keys that the key specifications name.
    Keys,
    /// All shards: the command looks at the whole keyspace.
    All,
    /// All shards if this says of the arguments that they name keys which the key specifications do not find; otherwise
    /// as for `Keys`.
    AllIf(fn(Args<'_>) -> bool),
    /// The shards of the keys that the session watches.
    Watched,
    /// What the queued commands and the watched keys need together.
    Queue,
}

/// One command or subcommand.
pub(crate) struct Command {
    /// Lower case; of a subcommand with its container: `config|get`.
    pub(crate) name: &'static str,
    pub(crate) handler: Handler,
    /// Number of arguments with the name; negative: at least.
    pub(crate) arity: i32,
    pub(crate) flags: Flags,
    /// Groups of key arguments, at the front.
    pub(crate) keys: [Option<KeySpec>; 3],
    pub(crate) channels: Option<Channels>,
    pub(crate) locks: Locks,
    pub(crate) group: Group,
    /// ACL categories that do not follow from group and flags.
    pub(crate) categories: &'static [&'static str],
    pub(crate) since: &'static str,
    pub(crate) summary: &'static str,
    /// Arguments in the notation of `docs/commands.md`, from which COMMAND DOCS is made.
    pub(crate) syntax: &'static str,
    pub(crate) subcommands: &'static [Command],
    /// The argument that is the only key, or 0: the fast way to a command's shard.
    pub(crate) single_key: u8,
    /// The argument that is likely to be the first key, or 0: what a batch brings closer to the processor beforehand.
    pub(crate) first_key: u8,
}

impl Command {
    const fn new(group: Group, name: &'static str, handler: Handler, flags: Flags) -> Self {
        Command {
            name,
            handler,
            arity: 1,
            flags,
            keys: [None; 3],
            channels: None,
            locks: Locks::Keys,
            group,
            categories: &[],
            since: "1.0.0",
            summary: "",
            syntax: "",
            subcommands: &[],
            single_key: 0,
            first_key: 0,
        }
    }

    /// A command that only looks.
    pub(crate) const fn read(group: Group, name: &'static str, handler: Handler) -> Self {
        Self::new(group, name, handler, Flags::READONLY)
    }

    /// A command that changes keys.
    pub(crate) const fn write(group: Group, name: &'static str, handler: Handler) -> Self {
        Self::new(group, name, handler, Flags::WRITE)
    }

    /// A command about the connection or the server, not about keys.
    pub(crate) const fn control(group: Group, name: &'static str, handler: Handler) -> Self {
        Self::new(group, name, handler, Flags(0))
    }

    /// A command that only holds subcommands.
    pub(crate) const fn container(group: Group, name: &'static str, subcommands: &'static [Command]) -> Self {
        let mut command = Self::new(group, name, commands::server::bare_container, Flags(0));
        command.arity = -2;
        command.subcommands = subcommands;
        command
    }

    pub(crate) const fn arity(mut self, arity: i32) -> Self {
        self.arity = arity;
        self
    }

    pub(crate) const fn flag(mut self, flags: Flags) -> Self {
        self.flags = self.flags.with(flags);
        self
    }

    pub(crate) const fn fast(self) -> Self {
        self.flag(Flags::FAST)
    }

    pub(crate) const fn deny_oom(self) -> Self {
        self.flag(Flags::DENYOOM)
    }

    /// One key, at `index`, used as `usage` says.
    pub(crate) const fn key(self, usage: &'static [&'static str], index: usize) -> Self {
        self.keys(KeySpec::one(usage, index))
    }

    /// One more group of keys.
    pub(crate) const fn keys(mut self, spec: KeySpec) -> Self {
        let mut at = 0;
        while self.keys[at].is_some() {
            at += 1;
        }
        self.keys[at] = Some(spec);
        self.single_key = match spec {
            KeySpec { begin, keyword: None, find: Find::Range { last: 0, .. }, is_channel: false, .. } if at == 0 => {
                begin as u8
            }
            _ => 0,
        };
        self.first_key = match (self.single_key, spec.find) {
            (0, Find::Count { count, first, .. }) if at == 0 && spec.keyword.is_none() && !spec.is_channel => {
                (spec.begin + count + first) as u8
            }
            (single, _) => single,
        };
        self
    }

    /// Which arguments are channels.
    pub(crate) const fn channels(mut self, channels: Channels) -> Self {
        self.channels = Some(channels);
        self
    }

    pub(crate) const fn locks(mut self, locks: Locks) -> Self {
        self.locks = locks;
        self
    }

    pub(crate) const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    pub(crate) const fn since(mut self, since: &'static str) -> Self {
        self.since = since;
        self
    }

    pub(crate) const fn doc(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(crate) const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// Whether this many arguments, the name included, are right.
    #[inline]
    pub(crate) fn takes(&self, len: usize) -> bool {
        if self.arity >= 0 { len == self.arity as usize } else { len >= self.arity.unsigned_abs() as usize }
    }

    /// What the command does with the keys of a group under these arguments.
    pub(crate) fn key_flags(&self, spec: &KeySpec, args: Args<'_>) -> &'static [&'static str] {
        let is = |at: usize, word: &str| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        match self.name {
            // Only GET makes SET look at what was there.
            "set" if (3..args.len()).any(|at| is(at, "get")) => &["RW", "ACCESS", "UPDATE"],
            "set" => &["OW", "UPDATE"],
            // Nothing but GETs.
            "bitfield" if args.len() % 3 == 2 && (2..args.len()).step_by(3).all(|at| is(at, "get")) => usage::READ,
            _ => spec.flags,
        }
    }

    /// Whether the command, with these arguments, needs all shards.
    #[inline]
    pub(crate) fn locks_all(&self, args: Args<'_>) -> bool {
        match self.locks {
            Locks::All => true,
            Locks::AllIf(names_others) => names_others(args),
            Locks::Keys | Locks::Watched | Locks::Queue => false,
        }
    }

    /// Whether the command runs those that the transaction has queued.
    #[inline]
    pub(crate) fn runs_queue(&self) -> bool {
        matches!(self.locks, Locks::Queue)
    }

    /// Calls `found` with the index of each key argument.
    #[inline]
    pub(crate) fn for_each_key(&self, args: Args<'_>, mut found: impl FnMut(usize)) {
        if self.single_key != 0 {
            if args.len() > usize::from(self.single_key) {
                found(usize::from(self.single_key));
            }
            return;
        }
        for spec in self.keys.iter().flatten().filter(|spec| !spec.is_channel) {
            spec.for_each(args, &mut found);
        }
    }
}

/// What runs while the server does something by itself; nobody can send it.
pub(crate) const HOUSEKEEPING: Command =
    Command::control(Group::Server, "", |_, _, _| Err(crate::error::CommandError::SYNTAX));

/// All commands, by name.
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    slots: Vec<Option<&'static Command>>,
}

impl Table {
    fn new() -> Self {
        let commands: Vec<&'static Command> = all().collect();
        let mut slots = vec![None; (commands.len() * 4).next_power_of_two()];
        for command in commands {
            let mut at = Self::hash(command.name.as_bytes()) & (slots.len() - 1);
            while slots[at].is_some() {
                at = (at + 1) & (slots.len() - 1);
            }
            slots[at] = Some(command);
        }
        Table { slots }
    }

    /// Upper and lower case give the same hash: letters differ in one bit, which is set for all.
    #[inline]
    fn hash(name: &[u8]) -> usize {
        let mut hash = name.len() as u64;
        for chunk in name.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash.rotate_left(23) ^ (u64::from_le_bytes(word) | 0x2020_2020_2020_2020))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        (hash >> 40) as usize
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&'static Command> {
        let mut at = Self::hash(name) & (self.slots.len() - 1);
        loop {
            let command = self.slots[at]?;
            if command.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(command);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// Every command, in the order of the families; subcommands are inside their containers.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    commands::FAMILIES.iter().flat_map(|family| family.iter())
}

/// The command of that name, in any case.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    TABLE.find(name)
}

/// The subcommand of a container, in any case.
pub(crate) fn find_subcommand(container: &'static Command, name: &[u8]) -> Option<&'static Command> {
    container
        .subcommands
        .iter()
        .find(|sub| sub.name.split_once('|').is_some_and(|(_, sub)| sub.as_bytes().eq_ignore_ascii_case(name)))
}

/// Every command and subcommand with a number of its own: its place in [`numbered`].
static NUMBERS: LazyLock<Numbers> = LazyLock::new(|| {
    let commands: Vec<_> = all().flat_map(|command| std::iter::once(command).chain(command.subcommands)).collect();
    let by_name = commands.iter().enumerate().map(|(number, command)| (command.name, number)).collect();
    Numbers { commands, by_name }
});

struct Numbers {
    commands: Vec<&'static Command>,
    by_name: HashMap<&'static str, usize, foldhash::fast::RandomState>,
}

/// Every command and subcommand, each container before its own.
pub(crate) fn numbered() -> &'static [&'static Command] {
    &NUMBERS.commands
}

/// The number of a command that can be called.
pub(crate) fn number(command: &Command) -> usize {
    NUMBERS.by_name[command.name]
}

/// The command or subcommand that arguments call.
///
/// # Errors
/// There is none; the container, if it is only its subcommand that is not there.
#[inline]
pub(crate) fn resolve(
    command: Option<&'static Command>,
    args: Args<'_>,
) -> Result<&'static Command, Option<&'static Command>> {
    let command = command.ok_or(None)?;
    match args.get(1).filter(|_| !command.subcommands.is_empty()) {
        Some(sub) => find_subcommand(command, sub).ok_or(Some(command)),
        None => Ok(command),
    }
}
