//! What a connection owes: how many replies each command gets, given what was said before it.

use super::commands::Arguments;

/// The answer to the last of [`Session::closing_words`].
pub const LAST_REPLY: &[u8] = b"$17\r\nthe-end-of-a-turn\r\n";

/// Settings that would keep others out, this test's own connections among them, or write files.
pub const ENDING_SETTINGS: &[&str] = &["requirepass", "maxclients", "dir", "loglevel"];

/// Replies of a conversation.
#[derive(Default)]
pub struct Replies {
    /// So many must come.
    pub due: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    On,
    Off,
    /// The reply to the next command is left out.
    Skip,
}

/// One connection's side of the protocol.
pub struct Session {
    mode: Mode,
    in_transaction: bool,
    /// HELLO and RESET are let through.
    may_change_protocol: bool,
    may_be_resp3: bool,
    has_ended: bool,
    may_have_ended: bool,
}

impl Session {
    pub fn new(may_change_protocol: bool) -> Self {
        Session {
            mode: Mode::On,
            in_transaction: false,
            may_change_protocol,
            may_be_resp3: false,
            has_ended: false,
            may_have_ended: false,
        }
    }

    /// Takes a command in, unless it would end the run; returns it, and how many replies it gets.
    pub fn admit(&mut self, mut args: Arguments) -> Option<(Arguments, usize)> {
        if is_dangerous(&args) || brings_more_than_a_reply(&args) {
            return None;
        }
        if self.in_transaction && is(&args, &["client", "reply"]) {
            // Inside EXEC it takes replies out of an array that has been announced, in Redis as well.
            args = vec![b"PING".to_vec()];
        }
        if !self.may_change_protocol && is(&args, &["hello"]) {
            return None;
        }
        self.may_be_resp3 |= is(&args, &["hello"]);
        let mut replies = usize::from(self.mode == Mode::On);
        let mut next = if self.mode == Mode::Skip { Mode::On } else { self.mode };
        match args.len() {
            1 if is(&args, &["multi"]) => self.in_transaction = true,
            1 if is(&args, &["exec"]) || is(&args, &["discard"]) => self.in_transaction = false,
            1 if is(&args, &["reset"]) => {
                self.in_transaction = false;
                (next, replies) = (Mode::On, 1);
            }
            3 if is(&args, &["client", "reply", "on"]) => (next, replies) = (Mode::On, 1),
            3 if is(&args, &["client", "reply", "off"]) => (next, replies) = (Mode::Off, 0),
            3 if is(&args, &["client", "reply", "skip"]) => {
                (next, replies) = (if self.mode == Mode::Off { Mode::Off } else { Mode::Skip }, 0);
            }
            _ => {}
        }
        self.mode = next;
        if is(&args, &["quit"]) {
            self.has_ended = true;
        }
        self.may_have_ended |= self.has_ended || meddles(&args);
        Some((args, replies))
    }

    /// The connection ends with this command.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The connection may end before all replies have come.
    pub fn may_have_ended(&self) -> bool {
        self.may_have_ended
    }

    /// HELLO may have changed the protocol.
    pub fn may_be_resp3(&self) -> bool {
        self.may_be_resp3
    }

    /// Brings a connection, whatever its state, to [`LAST_REPLY`].
    pub fn closing_words(&self) -> Vec<Arguments> {
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut all = Vec::new();
        if self.in_transaction {
            all.push(words(&["DISCARD"]));
        }
        all.push(words(&["CLIENT", "REPLY", "ON"]));
        all.push(words(&["ECHO", "the-end-of-a-turn"]));
        all
    }
}

/// Whether the command would end the run itself.
pub fn is_dangerous(args: &Arguments) -> bool {
    let changes_ending_setting = is(args, &["config", "set"])
        && args.iter().skip(2).any(|arg| ENDING_SETTINGS.iter().any(|name| arg.eq_ignore_ascii_case(name.as_bytes())));
    // A pause stops this test's own questions as well.
    let stops_all = is(args, &["shutdown"]) || is(args, &["debug", "sleep"]) || is(args, &["client", "pause"]);
    stops_all || changes_ending_setting
}

/// Whether replies cannot be counted any more: messages come between them, and some commands are refused.
fn brings_more_than_a_reply(args: &Arguments) -> bool {
    let name = args.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    name.ends_with(b"subscribe") || name == b"monitor"
}

/// Whether the command does something to other connections, or to all.
pub fn meddles(args: &Arguments) -> bool {
    is(args, &["client", "kill"]) || is(args, &["config", "set"]) || is(args, &["quit"])
}

/// Whether the command takes back a login.
pub fn logs_out(args: &Arguments) -> bool {
    is(args, &["reset"])
}

fn is(args: &Arguments, words: &[&str]) -> bool {
    args.len() >= words.len() && args.iter().zip(words).all(|(arg, word)| arg.eq_ignore_ascii_case(word.as_bytes()))
}
