//! One set of rights: which commands, on which keys and channels. A user has one of his own and may have more.

use super::categories;
use super::rule::RuleError;
use crate::command::{self, Channels, Command, Flags};
use resplite_resp::request::Args;
use resplite_storage::glob::{self, Case};
use std::collections::BTreeMap;

/// Commands by their numbers, and whether those are meant as well that do not exist yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct CommandSet {
    bits: Vec<u64>,
    future: bool,
}

impl CommandSet {
    fn new(all: bool) -> Self {
        let words = command::numbered().len().div_ceil(64);
        CommandSet { bits: vec![if all { u64::MAX } else { 0 }; words], future: all }
    }

    fn has(&self, number: usize) -> bool {
        self.bits[number / 64] >> (number % 64) & 1 == 1
    }

    fn set(&mut self, number: usize, allowed: bool) {
        let bit = 1 << (number % 64);
        match allowed {
            true => self.bits[number / 64] |= bit,
            false => self.bits[number / 64] &= !bit,
        }
    }
}

/// Keys that may be read, written or both.
#[derive(Clone, PartialEq, Eq, Debug)]
struct KeyPattern {
    reads: bool,
    writes: bool,
    pattern: Box<[u8]>,
}

/// Why a command is refused; the indexes are those of the argument that it fails on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Denied {
    Command,
    Key(usize),
    Channel(usize),
}

/// A set of rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Selector {
    commands: CommandSet,
    /// What has been said about commands since everything or nothing was allowed, as it is shown: `+get`, `-@read`.
    rules: Vec<String>,
    /// Commands, by number, that are allowed only with one of these as the first argument.
    first_args: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// Every command, whatever its arguments.
    every_command: bool,
    every_key: bool,
    keys: Vec<KeyPattern>,
    every_channel: bool,
    channels: Vec<Box<[u8]>>,
}

impl Selector {
    /// Allows nothing.
    pub(crate) fn nothing() -> Self {
        Selector {
            commands: CommandSet::new(false),
            rules: Vec::new(),
            first_args: BTreeMap::new(),
            every_command: false,
            every_key: false,
            keys: Vec::new(),
            every_channel: false,
            channels: Vec::new(),
        }
    }

    /// Allows everything.
    pub(crate) fn everything() -> Self {
        Selector {
            commands: CommandSet::new(true),
            every_command: true,
            every_key: true,
            every_channel: true,
            ..Self::nothing()
        }
    }

    /// Whether there is nothing that it does not allow.
    pub(crate) fn allows_everything(&self) -> bool {
        self.every_command && self.every_key && self.every_channel
    }

    pub(crate) fn allows_every_channel(&self) -> bool {
        self.every_channel
    }

    /// Applies one rule that is about rights.
    ///
    /// # Errors
    /// It is none, or says nothing new; nothing has changed then.
    pub(crate) fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            _ if is("allkeys") || rule == b"~*" => {
                self.every_key = true;
                self.keys.clear();
            }
            _ if is("resetkeys") => {
                self.every_key = false;
                self.keys.clear();
            }
            _ if is("allchannels") || rule == b"&*" => {
                self.every_channel = true;
                self.channels.clear();
            }
            _ if is("resetchannels") => {
                self.every_channel = false;
                self.channels.clear();
            }
            _ if is("allcommands") || is("+@all") => self.set_all_commands(true),
            _ if is("nocommands") || is("-@all") => self.set_all_commands(false),
            [b'~' | b'%', ..] => self.add_key_pattern(rule)?,
            [b'&', channel @ ..] => {
                if self.every_channel {
                    return Err(RuleError::AfterAllChannels);
                }
                if has_spaces(channel) {
                    return Err(RuleError::Syntax);
                }
                if !self.channels.iter().any(|known| **known == *channel) {
                    self.channels.push(channel.into());
                }
            }
            [sign @ (b'+' | b'-'), b'@', category @ ..] => self.set_category(*sign == b'+', category)?,
            [sign @ (b'+' | b'-'), name @ ..] => self.set_command(*sign == b'+', name)?,
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn set_all_commands(&mut self, allowed: bool) {
        self.commands = CommandSet::new(allowed);
        self.every_command = allowed;
        self.rules.clear();
        self.first_args.clear();
    }

