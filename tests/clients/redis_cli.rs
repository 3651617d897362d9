//! redis-cli and redis-benchmark, the programs of Debian's redis-tools.

use resplite::Server;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Runs a program of redis-tools against the server; `None` where it is not installed, which `./test` does not accept.
fn run(program: &str, server: &Server, args: &[&str], input: &str) -> Option<String> {
    let port = server.address().unwrap().port().to_string();
    let child = Command::new(program)
        .args(["-p", &port])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(), "{program}: {error}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}{complaints}");
    Some(said)
}

fn cli(server: &Server, args: &[&str], input: &str) -> Option<String> {
    run("redis-cli", server, args, input)
}

fn filled() -> Server {
    let server = Server::builder().start().unwrap();
    let mut client = server.client();
    for number in 0..200 {
        client.call(["SET".to_owned(), format!("string:{number}"), "v".repeat(number + 1)]);
    }
    for number in 0..50 {
        client.call(["RPUSH".to_owned(), "list".to_owned(), number.to_string()]);
        client.call(["SADD".to_owned(), "set".to_owned(), number.to_string()]);
        client.call(["HSET".to_owned(), "hash".to_owned(), number.to_string(), "v".to_owned()]);
        client.call(["ZADD".to_owned(), "zset".to_owned(), number.to_string(), format!("m{number}")]);
    }
    server
}

#[test]
fn shows_replies_as_people_read_them() {
    let server = Server::builder().start().unwrap();
    let input = "SET greeting \"hello world\"\nGET greeting\nINCR n\nLPUSH l a b\nLRANGE l 0 -1\nGET missing\nNOSUCH\nHSET h f 1\nHGETALL h\n";
    let Some(said) = cli(&server, &["--no-raw"], input) else { return };
    assert_eq!(
        said,
        "OK\n\"hello world\"\n(integer) 1\n(integer) 2\n1) \"b\"\n2) \"a\"\n(nil)\n\
         (error) ERR unknown command 'NOSUCH', with args beginning with: \n(integer) 1\n1) \"f\"\n2) \"1\"\n"
    );
}

#[test]
fn speaks_resp3() {
    let server = Server::builder().start().unwrap();
    let input = "HSET h f 1\nHGETALL h\nZADD z 1.5 m\nZSCORE z m\nSADD s a\nSMEMBERS s\nGET missing\n";
    let Some(said) = cli(&server, &["-3", "--no-raw"], input) else { return };
    assert_eq!(said, "(integer) 1\n1# \"f\" => \"1\"\n(integer) 1\n(double) 1.5\n(integer) 1\n1~ \"a\"\n(nil)\n");
}

