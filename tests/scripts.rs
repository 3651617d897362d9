//! Scripts as others meet them: those that take their time, are ended, wake who waits, run out of memory; and what a
//! restart finds of functions.

use crate::support::{Connection, builder, server};
use resplite::{Client, Server, Value};
use std::sync::mpsc;
use std::thread;

const FOR_EVER: &str = "while true do end";
const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const KILLED: &str = "ERR Script killed by user with SCRIPT KILL...";

/// A server whose scripts are long after a millisecond, with so many workers.
fn impatient(workers: usize) -> Server {
    builder().workers(workers).setting("busy-reply-threshold", "1").unwrap().start().unwrap()
}

fn connect(server: &Server) -> Connection {
    Connection::tcp(server.address().unwrap())
}

/// Asks until it is so, but not for ever.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    const MOST: usize = 2_000_000;
    assert!((0..MOST).any(|_| is_so()), "it has not come about");
}

/// Asks until the answer is that the server is busy: before that the command waits, or comes ahead of the script.
#[track_caller]
fn until_busy(connection: &mut Connection, text: &str) {
    until(|| {
        let answer = connection.call(["GET", "x"]);
        answer.as_error().is_some_and(|error| {
            assert_eq!(error, text);
            true
        })
    });
}

fn error(value: Value) -> String {
    value.as_error().unwrap_or_else(|| panic!("no error: {value:?}")).to_owned()
}

#[test]
fn others_are_told_that_a_script_keeps_the_server() {
    for workers in [1, 2, 3] {
        let server = impatient(workers);
        // Enough connections for every worker to have some.
        let mut old: Vec<Connection> = (0..8).map(|_| connect(&server)).collect();
        old.iter_mut().for_each(|connection| assert!(connection.call(["SET", "x", "1"]).is_ok()));
        let mut runner = connect(&server);
        runner.send(["EVAL", FOR_EVER, "0"]);
        until_busy(&mut old[0], BUSY);
        for connection in &mut old {
            assert_eq!(error(connection.call(["GET", "x"])), BUSY);
            assert_eq!(error(connection.call(["PING"])), BUSY);
            assert_eq!(error(connection.call(["INFO"])), BUSY);
        }
        // Who comes now is let in, and can do what ends this.
        let mut new = connect(&server);
        assert_eq!(error(new.call(["DBSIZE"])), BUSY);
        assert!(new.call(["MULTI"]).is_ok());
        assert_eq!(error(new.call(["SET", "x", "2"])), BUSY);
        assert_eq!(error(new.call(["EXEC"])), format!("EXECABORT Transaction discarded because of: {BUSY}"));
        assert_eq!(error(new.call(["FUNCTION", "STATS"])), BUSY);
        assert_eq!(error(new.call(["FUNCTION", "KILL"])), BUSY);
        assert_eq!(error(new.call(["SHUTDOWN"])), BUSY);
        assert!(new.call(["SCRIPT", "KILL"]).is_ok());
        assert!(error(runner.read()).starts_with(KILLED));
        for connection in old.iter_mut().chain([&mut new, &mut runner]) {
            assert_eq!(connection.call(["GET", "x"]).as_str(), Some("1"));
        }
        assert_eq!(error(new.call(["SCRIPT", "KILL"])), "NOTBUSY No scripts in execution right now.");
    }
}

#[test]
fn a_pipeline_behind_a_script_goes_on_when_it_ends() {
    let server = impatient(1);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    assert!(other.call(["SET", "x", "1"]).is_ok());
    runner.send(["EVAL", FOR_EVER, "0"]);
    runner.send(["INCR", "x"]);
    until_busy(&mut other, BUSY);
    // A part of a request now, the rest when the event loop is back.
    other.send_raw(b"*2\r\n$3\r\nGET\r\n$1\r\n");
    assert!(connect(&server).call(["SCRIPT", "KILL"]).is_ok());
    assert!(error(runner.read()).starts_with(KILLED));
    assert_eq!(runner.read().as_int(), Some(2));
    other.send_raw(b"x\r\n");
    assert_eq!(other.read().as_str(), Some("2"));
}

#[test]
fn who_leaves_while_a_script_runs_is_forgotten_behind_it() {
    for workers in [1, 2] {
        let server = impatient(workers);
        let (mut runner, mut control) = (connect(&server), connect(&server));
        assert!(control.call(["SET", "x", "1"]).is_ok());
        let mut watchers: Vec<Connection> = (0..4).map(|_| connect(&server)).collect();
        watchers.iter_mut().for_each(|watcher| assert!(watcher.call(["WATCH", "x", "y"]).is_ok()));
        let mut waiters: Vec<Connection> = (0..4).map(|_| connect(&server)).collect();
        waiters.iter_mut().for_each(|waiter| waiter.send(["BLPOP", "queue", "0"]));
        until(|| control.call(["INFO", "clients"]).as_str().unwrap().contains("blocked_clients:4"));
        runner.send(["EVAL", FOR_EVER, "0"]);
        until_busy(&mut control, BUSY);
        assert_eq!(error(watchers[0].call(["EXEC"])), format!("EXECABORT Transaction discarded because of: {BUSY}"));
        assert_eq!(control.call(["CLIENT", "ID"]).as_error(), Some(BUSY));
        drop(waiters);
        drop(watchers);
        assert!(control.call(["SCRIPT", "KILL"]).is_ok());
        assert!(error(runner.read()).starts_with(KILLED));
        until(|| {
            let info = control.call(["INFO", "clients"]);
            let is_gone = |line: &str| info.as_str().unwrap().contains(line);
            ["connected_clients:2\r", "total_watched_keys:0\r", "total_blocking_keys:0\r"].into_iter().all(is_gone)
        });
        assert_eq!(control.call(["RPUSH", "queue", "a"]).as_int(), Some(1));
        assert_eq!(control.call(["LLEN", "queue"]).as_int(), Some(1));
    }
}

