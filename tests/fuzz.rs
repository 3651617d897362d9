//! Bad input against a whole server: bytes, lengths, counts and arguments that no client should send.
//!
//! Short and with a fixed seed as a test; `cargo xtask fuzz` runs the same code for long, with new seeds. Whatever comes
//! in, nothing may panic or hang, every command has its reply, memory stays bounded and is given back.

#![allow(clippy::disallowed_methods, reason = "a hang shows on the real clock only")]

mod commands;
mod found;
mod reply;
mod session;

use crate::support::socket::encode;
use commands::{Arguments, Pool};
use fastrand::Rng;
use resplite::{Client, Server};
use session::{Replies, Session};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the short run begins with.
const SEED: u64 = 1;
/// Servers of the short run, one after the other.
const GENERATIONS: u64 = 20;
/// Rounds that one server lives for.
const ROUNDS: usize = 40;
/// Rounds between two looks at what FLUSHALL leaves behind.
const ROUNDS_PER_FLUSH: usize = 10;
/// Nothing here takes so long; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that one command may hold its shards; a debug build on a busy machine has to manage it.
const SLOWEST: Duration = Duration::from_secs(10);
/// What the process may grow by: what the servers are allowed to hold, the replies on their way, and this test's copies.
const MOST_GROWTH: usize = 1 << 30;

#[test]
fn bad_input_leaves_no_panic_no_hang_and_no_growth() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("RESPLITE_FUZZ_SEED").unwrap_or(SEED);
    let seconds = number("RESPLITE_FUZZ_SECONDS").map(Duration::from_secs);
    let start = Instant::now();
    let watch = Watch::start();
    let mut generation = 0;
    loop {
        let enough = match seconds {
            Some(seconds) => start.elapsed() >= seconds,
            None => generation == GENERATIONS,
        };
        if enough {
            break;
        }
        Generation::new(seed + generation, &watch).run();
        generation += 1;
    }
    watch.report(generation, start.elapsed());
}

/// Sees to what no single check can see: panics of other threads, hangs, growth; and says how to repeat a failure.
pub struct Watch {
    doing: Arc<Mutex<Doing>>,
    /// Resident bytes at the beginning, and the most since.
    resident: (usize, AtomicUsize),
    commands: AtomicUsize,
    /// Of those in process, how many were refused: a run of nothing but errors tests little.
    errors: AtomicUsize,
    bytes: AtomicUsize,
    slowest: Mutex<(Duration, String)>,
    /// Ends the thread that looks for hangs.
    _end: mpsc::Sender<()>,
}

/// What is going on, for the message about a hang.
struct Doing {
    since: Instant,
    seed: u64,
    what: String,
}

impl Watch {
    pub fn start() -> Self {
        record_panics();
        let doing = Arc::new(Mutex::new(Doing { since: Instant::now(), seed: 0, what: String::new() }));
        let (end, ended) = mpsc::channel();
        let watched = doing.clone();
        std::thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                let doing = watched.lock().unwrap();
                if doing.since.elapsed() > 2 * PATIENCE {
                    eprintln!("fuzz: seed {}: hangs in {}", doing.seed, doing.what);
                    // The thread that hangs cannot be made to fail.
                    std::process::abort();
                }
            }
        });
        Watch {
            doing,
            resident: (resident(), AtomicUsize::new(0)),
            commands: AtomicUsize::new(0),
            errors: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            slowest: Mutex::default(),
            _end: end,
        }
    }

    /// Says what is going on now, for the message about a hang.
    pub fn begin(&self, seed: u64, what: String) {
        *self.doing.lock().unwrap() = Doing { since: Instant::now(), seed, what };
    }

    /// Notes a command that ran in process and how long it took.
    fn note(&self, took: Duration, args: &Arguments) {
        let mut slowest = self.slowest.lock().unwrap();
        if took > slowest.0 {
            *slowest = (took, commands::show(args));
        }
        assert!(took < SLOWEST, "took {took:?}: {}", commands::show(args));
    }

    /// Fails if a server's thread has panicked, or the process has grown too large.
    pub fn check(&self) {
        let panics = PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(panics.is_empty(), "a thread of a server has panicked: {panics:?}");
        let now = resident();
        self.resident.1.fetch_max(now, Ordering::Relaxed);
        let grown = now.saturating_sub(self.resident.0);
        assert!(grown < MOST_GROWTH, "the process has grown by {grown} bytes");
    }

    /// Bytes of the process that are in memory.
    pub fn resident() -> usize {
        resident()
    }

    fn report(&self, generations: u64, took: Duration) {
        let (slowest, command) = &*self.slowest.lock().unwrap();
        println!(
            "fuzz: {generations} servers, {} commands ({} errors in process) and {} bytes sent in {took:.1?}; resident {} MB at first, {} MB at \
             most; slowest command {slowest:.1?}: {command}",
            self.commands.load(Ordering::Relaxed),
            self.errors.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
            self.resident.0 >> 20,
            self.resident.1.load(Ordering::Relaxed) >> 20,
        );
    }
}

