//! DUMP, RESTORE and the snapshot commands, as one connection sees them.

use crate::support::{Connection, builder, server};
use resplite::Value;
use resplite::disk::sim::SimDisk;
use resplite::disk::{Disk, DiskFile};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

fn text(value: &Value) -> String {
    format!("{value:?}")
}

#[test]
fn dump_and_restore() {
    let server = server();
    let mut client = server.client();
    client.call(["SET", "number", "1"]);
    client.call(["RPUSH", "list", "a", "b"]);
    let payload = client.call(["DUMP", "number"]);
    let payload = payload.as_bytes().expect("a payload").to_vec();
    // The bytes that redis-server 7.0 gives.
    assert_eq!(payload, b"\x00\xc0\x01\n\x00&x\xe7\xb6\xd1\x01\x11\xfc");
    let mut restore = |words: &[&[u8]]| {
        let reply = client.call(words);
        match reply.as_error() {
            Some(error) => error.to_owned(),
            None => reply.as_str().unwrap_or("?").to_owned(),
        }
    };
    for (words, expected) in [
        (&[b"number".as_slice(), b"0", &payload][..], "BUSYKEY Target key name already exists."),
        (&[b"number", b"x", b"bad"], "BUSYKEY Target key name already exists."),
        (&[b"number", b"0", b"bad", b"REPLACE"], "ERR DUMP payload version or checksum are wrong"),
        (&[b"b", b"-1", &payload], "ERR Invalid TTL value, must be >= 0"),
        (&[b"b", b"x", &payload], "ERR value is not an integer or out of range"),
        (&[b"b", b"0", &payload, b"IDLETIME", b"-1"], "ERR Invalid IDLETIME value, must be >= 0"),
        (&[b"b", b"0", &payload, b"FREQ", b"256"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (&[b"b", b"0", &payload, b"FREQ", b"1", b"IDLETIME", b"1"], "ERR syntax error"),
        (&[b"b", b"0", &payload, b"FOO"], "ERR syntax error"),
        (&[b"b", b"0", &payload, b"replace", b"idletime", b"100"], "OK"),
        (&[b"c", b"0", &payload, b"FREQ", b"10"], "OK"),
        (&[b"past", b"1000", &payload, b"ABSTTL"], "OK"),
        (&[b"c", b"1000", &payload, b"ABSTTL", b"REPLACE"], "OK"),
        (&[b"soon", b"100000", &payload], "OK"),
    ] {
        let words: Vec<&[u8]> = [b"RESTORE".as_slice()].into_iter().chain(words.iter().copied()).collect();
        assert_eq!(restore(&words), expected, "{words:?}");
    }
    assert_eq!(restore(&[b"RESTORE-ASKING", b"asked", b"0", &payload]), "OK");
    assert!(client.call(["DUMP", "nosuch"]).is_nil());
    assert_eq!(client.call(["OBJECT", "IDLETIME", "b"]).as_int(), Some(100));
    assert_eq!(client.call(["EXISTS", "past", "c"]).as_int(), Some(0));
    assert_eq!(client.call(["TTL", "soon"]).as_int(), Some(100));
    assert_eq!(client.call(["GET", "asked"]).as_str(), Some("1"));
}

#[test]
fn a_snapshot_is_written_and_asked_about() {
    let directory = tempfile::tempdir().unwrap();
    let server = builder().dir(directory.path()).setting("appendonly", "no").unwrap().start().unwrap();
    let mut client = server.client();
    client.call(["SET", "key", "value"]);
    let before = client.call(["LASTSAVE"]).as_int().expect("a time");
    server.advance(std::time::Duration::from_secs(5));
    assert!(client.call(["SAVE"]).is_ok());
    assert_eq!(client.call(["BGSAVE", "FOO"]).as_error(), Some("ERR syntax error"));
    assert_eq!(client.call(["LASTSAVE"]).as_int(), Some(before + 5));
    let info = text(&client.call(["INFO", "persistence"]));
    assert!(info.contains("rdb_saves:1") && info.contains("rdb_changes_since_last_save:0"), "{info}");
    drop(client);
    drop(server);
    let server = builder().dir(directory.path()).setting("appendonly", "no").unwrap().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    assert_eq!(connection.call(["GET", "key"]).as_str(), Some("value"));
    let started = connection.call(["BGSAVE"]);
    assert_eq!(started.as_str(), Some("Background saving started"));
}

/// A disk whose files cannot be read before somebody says so.
struct SlowDisk {
    disk: SimDisk,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

struct SlowFile(Box<dyn Read + Send>, Arc<(Mutex<bool>, Condvar)>);

impl Read for SlowFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (open, rung) = &*self.1;
        let mut open = open.lock().unwrap();
        while !*open {
            open = rung.wait(open).unwrap();
        }
        self.0.read(buffer)
    }
}

impl Disk for SlowDisk {
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(SlowFile(self.disk.read(path)?, self.gate.clone())))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.append(path)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.disk.len(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.disk.truncate(path, len)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        self.disk.lock(path)
    }
}

