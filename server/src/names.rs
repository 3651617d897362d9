//! The names that commands go by in one server: their own, unless `rename-command` has given them others or none.
//!
//! Clients and scripts call commands by these names only. Rights (ACL), COMMAND's answers, the log and everything else mean the commands'
//! own names, so that a log is understood by whoever reads it.

use crate::command::{self, Command};
use crate::config::Settings;
use resplite_resp::request::Args;
use std::collections::HashMap;

/// What commands are called.
#[derive(Default)]
pub(crate) struct Names {
    /// New names, in lower case.
    renamed: HashMap<String, &'static Command>,
    /// What has become of a command's own name: the new name, or nothing.
    taken: HashMap<&'static str, String>,
}

impl Names {
    /// The names of the settings, which have been looked at when they were read.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut names = Names::default();
        for (old, new) in &settings.renamed_commands {
            // The names so far change: a name can be given away and used again.
            let Some(command) = names.find(old.as_bytes()) else { continue };
            names.renamed.remove(&old.to_lowercase());
            if !new.is_empty() {
                names.renamed.insert(new.to_lowercase(), command);
            }
            names.taken.insert(command.name, new.clone());
        }
        names
    }

    /// Whether all commands go by their own names.
    #[inline]
    pub(crate) fn are_usual(&self) -> bool {
        self.taken.is_empty()
    }

    /// The command of that name, in any case.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<&'static Command> {
        if self.are_usual() { command::find(name) } else { self.find_renamed(name) }
    }

    #[cold]
    fn find_renamed(&self, name: &[u8]) -> Option<&'static Command> {
        let lower = String::from_utf8_lossy(name).to_lowercase();
        let renamed = self.renamed.get(&lower).copied();
        renamed.or_else(|| command::find(name).filter(|command| !self.taken.contains_key(command.name)))
    }

    /// The command that a full name names: a subcommand as `container|name`.
    pub(crate) fn find_by_full_name(&self, name: &[u8]) -> Option<&'static Command> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.find(name),
            Some(bar) => command::find_subcommand(self.find(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// The name that the log has of a command that was called by these arguments: its own, whatever it is called here.
    #[inline]
    pub(crate) fn own<'a>(&self, command: &'static Command, args: Args<'a>) -> &'a [u8] {
        if self.are_usual() {
            return args.name();
        }
        command.name.split('|').next().unwrap_or_default().as_bytes()
    }

    /// Whether a command, or the one that a subcommand is part of, can be called at all.
    pub(crate) fn has(&self, command: &Command) -> bool {
        let own = command.name.split('|').next().unwrap_or_default();
        !self.taken.get(own).is_some_and(String::is_empty)
    }
}

/// Whether a command may get another name, or none if `new` is empty.
///
/// # Errors
/// There is no such command, or the new name is another one's.
pub(crate) fn check(before: &Settings, old: &str, new: &str) -> Result<(), String> {
    let names = Names::new(before);
    if names.find(old.as_bytes()).is_none() {
        return Err("No such command in rename-command".into());
    }
    if !new.is_empty() && names.find(new.as_bytes()).is_some() {
        return Err("Target command name already exists".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(renamed: &[(&str, &str)]) -> Result<Names, String> {
        let mut settings = Settings::default();
        for (old, new) in renamed {
            settings.apply("rename-command", &[old, new])?;
        }
        Ok(Names::new(&settings))
    }

    #[test]
    fn commands_go_by_the_names_that_they_are_given() {
        let names = names(&[("CONFIG", "Hidden"), ("flushall", ""), ("GET", "fetch"), ("SET", "get")]).unwrap();
        let found = |name: &str| names.find(name.as_bytes()).map(|command| command.name);
        assert_eq!((found("config"), found("HIDDEN"), found("flushall")), (None, Some("config"), None));
        assert_eq!(
            (found("fetch"), found("GET"), found("set"), found("del")),
            (Some("get"), Some("set"), None, Some("del"))
        );
        let sub = names.find_by_full_name(b"hidden|get").unwrap();
        assert!(sub.name == "config|get" && names.has(sub));
        assert!(!names.has(command::find(b"flushall").unwrap()));
    }

    #[test]
    fn names_that_cannot_be_meant_are_refused() {
        let error = |renamed: &[(&str, &str)]| names(renamed).err().unwrap();
        assert_eq!(error(&[("nosuch", "x")]), "No such command in rename-command");
        assert_eq!(error(&[("get", "set")]), "Target command name already exists");
        assert_eq!(error(&[("get", "x"), ("set", "X")]), "Target command name already exists");
        assert_eq!(error(&[("get", ""), ("get", "x")]), "No such command in rename-command");
    }
}