/// Messages of panics in threads of servers.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn record_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("resplite-")) {
                PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(panic.to_string());
            }
            before(panic);
        }));
    });
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells how large this process is");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages in memory");
    pages * 4096
}

/// One server's life.
struct Generation<'a> {
    seed: u64,
    rng: Rng,
    watch: &'a Watch,
    server: Server,
    /// What the server writes when it is told to save; gone after the server.
    _directory: TempDir,
    pool: Pool,
    has_password: bool,
    /// Memory that an empty server uses.
    empty: u64,
    settings: Vec<(String, String)>,
    nurse: Nurse,
}

/// Ends the waits of commands that block, on a thread of its own: time-outs in this test are of any length.
struct Nurse {
    /// The in-process client at work, which no list of connections has.
    local: Arc<AtomicI64>,
    end: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Nurse {
    fn of(server: &Server) -> Self {
        let mut client = server.client();
        let local = Arc::new(AtomicI64::new(0));
        let patient = local.clone();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(Duration::from_millis(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                let list = client.call(["CLIENT", "LIST"]);
                let list = String::from_utf8_lossy(list.as_bytes().unwrap_or_default()).into_owned();
                let field = |line: &str, name: &str| {
                    line.split(' ').find_map(|field| field.strip_prefix(name).map(str::to_owned)).unwrap_or_default()
                };
                let blocked = list.lines().filter(|line| field(line, "flags=").contains('b'));
                let local = patient.load(Ordering::Relaxed).to_string();
                for id in blocked.map(|line| field(line, "id=")).chain([local]) {
                    client.call(["CLIENT", "UNBLOCK", &id]);
                }
            }
        });
        Nurse { local, end: Some(end), thread: Some(thread) }
    }

    /// Looks after an in-process client.
    fn attend(&self, client: &mut Client) {
        self.local.store(client.call(["CLIENT", "ID"]).as_int().unwrap_or_default(), Ordering::Relaxed);
    }
}

impl Drop for Nurse {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            eprintln!("fuzz: the thread that ends waits has panicked");
        }
    }
}

/// Says how to repeat a failure.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("fuzz: to repeat it: cargo xtask fuzz --seconds 1 --seed {}", self.0);
        }
    }
}

impl<'a> Generation<'a> {
    fn new(seed: u64, watch: &'a Watch) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut builder = if rng.u8(..4) == 0 { Server::builder() } else { crate::support::builder() };
        // Several shards: what a command forgot to lock shows only then.
        let directory = tempfile::tempdir().expect("a directory");
        builder = builder.seed(seed).workers(rng.usize(1..=3)).dir(directory.path());
        for (name, value) in [
            ("proto-max-bulk-len", "1mb"),
            ("client-query-buffer-limit", "4mb"),
            ("maxmemory", "64mb"),
            ("enable-debug-command", "yes"),
            ("loglevel", "nothing"),
            ("appendonly", "no"),
        ] {
            builder = builder.setting(name, value).expect("a setting");
        }
        let has_password = rng.u8(..6) == 0;
        if has_password {
            builder = builder.password("secret");
        }
        let server = builder.start().expect("a server on a free port starts");
        let nurse = Nurse::of(&server);
        let mut admin = server.client();
        let pool = Pool::ask(&mut admin);
        let settings = commands::changeable_settings(&mut admin);
        let mut generation = Generation {
            seed,
            rng,
            watch,
            server,
            _directory: directory,
            pool,
            has_password,
            empty: 0,
            settings,
            nurse,
        };
        generation.empty = generation.used_memory();
        generation
    }

