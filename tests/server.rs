//! The server family as clients see it: CLIENT, CONFIG, INFO, COMMAND, DEBUG, MEMORY, SHUTDOWN.

use resplite::{Client, Server, Value};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

fn start() -> Server {
    Server::builder().frozen_clock(Duration::from_secs(1_700_000_000)).seed(1).start().unwrap()
}

fn call(client: &mut Client, command: &str) -> Value {
    client.call(command.split(' '))
}

/// The reply to one command after the other, as text.
#[track_caller]
fn check(client: &mut Client, transcript: &[(&str, &str)]) {
    for (command, expected) in transcript {
        assert_eq!(show(&call(client, command)), *expected, "{command}");
    }
}

fn show(value: &Value) -> String {
    let list = |values: &[Value]| values.iter().map(show).collect::<Vec<_>>().join(" ");
    match value {
        Value::Nil => "nil".into(),
        Value::Error(text) => text.clone(),
        Value::Array(values) | Value::Set(values) => format!("[{}]", list(values)),
        Value::Map(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{}={}", show(key), show(value))).collect();
            format!("{{{}}}", pairs.join(" "))
        }
        other => other.as_int().map_or_else(|| other.as_str().unwrap_or("?").to_owned(), |number| number.to_string()),
    }
}

/// A connection that speaks inline commands.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(server: &Server) -> Self {
        Socket(BufReader::new(TcpStream::connect(server.address().unwrap()).unwrap()))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
    }

    /// The next line, empty at the end of the connection.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.line()
    }
}

#[test]
fn settings_are_read_and_changed_together() {
    let server = start();
    let mut client = server.client();
    check(
        &mut client,
        &[
            ("CONFIG GET save databases", "[databases 16 save ]"),
            ("CONFIG GET nosuch", "[]"),
            (
                "CONFIG GET *LISTPACK-VALUE maxmemory",
                "[maxmemory 0 hash-max-listpack-value 64 set-max-listpack-value 64 \
              zset-max-listpack-value 64]",
            ),
            ("CONFIG SET hash-max-ziplist-entries 5 maxmemory 1mb", "OK"),
            (
                "CONFIG GET hash-max-*-entries maxmemory",
                "[maxmemory 1048576 hash-max-listpack-entries 5 hash-max-ziplist-entries 5]",
            ),
            (
                "CONFIG SET maxmemory 2mb timeout x",
                "ERR CONFIG SET failed (possibly related to argument 'timeout') - \
              argument couldn't be parsed into an integer",
            ),
            (
                "CONFIG SET maxmemory 2mb nosuch x",
                "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
            ),
            (
                "CONFIG SET maxmemory 2mb MAXMEMORY 3mb",
                "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - \
              duplicate parameter",
            ),
            ("CONFIG SET maxmemory 2mb timeout", "ERR syntax error"),
            ("CONFIG GET maxmemory", "[maxmemory 1048576]"),
            (
                "CONFIG SET port 1",
                "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
            ),
            (
                "CONFIG SET dir /",
                "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config",
            ),
            (
                "CONFIG SET appendfsync sometimes",
                "ERR CONFIG SET failed (possibly related to argument 'appendfsync') - \
              argument(s) must be one of the following: everysec, always, no",
            ),
            ("CONFIG REWRITE", "ERR The server is running without a config file"),
            ("CONFIG NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP."),
            ("CONFIG SET x", "ERR wrong number of arguments for 'config|set' command"),
        ],
    );
    client.call(["HELLO", "3"]);
    check(&mut client, &[("CONFIG GET timeout", "{timeout=0}")]);
    assert_eq!(client.call(["CONFIG", "SET", "client-output-buffer-limit", "normal 1 2 3"]).as_str(), Some("OK"));
}

