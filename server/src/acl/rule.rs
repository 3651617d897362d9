//! What can be wrong with a rule of ACL SETUSER, in Redis' words, and how rules are told apart.

use super::selector::has_spaces;
use std::borrow::Cow;
use std::fmt;

/// Why a rule is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RuleError {
    Syntax,
    Unknown,
    AfterAllKeys,
    AfterAllChannels,
    NoSuchPassword,
    BadHash,
    FirstArgOfSubcommand,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuleError::Syntax => "Syntax error",
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        })
    }
}

/// Puts together what stands in one pair of parentheses.
///
/// # Errors
/// A parenthesis stays open; the word that it stands in.
pub(crate) fn join_selectors<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Cow<'a, [u8]>>, &'a [u8]> {
    let mut joined: Vec<Cow<'a, [u8]>> = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        let closes = word.ends_with(b")");
        match &mut open {
            Some((_, text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
            }
            None if word.starts_with(b"(") && !closes => open = Some((word, word.to_vec())),
            None => joined.push(Cow::Borrowed(word)),
        }
        if closes && let Some((_, text)) = open.take() {
            joined.push(Cow::Owned(text));
        }
    }
    match open {
        Some((first, _)) => Err(first),
        None => Ok(joined),
    }
}

/// Whether this can be a user's name.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !has_spaces(name)
}