    fn run(mut self) {
        let _repeat = Repeat(self.seed);
        for round in 0..ROUNDS {
            self.populate();
            type Round<'a> = fn(&mut Generation<'a>);
            let rounds: [(&str, Round<'a>); 8] = [
                ("noise", Self::noise),
                ("mutants", Self::mutants),
                ("half-open connections", Self::half_open),
                ("in process", Self::in_process),
                ("pipelines", Self::pipeline),
                ("storm", Self::storm),
                ("deaf clients", Self::deaf),
                ("listeners", Self::listen),
            ];
            let (name, play) = rounds[self.rng.usize(..rounds.len())];
            self.watch.begin(self.seed, format!("round {round}: {name}"));
            play(&mut self);
            self.recover(round);
        }
    }

    /// What must hold after every round, whatever went before.
    fn recover(&mut self, round: usize) {
        self.watch.begin(self.seed, format!("what follows round {round}"));
        let mut admin = self.server.client();
        for (name, value) in &self.settings {
            let reply = admin.call(["CONFIG", "SET", name, value]);
            assert!(reply.is_ok(), "CONFIG SET {name} {value}: {reply:?}");
        }
        let ping = self.exchange(&encode(["PING"]), 0);
        match self.has_password {
            true => assert!(ping.starts_with(b"-NOAUTH"), "{}", ping.escape_ascii()),
            false => assert_eq!(ping, b"+PONG\r\n", "{}", ping.escape_ascii()),
        }
        self.await_ends();
        if self.rng.bool() {
            self.server.advance(Duration::from_millis(self.rng.u64(..100_000)));
        }
        if (round + 1).is_multiple_of(ROUNDS_PER_FLUSH) {
            let flushed = admin.call(["FLUSHALL"]);
            assert!(flushed.is_ok(), "{flushed:?}");
            let used = self.used_memory();
            assert!(used <= self.empty + (64 << 10), "FLUSHALL leaves {used} bytes where {} were", self.empty);
        }
        self.watch.check();
    }

    /// All clients of the round have hung up; the server has to notice.
    fn await_ends(&self) {
        let mut admin = self.server.client();
        let start = Instant::now();
        while let left = admin.call(["CLIENT", "LIST"])
            && left.as_bytes() != Some(b"")
        {
            assert!(start.elapsed() < PATIENCE, "connections that do not end: {left:?}");
            std::thread::yield_now();
        }
    }

