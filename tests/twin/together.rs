//! Twin runs of several connections at once: who waits, who feeds, who hears of it; on each server the same script, and
//! after every step all that has arrived anywhere is compared.
//!
//! A connection whose command has been answered is asked for an echo, so that what comes before it is all that there is;
//! one that waits is known by the flag that CLIENT LIST shows. So nothing depends on time, and nobody sleeps.

use super::compare::{Pair, Rule::Exact};
use super::generator::{Args, Entry, Generator};
use super::known::{self, Verdict};
use super::{COMMANDS, MOST_SHOWN, SEEDS, variable};
use crate::support::oracle::{Kind, Oracle};
use crate::support::transcript::quote;
use crate::support::{Connection, frame};
use resplite_resp::reply::Protocol;
use std::fmt::Write as _;

/// Connections of a script.
const CONNECTIONS: usize = 6;
/// Steps of a script at most.
const STEPS: usize = 80;
/// Scripts that are tried to shrink one difference.
const MOST_TRIES: usize = 300;

/// What the connections send. All time-outs are 0: time must not decide anything. `y` is never anything but a sorted set:
/// real servers do not wake those who wait when a result overwrites a value of another type, here it does.
const ENTRIES: &[Entry] = &[
    Entry(16, Exact, "(BLPOP|BRPOP) ('l'|'m'|'z').. 0"),
    Entry(10, Exact, "BLMOVE ('l'|'m') ('l'|'m'|'n'|'z') (LEFT|RIGHT) (LEFT|RIGHT) 0"),
    Entry(4, Exact, "BRPOPLPUSH ('l'|'m') ('l'|'m'|'n') 0"),
    Entry(6, Exact, "BLMPOP 0 (1 'l'|2 'm' 'l'|3 'n' 'l' 'm') (LEFT|RIGHT) [COUNT 2]"),
    Entry(10, Exact, "(BZPOPMIN|BZPOPMAX) ('z'|'y').. 0"),
    Entry(5, Exact, "BZMPOP 0 (1 'z'|2 'y' 'z') (MIN|MAX) [COUNT 2]"),
    Entry(10, Exact, "!XREAD [COUNT 2] BLOCK 0 STREAMS ('s' '$'|'s' entry|'s' 't' '$' '$')"),
    Entry(
        12,
        Exact,
        "!XREADGROUP GROUP ('g'|'h') ('c'|'d') [COUNT 2] BLOCK 0 [NOACK] STREAMS ('s' '>'|'s' 't' '>' '>')",
    ),
    Entry(20, Exact, "(LPUSH|RPUSH) ('l'|'m'|'n') value.."),
    Entry(4, Exact, "(LPOP|RPOP) ('l'|'m') [1]"),
    Entry(4, Exact, "(LMOVE ('l'|'m') ('l'|'m') LEFT RIGHT|RPOPLPUSH ('l'|'n') ('m'|'l'))"),
    Entry(3, Exact, "LINSERT ('l'|'m') BEFORE value value"),
    Entry(4, Exact, "(LPUSHX|RPUSHX) ('l'|'m') value"),
    Entry(12, Exact, "ZADD ('z'|'y') (number member).."),
    Entry(4, Exact, "ZINCRBY ('z'|'y') number member"),
    Entry(3, Exact, "ZUNIONSTORE ('y'|'l') 2 'z' 'y'"),
    Entry(3, Exact, "ZRANGESTORE 'y' 'z' 0 1"),
    Entry(12, Exact, "!XADD ('s'|'t') next 'a' value"),
    Entry(8, Exact, "!XGROUP CREATE ('s'|'t') ('g'|'h') ('$'|0) MKSTREAM"),
    Entry(3, Exact, "!XGROUP DESTROY ('s'|'t') ('g'|'h')"),
    Entry(3, Exact, "XACK 's' ('g'|'h') entry"),
    Entry(2, Exact, "XPENDING 's' ('g'|'h')"),
    Entry(3, Exact, "XDEL ('s'|'t') entry"),
    Entry(2, Exact, "XTRIM ('s'|'t') MAXLEN 2"),
    Entry(5, Exact, "(DEL|UNLINK) ('l'|'m'|'z'|'s'|'t'|'k').."),
    Entry(5, Exact, "SET ('l'|'z'|'k'|'s') value"),
    Entry(5, Exact, "(RENAME|RENAMENX) ('l'|'m'|'n'|'z'|'y'|'s'|'t'|'k') ('l'|'m'|'z'|'s')"),
    Entry(4, Exact, "COPY ('l'|'n'|'z'|'s') ('l'|'m'|'t') [REPLACE]"),
    Entry(2, Exact, "MOVE ('l'|'z'|'s') (0|1)"),
    Entry(2, Exact, "!SWAPDB 0 1"),
    Entry(1, Exact, "!SELECT (0|1)"),
    Entry(3, Exact, "!SELECT 0"),
    Entry(1, Exact, "!(FLUSHALL|FLUSHDB)"),
    Entry(12, Exact, "!MULTI"),
    Entry(16, Exact, "!EXEC"),
    Entry(3, Exact, "!DISCARD"),
    Entry(8, Exact, "WATCH ('l'|'z'|'s'|'k').."),
    Entry(2, Exact, "!UNWATCH"),
    Entry(6, Exact, "SUBSCRIBE ('news'|'talk')"),
    Entry(3, Exact, "PSUBSCRIBE ('n*'|'__key*__:*')"),
    Entry(2, Exact, "SSUBSCRIBE ('news'|'talk')"),
    Entry(4, Exact, "!(UNSUBSCRIBE ('news'|'talk')|PUNSUBSCRIBE ('n*'|'__key*__:*')|SUNSUBSCRIBE ('news'|'talk'))"),
    Entry(7, Exact, "PUBLISH ('news'|'talk') value"),
    Entry(3, Exact, "SPUBLISH ('news'|'talk') value"),
    Entry(2, Exact, "PUBSUB (NUMPAT|NUMSUB 'news' 'talk'|SHARDNUMSUB 'news')"),
    Entry(4, Exact, "!CONFIG SET 'notify-keyspace-events' ('KEA'|'Kl'|'Ez'|'Kt'|'')"),
    Entry(2, Exact, "!RESET"),
    Entry(4, Exact, "(LRANGE ('l'|'m') 0 -1|ZRANGE ('z'|'y') 0 -1|XLEN ('s'|'t')|GET 'k')"),
    Entry(2, Exact, "(TYPE|EXISTS) ('l'|'z'|'s')"),
];

