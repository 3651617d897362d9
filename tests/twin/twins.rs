//! The servers that are compared: runs sequences on all of them, finds differences and makes them short.

use super::compare::Pair;
use super::generator::{Args, Call, Step};
use super::known::{self, Verdict};
use crate::support::Connection;
use crate::support::oracle::{Kind, Oracle};
use crate::support::socket::encode;
use crate::support::transcript::{quote, show};
use bytes::Bytes;
use resplite::Value;
use resplite_resp::reply::Protocol;
use std::fmt;

/// Commands that travel together.
const BATCH: usize = 50;
/// Bytes that travel together at most: both ends write before they read, and the sockets must hold that.
const BATCH_BYTES: usize = 64 * 1024;
/// Clients of each server.
const CLIENTS: usize = 2;
/// Sequences that are tried to shrink one difference.
const MOST_TRIES: usize = 1500;

/// This server and the real ones, with their clients.
pub struct Twins {
    ours: [Connection; CLIENTS],
    theirs: Vec<(Kind, [Connection; CLIENTS])>,
    _server: resplite::Server,
    _oracles: Vec<Oracle>,
}

/// Replies to a command that are not the same.
pub struct Difference {
    server: Kind,
    steps: Vec<Step>,
    /// What the servers answered, for each call of the steps up to the difference: ours, theirs.
    replies: Vec<(Vec<u8>, Vec<u8>)>,
    protocol: Protocol,
    /// Where it was met, for whoever wants to see it again.
    pub origin: String,
}

impl Twins {
    /// Starts all servers; real ones that this machine lacks are left out or, under `./test`, a failure.
    pub fn start(protocol: Protocol) -> Self {
        let server = resplite::Server::builder().seed(1).start().expect("a server on a free port starts");
        let address = server.address().expect("it listens");
        let oracles: Vec<(Kind, Oracle)> = [Kind::Redis, Kind::Valkey]
            .into_iter()
            .filter_map(|kind| Some((kind, Oracle::start(kind, &[])?)))
            .collect();
        let greet = |connection: Connection| match protocol {
            Protocol::Resp2 => connection,
            Protocol::Resp3 => connection.hello3(),
        };
        Twins {
            ours: std::array::from_fn(|_| greet(Connection::tcp(address))),
            theirs: oracles
                .iter()
                .map(|(kind, oracle)| (*kind, std::array::from_fn(|_| greet(oracle.connect()))))
                .collect(),
            _server: server,
            _oracles: oracles.into_iter().map(|(_, oracle)| oracle).collect(),
        }
    }

    /// Runs a sequence on empty servers; returns the first difference from each of the real ones.
    pub fn run(&mut self, steps: &[Step]) -> Vec<Difference> {
        let servers: Vec<Kind> = self.theirs.iter().map(|(kind, _)| *kind).collect();
        self.run_against(steps, &servers)
    }

    fn run_against(&mut self, steps: &[Step], servers: &[Kind]) -> Vec<Difference> {
        let calls: Vec<&Call> = steps.iter().flatten().collect();
        let mut batches = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, call) in calls.iter().enumerate() {
            if index - start == BATCH || bytes > BATCH_BYTES || call.client != calls[start].client {
                batches.push(start..index);
                (start, bytes) = (index, 0);
            }
            bytes += call.args.iter().map(Vec::len).sum::<usize>();
        }
        batches.push(start..calls.len());
        let run = |connections: &mut [Connection; CLIENTS]| -> Vec<Vec<u8>> {
            for (client, connection) in connections.iter_mut().enumerate() {
                for reset in ["DISCARD", "UNWATCH", "SELECT 0", "FLUSHALL"].iter().take(if client == 0 { 4 } else { 3 })
                {
                    connection.call(reset.split(' '));
                }
            }
            let mut replies = Vec::with_capacity(calls.len());
            for batch in &batches {
                let Some(first) = calls.get(batch.start) else { continue };
                let connection = &mut connections[first.client];
                connection
                    .send_raw(&calls[batch.clone()].iter().flat_map(|call| encode(&call.args)).collect::<Vec<u8>>());
                replies.extend(batch.clone().map(|_| connection.read_raw()));
            }
            replies
        };
        let protocol = self.ours[0].protocol;
        let Twins { ours, theirs, .. } = self;
        let theirs = theirs.iter_mut().filter(|(kind, _)| servers.contains(kind));
        let (ours, theirs) = std::thread::scope(|scope| {
            let theirs: Vec<_> =
                theirs.map(|(kind, connections)| (*kind, scope.spawn(move || run(connections)))).collect();
            let ours = run(ours);
            let join = |(kind, thread): (Kind, std::thread::ScopedJoinHandle<'_, _>)| match thread.join() {
                Ok(replies) => (kind, replies),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            (ours, theirs.into_iter().map(join).collect::<Vec<_>>())
        });
        let differ = |(server, theirs): (Kind, Vec<Vec<u8>>)| {
            let (step, end) = first_difference(steps, server, &ours, &theirs)?;
            Some(Difference {
                server,
                steps: steps[..=step].to_vec(),
                replies: ours[..=end].iter().cloned().zip(theirs[..=end].iter().cloned()).collect(),
                protocol,
                origin: String::new(),
            })
        };
        theirs.into_iter().filter_map(differ).collect()
    }