#[test]
fn a_password_is_asked_from_when_it_is_set() {
    let server = start();
    let mut before = Socket::open(&server);
    assert_eq!(before.ask("CONFIG SET requirepass secret"), "+OK");
    assert_eq!(before.ask("PING"), "+PONG");
    let mut after = Socket::open(&server);
    assert_eq!(after.ask("PING"), "-NOAUTH Authentication required.");
    assert_eq!(before.ask("CONFIG SET requirepass \"\""), "+OK");
    assert_eq!(after.ask("PING"), "+PONG");
}

#[test]
fn a_new_timeout_reaches_connections_that_were_idle() {
    let server = Server::builder().start().unwrap();
    let mut idle = Socket::open(&server);
    assert_eq!(idle.ask("PING"), "+PONG");
    let mut client = server.client();
    check(&mut client, &[("CONFIG SET timeout 1", "OK")]);
    assert_eq!(idle.line(), "");
}

#[test]
fn memory_that_runs_out_refuses_writes_only() {
    let server = start();
    let mut client = server.client();
    check(
        &mut client,
        &[
            ("SET a 1", "OK"),
            ("CONFIG SET maxmemory 1", "OK"),
            ("SET b 1", "OOM command not allowed when used memory > 'maxmemory'."),
            ("GET a", "1"),
            ("DEL a", "1"),
        ],
    );
}

#[test]
fn clients_are_listed_named_and_killed() {
    let server = start();
    let mut client = server.client();
    let (mut one, mut two) = (Socket::open(&server), Socket::open(&server));
    assert_eq!(one.ask("CLIENT SETNAME one"), "+OK");
    assert_eq!(one.ask("CLIENT SETINFO LIB-NAME test(x)"), "+OK");
    assert_eq!(
        one.ask("CLIENT SETINFO lib-ver \"1 2\""),
        "-ERR lib-ver cannot contain spaces, newlines or special characters."
    );
    assert_eq!(one.ask("CLIENT SETINFO foo 1"), "-ERR Unrecognized option 'foo'");
    assert_eq!(
        one.ask("CLIENT SETNAME \"a b\""),
        "-ERR Client names cannot contain spaces, newlines or special characters."
    );
    assert_eq!(two.ask("MULTI"), "+OK");
    assert_eq!(two.ask("GET a"), "+QUEUED");
    let list = call(&mut client, "CLIENT LIST");
    let lines: Vec<&str> = list.as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 2);
    for field in [" name=one ", " flags=N ", " multi=-1 ", " cmd=client|setname ", " lib-name=test(x) ", " lib-ver="] {
        assert!(format!("{} ", lines[0]).contains(field), "{field}: {}", lines[0]);
    }
    for field in [" name= ", " flags=x ", " multi=1 ", " multi-mem=4 ", " cmd=get ", " age=0 ", " resp=2 "] {
        assert!(lines[1].contains(field), "{field}: {}", lines[1]);
    }
    let names: Vec<&str> = lines[0].split(' ').filter_map(|field| field.split('=').next()).collect();
    assert_eq!(
        names.join(" "),
        "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll \
         omem tot-mem events cmd user redir resp lib-name lib-ver"
    );
    let id = |line: &str| line.split(['=', ' ']).nth(1).unwrap().to_owned();
    let (first, second) = (id(lines[0]), id(lines[1]));
    let by_id = call(&mut client, &format!("CLIENT LIST ID {second} 99 {first}"));
    let ids: Vec<String> = by_id.as_str().unwrap().lines().map(id).collect();
    assert_eq!(ids, [second.clone(), first.clone()]);
    check(
        &mut client,
        &[
            ("CLIENT LIST TYPE pubsub", ""),
            ("CLIENT LIST TYPE foo", "ERR Unknown client type 'foo'"),
            ("CLIENT LIST ID x", "ERR Invalid client ID"),
            ("CLIENT LIST ID", "ERR syntax error"),
            ("CLIENT KILL 1.2.3.4:5", "ERR No such client"),
            ("CLIENT KILL ID 0", "ERR client-id should be greater than 0"),
            ("CLIENT KILL MAXAGE x", "ERR maxage is not an integer or out of range"),
            ("CLIENT KILL MAXAGE 0", "ERR maxage should be greater than 0"),
            ("CLIENT KILL USER nobody", "ERR No such user 'nobody'"),
            ("CLIENT KILL SKIPME maybe", "ERR syntax error"),
            ("CLIENT KILL ID 1 2", "ERR syntax error"),
            ("CLIENT KILL TYPE pubsub", "0"),
            ("CLIENT KILL MAXAGE 10", "0"),
        ],
    );
    assert_eq!(show(&call(&mut client, &format!("CLIENT KILL ID {second}"))), "1");
    assert_eq!(two.line(), "");
    // Of itself a client first hears the answer.
    assert_eq!(one.ask("CLIENT KILL TYPE normal"), ":0");
    assert_eq!(one.ask("CLIENT KILL TYPE normal SKIPME no"), ":1");
    assert_eq!(one.line(), "");
}