    fn used_memory(&self) -> u64 {
        let info = self.server.client().call(["INFO", "memory"]);
        let info = String::from_utf8_lossy(info.as_bytes().expect("a text")).into_owned();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|used| used.parse().ok()).expect("used_memory")
    }

    /// A key of every type and encoding, so that commands get past their look-ups.
    fn populate(&mut self) {
        let mut admin = self.server.client();
        for args in self.pool.keys() {
            let reply = admin.call(&args);
            assert!(reply.as_error().is_none(), "{}: {reply:?}", commands::show(&args));
        }
    }

    fn connect(&self) -> TcpStream {
        connect(self.server.address().expect("it listens"))
    }

    /// Sends bytes in pieces on a connection of their own and returns all that comes back until its end.
    fn exchange(&mut self, bytes: &[u8], cuts: usize) -> Vec<u8> {
        let mut stream = self.connect();
        self.watch.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        let _ = send_in_pieces(&mut stream, bytes, cuts, &mut self.rng);
        let _ = stream.shutdown(Shutdown::Write);
        read_to_end(&mut stream)
    }

    /// Bytes that mean nothing, or begin as if they did.
    fn noise(&mut self) {
        for _ in 0..20 {
            let len = self.rng.usize(..2000);
            let alphabet: &[u8] = match self.rng.u8(..3) {
                0 => b"*$\r\n-0123456789 \"'\\x",
                1 => b"\r\n$*1PING+:%~_#,(>=!|\0\xff",
                _ => b"",
            };
            let mut bytes: Vec<u8> =
                (0..len).map(|_| self.rng.choice(alphabet).copied().unwrap_or(self.rng.u8(..))).collect();
            if self.rng.bool() {
                bytes.splice(..0, b"*3\r\n$3\r\n".iter().copied());
            }
            let cuts = self.rng.usize(..5);
            let replies = self.exchange(&bytes, cuts);
            reply::check_stream(&replies, true);
        }
    }

    /// Sound pipelines with something changed in their bytes: at worst an error and the end of the connection.
    fn mutants(&mut self) {
        for _ in 0..10 {
            let mut bytes = Vec::new();
            for _ in 0..self.rng.usize(1..20) {
                let args = self.pool.command(&mut self.rng);
                if !session::is_dangerous(&args) {
                    bytes.extend_from_slice(&encode(&args));
                }
            }
            for _ in 0..self.rng.usize(1..6) {
                mutate(&mut bytes, &mut self.rng);
            }
            if contains(&bytes, b"hutdown") {
                continue;
            }
            let cuts = self.rng.usize(..20);
            let replies = self.exchange(&bytes, cuts);
            reply::check_stream(&replies, true);
        }
    }

    /// Announcements that nothing follows, on connections that stay; then the ends of all of them.
    fn half_open(&mut self) {
        let mut streams = Vec::new();
        for _ in 0..20 {
            let mut stream = self.connect();
            let mut bytes = Vec::new();
            for _ in 0..self.rng.usize(..3) {
                bytes.extend_from_slice(&encode(["PING"]));
            }
            bytes.extend_from_slice(announcement(&mut self.rng).as_bytes());
            let _ = stream.write_all(&bytes);
            streams.push(stream);
        }
        // Those that are still complete get their answers, whoever else has not finished.
        let pong = self.exchange(&encode(["PING"]), 0);
        assert!(!pong.is_empty(), "no answer beside half-open connections");
        self.watch.check();
        while !streams.is_empty() {
            let mut stream = streams.swap_remove(self.rng.usize(..streams.len()));
            if self.rng.bool() {
                let _ = stream.shutdown(Shutdown::Write);
                reply::check_stream(&read_to_end(&mut stream), false);
            }
        }
    }

    /// Every command with nasty arguments, in process: exactly one reply each, and none takes long.
    fn in_process(&mut self) {
        let mut client = self.server.client();
        self.nurse.attend(&mut client);
        let mut session = Session::new(self.rng.bool());
        for number in 0..400 {
            let args = match self.pool.nth(number, &mut self.rng) {
                Some(args) if self.rng.bool() => args,
                _ => self.pool.command(&mut self.rng),
            };
            let Some((args, replies)) = session.admit(args) else { continue };
            if session.has_ended() {
                client = self.server.client();
                self.nurse.attend(&mut client);
                session = Session::new(self.rng.bool());
                continue;
            }
            self.watch.begin(self.seed, commands::show(&args));
            let start = Instant::now();
            let bytes = client.call_raw(&args);
            self.watch.note(start.elapsed(), &args);
            self.watch.errors.fetch_add(usize::from(bytes.starts_with(b"-")), Ordering::Relaxed);
            self.watch.commands.fetch_add(1, Ordering::Relaxed);
            let found = match reply::count(&bytes, session.may_be_resp3()) {
                Ok((found, 0)) => found,
                other => panic!("{}: {other:?}: {}", commands::show(&args), shorten(&bytes)),
            };
            assert_eq!(found, replies, "{}: {}", commands::show(&args), shorten(&bytes));
        }
    }

    /// The same over a socket in one pipeline: as many replies as commands.
    fn pipeline(&mut self) {
        for _ in 0..5 {
            let address = self.server.address().expect("it listens");
            let seed = self.rng.u64(..);
            converse(address, &self.pool, self.watch, seed, Manners { password: self.has_password, alone: true });
        }
    }

    /// Several at once: locks in every order, watched keys that change, connections that end in between.
    fn storm(&mut self) {
        let address = self.server.address().expect("it listens");
        let seeds: Vec<u64> = (0..4).map(|_| self.rng.u64(..)).collect();
        let (pool, watch, password) = (&self.pool, self.watch, self.has_password);
        std::thread::scope(|scope| {
            for seed in seeds {
                scope.spawn(move || {
                    for turn in 0..3 {
                        converse(address, pool, watch, seed + turn, Manners { password, alone: false });
                    }
                });
            }
        });
    }

    /// Subscribers and a monitor beside clients that do anything: what comes to them is whole messages and nothing else.
    fn listen(&mut self) {
        let mut admin = self.server.client();
        assert!(admin.call(["CONFIG", "SET", "notify-keyspace-events", "AKEmn"]).is_ok());
        let mut listeners = Vec::new();
        for number in 0..4 {
            let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Arguments>();
            let mut commands = Vec::new();
            if self.has_password {
                commands.push(words(&["AUTH", "secret"]));
            }
            if self.rng.bool() {
                commands.push(words(&["HELLO", "3"]));
            }
            match number {
                0 => commands.push(words(&["MONITOR"])),
                _ => {
                    commands.push(words(&["PSUBSCRIBE", "__key*"]));
                    for verb in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "PUNSUBSCRIBE"] {
                        let mut args = self.pool.command(&mut self.rng);
                        args.splice(..1, words(&[verb]));
                        commands.push(args);
                    }
                }
            }
            let mut stream = self.connect();
            for args in &commands {
                let _ = stream.write_all(&encode(args));
            }
            listeners.push(stream);
        }
        let address = self.server.address().expect("it listens");
        let seed = self.rng.u64(..);
        let (pool, watch, password) = (&self.pool, self.watch, self.has_password);
        std::thread::scope(|scope| {
            let readers: Vec<_> = listeners
                .iter()
                .map(|stream| {
                    let mut reading = stream.try_clone().expect("a second handle");
                    scope.spawn(move || reply::check_stream(&read_to_end(&mut reading), true))
                })
                .collect();
            for turn in 0..3 {
                converse(address, pool, watch, seed + turn, Manners { password, alone: false });
            }
            for stream in &listeners {
                let _ = stream.shutdown(Shutdown::Write);
            }
            readers.into_iter().for_each(|reader| reader.join().expect("messages are whole"));
        });
    }

    /// Asks for much and reads nothing, then vanishes.
    fn deaf(&mut self) {
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = self.connect();
            // Its worker has taken it on once it answers: from then on it is known when it is gone.
            let _ = stream.write_all(&encode(["PING"]));
            let _ = stream.read(&mut [0]);
            let mut bytes = Vec::new();
            for _ in 0..200 {
                let args = self.pool.command(&mut self.rng);
                if !session::is_dangerous(&args) {
                    bytes.extend_from_slice(&encode(&args));
                }
            }
            let _ = send_in_pieces(&mut stream, &bytes, 3, &mut self.rng);
            streams.push(stream);
        }
    }
}