    /// Leaves out what the difference does not need: half of the steps, a quarter, .. one, then arguments.
    pub fn shrink(&mut self, steps: &[Step], found: Difference) -> Difference {
        let _ = steps;
        let mut best = found;
        let mut tries = 0;
        let mut attempt = |steps: &[Step], best: &mut Difference| {
            tries += 1;
            let server = best.server;
            let shorter = (tries < MOST_TRIES).then(|| self.run_against(steps, &[server]).pop()).flatten();
            match shorter {
                Some(shorter) if shorter.is_like(best) => {
                    *best = shorter;
                    true
                }
                _ => false,
            }
        };
        let mut size = best.steps.len() / 2;
        while size > 0 {
            let mut start = 0;
            while start < best.steps.len() {
                let end = (start + size).min(best.steps.len());
                let rest: Vec<Step> = best.steps[..start].iter().chain(&best.steps[end..]).cloned().collect();
                if rest.is_empty() || !attempt(&rest, &mut best) {
                    start = end;
                }
            }
            size /= 2;
        }
        // Then the arguments of the calls that are left, the last first; but not of the one whose reply differs, which may
        // be compared in a way that fits only these arguments.
        for step in (0..best.steps.len() - 1).rev() {
            let mut size = 64;
            while size > 0 {
                let mut end = best.steps.get(step).map_or(0, |calls| calls[0].args.len());
                while end > size + 1 {
                    let mut fewer = best.steps.clone();
                    fewer[step][0].args.drain(end - size..end);
                    end -= size;
                    attempt(&fewer, &mut best);
                    end = end.min(best.steps.get(step).map_or(0, |calls| calls[0].args.len()));
                }
                size /= 2;
            }
        }
        best
    }
}

/// The step and the call of the first difference that is not known.
fn first_difference(steps: &[Step], server: Kind, ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> Option<(usize, usize)> {
    let mut at = 0;
    for (step, calls) in steps.iter().enumerate() {
        for (index, call) in calls.iter().enumerate() {
            let pair = |at: usize| Pair { ours: &ours[at], theirs: &theirs[at] };
            let before = (index > 0).then(|| pair(at - 1));
            let behind = (index + 1 < calls.len()).then(|| pair(at + 1));
            if !call.rule.accepts(pair(at), before, behind) {
                match known::judge(server, &call.args, pair(at)) {
                    Verdict::Unknown => return Some((step, at)),
                    Verdict::Parts => return None,
                    Verdict::Known => {}
                }
            }
            at += 1;
        }
    }
    None
}

impl Difference {
    /// Whether the same command differs from the same server.
    pub fn is_like(&self, other: &Difference) -> bool {
        let name = |difference: &Difference| difference.last_call().map(|call| call.args[0].to_ascii_lowercase());
        self.server == other.server && name(self) == name(other)
    }

    fn last_call(&self) -> Option<&Call> {
        self.steps.iter().flatten().nth(self.replies.len() - 1)
    }

    fn shown(&self, reply: &[u8]) -> String {
        match Value::decode(self.protocol, &mut Bytes::copy_from_slice(reply)) {
            Ok(Some(value)) => show(value),
            _ => quote(reply),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {} against {:?}", self.origin, self.server)?;
        for (call, (ours, theirs)) in self.steps.iter().flatten().zip(&self.replies) {
            let client = if call.client == 0 { "" } else { "@1 " };
            writeln!(f, "> {client}{}", line(&call.args))?;
            let (our_text, their_text) = (self.shown(ours), self.shown(theirs));
            if ours == theirs {
                writeln!(f, "{}", shorten(&our_text))?;
            } else if our_text != their_text {
                writeln!(f, "ours:   {}\ntheirs: {}", shorten(&our_text), shorten(&their_text))?;
            } else {
                writeln!(f, "ours:   {}\ntheirs: {}", shorten(&quote(ours)), shorten(&quote(theirs)))?;
            }
        }
        Ok(())
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(1500) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn line(args: &Args) -> String {
    let plain =
        |arg: &Vec<u8>| !arg.is_empty() && arg.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
    let word = |arg: &Vec<u8>| if plain(arg) { String::from_utf8_lossy(arg).into_owned() } else { quote(arg) };
    args.iter().map(word).collect::<Vec<_>>().join(" ")
}