#[test]
fn what_has_written_cannot_be_killed_but_ends_with_the_server() {
    let place = tempfile::tempdir().unwrap();
    let server = builder().dir(place.path()).setting("busy-reply-threshold", "1").unwrap().start().unwrap();
    let (mut runner, mut other) = (connect(&server), connect(&server));
    assert!(other.call(["SET", "x", "1"]).is_ok());
    // It catches everything that it is thrown.
    let script = "redis.call('SET', 'x', '2') while true do pcall(function() while true do end end) end";
    runner.send(["EVAL", script, "0"]);
    until_busy(&mut other, BUSY);
    assert!(error(other.call(["SCRIPT", "KILL"])).starts_with("UNKILLABLE Sorry the script already executed write"));
    other.send(["SHUTDOWN", "NOSAVE"]);
    assert!(other.read_to_end().is_empty());
    drop((runner, server));
    let server = builder().dir(place.path()).start().unwrap();
    assert_eq!(server.client().call(["GET", "x"]).as_str(), Some("1"), "half of what a script does is not kept");
}

/// A server that is told to stop, but not by SHUTDOWN NOSAVE, waits for what has written.
#[test]
fn a_script_that_has_written_is_waited_for_when_the_server_stops() {
    for settings in [[("appendonly", "no"), ("save", "3600 1")], [("appendonly", "yes"), ("save", "")]] {
        let place = tempfile::tempdir().unwrap();
        let start = || {
            let builder = builder().dir(place.path()).setting("busy-reply-threshold", "1").unwrap();
            settings
                .iter()
                .fold(builder, |builder, (name, value)| builder.setting(name, value).unwrap())
                .start()
                .unwrap()
        };
        let server = start();
        let (mut runner, mut other) = (connect(&server), connect(&server));
        assert!(other.call(["MSET", "before", "1", "a", "0"]).is_ok());
        runner.send(["EVAL", "redis.call('SET', 'a', '1') for i = 1, 1e8 do end redis.call('SET', 'b', '2')", "0"]);
        until_busy(&mut other, BUSY);
        drop(server);
        let answer = start().client().call(["MGET", "before", "a", "b"]);
        let found: Vec<Option<&str>> = answer.as_slice().unwrap().iter().map(Value::as_str).collect();
        assert_eq!(found, [Some("1"), Some("1"), Some("2")], "{settings:?}");
    }
}

#[test]
fn nothing_of_a_transaction_is_kept_whose_script_was_ended_with_the_server() {
    let place = tempfile::tempdir().unwrap();
    let server = builder().dir(place.path()).setting("busy-reply-threshold", "1").unwrap().start().unwrap();
    let (mut runner, mut other) = (connect(&server), connect(&server));
    assert!(other.call(["SET", "before", "1"]).is_ok());
    for command in [
        &["MULTI"][..],
        &["SET", "a", "1"],
        &["EVAL", "redis.call('SET', 'x', 'y') while true do end", "0"],
        &["SET", "b", "2"],
        &["APPEND", "x", "z"],
        &["EXEC"],
    ] {
        runner.send(command.iter());
    }
    until_busy(&mut other, BUSY);
    other.send(["SHUTDOWN", "NOSAVE"]);
    assert!(other.read_to_end().is_empty());
    drop((runner, server));
    let server = builder().dir(place.path()).start().unwrap();
    let answer = server.client().call(["MGET", "before", "a", "x", "b"]);
    let found: Vec<Option<&str>> = answer.as_slice().unwrap().iter().map(Value::as_str).collect();
    assert_eq!(found, [Some("1"), None, None, None]);
}

#[test]
fn whoever_comes_while_a_script_runs_is_let_in() {
    for workers in [1, 2, 3] {
        let server = impatient(workers);
        let (mut runner, mut other) = (connect(&server), connect(&server));
        assert!(other.call(["PING"]).as_str().is_some());
        runner.send(["EVAL", FOR_EVER, "0"]);
        until_busy(&mut other, BUSY);
        // More than there are workers, so that every one gets some, the one with the script as well.
        let mut new: Vec<Connection> = (0..12).map(|_| connect(&server)).collect();
        new.iter_mut().for_each(|connection| assert_eq!(error(connection.call(["GET", "x"])), BUSY));
        assert!(new[11].call(["SCRIPT", "KILL"]).is_ok());
        assert!(error(runner.read()).starts_with(KILLED));
        new.iter_mut().for_each(|connection| assert!(connection.call(["GET", "x"]).is_nil()));
    }
}

#[test]
fn who_sends_without_a_pause_keeps_nobody_from_ending_a_script() {
    let server = impatient(1);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    runner.send(["EVAL", FOR_EVER, "0"]);
    until_busy(&mut other, BUSY);
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        let flood = connect(&server);
        scope.spawn(move || {
            let mut flood = flood;
            while is_done.try_recv() == Err(mpsc::TryRecvError::Empty) {
                for _ in 0..50 {
                    flood.send(["GET", "x"]);
                }
                for _ in 0..50 {
                    flood.read();
                }
            }
        });
        for _ in 0..20 {
            assert_eq!(error(other.call(["GET", "x"])), BUSY);
        }
        assert!(other.call(["SCRIPT", "KILL"]).is_ok());
        assert!(error(runner.read()).starts_with(KILLED));
        done.send(()).unwrap();
    });
}

