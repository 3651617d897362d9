//! Random commands: every command that the server knows, with arguments from a pool of nasty ones.

use fastrand::Rng;
use resplite::{Client, Value};

/// A command's arguments, its name first.
pub type Arguments = Vec<Vec<u8>>;

/// A command, or a subcommand with its container.
struct Known {
    name: Vec<Vec<u8>>,
    arity: i64,
}

/// What commands are made of.
pub struct Pool {
    commands: Vec<Known>,
    words: Vec<Vec<u8>>,
    settings: Vec<Vec<u8>>,
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "-2",
    "10",
    "100",
    "-100",
    "1000",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "16777216",
    "-16777216",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "4611686018427387904",
    "-4611686018427387904",
    "18446744073709551615",
    "1700000000000",
    "1700000000",
    "9223372036854775",
    "1048576",
    "1048575",
    "536870911",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "+inf",
    "1e308",
    "-1e308",
    "1e-320",
    "1.5",
    "0.1",
    "-0",
    "-0.0",
    "+1",
    " 1",
    "1 ",
    "01",
    "0x1p3",
    "1e400",
    "123456789012345678901234",
    "3.0000000000000000000000001",
    "5e-324",
    "1.7976931348623157e308",
    "(1",
    "(inf",
    "[a",
    "(a",
    "[",
    "(",
    "-",
    "+",
];

const PATTERNS: &[&str] = &[
    "*",
    "?",
    "[",
    "[^",
    "[a-",
    "[z-a]*",
    "\\",
    "**********b",
    "*a*a*a*a*a*a*a*a*a*b",
    "[!-~]*",
    "*[a-z]*[a-z]*[a-z]*[0-9]",
    "k:*",
    "k:?ash",
    "[\\]]",
    "*\\",
];

/// Options of all commands, and words of some that do not exist yet.
const WORDS: &str = "NX XX GT LT CH INCR EX PX EXAT PXAT KEEPTTL GET PERSIST FNX FXX LIMIT COUNT MATCH TYPE NOVALUES WITHVALUES \
    WITHSCORES WITHSCORE WEIGHTS AGGREGATE SUM MIN MAX BYSCORE BYLEX REV LEFT RIGHT BEFORE AFTER RANK MAXLEN LEN IDX \
    MINMATCHLEN WITHMATCHLEN ASYNC SYNC REPLACE DB ABSOLUTE SAMPLES FREQ IDLETIME ENCODING REFCOUNT ID ADDR LADDR USER \
    SKIPME YES NO MAXAGE NORMAL PUBSUB REPLICA ON OFF SKIP HELP ALL DEFAULT EVERYTHING SERVER MEMORY KEYSPACE COMMANDSTATS \
    FILTERBY MODULE ACLCAT PATTERN LIB-NAME LIB-VER SETNAME AUTH string hash list set zset stream BIT BYTE FIELDS STORE \
    ASC DESC ALPHA BY # 1-1 2-1 3 0-0 $ > + - * ~ = NOSAVE SAVE FORCE ABORT NOW";

const TYPES: &[&str] = &[
    "string",
    "int",
    "text",
    "hash",
    "bighash",
    "timed",
    "list",
    "biglist",
    "set",
    "intset",
    "bigset",
    "zset",
    "bigzset",
    "stream",
    "bigstream",
];

impl Pool {
    /// Asks the server which commands and options there are.
    pub fn ask(client: &mut Client) -> Self {
        let mut commands = Vec::new();
        for command in client.call(["COMMAND"]).into_vec() {
            let fields = command.into_vec();
            let (name, arity) = name_and_arity(&fields);
            for sub in fields.get(9).and_then(Value::as_slice).unwrap_or_default() {
                let (name, arity) = name_and_arity(sub.as_slice().unwrap_or_default());
                let name = name.split(|byte| *byte == b'|').map(<[u8]>::to_vec).collect();
                commands.push(Known { name, arity });
            }
            commands.push(Known { name: vec![name], arity });
        }
        assert!(commands.len() > 100, "COMMAND lists only {} commands", commands.len());
        let mut words: Vec<Vec<u8>> = WORDS.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        tokens(&client.call(["COMMAND", "DOCS"]), &mut words);
        words.sort();
        words.dedup();
        let settings = changeable_settings(client).into_iter().map(|(name, _)| name.into_bytes()).collect();
        Pool { commands, words, settings }
    }

