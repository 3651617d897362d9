//! What INFO says of commands that have run, compared with real servers, and how long they took.

use crate::support::oracle::{Kind, Oracle};
use crate::support::{Connection, server};
use resplite::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const LINES: &[&str] = &[
    "CONFIG RESETSTAT",
    "SET a 1",
    "GET a",
    "GET a",
    "GET",
    "LPUSH a 1",
    "NOSUCH x",
    "MULTI",
    "GET a",
    "LPUSH a 1",
    "EXEC",
    "MULTI",
    "GET",
    "EXEC",
    "EVAL return{redis.call('get','a'),redis.pcall('lpush','a','1')['err']} 0",
    "CONFIG GET maxmemory",
    "CONFIG NOSUCH",
    "BLPOP q 0.01",
    "RPUSH q 1",
    "BLPOP q 0",
    "INCR a",
    "OBJECT ENCODING a",
    "CLIENT GETNAME",
    "SETRANGE a -1 x",
    "EVAL return(redis.call('lpush','a','1')) 0",
    "EVAL return(redis.error_reply('X')) 0",
    "EVAL return(redis.pcall('incr')['err']) 0",
];

/// Calls, refusals and failures of each command.
fn counted(connection: &mut Connection) -> BTreeMap<String, String> {
    for line in LINES {
        connection.call(line.split(' '));
    }
    let info = connection.call(["INFO", "commandstats"]);
    let lines = info.as_str().expect("INFO is text").lines();
    let stats = lines.filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    let without_times = |numbers: &str| -> String {
        numbers.split(',').filter(|number| !number.starts_with("usec")).collect::<Vec<_>>().join(",")
    };
    stats.map(|(name, numbers)| (name.to_owned(), without_times(numbers))).collect()
}

#[test]
fn calls_refusals_and_failures_are_counted_as_real_servers_count_them() {
    let ours = resplite::Server::builder().start().expect("it starts");
    let ours = counted(&mut Connection::tcp(ours.address().unwrap()));
    assert_eq!(ours["get"], "calls=4,rejected_calls=2,failed_calls=0");
    assert_eq!(ours["lpush"], "calls=4,rejected_calls=0,failed_calls=4");
    for kind in [Kind::Redis, Kind::Valkey] {
        let Some(oracle) = Oracle::start(kind, &[]) else { continue };
        assert_eq!(ours, counted(&mut oracle.connect()), "{kind:?}");
    }
}

/// What those have to answer for who wait, and who feed them.
fn counted_of_waiters(open: &dyn Fn() -> Connection) -> Vec<Option<String>> {
    let (mut waiter, mut feeder) = (open(), open());
    let id = waiter.call(["CLIENT", "ID"]).as_int().expect("a number").to_string();
    feeder.call(["CONFIG", "RESETSTAT"]);
    feeder.call(["SET", "taken", "x"]);
    let wait = |waiter: &mut Connection, line: &str, feeder: &mut Connection| {
        waiter.send(line.split(' '));
        while !feeder.shows_blocked(&id) {}
    };
    // What is fed cannot go where it is to go.
    wait(&mut waiter, "BLMOVE from taken LEFT LEFT 0", &mut feeder);
    feeder.call(["RPUSH", "from", "a"]);
    assert!(waiter.read().as_error().is_some());
    // The stream goes, and the group with it.
    feeder.call(["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"]);
    wait(&mut waiter, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", &mut feeder);
    feeder.call(["DEL", "s"]);
    assert!(waiter.read().as_error().is_some());
    wait(&mut waiter, "BRPOP never 0", &mut feeder);
    feeder.call(["LPUSH", "never", "a"]);
    assert!(waiter.read().as_error().is_none());
    let info = feeder.call(["INFO", "commandstats"]);
    let info = info.as_str().expect("INFO is text");
    let failed = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:")))?;
        let without_time = line.split(',').filter(|part| !part.starts_with("usec"));
        Some(format!("{name} {}", without_time.collect::<Vec<_>>().join(",")))
    };
    ["blmove", "rpush", "xreadgroup", "del", "brpop", "lpush"].into_iter().map(failed).collect()
}