    /// `~pattern`, or `%` with R, W or both before it.
    fn add_key_pattern(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.every_key {
            return Err(RuleError::AfterAllKeys);
        }
        let (mut reads, mut writes) = (true, true);
        let mut pattern = &rule[1..];
        if rule[0] == b'%' {
            (reads, writes) = (false, false);
            while let Some((letter, rest)) = pattern.split_first() {
                pattern = rest;
                match letter.to_ascii_uppercase() {
                    b'R' if !reads => reads = true,
                    b'W' if !writes => writes = true,
                    b'~' if reads || writes => break,
                    _ => return Err(RuleError::Syntax),
                }
            }
            if !reads && !writes {
                return Err(RuleError::Syntax);
            }
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => {
                known.reads |= reads;
                known.writes |= writes;
            }
            None => self.keys.push(KeyPattern { reads, writes, pattern: pattern.into() }),
        }
        Ok(())
    }

    fn set_category(&mut self, allowed: bool, name: &[u8]) -> Result<(), RuleError> {
        let known = categories::ALL.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
        let category = known.ok_or(RuleError::Unknown)?;
        for (number, command) in command::numbered().iter().enumerate() {
            if categories::of(command).contains(category) {
                self.set_bits(command, number, allowed);
            }
        }
        self.note(allowed, &format!("@{category}"));
        Ok(())
    }

    /// A command, a subcommand, or a command with the first argument that it may have.
    fn set_command(&mut self, allowed: bool, name: &[u8]) -> Result<(), RuleError> {
        let (name, sub) = match name.iter().position(|byte| *byte == b'|') {
            None => (name, None),
            Some(bar) => (&name[..bar], Some(&name[bar + 1..])),
        };
        let command = command::find(name).ok_or(RuleError::Unknown)?;
        let Some(sub) = sub else {
            self.set_bits(command, command::number(command), allowed);
            self.note(allowed, command.name);
            return Ok(());
        };
        if sub.is_empty() {
            return Err(if allowed { RuleError::Syntax } else { RuleError::Unknown });
        }
        let (sub, deeper) = match sub.iter().position(|byte| *byte == b'|') {
            None => (sub, None),
            Some(bar) => (&sub[..bar], Some(&sub[bar + 1..])),
        };
        let child = command::find_subcommand(command, sub);
        if deeper.is_some() {
            return Err(if allowed && child.is_some() { RuleError::FirstArgOfSubcommand } else { RuleError::Unknown });
        }
        let Some(child) = child else {
            // What has no subcommands can be allowed with single first arguments.
            if !allowed || !command.subcommands.is_empty() {
                return Err(RuleError::Unknown);
            }
            let firsts = self.first_args.entry(command::number(command)).or_default();
            if !firsts.iter().any(|first| first.eq_ignore_ascii_case(sub)) {
                firsts.push(sub.into());
            }
            let sub = String::from_utf8_lossy(sub).to_lowercase();
            self.note(true, &format!("{}|{sub}", command.name));
            return Ok(());
        };
        self.set_bits(child, command::number(child), allowed);
        self.note(allowed, child.name);
        Ok(())
    }

    /// Allows or forbids a command with all its subcommands, whatever their arguments.
    fn set_bits(&mut self, command: &'static Command, number: usize, allowed: bool) {
        self.commands.set(number, allowed);
        self.first_args.remove(&number);
        for sub in command.subcommands {
            self.commands.set(command::number(sub), allowed);
        }
        self.every_command &= allowed;
    }