#[test]
fn clients_old_enough_are_killed() {
    let server = start();
    let mut socket = Socket::open(&server);
    assert_eq!(socket.ask("PING"), "+PONG");
    server.advance(Duration::from_secs(10));
    check(&mut server.client(), &[("CLIENT KILL MAXAGE 11", "0"), ("CLIENT KILL MAXAGE 10", "1")]);
    assert_eq!(socket.line(), "");
}

#[test]
fn replies_are_switched_off_and_skipped() {
    let server = start();
    let mut socket = Socket::open(&server);
    socket.send("CLIENT REPLY SKIP\r\nECHO skipped\r\nCLIENT REPLY OFF\r\nECHO off\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON");
    assert_eq!(socket.line(), "+OK");
    assert_eq!(socket.ask("PING"), "+PONG");
    assert_eq!(socket.ask("CLIENT REPLY maybe"), "-ERR syntax error");
}

#[test]
fn reads_of_a_client_that_does_not_touch_leave_the_time_of_use() {
    let server = start();
    let mut client = server.client();
    check(&mut client, &[("SET a 1", "OK"), ("CLIENT NO-TOUCH ON", "OK")]);
    server.advance(Duration::from_secs(5));
    check(
        &mut client,
        &[
            ("GET a", "1"),
            ("OBJECT IDLETIME a", "5"),
            ("CLIENT NO-TOUCH off", "OK"),
            ("GET a", "1"),
            ("OBJECT IDLETIME a", "0"),
        ],
    );
}

#[test]
fn info_has_the_sections_that_are_asked_for() {
    let server = start();
    let mut client = server.client();
    check(
        &mut client,
        &[
            ("SET a 1 EX 100", "OK"),
            ("GET a", "1"),
            ("GET b", "nil"),
            ("NOSUCH", "ERR unknown command 'NOSUCH', with args beginning with: "),
        ],
    );
    check(
        &mut client,
        &[
            ("INFO keyspace", "# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=100000,subexpiry=0\r\n"),
            ("INFO nosuch", ""),
            ("INFO modules cluster", "# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n"),
            ("INFO errorstats", "# Errorstats\r\nerrorstat_ERR:count=1\r\n"),
        ],
    );
    let info = call(&mut client, "INFO");
    let info = info.as_str().unwrap();
    for line in [
        "# Server\r\nredis_version:7.4.2\r\n",
        "redis_mode:standalone",
        "maxmemory_policy:noeviction",
        "loading:0",
        "role:master",
        "keyspace_hits:1",
        "keyspace_misses:1",
        "blocked_clients:0",
        "rdb_changes_since_last_save:1",
        "\r\n\r\n# Clients\r\n",
    ] {
        assert!(info.contains(line), "{line}");
    }
    for line in info.lines().filter(|line| line.split(':').next().is_some_and(|name| name.ends_with("_version"))) {
        let (_, version) = line.split_once(':').unwrap();
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{line}");
    }
    check(&mut client, &[("CONFIG RESETSTAT", "OK"), ("INFO errorstats", "# Errorstats\r\n")]);
    let stats = call(&mut client, "INFO stats");
    assert!(stats.as_str().unwrap().contains("keyspace_hits:0"));
    // Under the locks of a transaction as well.
    check(
        &mut client,
        &[("MULTI", "OK"), ("SET a 2", "QUEUED"), ("INFO cluster", "QUEUED"), ("CONFIG RESETSTAT", "QUEUED")],
    );
    assert_eq!(show(&call(&mut client, "EXEC")), "[OK # Cluster\r\ncluster_enabled:0\r\n OK]");
}