    /// Commands that create a key of every type and encoding, and remove what was in their place.
    pub fn keys(&self) -> Vec<Arguments> {
        let args = |line: String| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Arguments>();
        let mut all = vec![args("FLUSHALL".into())];
        let number = |number: usize| number.to_string();
        let many =
            |count: usize, element: &dyn Fn(usize) -> String| (0..count).map(element).collect::<Vec<_>>().join(" ");
        all.push(args("MSET k:string hello k:int 9223372036854775807 k:text 3.0e3".into()));
        all.push(vec![b"SET".to_vec(), b"k:long".to_vec(), b"ab".repeat(50_000)]);
        all.push(args("HSET k:hash f1 1 f2 -1 f3 9223372036854775807 f4 1e308 f5 x".into()));
        all.push(args(format!("HSET k:bighash {}", many(700, &|i| format!("f{i} v{i}")))));
        all.push(args("HSETEX k:timed EX 1000 FIELDS 2 f1 1 f2 2".into()));
        all.push(args("HEXPIRE k:bighash 1000 FIELDS 3 f1 f2 f3".into()));
        all.push(args(format!("RPUSH k:list {}", many(20, &number))));
        all.push(args(format!("RPUSH k:biglist {}", many(3000, &|i| format!("element-{i}")))));
        all.push(vec![b"RPUSH".to_vec(), b"k:biglist".to_vec(), vec![b'x'; 20_000]]);
        all.push(args("SADD k:set a b c f1 1 2 k:set".into()));
        all.push(args(format!("SADD k:intset {} -9223372036854775808 9223372036854775807", many(20, &number))));
        all.push(args(format!("SADD k:bigset {}", many(900, &|i| format!("m{i}")))));
        all.push(args("ZADD k:zset -inf a -1 b 0 c 1e308 d inf e".into()));
        all.push(args(format!("ZADD k:bigzset {}", many(900, &|i| format!("{} m{i}", i % 70)))));
        for id in 1..=5 {
            all.push(args(format!("XADD k:stream {id}-1 f1 v{id}")));
        }
        for id in 1..=250 {
            all.push(args(format!("XADD k:bigstream {id}-0 f{} {id} f2 x", id % 3)));
        }
        for key in ["k:stream", "k:bigstream"] {
            all.push(args(format!("XGROUP CREATE {key} f1 0")));
            all.push(args(format!("XREADGROUP GROUP f1 f2 COUNT 100 STREAMS {key} >")));
            all.push(args(format!("XREADGROUP GROUP f1 f3 COUNT 100 STREAMS {key} >")));
        }
        all
    }

    /// Any command with any arguments.
    pub fn command(&self, rng: &mut Rng) -> Arguments {
        loop {
            let known = &self.commands[rng.usize(..self.commands.len())];
            // Commands against an empty server show little.
            let is_emptying = matches!(known.name[0].as_slice(), b"flushall" | b"flushdb" | b"swapdb" | b"select");
            if !is_emptying || rng.u8(..16) == 0 {
                return self.fill(known, rng);
            }
        }
    }

    /// The command with that number, so that a run can go through all of them.
    pub fn nth(&self, number: usize, rng: &mut Rng) -> Option<Arguments> {
        Some(self.fill(self.commands.get(number % self.commands.len())?, rng))
    }

    fn fill(&self, known: &Known, rng: &mut Rng) -> Arguments {
        let least = usize::try_from(known.arity.unsigned_abs()).unwrap_or(1).max(known.name.len());
        let mut len = least;
        if known.arity < 0 {
            len += match rng.u8(..20) {
                0 => rng.usize(..200),
                1..=5 => 0,
                6..=11 => 1,
                _ => rng.usize(..8),
            };
        }
        match rng.u8(..60) {
            0 => len += 1,
            1 => len = len.saturating_sub(1),
            _ => {}
        }
        let mut args: Arguments = known.name.clone();
        args.truncate(len.max(1));
        // Most commands want a key first; pairs and options follow.
        while args.len() < len {
            let is_first = args.len() == known.name.len();
            args.push(if is_first && rng.u8(..4) != 0 { self.key(rng) } else { self.argument(rng) });
        }
        if rng.u8(..10) == 0 {
            for byte in &mut args[0] {
                byte.make_ascii_uppercase();
            }
        }
        args
    }

