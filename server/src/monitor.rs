//! Who watches every command that runs, and the line that they see of it; MONITOR itself is a command like others.

use crate::command::{Command, Flags};
use crate::config::Settings;
use crate::outbox::Message;
use crate::registry::ClientRecord;
use parking_lot::RwLock;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The clients that watch.
#[derive(Default)]
pub(crate) struct Monitors {
    clients: RwLock<Vec<Arc<ClientRecord>>>,
    /// Looked at after every command, so it must cost nothing while nobody watches.
    is_watched: AtomicBool,
}

impl Monitors {
    /// Whether anybody watches.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, record: Arc<ClientRecord>) {
        record.is_monitor.store(true, Ordering::Relaxed);
        let mut clients = self.clients.write();
        clients.push(record);
        self.is_watched.store(true, Ordering::Relaxed);
    }

    /// Takes a client out, if it watches.
    pub(crate) fn remove(&self, record: &ClientRecord) {
        if !record.is_monitor.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut clients = self.clients.write();
        clients.retain(|client| client.id != record.id);
        self.is_watched.store(!clients.is_empty(), Ordering::Relaxed);
    }

    /// Shows everybody who watches a command that a client has run; what administers the server is not shown.
    #[cold]
    pub(crate) fn show(&self, event: &Event<'_>, settings: &Settings) {
        if event.command.flags.has(Flags::ADMIN) {
            return;
        }
        let line = event.line();
        let message = Message::new(|out: &mut Reply| out.simple(&line));
        self.clients.read().iter().for_each(|client| client.push(&message, settings));
    }
}

/// A command that has run.
pub(crate) struct Event<'a> {
    pub(crate) command: &'static Command,
    pub(crate) args: Args<'a>,
    /// Microseconds since the epoch.
    pub(crate) micros: u64,
    pub(crate) db: usize,
    pub(crate) client: &'a ClientRecord,
    /// A script of that client has called it.
    pub(crate) in_script: bool,
}

impl Event<'_> {
    /// Time, database, address and arguments in quotes, with what is secret left out.
    fn line(&self) -> Vec<u8> {
        let Event { command, args, micros, db, client, in_script } = self;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let place = if client.is_unix { "unix:" } else { "" };
        let address =
            if client.is_unix { client.addr.strip_suffix(":0").unwrap_or(&client.addr) } else { &client.addr };
        let mut line = Vec::with_capacity(64 + args.byte_len());
        // A Vec takes everything.
        let _ = match in_script {
            true => write!(line, "{seconds}.{micros:06} [{db} lua]"),
            false => write!(line, "{seconds}.{micros:06} [{db} {place}{address}]"),
        };
        for (at, arg) in args.iter().enumerate() {
            line.push(b' ');
            quote(if is_secret(command, *args, at) { b"(redacted)" } else { arg }, &mut line);
        }
        line
    }
}

/// Whether an argument is a user's name or password.
pub(crate) fn is_secret(command: &Command, args: Args<'_>, at: usize) -> bool {
    let is = |at: usize, name: &[u8]| args.get(at).is_some_and(|word| word.eq_ignore_ascii_case(name));
    match command.name {
        "auth" => at > 0,
        "hello" => at > 2 && (is(at - 1, b"auth") || is(at - 2, b"auth")),
        "migrate" => at > 6 && (is(at - 1, b"auth") || is(at - 1, b"auth2") || is(at - 2, b"auth2")),
        // What is said about a user is between who says it and the server.
        "acl|setuser" | "acl|deluser" | "acl|getuser" => at > 1,
        "config|set" => at > 2 && at % 2 == 1 && is(at - 1, b"requirepass"),
        _ => false,
    }
}

/// Writes bytes as `redis-cli` shows them.
fn quote(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            7 => line.extend_from_slice(b"\\a"),
            8 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            other => drop(write!(line, "\\x{other:02x}")),
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::user::User;
    use resplite_resp::request::OwnedArgs;
    use std::sync::Arc;

    fn line(words: &[&[u8]]) -> String {
        let args: OwnedArgs = words.iter().collect();
        let mut client = ClientRecord::new(1, Arc::new(User::initial()), "/tmp/socket:0".into(), String::new(), -1, 0);
        client.is_unix = true;
        let command = crate::command::find(words[0]).unwrap();
        let event = Event {
            command,
            args: args.as_args(),
            micros: 1_700_000_000_000_042,
            db: 3,
            client: &client,
            in_script: false,
        };
        String::from_utf8(event.line()).unwrap()
    }

    #[test]
    fn arguments_are_quoted_and_secrets_left_out() {
        assert_eq!(
            line(&[b"ECHO", b"a \"b\"\\\r\n\t\x07\x08\x00\xff"]),
            r#"1700000000.000042 [3 unix:/tmp/socket] "ECHO" "a \"b\"\\\r\n\t\a\b\x00\xff""#
        );
        assert!(line(&[b"AUTH", b"me", b"secret"]).ends_with(r#"] "AUTH" "(redacted)" "(redacted)""#));
        assert!(
            line(&[b"HELLO", b"3", b"auth", b"me", b"secret", b"SETNAME", b"x"])
                .ends_with(r#"] "HELLO" "3" "auth" "(redacted)" "(redacted)" "SETNAME" "x""#)
        );
    }
}