/// A server that loads a snapshot of one key, and loads on only when the gate is opened.
struct Loading {
    starting: std::thread::JoinHandle<io::Result<resplite::Server>>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    connection: Connection,
    disk: SimDisk,
    _directory: tempfile::TempDir,
}

impl Loading {
    fn start() -> Self {
        let disk = SimDisk::new();
        let start = |disk: Arc<dyn Disk>, socket: &str| {
            let builder = builder().dir("/data").disk(disk).setting("appendonly", "no").unwrap();
            let builder = builder.setting("save", "3600 1").unwrap();
            if socket.is_empty() { builder.no_port() } else { builder.no_port().unix_socket(socket) }.start()
        };
        {
            let server = start(Arc::new(disk.clone()), "").unwrap();
            let mut client = server.client();
            client.call(["SET", "key", "value"]);
            assert!(client.call(["SAVE"]).is_ok());
        }
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let slow = SlowDisk { disk: disk.clone(), gate: gate.clone() };
        let path = socket.to_str().unwrap().to_owned();
        let starting = std::thread::spawn(move || start(Arc::new(slow), &path));
        let connection = loop {
            // It listens before it loads; until then there is nothing to connect to.
            match Connection::unix(&socket) {
                Ok(connection) => break connection,
                Err(_) => std::thread::yield_now(),
            }
        };
        Loading { starting, gate, connection, disk, _directory: directory }
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

#[test]
fn until_the_data_is_there_clients_hear_that_it_is_loading() {
    let mut loading = Loading::start();
    const LOADING: &str = "LOADING Redis is loading the dataset in memory";
    for command in [&["GET", "key"][..], &["SET", "key", "other"], &["PING"], &["SAVE"]] {
        assert_eq!(loading.connection.call(command).as_error(), Some(LOADING), "{command:?}");
    }
    let info = text(&loading.connection.call(["INFO", "persistence"]));
    for line in ["loading:1", "loading_total_bytes:", "loading_loaded_perc:0.00", "loading_start_time:1700000000"] {
        assert!(info.contains(line), "{line}: {info}");
    }
    loading.open();
    let server = loading.starting.join().unwrap().unwrap();
    assert_eq!(loading.connection.call(["GET", "key"]).as_str(), Some("value"));
    let info = text(&loading.connection.call(["INFO", "persistence"]));
    assert!(info.contains("loading:0") && info.contains("rdb_last_load_keys_loaded:1"), "{info}");
    drop(server);
}

#[test]
fn shutdown_while_loading_leaves_the_snapshot_as_it_is() {
    let mut loading = Loading::start();
    let dump = Path::new("/data/dump.rdb");
    let before = loading.disk.content(dump);
    loading.connection.send(["SHUTDOWN"]);
    assert!(loading.connection.try_read().is_none(), "the connection ends without a reply");
    loading.open();
    let error = loading.starting.join().unwrap().map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
    assert!(before.is_some() && loading.disk.content(dump) == before);
}

#[test]
fn the_log_is_switched_on_and_off_while_the_server_runs() {
    let disk = SimDisk::new();
    let start = || builder().no_port().dir("/data").disk(Arc::new(disk.clone()));
    let done = |client: &mut resplite::Client| {
        // Each INFO is a look; the rewrite is another thread's.
        while !text(&client.call(["INFO", "persistence"])).contains("aof_rewrite_in_progress:0") {
            std::thread::yield_now();
        }
    };
    {
        let server = start().setting("appendonly", "no").unwrap().start().unwrap();
        let mut client = server.client();
        client.call(["SET", "before", "1"]);
        assert!(text(&client.call(["INFO", "persistence"])).contains("aof_enabled:0"));
        assert!(client.call(["CONFIG", "SET", "appendonly", "yes"]).is_ok());
        client.call(["SET", "while", "2"]);
        done(&mut client);
        assert!(text(&client.call(["INFO", "persistence"])).contains("aof_enabled:1"));
        client.call(["SET", "with", "3"]);
        // What needs all shards cannot be waited for while some are held.
        for command in [&["MULTI"][..], &["SET", "x", "1"], &["CONFIG", "SET", "appendonly", "no"], &["DEL", "x"]] {
            client.call(command);
        }
        let replies = client.call(["EXEC"]);
        let refused = replies.as_slice().unwrap()[1].as_error().unwrap_or_default().to_owned();
        assert!(refused.contains("not together with keys in a transaction"), "{refused}");
        assert!(client.call(["CONFIG", "SET", "appendonly", "no"]).is_ok());
        client.call(["SET", "after", "4"]);
    }
    let server = start().start().unwrap();
    let mut client = server.client();
    let found = client.call(["MGET", "before", "while", "with", "after"]);
    let found: Vec<Option<&str>> = found.as_slice().unwrap().iter().map(Value::as_str).collect();
    assert_eq!(found, [Some("1"), Some("2"), Some("3"), None]);
    assert_eq!(client.call(["BGREWRITEAOF"]).as_str(), Some("Background append only file rewriting started"));
}
