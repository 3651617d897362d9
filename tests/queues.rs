//! Queues under fire: producers and consumers that wait, with kills, unblocks, pauses and broken connections at random;
//! nothing is lost, nothing comes twice, and what one producer has pushed comes in its order.
//!
//! What each thread does follows from the seed; when it does it is up to the machine. `cargo xtask queues` runs it for long.

mod consumer;
mod ledger;
mod order;
mod producer;
mod reader;

use crate::support::Connection;
use consumer::Consumer;
use fastrand::Rng;
use ledger::Ledger;
use producer::Producer;
use reader::{GROUP, Reader};
use resplite::{Server, Value};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Threads that push.
const PRODUCERS: usize = 4;
/// What each of them does in a round.
const OPERATIONS: usize = 500;

/// Rounds and the seed: few in `./test`, many in `cargo xtask queues`.
fn options() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    (number("RESPLITE_QUEUES_ROUNDS").unwrap_or(12), number("RESPLITE_QUEUES_SEED").unwrap_or(1))
}

/// How a lane is filled and emptied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A list, pushed on the right and popped on the left.
    Forward,
    /// A list, pushed on the left and popped on the right.
    Backward,
    /// A sorted set whose lowest members are taken.
    Low,
    /// A sorted set whose highest members are taken.
    High,
    /// A list on both sides, in two databases that change places: nobody promises an order.
    Wild,
    /// A stream that each reader reads to its end.
    Stream,
    /// A stream that the readers of a group share.
    Group,
}

/// Keys among which elements stay that were once pushed there.
struct Lane {
    kind: Kind,
    /// Databases of the keys.
    databases: &'static [usize],
    keys: &'static [&'static str],
    /// Whether elements are moved from each key to the next one, and are taken at the last.
    is_chain: bool,
    consumers: usize,
}

const LANES: [Lane; 12] = [
    lane(Kind::Forward, &["f0", "f1", "f2"], 3),
    lane(Kind::Backward, &["b0", "b1"], 2),
    // Whoever is alone and forgotten waits for ever: that ends the test.
    lane(Kind::Forward, &["alone"], 1),
    lane(Kind::Low, &["z0", "z1"], 2),
    lane(Kind::High, &["top"], 1),
    Lane { is_chain: true, ..lane(Kind::Forward, &["c0", "c1", "c2"], 4) },
    Lane { is_chain: true, ..lane(Kind::Backward, &["r0", "r1"], 2) },
    Lane { databases: &[2, 3], ..lane(Kind::Wild, &["w0", "w1"], 4) },
    lane(Kind::Backward, &["solo"], 1),
    lane(Kind::Stream, &["s0", "s1"], 3),
    lane(Kind::Group, &["g0", "g1"], 3),
    // Whoever is alone in a group is the only one who can be forgotten there.
    lane(Kind::Group, &["only"], 1),
];

const fn lane(kind: Kind, keys: &'static [&'static str], consumers: usize) -> Lane {
    Lane { kind, databases: &[0], keys, is_chain: false, consumers }
}

impl Lane {
    /// Whether its consumers choose among several keys.
    fn has_choice(&self) -> bool {
        self.keys.len() > 1 && !self.is_chain
    }

    fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream | Kind::Group)
    }
}

/// What the threads of a round share.
struct Stage {
    address: SocketAddr,
    /// The clients' ids of those who may be killed and unblocked; 0 while they are not connected.
    targets: Vec<AtomicU64>,
    /// How many entries of streams each of them has read.
    seen: Vec<AtomicU64>,
    /// Nobody pushes any more: who consumes waits until all is taken.
    is_draining: AtomicBool,
    has_ended: AtomicBool,
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let (rounds, seed) = options();
    for round in 0..rounds {
        let workers = 1 + usize::try_from(round % 4).expect("small");
        let name = format!("seed {seed}, round {round}, {workers} workers");
        let ledger = play(&name, workers, seed.wrapping_mul(1_000_003).wrapping_add(round * 1000));
        ledger.check(&name);
        println!("{name}: {}", ledger.summary());
    }
}

