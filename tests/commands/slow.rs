//! SLOWLOG and LATENCY: what is noted, how it is shown, what is not.

use crate::support::{Connection, check, check_ours};
use resplite::{Server, Value};

/// The arguments of the entries that SLOWLOG GET answers.
fn noted(connection: &mut Connection) -> Vec<String> {
    let entries = connection.call(["SLOWLOG", "GET", "-1"]).into_vec();
    let words = |entry: &Value| {
        let args = entry.as_slice().expect("an entry")[3].as_slice().expect("arguments").to_vec();
        args.iter().map(|arg| arg.as_str().expect("a text").to_owned()).collect::<Vec<_>>().join(" ")
    };
    entries.iter().map(words).collect()
}

#[test]
fn what_ran_is_noted_and_nothing_else() {
    let server = Server::builder().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    let mut other = Connection::tcp(server.address().unwrap());
    other.call(["CLIENT", "SETNAME", "joe"]);
    connection.call(["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    connection.call(["SLOWLOG", "RESET"]);
    other.call(["FOO"]);
    other.call(["GET"]);
    other.call(["MULTI"]);
    other.call(["SET", "x", "1"]);
    other.call(["GET", "x"]);
    other.call(["EXEC"]);
    other.call(["AUTH", "secret"]);
    other.call(["BLPOP", "q", "0.01"]);
    other.send(["BLPOP", "q", "0"]);
    connection.call(["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    while !String::from_utf8_lossy(connection.call(["INFO", "clients"]).as_bytes().unwrap())
        .contains("blocked_clients:1")
    {}
    assert!(!noted(&mut connection).iter().any(|line| line == "BLPOP q 0"), "it has not run yet");
    connection.call(["RPUSH", "q", "1"]);
    other.read();
    let mut lines = noted(&mut connection);
    lines.retain(|line| !line.starts_with("INFO") && !line.starts_with("SLOWLOG") && !line.starts_with("CONFIG"));
    lines.reverse();
    // Who was served is noted by whoever served him, before his own command is done.
    let expected = ["MULTI", "SET x 1", "GET x", "AUTH (redacted)", "BLPOP q 0.01", "BLPOP q 0", "RPUSH q 1"];
    assert_eq!(lines, expected);
    let entries = connection.call(["SLOWLOG", "GET", "-1"]).into_vec();
    let served = entries
        .iter()
        .map(|entry| entry.as_slice().unwrap())
        .find(|entry| entry[3].as_slice().is_some_and(|args| args.len() == 3 && args[2].as_str() == Some("0")));
    assert_eq!(served.and_then(|entry| entry[5].as_str()), Some("joe"));
    connection.call(["CONFIG", "SET", "requirepass", "secret"]);
    assert_eq!(noted(&mut connection)[0], "CONFIG SET requirepass (redacted)");
    connection.call(["CONFIG", "SET", "requirepass", ""]);
    let many: Vec<String> = std::iter::once("RPUSH".to_owned()).chain((0..40).map(|i| i.to_string())).collect();
    connection.call(&many);
    connection.call(["SET", "k", &"a".repeat(200)]);
    let lines = noted(&mut connection);
    assert_eq!(lines[0], format!("SET k {}... (72 more bytes)", "a".repeat(128)));
    assert!(lines[1].starts_with("RPUSH 0 1 ") && lines[1].ends_with(" 29 ... (10 more arguments)"), "{}", lines[1]);
    connection.call(["CONFIG", "SET", "slowlog-max-len", "2"]);
    assert_eq!(connection.call(["SLOWLOG", "LEN"]).as_int(), Some(2));
    connection.call(["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    connection.call(["SLOWLOG", "RESET"]);
    connection.call(["SET", "k", "v"]);
    assert_eq!(connection.call(["SLOWLOG", "LEN"]).as_int(), Some(0));
}

#[test]
fn arguments_that_are_refused() {
    check(
        r#"
        > SLOWLOG GET -2
        (error) ERR count should be greater than or equal to -1
        > SLOWLOG GET x
        (error) ERR count should be greater than or equal to -1
        > SLOWLOG GET 1 2
        (error) ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.
        > SLOWLOG LEN 1
        (error) ERR wrong number of arguments for 'slowlog|len' command
        > SLOWLOG RESET
        OK
        > SLOWLOG FOO
        (error) ERR unknown subcommand 'FOO'. Try SLOWLOG HELP.
        > LATENCY LATEST
        (empty array)
        > LATENCY HISTORY command
        (empty array)
        > LATENCY HISTORY
        (error) ERR wrong number of arguments for 'latency|history' command
        > LATENCY RESET
        (integer) 0
        > LATENCY RESET a b
        (integer) 0
        > LATENCY GRAPH command
        (error) ERR No samples available for event 'command'
        > LATENCY GRAPH
        (error) ERR wrong number of arguments for 'latency|graph' command
        > LATENCY DOCTOR x
        (error) ERR wrong number of arguments for 'latency|doctor' command
        > LATENCY FOO
        (error) ERR unknown subcommand 'FOO'. Try LATENCY HELP.
        > CONFIG SET slowlog-log-slower-than -2
        (error) ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - argument must be between -1 and 9223372036854775807 inclusive
        > CONFIG SET latency-monitor-threshold -1
        (error) ERR CONFIG SET failed (possibly related to argument 'latency-monitor-threshold') - argument must be between 0 and 9223372036854775807 inclusive
        "#,
    );
    check_ours("> SLOWLOG HELP\n(any)\n> LATENCY HELP\n(any)\n");
}

#[test]
fn what_takes_long_is_an_event() {
    let server = Server::builder().setting("enable-debug-command", "yes").unwrap().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.call(["CONFIG", "SET", "latency-monitor-threshold", "10"]);
    assert!(connection.call(["DEBUG", "SLEEP", "0.02"]).is_ok());
    let latest = connection.call(["LATENCY", "LATEST"]).into_vec();
    assert_eq!(latest.len(), 1);
    let event = latest[0].as_slice().unwrap();
    assert_eq!(event[0].as_str(), Some("command"));
    assert!(event[2].as_int() >= Some(20) && event[3].as_int() == event[2].as_int(), "{event:?}");
    let history = connection.call(["LATENCY", "HISTORY", "command"]).into_vec();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].as_slice().unwrap()[0].as_int(), event[1].as_int());
    assert_eq!(connection.call(["LATENCY", "HISTORY", "Command"]).as_slice(), Some(&[][..]), "names are exact");
    let millis = event[2].as_int().unwrap();
    let graph = connection.call(["LATENCY", "GRAPH", "command"]);
    let first = graph.as_str().unwrap().lines().next().unwrap();
    assert_eq!(first, format!("command - high {millis} ms, low {millis} ms (all time high {millis} ms)"));
    let doctor = connection.call(["LATENCY", "DOCTOR"]);
    assert!(doctor.as_str().unwrap().contains("1. command: 1 seconds with a sample"), "{doctor:?}");
    assert!(noted(&mut connection).contains(&"DEBUG SLEEP 0.02".to_owned()), "it is slower than the default of 10 ms");
    assert_eq!(connection.call(["LATENCY", "RESET", "other", "command"]).as_int(), Some(1));
    assert_eq!(connection.call(["LATENCY", "LATEST"]).as_slice(), Some(&[][..]));
}