#[test]
fn several_connections() {
    let commands = variable("RESPLITE_TWIN_COMMANDS");
    let seed = variable("RESPLITE_TWIN_SEED");
    let mut shown: Vec<(String, Difference)> = Vec::new();
    for seed in SEEDS.into_iter().filter(|_| commands.is_none()).chain(seed) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut generator = Generator::new(ENTRIES, seed);
            let mut servers = Servers::start(protocol, 1 + usize::try_from(seed % 3).expect("small"));
            let mut left = commands.map_or(COMMANDS, |commands| commands as usize);
            while left > 0 && shown.len() < MOST_SHOWN {
                let script = script(&mut generator);
                left = left.saturating_sub(script.len());
                for difference in servers.run(&script) {
                    if !shown.iter().any(|(_, other)| other.is_like(&difference)) {
                        shown.push((format!("seed {seed}, {protocol:?}"), servers.shrink(difference)));
                    }
                }
            }
        }
    }
    let report: Vec<String> =
        shown.iter().map(|(origin, difference)| format!("== {origin} {}", difference.show())).collect();
    assert!(report.is_empty(), "{} differences\n\n{}", report.len(), report.join("\n"));
}

#[derive(Clone)]
enum Action {
    Call(Args),
    /// CLIENT UNBLOCK by another connection, with an error or as if by time.
    Unblock(&'static str),
    /// CLIENT KILL by another connection; a new one takes its place.
    Kill,
}

/// What one of the connections does, or has done to it.
#[derive(Clone)]
struct Step {
    who: usize,
    action: Action,
}

fn script(generator: &mut Generator) -> Vec<Step> {
    let count = generator.chance.usize(STEPS / 4..STEPS);
    let mut steps = Vec::with_capacity(count);
    while steps.len() < count {
        let who = generator.chance.usize(..CONNECTIONS);
        match generator.chance.u8(..24) {
            0 => steps.push(Step { who, action: Action::Unblock(["TIMEOUT", "ERROR"][generator.chance.usize(..2)]) }),
            1 if generator.chance.bool() => steps.push(Step { who, action: Action::Kill }),
            _ => {
                let calls = generator.step();
                steps.extend(calls.into_iter().map(|call| Step { who, action: Action::Call(call.args) }));
            }
        }
    }
    steps
}

/// What arrived in one step, by connection; the last is what the control was answered.
type Arrivals = Vec<Vec<u8>>;

/// A connection as one server sees it.
struct Actor {
    connection: Connection,
    id: String,
    is_blocked: bool,
    is_in_multi: bool,
    /// The last command that it sent.
    last: Args,
}

struct Servers {
    ours: resplite::Server,
    theirs: Vec<(Kind, Oracle)>,
    protocol: Protocol,
}

struct Difference {
    server: Kind,
    script: Vec<Step>,
    ours: Vec<Arrivals>,
    theirs: Vec<Arrivals>,
    /// The connection where it was seen, and its last command.
    who: usize,
    command: Args,
}

impl Servers {
    fn start(protocol: Protocol, workers: usize) -> Self {
        let theirs = [Kind::Redis, Kind::Valkey].into_iter().filter_map(|kind| Some((kind, Oracle::start(kind, &[])?)));
        let ours =
            resplite::Server::builder().seed(1).workers(workers).start().expect("a server on a free port starts");
        Servers { ours, theirs: theirs.collect(), protocol }
    }

