//! Commands that go by other names, or by none.

use crate::support::Connection;
use crate::support::oracle::{Kind, Oracle};
use resplite::config::Settings;
use resplite::{Server, Value};

const RENAMED: &str = "rename-command CONFIG hidden\nrename-command FLUSHALL \"\"\nrename-command SET put\n";

/// What is asked, and what every server answers to it.
fn asked(connection: &mut Connection) -> Vec<Value> {
    let lines = [
        "CONFIG GET maxmemory",
        "HIDDEN GET maxmemory",
        "FLUSHALL",
        "SET k v",
        "PUT k v",
        "GET k",
        "MULTI",
        "PUT k w",
        "EXEC",
        "EVAL return(redis.pcall('set','k','x')['err']) 0",
        "EVAL return(redis.call('put','k','x')) 0",
        "COMMAND GETKEYS PUT k v",
        "COMMAND INFO set flushall",
        "ACL SETUSER ann on nopass ~* +set +get",
        "ACL DRYRUN ann GET k",
        "AUTH ann x",
        "PUT k y",
        "HIDDEN GET maxmemory",
    ];
    lines.iter().map(|line| connection.call(line.split(' '))).collect()
}

#[test]
fn commands_go_by_the_names_that_they_are_given() {
    let mut settings = Settings::default();
    settings.read_text(RENAMED.as_bytes()).unwrap();
    settings.port = Some(0);
    let server = Server::builder().settings(settings).start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    let ours = asked(&mut connection);
    assert_eq!(ours[0].as_error(), Some("ERR unknown command 'CONFIG', with args beginning with: 'GET' 'maxmemory' "));
    let options =
        ["--rename-command", "CONFIG", "hidden", "--rename-command", "FLUSHALL", "", "--rename-command", "SET", "put"];
    let Some(oracle) = Oracle::start(Kind::Redis, &options) else { return };
    for (ours, theirs) in ours.iter().zip(asked(&mut oracle.connect())) {
        // 7.0 says it in other words.
        let is_refusal = |reply: &Value| reply.as_error().is_some_and(|error| error.starts_with("NOPERM"));
        assert!(*ours == theirs || is_refusal(ours) && is_refusal(&theirs), "{ours:?} {theirs:?}");
    }
}

#[test]
fn the_log_has_their_own_names() {
    let directory = tempfile::tempdir().unwrap();
    let start = |text: &str| {
        let mut settings = Settings::default();
        settings.read_text(text.as_bytes()).unwrap();
        settings.port = None;
        Server::builder().settings(settings).dir(directory.path()).start().unwrap()
    };
    let text = "rename-command SET put\nrename-command DEL \"\"\nrename-command XGROUP groups\n";
    let server = start(text);
    let mut client = server.client();
    assert!(client.call(["PUT", "k", "v"]).is_ok());
    assert!(client.call(["GROUPS", "CREATE", "s", "g", "$", "MKSTREAM"]).is_ok());
    client.call(["MULTI"]);
    client.call(["PUT", "k", "w"]);
    client.call(["PUT", "l", "x"]);
    client.call(["EXEC"]);
    client.call(["EVAL", "redis.call('put', 'm', 'y')", "0"]);
    client.call(["PEXPIREAT", "l", "1"]);
    drop((client, server));
    // With these names and without them.
    for text in [text, ""] {
        let server = start(text);
        let mut client = server.client();
        let values = client.call(["MGET", "k", "l", "m"]).into_vec();
        let values: Vec<Option<&str>> = values.iter().map(Value::as_str).collect();
        assert_eq!(values, [Some("w"), None, Some("y")]);
        assert_eq!(client.call(["XINFO", "GROUPS", "s"]).into_vec().len(), 1);
    }
}
