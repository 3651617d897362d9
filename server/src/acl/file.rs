//! ACL files: a user for each line.

use super::Users;
use super::rule::{RuleError, join_selectors};
use super::user::User;
use std::fmt::Write;
use std::sync::Arc;

/// Reads the text of an ACL file. Users that it does not name do not exist, but for `default`, who then is as at first.
///
/// # Errors
/// What is wrong with it, all of it in one text.
pub(super) fn parse(text: &[u8], path: &str, all_channels: bool) -> Result<Users, String> {
    let (mut users, mut errors) = (Users::new(), String::new());
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty()
            && let Err(error) = parse_line(line, &mut users, all_channels)
        {
            let number = index + 1;
            // A String takes everything.
            let _ = match error {
                LineError::NoUser => {
                    write!(errors, "{path}:{number} should start with user keyword followed by the username. ")
                }
                LineError::Name(name) => {
                    write!(errors, "{path}:{number}: username '{name}' contains invalid characters. ")
                }
                LineError::Twice(name) => write!(errors, "WARNING: Duplicate user '{name}' found on line {number}. "),
                LineError::Parenthesis => {
                    write!(errors, "{path}:{number}: Unmatched parenthesis in selector definition.")
                }
                LineError::Rule(rule, error @ RuleError::Unknown) => {
                    write!(errors, "{path}:{number}: Error in applying operation '{rule}': {error}. ")
                }
                LineError::Rule(_, error) => write!(errors, "{path}:{number}: {error}. "),
            };
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.push_str("WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    Err(errors)
}

enum LineError {
    NoUser,
    Name(String),
    Twice(String),
    Parenthesis,
    Rule(String, RuleError),
}

fn parse_line(line: &[u8], users: &mut Users, all_channels: bool) -> Result<(), LineError> {
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(b"user"), Some(name)) = (words.next(), words.next()) else { return Err(LineError::NoUser) };
    if !super::rule::is_name(name) {
        return Err(LineError::Name(text(name)));
    }
    if users.contains_key(name) {
        return Err(LineError::Twice(text(name)));
    }
    let mut user = User::new(name, all_channels);
    let rules = join_selectors(words.filter(|word| !word.is_empty())).map_err(|_| LineError::Parenthesis)?;
    for rule in rules {
        user.apply(rule.trim_ascii(), all_channels).map_err(|error| LineError::Rule(text(&rule), error))?;
    }
    users.insert(name.into(), Arc::new(user));
    Ok(())
}