/// How a conversation goes.
#[derive(Clone, Copy)]
struct Manners {
    password: bool,
    /// Nobody else talks to the server, so it may do to the server what others would notice.
    alone: bool,
}

/// A pipeline on a new connection; checks that it gets exactly the replies that are due.
fn converse(address: SocketAddr, pool: &Pool, watch: &Watch, seed: u64, manners: Manners) {
    let mut rng = Rng::with_seed(seed);
    let mut session = Session::new(rng.bool());
    let mut expected = Replies::default();
    let mut bytes = Vec::new();
    let mut sent = Vec::new();
    let mut add = |args: Arguments, session: &mut Session, bytes: &mut Vec<u8>| {
        if !manners.alone && session::meddles(&args) || manners.password && session::logs_out(&args) {
            return;
        }
        let Some((args, replies)) = session.admit(args) else { return };
        expected.due += replies;
        bytes.extend_from_slice(&encode(&args));
        sent.push(args);
    };
    if manners.password {
        add(vec![b"AUTH".to_vec(), b"secret".to_vec()], &mut session, &mut bytes);
    }
    for _ in 0..rng.usize(1..150) {
        add(pool.command(&mut rng), &mut session, &mut bytes);
        if session.may_have_ended() {
            break;
        }
    }
    let may_end = session.may_have_ended();
    for args in session.closing_words() {
        add(args, &mut session, &mut bytes);
    }
    watch.commands.fetch_add(sent.len(), Ordering::Relaxed);
    watch.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
    let mut stream = connect(address);
    let reading = stream.try_clone().expect("a second handle");
    let (replies, cuts) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_until_end_of(reading));
        let cuts = rng.usize(..30);
        let _ = send_in_pieces(&mut stream, &bytes, cuts, &mut rng);
        (reader.join().expect("the reader does not panic"), cuts)
    });
    let tail = |count: usize| sent.iter().rev().take(count).map(commands::show).collect::<Vec<_>>().join("\n");
    match reply::count(&replies, session.may_be_resp3()) {
        Ok((found, 0)) if found == expected.due || may_end => {}
        Ok((_, _)) if may_end => {}
        other => panic!(
            "{} replies are due, got {other:?}, {cuts} cuts, {} commands; the last, latest first:\n{}\n{}",
            expected.due,
            sent.len(),
            tail(150),
            shorten(&replies[replies.len().saturating_sub(2000)..]),
        ),
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("an open socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
    stream
}

/// Reads up to the answer to the last of [`Session::closing_words`], or to the end.
fn read_until_end_of(mut stream: TcpStream) -> Vec<u8> {
    let mut replies = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while !replies.ends_with(session::LAST_REPLY) {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => replies.extend_from_slice(&chunk[..read]),
            Err(error) if is_ended(&error) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("no reply: {error}; so far {} bytes: {}", replies.len(), shorten(&replies)),
        }
    }
    replies
}

fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut replies = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return replies,
            Ok(read) => replies.extend_from_slice(&chunk[..read]),
            Err(error) if is_ended(&error) => return replies,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("the connection does not end: {error}; so far {}", shorten(&replies)),
        }
    }
}

fn is_ended(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

fn send_in_pieces(stream: &mut TcpStream, bytes: &[u8], cuts: usize, rng: &mut Rng) -> std::io::Result<()> {
    let mut places: Vec<usize> = (0..cuts).map(|_| rng.usize(..=bytes.len())).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut from = 0;
    for to in places {
        match stream.write_all(&bytes[from..to]) {
            Ok(()) => {}
            Err(error) if is_ended(&error) => return Err(error),
            Err(error) => panic!("the server does not take what is sent: {error}"),
        }
        from = to;
        std::thread::yield_now();
    }
    Ok(())
}

/// Lengths and counts that nobody keeps.
const ABSURD: &[&str] = &[
    "2147483647",
    "2147483648",
    "536870912",
    "536870913",
    "1048576",
    "1048577",
    "1000000",
    "-1",
    "-2",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "",
    " ",
    "1 ",
    "+1",
    "0x10",
    "1e3",
    "007",
    "99999999999999999999999999999999999999999",
];

fn announcement(rng: &mut Rng) -> String {
    let number = |rng: &mut Rng| rng.choice(ABSURD).copied().unwrap_or_default();
    match rng.u8(..6) {
        0 => format!("*{}\r\n", number(rng)),
        1 => format!("*2\r\n${}\r\nx", number(rng)),
        2 => format!("*{}\r\n${}\r\n", number(rng), number(rng)),
        3 => format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\nv", number(rng)),
        4 => format!("SET k \"{}", "\\x".repeat(rng.usize(..40_000))),
        _ => format!("*{}", "1".repeat(rng.usize(..80_000))),
    }
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.usize(..bytes.len());
    match rng.u8(..7) {
        0 => bytes[at] = rng.u8(..),
        1 => bytes[at] ^= 1 << rng.u8(..8),
        2 => bytes.truncate(at),
        3 => drop(bytes.remove(at)),
        4 => bytes.insert(at, rng.u8(..)),
        5 => {
            // Another number where one was announced.
            let Some(start) = bytes[at..].iter().position(|byte| matches!(byte, b'$' | b'*')) else { return };
            let start = at + start + 1;
            let end = bytes[start..].iter().position(|byte| *byte == b'\r').map_or(bytes.len(), |len| start + len);
            let number = rng.choice(ABSURD).copied().unwrap_or_default();
            bytes.splice(start..end, number.bytes());
        }
        _ => {
            let end = (at + rng.usize(..100)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = rng.usize(..=bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn shorten(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(2000)];
    format!("{}{}", shown.escape_ascii(), if bytes.len() > 2000 { " .." } else { "" })
}