    fn run(&mut self, script: &[Step]) -> Vec<Difference> {
        let kinds: Vec<Kind> = self.theirs.iter().map(|(kind, _)| *kind).collect();
        self.run_against(script, &kinds)
    }

    fn run_against(&mut self, script: &[Step], kinds: &[Kind]) -> Vec<Difference> {
        let address = self.ours.address().expect("it listens");
        let protocol = self.protocol;
        let (ours, theirs) = std::thread::scope(|scope| {
            let theirs = self.theirs.iter().filter(|(kind, _)| kinds.contains(kind));
            let theirs: Vec<_> = theirs
                .map(|(kind, oracle)| (*kind, scope.spawn(move || play(script, protocol, &|| oracle.connect()))))
                .collect();
            let ours = play(script, protocol, &|| Connection::tcp(address));
            let join = |(kind, thread): (Kind, std::thread::ScopedJoinHandle<'_, _>)| match thread.join() {
                Ok(arrivals) => (kind, arrivals),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            (ours, theirs.into_iter().map(join).collect::<Vec<_>>())
        });
        theirs.into_iter().filter_map(|(kind, theirs)| difference(script, kind, &ours, &theirs)).collect()
    }

    /// Leaves out the steps that the difference does not need: half of them, a quarter, .. one.
    fn shrink(&mut self, found: Difference) -> Difference {
        let mut best = found;
        let mut tries = 0;
        let mut size = best.script.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < best.script.len() && tries < MOST_TRIES {
                tries += 1;
                let end = (start + size).min(best.script.len());
                let rest = [&best.script[..start], &best.script[end..]].concat();
                match self.run_against(&rest, &[best.server]).pop() {
                    Some(shorter) if shorter.is_like(&best) => best = shorter,
                    _ => start = end,
                }
            }
            size /= 2;
        }
        best
    }
}

/// The first difference that is not known.
fn difference(script: &[Step], server: Kind, ours: &[Played], theirs: &[Played]) -> Option<Difference> {
    for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let mut unknown = None;
        for who in (0..=CONNECTIONS).filter(|who| our.arrivals[*who] != their.arrivals[*who]) {
            let pair = Pair { ours: &our.arrivals[who], theirs: &their.arrivals[who] };
            let command = our.commands[who].clone();
            match known::judge(server, &command, pair) {
                Verdict::Known => {}
                // What another connection got may follow from this.
                Verdict::Parts => return None,
                Verdict::Unknown => unknown = unknown.or(Some((who, command))),
            }
        }
        if let Some((who, command)) = unknown {
            let cut = |played: &[Played]| played[..=index].iter().map(|step| step.arrivals.clone()).collect();
            let (ours, theirs) = (cut(ours), cut(theirs));
            return Some(Difference { server, script: script[..=index].to_vec(), ours, theirs, who, command });
        }
    }
    None
}

impl Difference {
    /// Whether the same commands differ from the same server.
    fn is_like(&self, other: &Difference) -> bool {
        let name = |difference: &Difference| difference.command.first().map(|name| name.to_ascii_lowercase());
        self.server == other.server && name(self) == name(other)
    }

    fn show(&self) -> String {
        let mut text = format!("against {:?}, at {}\n", self.server, self.who);
        for (step, (ours, theirs)) in self.script.iter().zip(self.ours.iter().zip(&self.theirs)) {
            let line = match &step.action {
                Action::Call(args) => args.iter().map(|arg| quote(arg)).collect::<Vec<_>>().join(" "),
                Action::Unblock(reason) => format!("@unblock {reason}"),
                Action::Kill => "@kill".to_owned(),
            };
            let _ = writeln!(text, "{}> {line}", step.who);
            for (who, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                if ours != theirs {
                    let _ = writeln!(text, "  {who} ours:   {}\n  {who} theirs: {}", quote(ours), quote(theirs));
                } else if !ours.is_empty() {
                    let _ = writeln!(text, "  {who} {}", quote(ours));
                }
            }
        }
        text
    }
}

/// What came of a step everywhere, and which command each connection has sent last.
struct Played {
    arrivals: Arrivals,
    commands: Vec<Args>,
}

