//! Who may do what: the users with their passwords and rights, and what was refused. Who a connection is stands in its
//! session; what is refused is refused at the door.

pub(crate) mod categories;
mod file;
pub(crate) mod refusals;
pub(crate) mod rule;
pub(crate) mod selector;
mod throttle;
pub(crate) mod user;

use crate::config::Settings;
use crate::config::words::quote_bytes;
use crate::registry::ClientRecord;
use parking_lot::{Mutex, RwLock};
use refusals::{AclLog, Reason, Refusal};
use resplite_storage::clock::Millis;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use throttle::Throttle;
use user::{DEFAULT, User};

/// Users by their names. There is always one called `default`, but in what has just been read from a file.
pub(crate) type Users = BTreeMap<Arc<[u8]>, Arc<User>>;

/// The users of one server.
pub(crate) struct Acl {
    users: RwLock<Users>,
    /// Whoever is inside the process: in-process clients, what a log is replayed by, housekeeping.
    pub(crate) host: Arc<User>,
    /// Held by whoever changes users by what they are, so that two changes do not undo each other.
    pub(crate) turn: Mutex<()>,
    pub(crate) log: Mutex<AclLog>,
    pub(crate) throttle: Throttle,
    /// Refusals by their reason.
    denied: [AtomicU64; 4],
}

impl Acl {
    /// The users of the settings, which have been looked at when they were read.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut users = undeclared(settings);
        for declared in &settings.users {
            if let Ok(user) = declared_user(declared, settings.acl_pubsub_default) {
                insert(&mut users, user);
            }
        }
        Acl {
            users: RwLock::new(users),
            host: Arc::new(User::host()),
            turn: Mutex::default(),
            log: Mutex::default(),
            throttle: Throttle::default(),
            denied: Default::default(),
        }
    }

    /// The user of that name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.read().get(name).cloned()
    }

    /// The user `default`.
    pub(crate) fn default_user(&self) -> Arc<User> {
        // Nobody can remove it; were it gone, nobody could do anything.
        self.find(DEFAULT).unwrap_or_else(|| Arc::new(User::new(DEFAULT, false)))
    }

    /// All users by name.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        self.users.read().values().cloned().collect()
    }

    /// Puts a user in the place of the one of the same name.
    pub(crate) fn put(&self, user: User) {
        insert(&mut self.users.write(), user);
    }

    /// Takes a user out; returns whether there was one.
    pub(crate) fn remove(&self, name: &[u8]) -> bool {
        self.users.write().remove(name).is_some()
    }

    /// Gives `default` the password of the settings, or none.
    pub(crate) fn set_default_password(&self, settings: &Settings) {
        let _turn = self.turn.lock();
        let mut users = self.users.write();
        if let Some(default) = users.get(DEFAULT) {
            let mut default = User::clone(default);
            set_password(&mut default, settings);
            insert(&mut users, default);
        }
    }

    /// Replaces all users by those of the ACL file.
    ///
    /// # Errors
    /// The file cannot be read, or is wrong; nothing has changed then.
    pub(crate) fn load(&self, settings: &Settings) -> Result<(), String> {
        let path = &settings.aclfile;
        let text = std::fs::read(settings.path(path)).map_err(|error| {
            format!("Error loading ACLs, opening file '{path}': {}", crate::config::file::reason(&error))
        })?;
        let mut read = file::parse(&text, path, settings.acl_pubsub_default)?;
        for (name, user) in undeclared(settings) {
            read.entry(name).or_insert(user);
        }
        *self.users.write() = read;
        Ok(())
    }

    /// The lines of a configuration file that say who there is; none if that is what is so without them.
    pub(crate) fn declarations(&self, settings: &Settings) -> Vec<Vec<u8>> {
        let is_usual = *self.users.read() == undeclared(settings);
        // An ACL file has its own command for that.
        if is_usual || !settings.aclfile.is_empty() {
            return Vec::new();
        }
        let quoted = |line: Vec<u8>| line.split(|byte| *byte == b' ').map(quote_bytes).collect::<Vec<_>>().join(&b' ');
        self.lines().into_iter().map(quoted).collect()
    }

    /// The lines of an ACL file that say who there is.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        self.users.read().values().map(|user| user.line()).collect()
    }

    /// Counts and notes a refusal.
    pub(crate) fn note(&self, refusal: Refusal<'_>, now: Millis, settings: &Settings) {
        self.denied[refusal.reason as usize].fetch_add(1, Ordering::Relaxed);
        self.log.lock().note(refusal, now, usize::try_from(settings.acllog_max_len).unwrap_or(usize::MAX));
    }

    /// How often something was refused for this reason.
    pub(crate) fn denied(&self, reason: Reason) -> u64 {
        self.denied[reason as usize].load(Ordering::Relaxed)
    }

    /// Sets the counters back to zero, as CONFIG RESETSTAT does.
    pub(crate) fn reset_counters(&self) {
        self.denied.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// Who there is before any user is declared.
fn undeclared(settings: &Settings) -> Users {
    let mut default = User::initial();
    set_password(&mut default, settings);
    Users::from([(default.name.clone(), Arc::new(default))])
}

fn insert(users: &mut Users, user: User) {
    users.insert(user.name.clone(), Arc::new(user));
}

fn set_password(default: &mut User, settings: &Settings) {
    default.set_password(Some(settings.requirepass.as_bytes()).filter(|password| !password.is_empty()));
}

/// A user that a configuration file declares.
///
/// # Errors
/// A rule is wrong.
pub(crate) fn declared_user(words: &[Vec<u8>], all_channels: bool) -> Result<User, String> {
    let Some((name, rules)) = words.split_first() else { return Err("wrong number of arguments".into()) };
    if !rule::is_name(name) {
        return Err("Usernames can't contain spaces or null characters".into());
    }
    let mut user = User::new(name, all_channels);
    let wrong = |reason: &str| format!("Error in user declaration '{}': {reason}", String::from_utf8_lossy(name));
    let rules = rule::join_selectors(rules.iter().map(Vec::as_slice))
        .map_err(|_| wrong("Unmatched parenthesis in selector definition."))?;
    for rule in rules {
        user.apply(&rule, all_channels).map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(user)
}

impl ClientRecord {
    /// Whether this client is that user.
    pub(crate) fn is_user(&self, name: &[u8]) -> bool {
        *self.user.lock().name == *name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use resplite_storage::clock::Clock;
    use resplite_storage::disk::RealDisk;
    use std::time::Duration;

    #[test]
    fn who_connects_while_rights_change_has_those_of_now() {
        let clock = Clock::manual(Duration::from_secs(1));
        let engine = Engine::new(Settings::default(), clock, 1, 1, Arc::new(RealDisk));
        let record = ClientRecord::new(1, engine.acl.default_user(), "peer".into(), "here".into(), -1, 0);
        // What somebody else says between the two halves of a new connection's beginning.
        engine.acl.put(User::new(DEFAULT, false));
        engine.users_changed();
        let session = engine.open_session(record);
        assert!(!session.user.is_unrestricted() && !session.authenticated && session.lacks_login());
    }
}