#[test]
fn commands_tell_their_keys() {
    let server = start();
    let mut client = server.client();
    check(
        &mut client,
        &[
            ("COMMAND GETKEYS MSET a b c d", "[a c]"),
            ("COMMAND GETKEYS object encoding x", "[x]"),
            ("COMMAND GETKEYS object nosuch x", "ERR Invalid command specified"),
            ("COMMAND GETKEYS nosuch", "ERR Invalid command specified"),
            ("COMMAND GETKEYS ping", "ERR The command has no key arguments"),
            ("COMMAND GETKEYS get", "ERR Invalid number of arguments specified for command"),
            ("COMMAND GETKEYSANDFLAGS set a b", "[[a [OW update]]]"),
            ("COMMAND GETKEYSANDFLAGS set a b get", "[[a [RW access update]]]"),
            ("COMMAND INFO nosuch", "[nil]"),
            (
                "COMMAND INFO config|get",
                "[[config|get -3 [admin noscript loading stale] 0 0 0 [@admin @slow @dangerous] [] [] []]]",
            ),
            (
                "COMMAND INFO get",
                "[[get 2 [readonly fast] 1 1 1 [@read @string @fast] [] [[flags [RO access] begin_search \
              [type index spec [index 1]] find_keys [type range spec [lastkey 0 keystep 1 limit 0]]]] []]]",
            ),
            (
                "COMMAND LIST FILTERBY PATTERN config*",
                "[config config|get config|help config|resetstat config|rewrite config|set]",
            ),
            ("COMMAND LIST FILTERBY ACLCAT nosuch", "[]"),
            ("COMMAND LIST FILTERBY MODULE nosuch", "[]"),
            ("COMMAND LIST FILTERBY nosuch x", "ERR syntax error"),
            ("COMMAND DOCS nosuch", "[]"),
            ("COMMAND NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP."),
        ],
    );
    let all = call(&mut client, "COMMAND").into_vec();
    assert_eq!(call(&mut client, "COMMAND COUNT").as_int(), Some(all.len() as i64));
    assert_eq!(call(&mut client, "COMMAND DOCS").into_vec().len(), 2 * all.len());
}