#[test]
fn scans_and_finds_big_keys() {
    let server = filled();
    let Some(said) = cli(&server, &["--scan"], "") else { return };
    assert_eq!(said.lines().count(), 204);
    let said = cli(&server, &["--scan", "--pattern", "string:1?"], "").unwrap();
    assert_eq!(said.lines().count(), 10);
    let said = cli(&server, &["--bigkeys"], "").unwrap();
    for expected in
        ["Sampled 204 keys in the keyspace!", "1 lists with 50 items", "1 hashs with 50 fields", "200 strings with"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = cli(&server, &["--memkeys"], "").unwrap();
    assert!(said.contains("Sampled 204 keys in the keyspace!") && said.contains("Biggest"), "{said}");
}

#[test]
fn finds_hot_keys_where_uses_are_counted() {
    let server = Server::builder().start().unwrap();
    let mut client = server.client();
    client.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", "0"]);
    for number in 0..200 {
        client.call(["SET", &format!("string:{number}"), "v"]);
    }
    for _ in 0..30 {
        client.call(["GET", "string:7"]);
    }
    let Some(said) = cli(&server, &["--hotkeys"], "") else { return };
    assert!(said.contains("hot key found with counter: 35\tkeyname: \"string:7\""), "{said}");
    assert!(said.contains("Sampled 200 keys in the keyspace!"), "{said}");
}

#[test]
fn logs_in_as_a_user() {
    let server = Server::builder().start().unwrap();
    server.client().call(["ACL", "SETUSER", "ann", "on", ">pw", "~a*", "+get", "+set", "+acl|whoami"]);
    let input = "ACL WHOAMI\nSET abc 1\nGET abc\nGET other\nDEL abc\nCONFIG GET x\n";
    let Some(said) = cli(&server, &["--no-raw", "--user", "ann", "--pass", "pw", "--no-auth-warning"], input) else {
        return;
    };
    assert_eq!(
        said,
        "\"ann\"\nOK\n\"1\"\n(error) NOPERM No permissions to access a key\n\
         (error) NOPERM User ann has no permissions to run the 'del' command\n\
         (error) NOPERM User ann has no permissions to run the 'config|get' command\n"
    );
    let said =
        cli(&server, &["--no-raw", "--user", "ann", "--pass", "wrong", "--no-auth-warning"], "GET abc\n").unwrap();
    // Without a login it is the default user, who may do everything here.
    assert!(said.contains("\"1\""), "{said}");
}

#[test]
fn takes_the_last_argument_from_standard_input() {
    let server = Server::builder().start().unwrap();
    let Some(said) = cli(&server, &["-x", "SET", "k"], "from a file\nwith two lines") else { return };
    assert_eq!(said, "OK\n");
    assert_eq!(server.client().call(["GET", "k"]).as_str(), Some("from a file\nwith two lines"));
}

#[test]
fn loads_in_bulk_by_pipe() {
    let server = Server::builder().start().unwrap();
    let input: String = (0..20_000)
        .map(|number| format!("*3\r\n$3\r\nSET\r\n${}\r\nkey{number}\r\n$1\r\nv\r\n", 3 + number.to_string().len()))
        .collect();
    let Some(said) = cli(&server, &["--pipe"], &input) else { return };
    assert!(said.contains("errors: 0, replies: 20000"), "{said}");
    assert_eq!(server.client().call(["DBSIZE"]).as_int(), Some(20_000));
}

#[test]
fn measures_latency() {
    let server = Server::builder().start().unwrap();
    let Some(said) = cli(&server, &["--latency", "--raw"], "") else { return };
    let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    assert!(numbers.len() >= 4 && numbers[3] > 0.0, "{said}");
}

#[test]
fn shows_statistics() {
    let server = filled();
    let port = server.address().unwrap().port().to_string();
    // Line by line, as on a terminal: through a pipe it would keep its lines back until there are many.
    let child = Command::new("stdbuf").args(["-oL", "redis-cli", "-p", &port, "--stat"]).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        assert!(std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(), "redis-cli is missing");
        return;
    };
    // It never ends by itself; three lines are a heading and one line of numbers.
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(3).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lines[2].trim_start().starts_with("204"), "{lines:?}");
}

#[test]
fn waits_for_messages() {
    let server = Server::builder().start().unwrap();
    let port = server.address().unwrap().port().to_string();
    let args = ["-oL", "redis-cli", "-p", &port, "SUBSCRIBE", "news"];
    let child = Command::new("stdbuf").args(args).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        assert!(std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(), "redis-cli is missing");
        return;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let confirmed: Vec<String> = lines.by_ref().take(3).collect();
    assert_eq!(confirmed, ["subscribe", "news", "1"]);
    assert_eq!(server.client().call(["PUBLISH", "news", "hello"]).as_int(), Some(1));
    let message: Vec<String> = lines.by_ref().take(3).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(message, ["message", "news", "hello"]);
}

#[test]
fn redis_benchmark_runs_all_its_rows() {
    let server = Server::builder().start().unwrap();
    for depth in ["1", "16"] {
        let Some(said) = run("redis-benchmark", &server, &["-q", "-n", "2000", "-P", depth], "") else { return };
        let rows: Vec<&str> = said.split(['\r', '\n']).filter(|line| line.contains("requests per second")).collect();
        assert!(rows.len() >= 20, "{said}");
        assert!(!said.to_lowercase().contains("error") && !said.contains("WARNING"), "{said}");
    }
}
