//! A user: name, passwords and rights, made from rules and shown as rules.

use super::rule::RuleError;
use super::selector::{Denied, Selector};
use crate::command::Command;
use crate::error::{CommandError, shown};
use resplite_resp::request::Args;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The user whom everybody is who has not logged in as somebody else.
pub(crate) const DEFAULT: &[u8] = b"default";

/// A password's SHA-256: the password itself is not kept.
type Hash = [u8; 32];

/// What a user is; a change makes another one of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct User {
    pub(crate) name: Arc<[u8]>,
    is_on: bool,
    needs_no_password: bool,
    /// What has been said about payloads of RESTORE, which are always looked at here: it is only shown.
    sanitizes: Option<bool>,
    passwords: Vec<Hash>,
    root: Selector,
    selectors: Vec<Selector>,
    /// Whoever is inside the process; no rule is about them.
    pub(crate) is_host: bool,
    /// There is nothing that it may not do.
    is_unrestricted: bool,
}

impl User {
    /// A user who may not even log in; `all_channels` is what `acl-pubsub-default` says.
    pub(crate) fn new(name: &[u8], all_channels: bool) -> Self {
        let mut user = User {
            name: name.into(),
            is_on: false,
            needs_no_password: false,
            sanitizes: None,
            passwords: Vec::new(),
            root: Selector::nothing(),
            selectors: Vec::new(),
            is_host: false,
            is_unrestricted: false,
        };
        if all_channels {
            user.allow_all_channels();
        }
        user
    }

    fn allow_all_channels(&mut self) {
        let applied = self.root.apply(b"allchannels");
        debug_assert!(applied.is_ok(), "it is a rule");
    }

    /// The user `default` as it is before anything is said about it.
    pub(crate) fn initial() -> Self {
        User {
            is_on: true,
            needs_no_password: true,
            root: Selector::everything(),
            is_unrestricted: true,
            ..Self::new(DEFAULT, true)
        }
    }

    /// Whoever is inside the process.
    pub(crate) fn host() -> Self {
        User { is_host: true, ..Self::initial() }
    }