#[test]
fn debug_is_refused_unless_it_is_allowed() {
    let server = start();
    let refusal = call(&mut server.client(), "DEBUG SLEEP 0");
    assert!(
        refusal.as_error().unwrap().starts_with("ERR DEBUG command not allowed. If the enable-debug-command option")
    );
    let server = Server::builder().setting("enable-debug-command", "local").unwrap().start().unwrap();
    let mut client = server.client();
    assert_eq!(Socket::open(&server).ask("DEBUG SLEEP 0"), "+OK");
    check(
        &mut client,
        &[
            ("SET a 1", "OK"),
            ("DEBUG SLEEP 0.001", "OK"),
            ("DEBUG SET-ACTIVE-EXPIRE 0", "OK"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 10b", "OK"),
            (
                "DEBUG QUICKLIST-PACKED-THRESHOLD 5gb",
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ),
            ("DEBUG OBJECT nosuch", "ERR no such key"),
            ("DEBUG NOSUCH", "ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP."),
            ("DEBUG OBJECT", "ERR unknown subcommand or wrong number of arguments for 'OBJECT'. Try DEBUG HELP."),
        ],
    );
    let object = call(&mut client, "DEBUG OBJECT a");
    assert!(object.as_str().unwrap().contains(" refcount:1 encoding:int "), "{object:?}");
}

#[test]
fn memory_time_and_shutdown_answer_as_redis_does() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::builder().frozen_clock(Duration::from_secs(1_700_000_000)).dir(directory.path());
    let server = server.setting("appendonly", "no").unwrap().setting("dbfilename", "other.rdb").unwrap();
    let server = server.start().unwrap();
    // Nothing can take the place of a directory: the snapshot fails.
    std::fs::create_dir(directory.path().join("other.rdb")).unwrap();
    let mut client = server.client();
    check(
        &mut client,
        &[
            ("TIME", "[1700000000 0]"),
            ("MEMORY USAGE nosuch", "nil"),
            ("MEMORY USAGE nosuch SAMPLES -1", "ERR syntax error"),
            ("MEMORY USAGE nosuch SAMPLES", "ERR syntax error"),
            ("MEMORY USAGE nosuch SAMPLES x", "ERR value is not an integer or out of range"),
            ("SHUTDOWN ABORT", "ERR No shutdown in progress."),
            ("SHUTDOWN SAVE NOSAVE", "ERR syntax error"),
            ("SHUTDOWN NOW ABORT", "ERR syntax error"),
            ("SHUTDOWN SAVE", "ERR Errors trying to SHUTDOWN. Check logs."),
            ("SET a 1", "OK"),
        ],
    );
    client.call(["SET", "b", &"x".repeat(1000)]);
    let bytes =
        |client: &mut Client, key: &str| client.call(["MEMORY", "USAGE", key, "SAMPLES", "0"]).as_int().unwrap();
    let (small, large) = (bytes(&mut client, "a"), bytes(&mut client, "b"));
    assert!((1..200).contains(&small), "{small}");
    assert!((1000..1300).contains(&large), "{large}");
    let mut socket = Socket::open(&server);
    socket.send("SHUTDOWN NOSAVE NOW FORCE");
    assert_eq!(socket.line(), "");
    server.wait();
}

#[test]
fn writes_are_refused_when_memory_has_run_out() {
    const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
    let server = resplite::Server::builder().no_port().setting("maxmemory", "1").unwrap().start().unwrap();
    let (mut client, mut other) = (server.client(), server.client());
    assert!(client.call(["MULTI"]).is_ok());
    assert_eq!(client.call(["SET", "in", "transaction"]).as_str(), Some("QUEUED"));
    assert!(other.call(["SET", "a", "1"]).is_ok(), "nothing is used yet");
    assert_eq!(other.call(["SET", "b", "2"]).as_error(), Some(OOM));
    assert_eq!(other.call(["GET", "a"]).as_str(), Some("1"));
    let why = format!("EXECABORT Transaction discarded because of: {OOM}");
    assert_eq!(client.call(["EXEC"]).as_error(), Some(&*why));
    assert!(client.call(["MULTI"]).is_ok());
    assert_eq!(client.call(["GET", "a"]).as_error(), Some(OOM), "queueing takes memory");
    assert_eq!(client.call(["EXEC"]).as_error(), Some("EXECABORT Transaction discarded because of previous errors."));
    assert_eq!(other.call(["DEL", "a"]).as_int(), Some(1));
    assert!(other.call(["SET", "b", "2"]).is_ok());
}

#[test]
fn commands_are_counted_when_they_run() {
    let server = resplite::Server::builder().no_port().start().unwrap();
    let mut client = server.client();
    let mut processed = || {
        let info = client.pipeline([
            ["MULTI"].as_slice(),
            &["SET", "a", "1"],
            &["GET", "a"],
            &["EXEC"],
            &["NOSUCH"],
            &["GET"],
            &["INFO", "stats"],
        ]);
        let text = info[6].as_str().unwrap().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("total_commands_processed:").map(str::to_owned));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = processed();
    // MULTI, EXEC with its two commands, and the INFO of the time before.
    assert_eq!(processed() - before, 5);
}