/// Runs a script on an empty server.
fn play(script: &[Step], protocol: Protocol, open: &dyn Fn() -> Connection) -> Vec<Played> {
    let mut control = open();
    control.call(["FLUSHALL"]);
    control.call(["CONFIG", "SET", "notify-keyspace-events", ""]);
    let mut stage = Stage { control, open, protocol, actors: Vec::new(), echoes: 0 };
    for _ in 0..CONNECTIONS {
        let actor = stage.actor();
        stage.actors.push(actor);
    }
    let played = script.iter().map(|step| stage.step(step)).collect();
    // Those who wait must not take what the next script pushes.
    for actor in &stage.actors {
        stage.control.call(["CLIENT", "KILL", "ID", &actor.id]);
    }
    played
}

struct Stage<'a> {
    control: Connection,
    open: &'a dyn Fn() -> Connection,
    protocol: Protocol,
    actors: Vec<Actor>,
    /// Number of the last echo.
    echoes: u64,
}

impl Stage<'_> {
    fn actor(&self) -> Actor {
        let mut connection = (self.open)();
        if self.protocol == Protocol::Resp3 {
            connection = connection.hello3();
        }
        let id = connection.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
        Actor { connection, id, is_blocked: false, is_in_multi: false, last: vec![Vec::new()] }
    }

    fn step(&mut self, step: &Step) -> Played {
        let mut arrivals = vec![Vec::new(); CONNECTIONS + 1];
        let who = step.who;
        match &step.action {
            // Who waits sends nothing.
            Action::Call(_) if self.actors[who].is_blocked => {}
            Action::Call(args) => arrivals[who] = self.call(who, args),
            Action::Unblock(reason) => {
                let id = self.actors[who].id.clone();
                self.control.send(["CLIENT", "UNBLOCK", &id, reason]);
                arrivals[CONNECTIONS] = self.control.read_raw();
            }
            Action::Kill => {
                let id = self.actors[who].id.clone();
                self.control.send(["CLIENT", "KILL", "ID", &id]);
                arrivals[CONNECTIONS] = self.control.read_raw();
                arrivals[who] = self.actors[who].connection.read_to_end();
                self.actors[who] = self.actor();
            }
        }
        // Who has acted is looked at first: what it was answered says that all is done.
        for who in (who..CONNECTIONS).chain(0..who) {
            let arrived = self.look(who);
            arrivals[who].extend(arrived);
        }
        let mut commands: Vec<Args> = self.actors.iter().map(|actor| actor.last.clone()).collect();
        commands.push(vec![b"CLIENT".to_vec()]);
        Played { arrivals, commands }
    }

    /// Sends a command; what comes until it is answered or waits.
    fn call(&mut self, who: usize, args: &Args) -> Vec<u8> {
        let actor = &mut self.actors[who];
        actor.last.clone_from(args);
        actor.connection.send(args);
        let name = args[0].to_ascii_uppercase();
        if actor.is_in_multi {
            let (mut all, reply) = read_reply(&mut actor.connection);
            actor.is_in_multi = !matches!(name.as_slice(), b"EXEC" | b"DISCARD" | b"RESET");
            all.extend(reply);
            return all;
        }
        if name == b"MULTI" {
            let (mut all, reply) = read_reply(&mut actor.connection);
            actor.is_in_multi = reply.starts_with(b"+");
            all.extend(reply);
            return all;
        }
        if name.ends_with(b"SUBSCRIBE") || !(name.starts_with(b"B") || name.starts_with(b"X")) {
            // Whatever it says comes before the echo.
            return Vec::new();
        }
        // Messages are no answer.
        let is_answer = |frame: &&[u8]| !frame.starts_with(b">");
        while !frame::all(actor.connection.arrived()).iter().any(is_answer) {
            if self.control.shows_blocked(&actor.id) {
                actor.is_blocked = true;
                return Vec::new();
            }
        }
        Vec::new()
    }

    /// All that has arrived at a connection.
    fn look(&mut self, who: usize) -> Vec<u8> {
        let actor = &mut self.actors[who];
        let mut all = Vec::new();
        if actor.is_blocked {
            if self.control.shows_blocked(&actor.id) {
                return all;
            }
            actor.is_blocked = false;
            let (before, reply) = read_reply(&mut actor.connection);
            all.extend(before);
            all.extend(reply);
        }
        if actor.is_in_multi {
            // An echo would be part of the transaction.
            return all;
        }
        self.echoes += 1;
        let echo = format!("echo{}", self.echoes);
        actor.connection.send(["PING", &echo]);
        loop {
            let frame = actor.connection.read_raw();
            if frame.windows(echo.len()).any(|part| part == echo.as_bytes()) {
                return all;
            }
            all.extend(frame);
        }
    }
}

/// The next reply and the messages before it.
fn read_reply(connection: &mut Connection) -> (Vec<u8>, Vec<u8>) {
    let mut before = Vec::new();
    loop {
        let frame = connection.read_raw();
        if !frame.starts_with(b">") {
            return (before, frame);
        }
        before.extend(frame);
    }
}