    /// Whether everybody is this user who connects.
    pub(crate) fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether it has no password because it needs none.
    pub(crate) fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether there is nothing that it may not do.
    #[inline]
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.is_unrestricted
    }

    /// Applies one rule.
    ///
    /// # Errors
    /// It is none, or changes nothing where it should; the user may have changed in part.
    pub(crate) fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            _ if is("on") => self.is_on = true,
            _ if is("off") => self.is_on = false,
            _ if is("nopass") => self.set_password(None),
            _ if is("resetpass") => {
                self.needs_no_password = false;
                self.passwords.clear();
            }
            _ if is("sanitize-payload") => self.sanitizes = Some(true),
            _ if is("skip-sanitize-payload") => self.sanitizes = Some(false),
            _ if is("clearselectors") => self.selectors.clear(),
            _ if is("reset") => {
                *self = User { sanitizes: Some(true), ..User::new(&self.name, all_channels) };
            }
            [b'>', password @ ..] => self.add_password(hash(password)),
            [b'#', hex @ ..] => self.add_password(parse_hash(hex)?),
            [b'<', password @ ..] => self.remove_password(&hash(password))?,
            [b'!', hex @ ..] => self.remove_password(&parse_hash(hex)?)?,
            [b'(', inner @ .., b')'] => {
                let mut selector = Selector::nothing();
                if all_channels {
                    selector.apply(b"allchannels")?;
                }
                for rule in inner.split(u8::is_ascii_whitespace).filter(|rule| !rule.is_empty()) {
                    selector.apply(rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.apply(rule)?,
        }
        self.is_unrestricted = self.root.allows_everything();
        Ok(())
    }

    /// Replaces all passwords by this one, or has the user need none.
    pub(crate) fn set_password(&mut self, password: Option<&[u8]>) {
        self.needs_no_password = password.is_none();
        self.passwords = password.map(hash).into_iter().collect();
    }

    fn add_password(&mut self, hash: Hash) {
        self.needs_no_password = false;
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
    }

    fn remove_password(&mut self, hash: &Hash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether one may log in with this password; how long the answer takes does not tell how wrong it is.
    pub(crate) fn admits(&self, password: &[u8]) -> bool {
        let given = hash(password);
        let matches = self.passwords.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&given));
        self.is_on && (self.needs_no_password || bool::from(matches))
    }

    /// Whether a command may run with these arguments: one of the sets of rights has to allow all of it.
    pub(crate) fn check(&self, command: &'static Command, args: Args<'_>) -> Result<(), Denied> {
        if self.is_unrestricted {
            return Ok(());
        }
        let mut nearest = Denied::Command;
        for selector in self.all_selectors() {
            match selector.check(command, args) {
                Ok(()) => return Ok(()),
                Err(denied) => nearest = nearest.max(denied),
            }
        }
        Err(nearest)
    }

    /// Whether a command may run with these arguments, and read keys that they do not name.
    pub(crate) fn may_read_others(&self, command: &'static Command, args: Args<'_>) -> bool {
        let may = |selector: &Selector| selector.reads_every_key() && selector.check(command, args).is_ok();
        self.is_unrestricted || self.all_selectors().any(may)
    }

    /// Whether a channel, or just this pattern of channels, may be listened to.
    pub(crate) fn may_listen(&self, name: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// Whether every channel may be listened to.
    pub(crate) fn may_listen_everywhere(&self) -> bool {
        self.all_selectors().any(Selector::allows_every_channel)
    }

    fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// The error for what is refused.
    pub(crate) fn error(&self, command: &Command, denied: Denied) -> CommandError {
        match denied {
            Denied::Command => {
                self.refusal("NOPERM User ", format!(" has no permissions to run the '{}' command", command.name))
            }
            Denied::Key(_) => CommandError::text("NOPERM No permissions to access a key"),
            Denied::Channel(_) => CommandError::text("NOPERM No permissions to access a channel"),
        }
    }

    /// What ACL DRYRUN says of what is refused.
    pub(crate) fn dry_error(&self, command: &Command, args: Args<'_>, denied: Denied) -> CommandError {
        let quoted = |index: usize| String::from_utf8_lossy(shown(&args[index], usize::MAX)).into_owned();
        let behind = match denied {
            Denied::Command => format!(" has no permissions to run the '{}' command", command.name),
            Denied::Key(index) => format!(" has no permissions to access the '{}' key", quoted(index)),
            Denied::Channel(index) => format!(" has no permissions to access the '{}' channel", quoted(index)),
        };
        self.refusal("User ", behind)
    }

    fn refusal(&self, before: &str, behind: String) -> CommandError {
        CommandError::bytes([before.as_bytes(), &self.name, behind.as_bytes()].concat())
    }

    /// The flags, in the words of the rules.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &'static str> {
        let sanitizes = self.sanitizes.map(|yes| if yes { "sanitize-payload" } else { "skip-sanitize-payload" });
        [Some(if self.is_on { "on" } else { "off" }), self.needs_no_password.then_some("nopass"), sanitizes]
            .into_iter()
            .flatten()
    }

    /// The hashes of the passwords in hexadecimal.
    pub(crate) fn passwords(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The rights that are the user's own.
    pub(crate) fn root(&self) -> &Selector {
        &self.root
    }

    /// The further sets of rights.
    pub(crate) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The line of an ACL file that says all this.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = [b"user ", &*self.name].concat();
        let mut add = |word: &[u8]| {
            line.push(b' ');
            line.extend_from_slice(word);
        };
        self.flags().for_each(|flag| add(flag.as_bytes()));
        self.passwords().for_each(|hash| add(format!("#{hash}").as_bytes()));
        add(&self.root.shown());
        self.selectors.iter().for_each(|selector| add(&[b"(", &*selector.shown(), b")"].concat()));
        line
    }
}

fn hash(password: &[u8]) -> Hash {
    Sha256::digest(password).into()
}

fn parse_hash(hex: &[u8]) -> Result<Hash, RuleError> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(RuleError::BadHash),
    };
    let (pairs, rest) = hex.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return Err(RuleError::BadHash);
    }
    let mut hash = [0; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Ok(hash)
}