/// One round; what has come of it.
fn play(name: &str, workers: usize, seed: u64) -> Ledger {
    let server = Server::builder().workers(workers).seed(seed).start().expect("a server on a free port starts");
    let places: Vec<(usize, usize)> =
        LANES.iter().enumerate().flat_map(|(lane, it)| (0..it.consumers).map(move |place| (lane, place))).collect();
    let stage = Stage {
        address: server.address().expect("it listens"),
        // The first producer may be killed as well.
        targets: (0..=places.len()).map(|_| AtomicU64::new(0)).collect(),
        seen: (0..=places.len()).map(|_| AtomicU64::new(0)).collect(),
        is_draining: AtomicBool::new(false),
        has_ended: AtomicBool::new(false),
    };
    let mut control = Connection::tcp(stage.address);
    let mut ledger = Ledger::default();
    for key in LANES.iter().filter(|lane| lane.kind == Kind::Group).flat_map(|lane| lane.keys) {
        assert!(control.call(["XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM"]).is_ok());
    }
    std::thread::scope(|scope| {
        let stage = &stage;
        let consumers: Vec<_> = places
            .iter()
            .enumerate()
            .map(|(index, (lane, place))| {
                let rng = Rng::with_seed(seed.wrapping_add(100 + index as u64));
                let (lane, place) = (*lane, *place);
                scope.spawn(move || match LANES[lane].is_stream() {
                    true => Reader::new(stage, lane, place, index + 1, rng).run(),
                    false => Consumer::new(stage, lane, place, index + 1, rng).run(),
                })
            })
            .collect();
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|number| {
                let rng = Rng::with_seed(seed.wrapping_add(number as u64));
                scope.spawn(move || Producer::new(stage, number, rng).run())
            })
            .collect();
        for producer in producers {
            ledger.add(producer.join().unwrap_or_else(|_| panic!("{name}: a producer has failed")));
        }
        control.call(["CLIENT", "UNPAUSE"]);
        clear_strings(&mut control);
        stage.is_draining.store(true, Ordering::Release);
        // Who chose one of several keys before may wait for one that stays empty; but who has only one key must find out
        // by himself. Each look is a round trip, so this yields to the server; one who waits for too long fails.
        while !consumers.iter().any(|consumer| consumer.is_finished()) && !is_drained(&mut control, stage, &places) {
            for (target, (lane, _)) in stage.targets[1..].iter().zip(&places) {
                if LANES[*lane].has_choice() {
                    control.call(["CLIENT", "UNBLOCK", &target.load(Ordering::Acquire).to_string()]);
                }
            }
        }
        stage.has_ended.store(true, Ordering::Release);
        while consumers.iter().any(|consumer| !consumer.is_finished()) {
            for target in &stage.targets {
                control.call(["CLIENT", "UNBLOCK", &target.load(Ordering::Acquire).to_string()]);
            }
        }
        for consumer in consumers {
            ledger.add(consumer.join().unwrap_or_else(|_| panic!("{name}: a consumer has failed")));
        }
    });
    ledger.leave(&mut control);
    // Connections that were broken off are noticed in their own time, and then nothing is left of their waits.
    while info(&mut control, "blocked_clients") != "0" {}
    assert_eq!(info(&mut control, "total_blocking_keys"), "0", "{name}: somebody who has gone stands in line");
    ledger
}

/// Takes away the strings that stand in the way of the wild ones.
fn clear_strings(control: &mut Connection) {
    for lane in LANES.iter().filter(|lane| lane.kind == Kind::Wild) {
        for database in lane.databases {
            control.call(["SELECT", &database.to_string()]);
            lane.keys.iter().for_each(|key| drop(control.call(["GETDEL", key])));
        }
    }
    control.call(["SELECT", "0"]);
}

/// Whether all has been taken, and all that is to be read has been read.
fn is_drained(control: &mut Connection, stage: &Stage, places: &[(usize, usize)]) -> bool {
    let mut lanes = LANES.iter().enumerate();
    lanes.all(|(number, lane)| match lane.kind {
        Kind::Stream => {
            let len = |key: &&str| control.call(["XLEN", key]).as_int().and_then(|len| u64::try_from(len).ok());
            let all: u64 = lane.keys.iter().filter_map(len).sum();
            let mut readers = stage.seen[1..].iter().zip(places).filter(|(_, (lane, _))| *lane == number);
            readers.all(|(seen, _)| seen.load(Ordering::Acquire) == all)
        }
        Kind::Group => lane.keys.iter().all(|key| {
            let last = control.call(["XREVRANGE", key, "+", "-", "COUNT", "1"]);
            let groups = control.call(["XINFO", "GROUPS", key]);
            leaves(&last).first().is_none_or(|last| leaves(&groups).contains(last))
        }),
        _ => lane.databases.iter().all(|database| {
            control.call(["SELECT", &database.to_string()]);
            lane.keys.iter().all(|key| control.call(["EXISTS", key]).as_int() == Some(0))
        }),
    })
}

fn info(control: &mut Connection, name: &str) -> String {
    let text = control.call(["INFO", "clients"]);
    let lines = text.as_str().expect("a text").lines();
    let value = lines.filter_map(|line| line.split_once(':')).find(|(found, _)| *found == name);
    value.map(|(_, value)| value.to_owned()).unwrap_or_else(|| panic!("INFO has no {name}"))
}

/// What an aggregate holds when all nesting is taken away.
fn leaves(value: &Value) -> Vec<&Value> {
    match value.as_slice() {
        Some(values) => values.iter().flat_map(leaves).collect(),
        None => vec![value],
    }
}