/// What looks into every shard does not wait for a script either.
#[test]
fn the_sum_of_the_memory_does_not_wait_for_a_script() {
    let server = builder()
        .workers(2)
        .setting("busy-reply-threshold", "1")
        .and_then(|builder| builder.setting("maxmemory", "1gb"))
        .unwrap()
        .start()
        .unwrap();
    let mut others: Vec<Connection> = (0..6).map(|_| connect(&server)).collect();
    others.iter_mut().for_each(|other| assert!(other.call(["SET", "x", "1"]).is_ok()));
    let mut runner = connect(&server);
    runner.send(["EVAL", FOR_EVER, "0"]);
    others.iter_mut().for_each(|other| other.send(["SET", "x", "2"]));
    for other in &mut others {
        let answer = other.read();
        assert!(answer.is_ok() || answer.as_error() == Some(BUSY), "{answer:?}");
    }
    until_busy(&mut others[0], BUSY);
    assert!(others[0].call(["SCRIPT", "KILL"]).is_ok());
    assert!(error(runner.read()).starts_with(KILLED));
}

#[test]
fn keys_whose_time_has_come_do_not_stop_a_worker_while_a_script_runs() {
    let server = Server::builder().workers(2).setting("busy-reply-threshold", "1").unwrap().start().unwrap();
    let mut others: Vec<Connection> = (0..4).map(|_| connect(&server)).collect();
    for number in 0..2000 {
        others[number % 4].call(["SET", &format!("k{number}"), "v", "PX", &(1 + number % 100).to_string()]);
    }
    let mut runner = connect(&server);
    runner.send(["EVAL", "while true do redis.call('GET', 'x') end", "0"]);
    others.iter_mut().for_each(|other| until_busy(other, BUSY));
    assert!(connect(&server).call(["SCRIPT", "KILL"]).is_ok());
    assert!(error(runner.read()).starts_with(KILLED));
    until(|| others[0].call(["DBSIZE"]).as_int() == Some(0));
}

/// Arguments are given back behind a script, and too large ones are refused before it.
#[test]
fn large_arguments_do_not_stay() {
    let server = builder().setting("lua-memory-limit", "16mb").unwrap().start().unwrap();
    let mut client = server.client();
    assert!(
        client
            .call(["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function(k, a) return #a[1] end)"])
            .as_str()
            .is_some()
    );
    let (large, too_large) = ("x".repeat(6 << 20), "x".repeat(20 << 20));
    for number in 0..6 {
        assert_eq!(
            client.call(["EVAL", &format!("return #ARGV[1] + {number}"), "0", &large]).as_int(),
            Some((6 << 20) + number)
        );
        assert_eq!(client.call(["FCALL", "f", "0", &large]).as_int(), Some(6 << 20));
        for call in [["EVAL", "return 1", "0"], ["EVAL", &format!("return {number}"), "0"], ["FCALL", "f", "0"]] {
            let answer = client.call(call.iter().copied().chain([too_large.as_str()]));
            assert!(error(answer).ends_with("not enough memory"));
        }
    }
    assert!(client.call(["SCRIPT", "LOAD", "return 'new'"]).as_str().is_some());
}

/// A reply can be far larger than the tables that it is made of.
#[test]
fn tables_that_are_in_each_other_many_times_end_in_an_error() {
    let server = builder()
        .setting("lua-memory-limit", "16mb")
        .unwrap()
        .setting("busy-reply-threshold", "1")
        .unwrap()
        .start()
        .unwrap();
    let mut client = server.client();
    for script in [
        "local t = {} for i = 1, 100 do t = {t, t} end return t",
        "local t = {} for i = 1, 2 do t[i] = t end return t",
        "local t = {} t.map = {[1] = t, [2] = t} return t",
        "local t = {} t.set = {[t] = true, [{t}] = true} return t",
        "local s = ('x'):rep(1000000) local t = {} for i = 1, 1000 do t[i] = s end return t",
    ] {
        let answer = error(client.call(["EVAL", script, "0"]));
        assert!(answer.ends_with("not enough memory"), "{script}: {answer}");
    }
    // The same while it is being written: nobody needs to wait until the memory is full.
    let server = impatient(1);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    runner.send(["EVAL", "local t = {} for i = 1, 100 do t = {t, t} end return t", "0"]);
    until(|| {
        let answer = other.call(["SCRIPT", "KILL"]);
        answer.is_ok() || {
            assert!(error(answer).starts_with("NOTBUSY"));
            false
        }
    });
    assert!(error(runner.read()).contains("Script killed by user"));
}

#[test]
fn code_that_is_gathered_counts_as_memory() {
    let server = builder().setting("lua-memory-limit", "16mb").unwrap().start().unwrap();
    // Each level holds nine megabytes while the next one is read.
    let script = "local piece, deepest = (' '):rep(1000000), 0 \
                  local function nest(n) local left = 10 deepest = n \
                  return load(function() left = left - 1 if left == 0 then nest(n + 1) end if left > 0 then return piece end end) end \
                  nest(1) return deepest";
    let answer = server.client().call(["EVAL", script, "0"]);
    assert_eq!(answer.as_int(), Some(2), "{answer:?}");
}