    fn key(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.u8(..20) {
            0 => Vec::new(),
            1 => b"k:long".to_vec(),
            2 => b"missing".to_vec(),
            3..=5 => format!("new:{}", rng.u8(..8)).into_bytes(),
            _ => format!("k:{}", rng.choice(TYPES).copied().unwrap_or_default()).into_bytes(),
        }
    }

    fn argument(&self, rng: &mut Rng) -> Vec<u8> {
        let text = |list: &[&str], rng: &mut Rng| rng.choice(list).copied().unwrap_or_default().as_bytes().to_vec();
        match rng.u8(..40) {
            0 => Vec::new(),
            1 => (0..rng.usize(..40)).map(|_| rng.u8(..)).collect(),
            2 => b"\r\n-ERR injected\r\n$5\r\n".to_vec(),
            3 if rng.u8(..8) == 0 => vec![b'9'; rng.usize(..200_000)],
            3 => vec![b'a'; rng.usize(..3000)],
            4..=5 => text(PATTERNS, rng),
            6..=13 => self.words[rng.usize(..self.words.len())].clone(),
            14..=21 => self.key(rng),
            22..=24 => format!("f{}", rng.u8(..8)).into_bytes(),
            25 => self.settings[rng.usize(..self.settings.len())].clone(),
            26 => self.commands[rng.usize(..self.commands.len())].name[0].clone(),
            27..=28 => rng.i64(..).to_string().into_bytes(),
            29 => rng.i64(-20..20).to_string().into_bytes(),
            30 => rng.f64().to_string().into_bytes(),
            _ => text(NUMBERS, rng),
        }
    }
}

/// Settings that CONFIG SET may change without ending the run, with their values.
pub fn changeable_settings(client: &mut Client) -> Vec<(String, String)> {
    let pairs = client.call(["CONFIG", "GET", "*"]).into_vec();
    let texts: Vec<String> = pairs.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let mut settings = Vec::new();
    for pair in texts.chunks_exact(2) {
        let (name, value) = (pair[0].clone(), pair[1].clone());
        if !super::session::ENDING_SETTINGS.contains(&name.as_str())
            && client.call(["CONFIG", "SET", &name, &value]).is_ok()
        {
            settings.push((name, value));
        }
    }
    assert!(settings.len() > 10, "only {settings:?} can change");
    settings
}

/// A command as a failure shows it.
pub fn show(args: &Arguments) -> String {
    let shown = args.iter().take(40).map(|arg| {
        format!("\"{}\"{}", arg[..arg.len().min(60)].escape_ascii(), if arg.len() > 60 { ".." } else { "" })
    });
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if args.len() > 40 {
        text.push_str(&format!(" .. ({} arguments)", args.len()));
    }
    text
}

fn name_and_arity(fields: &[Value]) -> (Vec<u8>, i64) {
    let name = fields.first().and_then(Value::as_bytes).expect("a name").to_vec();
    (name, fields.get(1).and_then(Value::as_int).expect("an arity"))
}

/// Collects the words behind "token" anywhere in COMMAND DOCS.
fn tokens(value: &Value, words: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(values) => {
            for pair in values.windows(2) {
                if let (Some("token"), Some(word)) = (pair[0].as_str(), pair[1].as_bytes()) {
                    words.push(word.to_vec());
                }
            }
            values.iter().for_each(|value| tokens(value, words));
        }
        Value::Map(pairs) => {
            for (name, value) in pairs {
                if let (Some("token"), Some(word)) = (name.as_str(), value.as_bytes()) {
                    words.push(word.to_vec());
                }
                tokens(value, words);
            }
        }
        _ => {}
    }
}