#[test]
fn those_who_wait_answer_for_themselves() {
    let ours = resplite::Server::builder().start().expect("it starts");
    let address = ours.address().unwrap();
    let ours = counted_of_waiters(&|| Connection::tcp(address));
    assert_eq!(ours[0].as_deref(), Some("blmove calls=1,rejected_calls=0,failed_calls=1"));
    for kind in [Kind::Redis, Kind::Valkey] {
        let Some(oracle) = Oracle::start(kind, &[]) else { continue };
        assert_eq!(ours, counted_of_waiters(&|| oracle.connect()), "{kind:?}");
    }
}

#[test]
fn the_time_of_pipelines_and_of_slow_commands_is_measured() {
    let ours = resplite::Server::builder().start().expect("it starts");
    let mut connection = Connection::tcp(ours.address().unwrap());
    let mut pipeline = Vec::new();
    for number in 0..20_000 {
        pipeline.extend(crate::support::socket::encode(["SET", &format!("key{number}"), "value"]));
        pipeline.extend(crate::support::socket::encode(["GET", &format!("key{number}")]));
    }
    connection.send_raw(&pipeline);
    (0..40_000).for_each(|_| drop(connection.read()));
    connection.call(["EVAL", "for i = 1, 10000 do redis.call('incr', 'n') end", "0"]);
    let info = connection.call(["INFO", "commandstats", "latencystats"]);
    let info = info.as_str().expect("INFO is text");
    let micros = |name: &str| -> u64 {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls="))).expect("it ran");
        let (_, rest) = line.split_once("usec=").expect("it has a time");
        rest.split(',').next().unwrap_or_default().parse().expect("a number")
    };
    // Twenty thousand of them take some time on any machine, and the script takes at least what it calls takes, but for chance.
    for name in ["set", "get", "incr", "eval"] {
        assert!(micros(name) > 0, "{name}: {info}");
        assert!(info.contains(&format!("latency_percentiles_usec_{name}:p50=")), "{info}");
    }
    let told = connection.call(["LATENCY", "HISTOGRAM", "get", "nosuch", "config"]).into_vec();
    assert_eq!((told.len(), told[0].as_str()), (2, Some("get")));
    let facts = told[1].clone().into_vec();
    assert_eq!((facts[0].as_str(), facts[1].as_int()), (Some("calls"), Some(20_000)));
    let steps: Vec<i64> = facts[3].clone().into_vec().iter().filter_map(Value::as_int).collect();
    assert_eq!(steps.last(), Some(&20_000), "the steps add up: {steps:?}");
}

#[test]
fn percentiles_are_those_that_are_asked_for() {
    let ours = server();
    let mut client = ours.client();
    assert!(client.call(["CONFIG", "SET", "latency-tracking-info-percentiles", "50 99.5"]).is_ok());
    let refused = client.call(["CONFIG", "SET", "latency-tracking-info-percentiles", "50 101"]);
    assert_eq!(
        refused.as_error(),
        Some(
            "ERR CONFIG SET failed (possibly related to argument 'latency-tracking-info-percentiles') - \
             latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
        )
    );
    client.call(["CONFIG", "RESETSTAT"]);
    // On a clock that stands still everything takes no time, which the least bucket stands for.
    client.call(["GET", "a"]);
    let info =
        |client: &mut resplite::Client| client.call(["INFO", "latencystats"]).as_str().unwrap_or_default().to_owned();
    assert!(
        info(&mut client).contains("latency_percentiles_usec_get:p50=0.001,p99.5=0.001\r\n"),
        "{}",
        info(&mut client)
    );
    client.call(["CONFIG", "SET", "latency-tracking", "no"]);
    client.call(["CONFIG", "RESETSTAT"]);
    client.call(["GET", "a"]);
    ours.advance(Duration::from_millis(1));
    assert_eq!(info(&mut client), "# Latencystats\r\n");
    assert_eq!(client.call(["LATENCY", "HISTOGRAM"]).into_vec().len(), 0);
    assert!(client.call(["INFO", "all"]).as_str().is_some_and(|text| text.contains("cmdstat_get:calls=1,usec=0")));
}