/// What a script does to what everybody shares must not be seen by the next one.
#[test]
fn nothing_is_left_for_the_next_script() {
    let server = builder().setting("lua-memory-limit", "64mb").unwrap().start().unwrap();
    let mut client = server.client();
    let library = "#!lua name=lib\nredis.register_function('f', function(k, a) return loadstring(a[1])() end)";
    assert!(client.call(["FUNCTION", "LOAD", library]).as_str().is_some());
    for (before, after, expected) in [
        (
            "loadstring('error(_G)', '=evil')()",
            "return {tostring(rawget(_G, 'line')), tostring(rawget(_G, 'source'))}",
            r#"[Bulk(b"nil"), Bulk(b"nil")]"#,
        ),
        ("loadstring('error(string)', '=evil')()", "return tostring(('x').source)", r#"Bulk(b"nil")"#),
        ("error(redis)", "return tostring(rawget(redis, 'line'))", r#"Bulk(b"nil")"#),
        ("error(getmetatable(''))", "return tostring(rawget(getmetatable(''), 'line'))", r#"Bulk(b"nil")"#),
        (
            "collectgarbage('setpause', 1000000) collectgarbage('setstepmul', 1) collectgarbage('stop')",
            "for i = 1, 300000 do local t = {('x'):rep(1000) .. i} end return 'done'",
            r#"Bulk(b"done")"#,
        ),
        ("redis.setresp(3)", "return redis.call('HGETALL', 'none')", "[]"),
        ("redis.call('SELECT', 3)", "redis.call('SET', 'here', 'v') return 1", "Int(1)"),
        (
            "pcall(loadstring, 'x = 1') local f = select(2, pcall(loadstring, 'x = 1')) pcall(f)",
            "return tostring(rawget(_G, 'x'))",
            r#"Bulk(b"nil")"#,
        ),
        (
            "local f = coroutine.wrap(function() return loadstring('x = 1') end)() pcall(f)",
            "return tostring(rawget(_G, 'x'))",
            r#"Bulk(b"nil")"#,
        ),
        (
            "local t = {} table.foreach(_G, function(k, v) t[k] = v end) t.x = 1",
            "return tostring(rawget(_G, 'x'))",
            r#"Bulk(b"nil")"#,
        ),
    ] {
        client.call(["EVAL", before, "0", "secret"]);
        let answer = format!("{:?}", client.call(["EVAL", after, "0"]));
        assert!(answer.contains(expected), "{before}: {answer}");
    }
    assert_eq!(client.call(["GET", "here"]).as_str(), Some("v"));
    // Functions have globals of their own, also in code that they load.
    client.call(["EVAL", "return 1", "0", "secret"]);
    for name in ["ARGV", "KEYS", "redis.breakpoint()"] {
        let answer = error(client.call(["FCALL", "f", "0", &format!("return {name}")]));
        assert!(answer.contains("nonexistent global variable") || answer.contains("a nil value"), "{answer}");
    }
    // What lives takes most of the room, and there is garbage all the time.
    let script = "local t = {} for i = 1, 40 do t[i] = ('x'):rep(1000000 - i) end for i = 1, 100000 do local s = ('y'):rep(1000) .. i end return #t";
    assert_eq!(client.call(["EVAL", script, "0"]).as_int(), Some(40));
}

/// What a script hands over is copied, once for each time that it is mentioned.
#[test]
fn one_large_string_many_times_is_too_much() {
    let server = builder().setting("lua-memory-limit", "16mb").unwrap().start().unwrap();
    let mut client = server.client();
    for (call, expected) in [
        ("return redis.call('ECHO', unpack(t))", "not enough memory"),
        ("return redis.pcall('DEL', unpack(t))", "not enough memory"),
        ("return redis.acl_check_cmd('DEL', unpack(t))", "not enough memory"),
        ("redis.log(redis.LOG_DEBUG, unpack(t)) redis.log(redis.LOG_WARNING, unpack(t)) return 'logged'", "logged"),
    ] {
        let script = format!("local s, t = ('x'):rep(4000000), {{}} for i = 1, 1000 do t[i] = s end {call}");
        let answer = client.call(["EVAL", &script, "0"]);
        let text = answer.as_str().or(answer.as_error()).unwrap_or_else(|| panic!("{answer:?}"));
        assert!(text.contains(expected), "{call}: {text}");
        assert!(client.call(["EVAL", "return {ok = 'fine'}", "0"]).as_error().is_none(), "{call}");
    }
}

/// Also for scripts and functions that are known already.
#[test]
fn a_new_limit_of_the_memory_holds_for_the_next_call() {
    let server = server();
    let mut client = server.client();
    let library = "#!lua name=lib\nredis.register_function('f', function(k, a) return #(('x'):rep(a[1])) end)";
    assert!(client.call(["FUNCTION", "LOAD", library]).as_str().is_some());
    let script = "return #(('x'):rep(ARGV[1]))";
    let sha = client.call(["SCRIPT", "LOAD", script]).as_str().unwrap().to_owned();
    let size = 8_000_000;
    let calls = [["EVALSHA", &sha, "0"], ["EVAL", script, "0"], ["FCALL", "f", "0"]];
    for (limit, is_enough) in [("64mb", true), ("4mb", false), ("64mb", true)] {
        for call in calls {
            assert!(client.call(["CONFIG", "SET", "lua-memory-limit", limit]).is_ok());
            let answer = client.call(call.iter().copied().chain([size.to_string().as_str()]));
            if is_enough {
                assert_eq!(answer.as_int(), Some(size), "{call:?}");
            } else {
                assert!(error(answer).contains("not enough memory"), "{call:?}");
            }
        }
    }
}

#[test]
fn a_limit_that_is_lifted_is_lifted_for_scripts() {
    let server = builder().setting("maxmemory", "1mb").unwrap().start().unwrap();
    let mut client = server.client();
    client.call(["SET", "large", &"x".repeat(2 << 20)]);
    let script = ["EVAL", "return redis.call('SET', 'k', 'v')", "0"];
    assert!(error(client.call(script)).starts_with("OOM"));
    assert!(client.call(["CONFIG", "SET", "maxmemory", "0"]).is_ok());
    assert!(client.call(script).is_ok());
}

#[test]
fn a_script_that_catches_its_end_ends() {
    let server = impatient(2);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    for script in [
        "while true do pcall(function() while true do end end) end",
        "while true do local c = coroutine.wrap(function() while true do end end) pcall(c) end",
        "local function f() while true do end end while true do xpcall(f, function() end) end",
        "setmetatable({}, {__index = function(t, k) while true do end end}).x = nil",
        "table.sort({3, 2, 1}, function(a, b) while true do end end)",
        "('x'):rep(10):gsub('.', function() while true do end end)",
    ] {
        let script = if script.starts_with("setmetatable") {
            "return setmetatable({}, {__index = function(t, k) while true do end end}).x"
        } else {
            script
        };
        runner.send(["EVAL", script, "0"]);
        until_busy(&mut other, BUSY);
        assert!(other.call(["SCRIPT", "KILL"]).is_ok(), "{script}");
        assert!(error(runner.read()).contains("Script killed by user with SCRIPT KILL..."), "{script}");
        assert_eq!(
            runner.call(["EVAL", "local n = 0 for i = 1, 1000000 do n = n + 1 end return n", "0"]).as_int(),
            Some(1_000_000)
        );
    }
}

#[test]
fn functions_are_shown_and_killed_as_functions() {
    let server = impatient(2);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    let library = "#!lua name=lib\nredis.register_function('spin', function() while true do end end)";
    assert_eq!(other.call(["FUNCTION", "LOAD", library]).as_str(), Some("lib"));
    runner.send(["FCALL", "spin", "1", "key", "arg"]);
    until_busy(&mut other, BUSY_FUNCTION);
    let stats = other.call(["FUNCTION", "STATS"]);
    let stats = stats.as_slice().unwrap();
    let shown = stats[1].as_slice().unwrap();
    assert_eq!(shown[1].as_str(), Some("spin"));
    let words: Vec<&str> = shown[3].as_slice().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(words, ["FCALL", "spin", "1", "key", "arg"]);
    assert_eq!(shown[4].as_str(), Some("duration_ms"));
    assert!(shown[5].as_int().is_some_and(|millis| millis >= 0));
    assert_eq!(error(other.call(["SCRIPT", "KILL"])), BUSY_FUNCTION);
    assert!(other.call(["FUNCTION", "KILL"]).is_ok());
    assert!(error(runner.read()).starts_with(KILLED));
    // Loading has a limit of its own.
    let library = "#!lua name=slow\nwhile true do end";
    assert_eq!(
        error(other.call(["FUNCTION", "LOAD", library])),
        "ERR Error registering functions: ERR FUNCTION LOAD timeout"
    );
    assert_eq!(other.call(["FCALL", "nosuch", "0"]).as_error(), Some("ERR Function not found"));
}

/// The in-process client has no event loop to keep; those on sockets are told all the same, and can end its script.
#[test]
fn a_script_in_process_is_ended_from_outside() {
    let server = impatient(2);
    let mut outside = connect(&server);
    let mut inside: Client = server.client();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let answer = inside.call(["EVAL", FOR_EVER, "0"]);
        let _ = sender.send(answer);
    });
    until_busy(&mut outside, BUSY);
    assert!(outside.call(["SCRIPT", "KILL"]).is_ok());
    assert!(error(receiver.recv().unwrap()).starts_with(KILLED));
    // A server that ends does not wait for a script that would not.
    let mut inside: Client = server.client();
    let runner = thread::spawn(move || inside.call(["EVAL", FOR_EVER, "0"]));
    until_busy(&mut outside, BUSY);
    drop(server);
    assert!(error(runner.join().unwrap()).starts_with("ERR the server has ended"));
}

#[test]
fn keys_that_expire_wait_for_a_script_and_do_not_change_under_it() {
    let server = impatient(2);
    let (mut runner, mut other) = (connect(&server), connect(&server));
    assert!(other.call(["SET", "short", "1", "PX", "100"]).is_ok());
    runner.send([
        "EVAL",
        "redis.call('GET', 'short') while true do if redis.call('EXISTS', 'short') == 0 then return 0 end end",
        "0",
    ]);
    until_busy(&mut other, BUSY);
    thread::scope(|scope| {
        let advance = scope.spawn(|| server.advance(std::time::Duration::from_millis(200)));
        assert!(connect(&server).call(["SCRIPT", "KILL"]).is_ok());
        assert!(error(runner.read()).starts_with(KILLED), "time stands still for a script");
        assert!(advance.join().unwrap());
    });
    assert_eq!(other.call(["EXISTS", "short"]).as_int(), Some(0));
}

#[test]
fn who_waits_is_served_behind_the_script() {
    let server = server();
    let (mut waiter, mut control) = (connect(&server), connect(&server));
    waiter.send(["BLPOP", "queue", "0"]);
    until(|| control.call(["INFO", "clients"]).as_str().unwrap().contains("blocked_clients:1"));
    let script =
        "redis.call('RPUSH', 'queue', 'a', 'b') redis.call('LSET', 'queue', 0, 'c') return redis.call('LLEN', 'queue')";
    assert_eq!(control.call(["EVAL", script, "0"]).as_int(), Some(2), "nobody takes anything while the script runs");
    assert_eq!(waiter.read().as_slice().unwrap()[1].as_str(), Some("c"));
    assert_eq!(control.call(["LLEN", "queue"]).as_int(), Some(1));
}

#[test]
fn a_watched_key_that_a_script_changes_fails_the_transaction() {
    let server = server();
    let (mut watcher, mut other) = (server.client(), server.client());
    watcher.call(["WATCH", "x"]);
    other.call(["EVAL", "redis.call('SET', 'x', 1)", "0"]);
    watcher.call(["MULTI"]);
    watcher.call(["GET", "x"]);
    assert!(watcher.call(["EXEC"]).is_nil());
}

#[test]
fn memory_has_a_ceiling_and_comes_back() {
    let server = builder().setting("lua-memory-limit", "16mb").unwrap().start().unwrap();
    let mut client = server.client();
    let lua = |client: &mut Client| {
        let info = client.call(["INFO", "memory"]);
        let line =
            info.as_str().unwrap().lines().find_map(|line| line.strip_prefix("used_memory_lua:")).unwrap().to_owned();
        line.parse::<u64>().unwrap()
    };
    for script in [
        "local s = 'x' while true do s = s .. s end",
        "return ('x'):rep(1000000000)",
        "local t = {} for i = 1, 100000000 do t[i] = i end",
        "local t = {} while true do t = {t} end",
        "return table.concat({('x'):rep(8000000), ('y'):rep(8000000), ('z'):rep(8000000)})",
        "return ('x'):rep(100000):gsub('x', ('y'):rep(1000))",
        "local s = ('x'):rep(9000000) return {s .. 'a', s .. 'b', s .. 'c'}",
        "local s = ('x'):rep(7000000) redis.call('SET', 'k', s) local t = {} for i = 1, 10 do t[i] = redis.call('APPEND', 'k', i) t[i] = redis.call('GET', 'k') end",
        "for i = 1, 100000 do redis.call('RPUSH', 'l', i) end local t = {} for i = 1, 20 do t[i] = redis.call('LRANGE', 'l', 0, -1) end",
        "redis.setresp(3) for i = 1, 100000 do redis.call('HSET', 'h', i, i) end local t = {} for i = 1, 20 do t[i] = redis.call('HGETALL', 'h') end",
        "return loadstring('return {' .. ('{},'):rep(3000000) .. '}')()",
        "local t = {} for i = 1, 1000 do t[i] = coroutine.create(function() local u = {} for j = 1, 10000 do u[j] = j end coroutine.yield() end) coroutine.resume(t[i]) end",
        "return string.format(('%s'):rep(100), unpack((function() local t = {} for i = 1, 100 do t[i] = ('x'):rep(500000) end return t end)()))",
    ] {
        let answer = error(client.call(["EVAL", script, "0"]));
        assert!(answer.contains("not enough memory") || answer.contains("string too long"), "{script}: {answer}");
        assert_eq!(client.call(["EVAL", "return 1", "0"]).as_int(), Some(1));
        assert!(lua(&mut client) < 40 << 20, "{script}: {}", lua(&mut client));
    }
    // Who catches it goes on.
    let caught = "local ok, e = pcall(string.rep, 'x', 1000000000) return {tostring(ok), e}";
    let answer = client.call(["EVAL", caught, "0"]);
    assert_eq!(answer.as_slice().map(|answer| answer[1].as_str()), Some(Some("not enough memory")), "{answer:?}");
    client.call(["SCRIPT", "FLUSH"]);
    client.call(["EVAL", "return 1", "0"]);
    assert!(lua(&mut client) < 1 << 20);
}

#[test]
fn nesting_has_an_end() {
    let server = server();
    let mut client = server.client();
    for (script, expected) in [
        ("local function f(n) return 1 + f(n) end return f(1)", "stack overflow"),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", "loop in gettable"),
        ("local function f() return pcall(f) end return f()", "Int(1)"),
        ("local f f = function() local ok, e = pcall(f) return e end return tostring(f())", "C stack overflow"),
        (
            "return select(2, loadstring('return ' .. ('('):rep(1000) .. '1' .. (')'):rep(1000)))",
            "too many syntax levels",
        ),
        ("local function f() return coroutine.wrap(f)() end return f()", "C stack overflow"),
        ("return ('x'):rep(300000):find(('.-'):rep(300000) .. 'y')", "pattern too complex"),
        ("return ('x'):rep(300000):gsub(('x?'):rep(300000), '')", "pattern too complex"),
        ("for w in ('x'):rep(300000):gmatch(('x*'):rep(300000)) do end", "pattern too complex"),
        ("return #('x'):rep(990):match(('x?'):rep(990))", "Int(990)"),
        ("return ('x'):find(('('):rep(40))", "too many captures"),
        ("return string.format(('%s'):rep(1000), unpack({1}))", "bad argument #3 to 'format'"),
        ("local t = {} for i = 1, 1e6 do t = {t} end return 1", "Int(1)"),
    ] {
        let answer = client.call(["EVAL", script, "0"]);
        let text = format!("{answer:?}");
        assert!(text.contains(expected), "{script}: {answer:?}");
        assert_eq!(client.call(["EVAL", "return 1", "0"]).as_int(), Some(1), "{script}");
    }
    // Written out as a reply, deep tables end in an error inside.
    let raw = client.call_raw(["EVAL", "local t = {} for i = 1, 5000 do t = {t} end return t", "0"]);
    assert!(raw.ends_with(b"-ERR reached lua stack limit\r\n"), "{}", raw.len());
}

#[test]
fn scripts_by_eval_make_room_for_others() {
    let server = server();
    let mut client = server.client();
    assert_eq!(client.call(["SCRIPT", "LOAD", "return 'loaded'"]).as_str().map(str::len), Some(40));
    for number in 0..600 {
        let script = format!("return {number}");
        assert_eq!(client.call(["EVAL", &script, "0"]).as_int(), Some(number));
        // One that is used stays.
        assert_eq!(client.call(["EVAL", "return 'used'", "0"]).as_str(), Some("used"));
    }
    let sha = |source: &str| {
        let answer = server.client().call(["EVAL", "return redis.sha1hex(ARGV[1])", "0", source]);
        answer.as_str().unwrap().to_owned()
    };
    let kept = ["return 'loaded'", "return 'used'", "return 599", "return 0"].map(|source| {
        let answer = client.call(["SCRIPT", "EXISTS", &sha(source)]);
        answer.as_slice().unwrap()[0].as_int()
    });
    assert_eq!(kept, [Some(1), Some(1), Some(1), Some(0)]);
    let info = client.call(["INFO", "everything"]);
    let info = info.as_str().unwrap();
    assert!(info.contains("number_of_cached_scripts:501\r\n"), "{info}");
    assert!(info.contains("evicted_scripts:102\r\n"), "{info}");
}

#[test]
fn memory_that_has_run_out_is_a_scripts_business() {
    let server = builder().setting("maxmemory", "1mb").unwrap().start().unwrap();
    let mut client = server.client();
    client.call(["SET", "large", &"x".repeat(2 << 20)]);
    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(error(client.call(["SET", "k", "v"])), oom);
    assert!(error(client.call(["EVAL", "return redis.call('SET', 'k', 'v')", "0"])).starts_with(oom));
    assert_eq!(client.call(["EVAL", "return redis.call('GET', 'k')", "0"]), Value::Nil);
    // Once it has written it may go on.
    let script = "redis.call('DEL', 'k') redis.call('SET', 'k', 'v') return redis.call('GET', 'k')";
    assert_eq!(client.call(["EVAL", script, "0"]).as_str(), Some("v"));
    assert_eq!(
        error(client.call(["EVAL", "#!lua\nreturn 1", "0"])),
        "OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(client.call(["EVAL", "#!lua flags=no-writes\nreturn 1", "0"]).as_int(), Some(1));
    assert!(client.call(["EVAL", "#!lua flags=allow-oom\nreturn redis.call('SET', 'k', 'w')", "0"]).is_ok());
}

#[test]
fn monitors_see_the_script_and_then_its_commands() {
    let server = server();
    let (mut monitor, mut client) = (connect(&server), connect(&server));
    assert!(monitor.call(["MONITOR"]).is_ok());
    client.call(["EVAL", "redis.call('SET', KEYS[1], 'v') return redis.call('GET', KEYS[1])", "1", "k"]);
    let lines = [(); 3].map(|()| monitor.read().as_str().unwrap().to_owned());
    assert!(lines[0].contains(r#"] "EVAL" "redis.call('SET'"#), "{lines:?}");
    assert!(lines[1].ends_with(r#" [0 lua] "SET" "k" "v""#), "{lines:?}");
    assert!(lines[2].ends_with(r#" [0 lua] "GET" "k""#), "{lines:?}");
}

#[test]
fn the_slow_log_shows_the_script_and_its_commands() {
    let server = builder().setting("slowlog-log-slower-than", "0").unwrap().start().unwrap();
    let (mut client, mut other) = (connect(&server), connect(&server));
    client.call(["EVAL", "redis.call('SET', KEYS[1], 'v') return redis.call('GET', KEYS[1])", "1", "k"]);
    let entries = other.call(["SLOWLOG", "GET", "3"]);
    let names: Vec<&str> = entries
        .as_slice()
        .unwrap()
        .iter()
        .map(|entry| entry.as_slice().unwrap()[3].as_slice().unwrap()[0].as_str().unwrap())
        .collect();
    assert_eq!(names, ["EVAL", "GET", "SET"]);
}

#[test]
fn only_what_a_script_reads_is_tracked() {
    let server = server();
    let (mut reader, mut writer) = (connect(&server).hello3(), connect(&server));
    assert!(reader.call(["CLIENT", "TRACKING", "ON"]).is_ok());
    assert_eq!(reader.call(["EVAL_RO", "return 1", "1", "named"]).as_int(), Some(1));
    assert!(reader.call(["EVAL", "return redis.call('GET', 'read')", "0"]).is_nil());
    writer.call(["MSET", "named", "1", "read", "1"]);
    let Value::Push(told) = reader.read() else { panic!("no message") };
    assert_eq!(told[1].as_slice().map(<[Value]>::len), Some(1));
    assert_eq!(told[1].as_slice().unwrap()[0].as_str(), Some("read"));
    assert_eq!(reader.call(["PING"]).as_str(), Some("PONG"), "nothing else has come");
}

#[test]
fn functions_count_as_changes() {
    let server = server();
    let mut client = server.client();
    let changes = |client: &mut Client| {
        let info = client.call(["INFO", "persistence"]);
        let line = info.as_str().unwrap().lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.unwrap().parse::<u64>().unwrap()
    };
    let library = "#!lua name=lib\nredis.register_function('f', function() end)";
    for command in [&["FUNCTION", "LOAD", library][..], &["FUNCTION", "DELETE", "lib"], &["FUNCTION", "FLUSH"]] {
        let before = changes(&mut client);
        assert!(client.call(command.iter()).as_error().is_none());
        assert_eq!(changes(&mut client), before + 1, "{command:?}");
    }
}

#[test]
fn errors_of_scripts_are_counted_once() {
    let server = server();
    let mut client = server.client();
    let count = |client: &mut Client, script: &str| {
        client.call(["CONFIG", "RESETSTAT"]);
        client.call(["EVAL", script, "0"]);
        let info = client.call(["INFO", "stats"]);
        let line = info
            .as_str()
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("total_error_replies:"))
            .unwrap()
            .to_owned();
        line.parse::<u64>().unwrap()
    };
    assert_eq!(count(&mut client, "return redis.call('NOSUCH')"), 1);
    assert_eq!(count(&mut client, "redis.pcall('NOSUCH') return 1"), 1);
    assert_eq!(count(&mut client, "return redis.pcall('NOSUCH')"), 1);
    assert_eq!(count(&mut client, "return redis.error_reply('MINE')"), 1);
    assert_eq!(count(&mut client, "error('MINE')"), 1);
    assert_eq!(count(&mut client, "redis.pcall('NOSUCH') error('MINE')"), 2);
}

#[test]
fn functions_come_back_after_a_restart() {
    let library =
        "#!lua name=lib\nredis.register_function('hello', function(keys, args) return 'hello ' .. args[1] end)";
    let greets = |server: &Server| server.client().call(["FCALL", "hello", "0", "you"]).as_str() == Some("hello you");
    // From the log, from a rewritten log in both of its forms, and from a snapshot.
    for (settings, rewrite) in [
        (vec![], ""),
        (vec![], "BGREWRITEAOF"),
        (vec![("aof-use-rdb-preamble", "no")], "BGREWRITEAOF"),
        (vec![("appendonly", "no")], "SAVE"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let start = || {
            let settings = settings
                .iter()
                .fold(builder().dir(place.path()), |builder, (name, value)| builder.setting(name, value).unwrap());
            settings.start().unwrap()
        };
        let server = start();
        let mut client = server.client();
        client.call(["SET", "k", "v"]);
        client.call(["FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('gone', function() end)"]);
        client.call([
            "FUNCTION",
            "LOAD",
            "#!lua name=lib\nredis.register_function('hello', function() return 'old' end)",
        ]);
        client.call(["FUNCTION", "LOAD", "REPLACE", library]);
        client.call(["FUNCTION", "DELETE", "gone"]);
        if !rewrite.is_empty() {
            assert!(client.call([rewrite]).as_error().is_none());
            while client.call(["INFO", "persistence"]).as_str().unwrap().contains("_in_progress:1") {
                thread::yield_now();
            }
        }
        drop((client, server));
        let server = start();
        assert!(greets(&server), "{settings:?} {rewrite}");
        let mut client = server.client();
        assert_eq!(client.call(["FUNCTION", "LIST"]).as_slice().map(<[Value]>::len), Some(1));
        assert_eq!(client.call(["GET", "k"]).as_str(), Some("v"));
        // And once more by hand.
        let dump = client.call(["FUNCTION", "DUMP"]);
        let other = builder().no_port().start().unwrap();
        assert!(other.client().call([b"FUNCTION", b"RESTORE".as_slice(), dump.as_bytes().unwrap()]).is_ok());
        assert!(greets(&other));
        assert_eq!(
            error(other.client().call([b"FUNCTION", b"RESTORE".as_slice(), dump.as_bytes().unwrap()])),
            "ERR Library lib already exists"
        );
        assert!(other.client().call([b"FUNCTION", b"RESTORE".as_slice(), dump.as_bytes().unwrap(), b"FLUSH"]).is_ok());
        assert!(
            other.client().call([b"FUNCTION", b"RESTORE".as_slice(), dump.as_bytes().unwrap(), b"REPLACE"]).is_ok()
        );
        assert!(greets(&other));
    }
}

/// Each of these once took over or ended a server that runs Lua 5.1 or older versions of its libraries.
#[test]
fn old_holes_of_lua_are_closed() {
    let server = server();
    let mut client = server.client();
    for (hole, script, expected) in [
        (
            "CVE-2025-49844: the name of what is being compiled is collected",
            "collectgarbage('setpause', 1) collectgarbage('setstepmul', 1000) \
             for i = 1, 300 do loadstring(('local x%d = \"%d\" .. {} '):rep(20):format(i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, \
             i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i), '@' .. i .. ('n'):rep(i)) end return 1",
            "Int(1)",
        ),
        ("CVE-2025-46817: unpack counts in 32 bits", "return {pcall(unpack, {}, -2^31, 2^31 - 1)}", "too many results"),
        ("CVE-2025-46817: and wraps", "return {pcall(unpack, {}, 2^31 - 2, -2^31)}", "[Int(1)]"),
        (
            "CVE-2025-46818: methods of strings are changed for others",
            "getmetatable('').__index = function() return 'mine' end",
            "Attempt to modify a readonly table",
        ),
        (
            "CVE-2025-46819: long brackets without an end",
            "return select(2, loadstring('x = [' .. ('='):rep(1000000) .. 'x'))",
            "invalid long string delimiter",
        ),
        (
            "CVE-2021-32626: more values than the stack was made for",
            "local t = {} for i = 1, 7900 do t[i] = tostring(i) end return #redis.call('MGET', unpack(t))",
            "Int(7900)",
        ),
        (
            "CVE-2021-32626: and still more",
            "local t = {} for i = 1, 100000 do t[i] = tostring(i) end return redis.call('MGET', unpack(t))",
            "too many results to unpack",
        ),
        (
            "CVE-2022-24736: compiled code",
            "return tostring(loadstring(string.dump(function() return 1 end)))",
            r#"Bulk(b"nil")"#,
        ),
        (
            "CVE-2024-46981: what is left is collected at the end",
            "for i = 1, 100 do coroutine.wrap(function() local t = {} t.t = t coroutine.yield() end)() end return 1",
            "Int(1)",
        ),
        ("string.format writes beyond its buffer", "return string.format('%999d', 1)", "invalid format"),
        ("string.rep with a count that wraps", "return ('x'):rep(-2^63)", r#"Bulk(b"")"#),
        ("table.insert far below", "return {pcall(table.insert, {1}, -2^31, 1)}", "position out of bounds"),
        ("table.insert at infinity", "return {pcall(table.insert, {1}, -1/0, 1)}", "Int(1)"),
        ("a table with a length that wraps", "return #setmetatable({[2^53] = 1}, nil)", "Int(0)"),
    ] {
        let answer = client.call(["EVAL", script, "0"]);
        let text = format!("{answer:?}");
        assert!(text.contains(expected), "{hole}: {text}");
        assert_eq!(client.call(["EVAL", "return ('x'):upper()", "0"]).as_str(), Some("X"), "{hole}");
    }
    assert!(client.call(["SCRIPT", "FLUSH"]).is_ok());
    assert_eq!(client.call(["EVAL", "return 1", "0"]).as_int(), Some(1));
}