    /// Remembers a rule; it takes the place of an earlier one about the same, or about a part of it.
    fn note(&mut self, allowed: bool, what: &str) {
        self.rules.retain(|rule| {
            let rest = rule[1..].strip_prefix(what);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push(format!("{}{what}", if allowed { '+' } else { '-' }));
    }

    /// Whether a command may run with these arguments.
    pub(crate) fn check(&self, command: &'static Command, args: Args<'_>) -> Result<(), Denied> {
        if !self.every_command && !command.flags.has(Flags::NO_AUTH) {
            let number = command::number(command);
            if !self.commands.has(number) && !self.allows_first_arg(number, args) {
                return Err(Denied::Command);
            }
        }
        if !self.every_key {
            self.check_keys(command, args)?;
        }
        match command.channels {
            Some(channels) if !self.every_channel => self.check_channels(channels, args),
            _ => Ok(()),
        }
    }

    fn allows_first_arg(&self, number: usize, args: Args<'_>) -> bool {
        let (Some(firsts), Some(first)) = (self.first_args.get(&number), args.get(1)) else { return false };
        firsts.iter().any(|allowed| allowed.eq_ignore_ascii_case(first))
    }

    fn check_keys(&self, command: &'static Command, args: Args<'_>) -> Result<(), Denied> {
        let mut denied = None;
        for spec in command.keys.iter().flatten().filter(|spec| !spec.is_channel) {
            let flags = command.key_flags(spec, args);
            let reads = flags.contains(&"ACCESS");
            let writes = ["INSERT", "DELETE", "UPDATE"].iter().any(|flag| flags.contains(flag));
            spec.for_each(args, |index| {
                if denied.is_none() && !self.allows_key(&args[index], reads, writes) {
                    denied = Some(index);
                }
            });
        }
        denied.map_or(Ok(()), |index| Err(Denied::Key(index)))
    }

    fn allows_key(&self, key: &[u8], reads: bool, writes: bool) -> bool {
        self.every_key
            || self.keys.iter().any(|known| {
                (known.reads || !reads)
                    && (known.writes || !writes)
                    && glob::matches(&known.pattern, key, Case::Sensitive)
            })
    }

    /// Whether every key may be read, whatever its name.
    pub(crate) fn reads_every_key(&self) -> bool {
        self.every_key || self.keys.iter().any(|known| known.reads && *known.pattern == *b"*")
    }

    fn check_channels(&self, channels: Channels, args: Args<'_>) -> Result<(), Denied> {
        let end = if channels == Channels::First { 2 } else { args.len() };
        for index in 1..end.min(args.len()) {
            if !self.allows_channel(&args[index], channels == Channels::Patterns) {
                return Err(Denied::Channel(index));
            }
        }
        Ok(())
    }

    /// Whether a channel may be used; of a pattern, whether just this pattern is allowed.
    pub(crate) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.every_channel
            || self.channels.iter().any(|known| match is_pattern {
                true => **known == *name,
                false => glob::matches(known, name, Case::Sensitive),
            })
    }

    /// The rules about commands.
    pub(crate) fn shown_commands(&self) -> String {
        let mut shown = String::from(if self.commands.future { "+@all" } else { "-@all" });
        for rule in &self.rules {
            shown.push(' ');
            shown.push_str(rule);
        }
        shown
    }

    /// The rules about keys.
    pub(crate) fn shown_keys(&self) -> Vec<u8> {
        if self.every_key {
            return b"~*".to_vec();
        }
        let shown = self.keys.iter().map(|key| {
            let kind: &[u8] = match (key.reads, key.writes) {
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                _ => b"~",
            };
            [kind, &key.pattern].concat()
        });
        shown.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about channels.
    pub(crate) fn shown_channels(&self) -> Vec<u8> {
        if self.every_channel {
            return b"&*".to_vec();
        }
        let shown = self.channels.iter().map(|channel| [b"&", &**channel].concat());
        shown.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, from which the same comes again.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let (keys, channels) = (self.shown_keys(), self.shown_channels());
        let mut parts: Vec<Vec<u8>> = Vec::new();
        parts.extend(Some(keys).filter(|keys| !keys.is_empty()));
        if !self.every_channel {
            parts.push(b"resetchannels".to_vec());
        }
        parts.extend(Some(channels).filter(|channels| !channels.is_empty()));
        parts.push(self.shown_commands().into_bytes());
        parts.join(&b' ')
    }
}

/// Whether a word could not stand in a list of words.
pub(super) fn has_spaces(word: &[u8]) -> bool {
    word.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 11))
}
