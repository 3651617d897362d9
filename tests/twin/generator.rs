//! Commands by chance: templates in the notation of the command documentation are filled from small pools of odd values.
//!
//! A template is a line of words. `UPPER` and `'quoted'` words stand for themselves, lower ones name a pool. `[..]` is
//! there half the time, `(a|b)` is one of them, `{a|b}` is none to three of them in any order, `..` behind something
//! repeats it a few times and `+++` some hundred times. `;` separates commands that stay together, `same` is the key
//! of the command before, `@1` sends a command through the second client, and `!` in front keeps a template from being
//! spoilt on purpose.

use super::compare::Rule;

/// A command's arguments, its name first.
pub type Args = Vec<Vec<u8>>;

/// One command, who sends it and how its reply is compared.
#[derive(Clone)]
pub struct Call {
    pub client: usize,
    pub args: Args,
    pub rule: Rule,
}

/// Commands that only make sense together.
pub type Step = Vec<Call>;

/// How often a template is used among those of its family, how its replies are compared, and the template.
pub struct Entry(pub u32, pub Rule, pub &'static str);

enum Item {
    Word(&'static str),
    Quoted(&'static str),
    Pool(&'static str),
    Maybe(Vec<Item>),
    OneOf(Vec<Vec<Item>>),
    SomeOf(Vec<Vec<Item>>),
    Few(Box<Item>),
    Many(Box<Item>),
}

struct Template {
    weight: u32,
    rule: Rule,
    /// May be spoilt: arguments dropped, doubled, replaced.
    spoilable: bool,
    calls: Vec<(usize, Vec<Item>)>,
}

/// Makes the steps of one family, always the same ones for the same seed.
pub struct Generator {
    pub chance: fastrand::Rng,
    templates: Vec<Template>,
    weights: u32,
    /// Goes up with every relative deadline, so that no two of them lie close together.
    deadlines: u64,
    last_key: Vec<u8>,
    /// The greatest id that streams have got.
    entries: u64,
}

/// The keys that all families use.
pub const KEYS: [&[u8]; 7] = [b"a", b"b", b"c", b"d", b"", b"k\r\n\0\xff", b"a-key-that-is-longer-than-a-word"];

/// What makes a family meet keys of other types.
const OTHERS: &[Entry] = &[
    Entry(1, Rule::Exact, "SET key value"),
    Entry(1, Rule::Exact, "RPUSH key value.."),
    Entry(1, Rule::Exact, "SADD key member.."),
    Entry(1, Rule::Exact, "HSET key (field value).."),
    Entry(1, Rule::Exact, "ZADD key (float member).."),
    Entry(1, Rule::Exact, "!XADD key next (field value).."),
    Entry(6, Rule::Exact, "DEL key.."),
    Entry(25, Rule::Exact, "OBJECT ENCODING key"),
];

impl Generator {
    pub fn new(entries: &'static [Entry], seed: u64) -> Self {
        Self::of(&entries.iter().collect::<Vec<_>>(), seed)
    }

    /// The same for entries of several families.
    pub fn of(entries: &[&'static Entry], seed: u64) -> Self {
        let mut templates: Vec<Template> = entries.iter().copied().map(template).collect();
        // Keys of other types turn up once in a while in every family.
        let scale = (templates.iter().map(|template| template.weight).sum::<u32>() / 250).max(1);
        templates.extend(OTHERS.iter().map(template).map(|other| Template { weight: other.weight * scale, ..other }));
        let weights = templates.iter().map(|template| template.weight).sum();
        let chance = fastrand::Rng::with_seed(seed);
        Generator { chance, templates, weights, deadlines: 0, last_key: b"a".to_vec(), entries: 1 }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        let mut at = self.chance.u32(..self.weights);
        let mut index = 0;
        while at >= self.templates[index].weight {
            at -= self.templates[index].weight;
            index += 1;
        }
        // Taken out while it is filled: filling needs the generator.
        let templates = std::mem::take(&mut self.templates);
        let step = self.fill(&templates[index]);
        self.templates = templates;
        step
    }

    fn fill(&mut self, template: &Template) -> Step {
        let last = template.calls.len() - 1;
        let mut step = Step::new();
        for (index, (client, items)) in template.calls.iter().enumerate() {
            let mut args = Args::new();
            self.items(items, &mut args);
            if template.spoilable && last == 0 && self.one_in(25) {
                self.spoil(&mut args);
            }
            let rule = template.rule.for_call(index, last);
            step.push(Call { client: *client, args, rule });
        }
        step
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.chance.u32(..n) == 0
    }

    fn items(&mut self, items: &[Item], out: &mut Args) {
        items.iter().for_each(|item| self.item(item, out));
    }

    fn item(&mut self, item: &Item, out: &mut Args) {
        match item {
            Item::Word(word) => out.push(self.in_some_case(word)),
            Item::Quoted(word) => out.push(word.as_bytes().to_vec()),
            Item::Pool(name) => self.draw(name, out),
            Item::Maybe(items) if self.chance.bool() => self.items(items, out),
            Item::Maybe(_) => {}
            Item::OneOf(choices) => {
                let choice = self.chance.usize(..choices.len());
                self.items(&choices[choice], out);
            }
            Item::SomeOf(choices) => {
                let some = [0, 0, 1, 1, 1, 2, 2, 3][self.chance.usize(..8)];
                for _ in 0..some {
                    let choice = self.chance.usize(..choices.len());
                    self.items(&choices[choice], out);
                }
            }
            Item::Few(item) => {
                let most = if self.one_in(12) { 24 } else { 4 };
                (0..=self.chance.usize(..most)).for_each(|_| self.item(item, out));
            }
            Item::Many(item) => (0..self.chance.usize(100..600)).for_each(|_| self.item(item, out)),
        }
    }

    fn in_some_case(&mut self, word: &str) -> Vec<u8> {
        match self.chance.u8(..8) {
            0 => word.to_lowercase().into_bytes(),
            1 => word.bytes().map(|byte| if self.chance.bool() { byte.to_ascii_lowercase() } else { byte }).collect(),
            _ => word.as_bytes().to_vec(),
        }
    }

    /// Makes a command wrong, or differently right. Never adds a number: a count or a time would leave it to chance or
    /// the clock what the command does.
    fn spoil(&mut self, args: &mut Args) {
        let at = self.chance.usize(..args.len());
        match self.chance.u8(..5) {
            0 => drop(args.pop()),
            1 => args.push(self.chance.choice(JUNK).copied().unwrap_or_default().into()),
            2 => args.insert(at, args[at].clone()),
            3 if at > 0 => args[at] = self.chance.choice(JUNK).copied().unwrap_or_default().into(),
            // Not its name: an argument in its place could be the name of a command that takes over the connection.
            _ if at > 0 => drop(args.remove(at)),
            _ => args[0].push(b'x'),
        }
        if args.is_empty() {
            args.push(b"nothing".to_vec());
        }
    }

    fn pick(&mut self, pool: &[&[u8]]) -> Vec<u8> {
        pool[self.chance.usize(..pool.len())].to_vec()
    }

    fn draw(&mut self, pool: &str, out: &mut Args) {
        let drawn = match pool {
            "key" => {
                // Few keys often, so that commands meet.
                let most = if self.chance.bool() { 2 } else { KEYS.len() };
                self.last_key = self.pick(&KEYS[..most]);
                self.last_key.clone()
            }
            "same" => self.last_key.clone(),
            "value" => self.value(),
            "field" | "member" => self.member(),
            "wide" => format!("w{}", self.chance.u32(..900)).into_bytes(),
            "wideint" => (self.chance.i64(-300..300) * if self.one_in(50) { 1 << 33 } else { 1 }).to_string().into(),
            "number" => self.chance.i32(-20..20).to_string().into_bytes(),
            "int" => self.int(),
            "index" => self.index(),
            // A count that never leaves less than a reasonable reply.
            "count" => self.pick(COUNTS),
            "float" => self.float(),
            "score" => self.score_end(),
            "lex" => self.lex_end(),
            "pattern" => self.pick(PATTERNS),
            "offset" => self.pick(OFFSETS),
            "bit" => self.pick(&[b"0", b"0", b"0", b"1", b"1", b"1", b"1", b"1", b"2", b"-1", b"x", b""]),
            "bitoffset" => self.bit_offset(),
            "fieldtype" => self.field_type(),
            "fieldoffset" if self.chance.bool() => [b"#".as_slice(), &self.bit_offset()].concat(),
            "fieldoffset" => self.bit_offset(),
            "db" => self.pick(&[b"0", b"1", b"1", b"0", b"15", b"16", b"-1", b"x", b"99999999999999999999"]),
            "longitude" => self.degrees(180.0, b"180"),
            "latitude" => self.degrees(85.0, b"85.05112878"),
            "radius" => self.radius(),
            "sortable" => self.sortable(),
            // The keys that `weights` lead to.
            "weight" => [self.pick(&[b"w_", b"w_", b"x"]), self.member(), self.pick(&[b"", b"", b"y"])].concat(),
            "weights" => self.pick(&[
                b"w_*", b"w_*", b"w_*", b"x*", b"x*y", b"w_*->a", b"w_*->b", b"w_*->c", b"w_*->5", b"w_*->", b"*",
            ]),
            "unit" if self.one_in(30) => b"x".to_vec(),
            "unit" => self.pick(&[b"m".as_slice(), b"M", b"km", b"km", b"KM", b"ft", b"mi", b"Mi"]),
            "id" => self.stream_id(),
            // One that is likely to be there.
            "entry" => format!("{}-{}", self.entries.saturating_sub(self.chance.u64(..20)), self.chance.u8(..3)).into(),
            // One behind all others.
            "next" => {
                self.entries += u64::from(self.one_in(2));
                let part = self.chance.choice(["0", "1", "2", "3", "4", "*"]).unwrap_or("0");
                format!("{}-{part}", self.entries).into_bytes()
            }
            "group" => self.pick(&[b"g", b"g", b"g", b"h", b"", b"a\r\n\0b"]),
            "consumer" => self.pick(&[b"c", b"c", b"d", b"e", b"", b"a\r\n\0b"]),
            "idle" => self.pick(&[b"0", b"0", b"0", b"100000", b"-1", b"1000000000000", b"x"]),
            "word" => self.pick(JUNK),
            "keys" => return self.counted_keys(out),
            // Times: in the past, far away, or wrong.
            "seconds" => return out.push(self.relative(1)),
            "millis" => return out.push(self.relative(1000)),
            "at" => self.pick(AT_SECONDS),
            "atmillis" => self.pick(AT_MILLIS),
            other => unreachable!("no pool is called {other}"),
        };
        out.push(drawn);
    }

    fn value(&mut self) -> Vec<u8> {
        match self.chance.u8(..10) {
            0..3 => self.pick(TEXTS),
            3..5 => self.pick(INTEGERS),
            5 => self.pick(FLOATS),
            6 => self.long(),
            7 => self.chance.i64(..).to_string().into_bytes(),
            _ => self.chance.i32(-30..30).to_string().into_bytes(),
        }
    }

    fn member(&mut self) -> Vec<u8> {
        match self.chance.u8(..16) {
            0..8 => vec![self.chance.u8(b'a'..=b'h')],
            8..13 => self.chance.i32(-5..12).to_string().into_bytes(),
            13 => self.pick(TEXTS),
            14 => self.pick(INTEGERS),
            _ => self.long(),
        }
    }

    /// Text with a length at which an encoding changes.
    fn long(&mut self) -> Vec<u8> {
        const LENGTHS: [usize; 20] =
            [5, 11, 12, 20, 21, 31, 43, 44, 45, 62, 63, 64, 65, 66, 127, 128, 1023, 1024, 2000, 4100];
        let most = if self.one_in(5) { LENGTHS.len() } else { 14 };
        let len = LENGTHS[self.chance.usize(..most)];
        vec![self.chance.u8(b'x'..=b'z'); len]
    }

    fn int(&mut self) -> Vec<u8> {
        match self.chance.u8(..3) {
            0 => self.pick(INTEGERS),
            _ => self.chance.i32(-12..30).to_string().into_bytes(),
        }
    }

    fn index(&mut self) -> Vec<u8> {
        match self.chance.u8(..12) {
            0 => self.pick(INTEGERS),
            1 => self.chance.i32(-600..600).to_string().into_bytes(),
            _ => self.chance.i32(-6..7).to_string().into_bytes(),
        }
    }

    fn bit_offset(&mut self) -> Vec<u8> {
        match self.chance.u8(..24) {
            0 => self.pick(BIT_OFFSETS),
            1 => self.chance.u16(..9000).to_string().into_bytes(),
            2..6 => self.chance.u16(..400).to_string().into_bytes(),
            _ => self.chance.u8(..40).to_string().into_bytes(),
        }
    }

    fn field_type(&mut self) -> Vec<u8> {
        let sign = self.pick(&[b"i", b"u"]);
        let width = match self.chance.u8(..30) {
            0 => self.pick(&[b"0", b"64", b"65", b"-1", b"08", b"x", b"", b"18446744073709551624"]),
            1..10 => self.chance.u8(1..=63).to_string().into_bytes(),
            _ => self.pick(&[b"1", b"2", b"4", b"5", b"8", b"8", b"8", b"16", b"31", b"32", b"62", b"63"]),
        };
        if self.one_in(8) && sign == b"i" { b"i64".to_vec() } else { [sign, width].concat() }
    }

    fn float(&mut self) -> Vec<u8> {
        match self.chance.u8(..8) {
            0..2 => self.pick(FLOATS),
            2 => self.pick(INTEGERS),
            3 => (f64::from(self.chance.i32(-1000..1000)) / 8.0).to_string().into_bytes(),
            4 => (f64::from(self.chance.i32(-1000..1000)) / 10.0).to_string().into_bytes(),
            5 => format!("{:.*}", self.chance.usize(1..15), self.chance.f64() * 100.0).into_bytes(),
            _ => self.chance.i32(-4..6).to_string().into_bytes(),
        }
    }

    fn score_end(&mut self) -> Vec<u8> {
        match self.chance.u8(..8) {
            0 => b"-inf".to_vec(),
            1 => b"+inf".to_vec(),
            2..4 => [b"(".as_slice(), &self.float()].concat(),
            _ => self.float(),
        }
    }

    /// Degrees up to some limit, often close to each other.
    fn degrees(&mut self, most: f64, limit: &[u8]) -> Vec<u8> {
        match self.chance.u8(..40) {
            0 => self.pick(FLOATS),
            1 => limit.to_vec(),
            2 => [b"-", limit].concat(),
            3..10 => ((self.chance.f64() * 2.0 - 1.0) * most).to_string().into_bytes(),
            10..14 => (self.chance.i32(-12..=12) * 15).clamp(-(most as i32), most as i32).to_string().into_bytes(),
            14..22 => format!("{:.4}", 13.0 + self.chance.f64()).into_bytes(),
            _ => format!("{:.2}", 13.0 + f64::from(self.chance.u8(..6)) / 100.0).into_bytes(),
        }
    }

    /// Something that all servers take for the same number.
    fn sortable(&mut self) -> Vec<u8> {
        match self.chance.u8(..8) {
            0 => self.pick(&[b"inf", b"-inf", b"+5", b"1e3", b"007", b"-0", b".5", b"5.", b"-1e-3"]),
            1 => (f64::from(self.chance.i32(-40..40)) / 4.0).to_string().into_bytes(),
            _ => self.chance.i32(-12..12).to_string().into_bytes(),
        }
    }

    fn radius(&mut self) -> Vec<u8> {
        match self.chance.u8(..20) {
            0 => self.pick(FLOATS),
            1 => b"0".to_vec(),
            2..5 => self.chance.u32(..25_000_000).to_string().into_bytes(),
            5..8 => self.chance.u32(..6000).to_string().into_bytes(),
            _ => (self.chance.f64() * 10_f64.powi(self.chance.i32(0..6))).to_string().into_bytes(),
        }
    }

    fn stream_id(&mut self) -> Vec<u8> {
        const IDS: &[&[u8]] = &[
            b"-",
            b"+",
            b"$",
            b">",
            b"0",
            b"0-0",
            b"0-1",
            b"1",
            b"1-*",
            b"0-*",
            b"(1-1",
            b"(5",
            b"(-",
            b"(+",
            b"(0-0",
            b"18446744073709551615-18446744073709551615",
            b"18446744073709551615-*",
            b"18446744073709551615",
            b"(18446744073709551615-18446744073709551615",
            b"18446744073709551616-0",
            b"1-18446744073709551616",
            b"-1",
            b"1-",
            b"-",
            b"",
            b"1-1-1",
            b" 1-1",
            b"+1-1",
            b"01-01",
            b"1-x",
            b"x-1",
            b"(",
            b"1-+1",
            b"1--1",
            b"1-\0x",
        ];
        match self.chance.u8(..4) {
            0 => self.pick(IDS),
            1 => self.chance.u64(..self.entries + 2).to_string().into_bytes(),
            2 => format!("({}-{}", self.chance.u64(..self.entries + 2), self.chance.u8(..5)).into_bytes(),
            _ => format!("{}-{}", self.chance.u64(..self.entries + 2), self.chance.u8(..5)).into_bytes(),
        }
    }

    fn lex_end(&mut self) -> Vec<u8> {
        match self.chance.u8(..10) {
            0..2 => b"-".to_vec(),
            2..4 => b"+".to_vec(),
            4..7 => [b"[".as_slice(), &self.member()].concat(),
            7..9 => [b"(".as_slice(), &self.member()].concat(),
            _ => self.pick(&[b"", b"a", b"++", b"-x", b"[", b"("]),
        }
    }

    /// A count and so many keys behind it, or nearly.
    fn counted_keys(&mut self, out: &mut Args) {
        let keys = 1 + self.chance.usize(..3);
        out.push(match self.chance.u8(..30) {
            0 => (keys + 1).to_string().into_bytes(),
            1 => (keys - 1).to_string().into_bytes(),
            2 => self.pick(&[b"0", b"-1", b"x", b"", b"9223372036854775807", b"1.5", b"99999999999999999999"]),
            _ => keys.to_string().into_bytes(),
        });
        (0..keys).for_each(|_| self.draw("key", out));
    }

    fn relative(&mut self, unit: u64) -> Vec<u8> {
        if self.one_in(5) {
            return self.pick(BAD_TIMES);
        }
        self.deadlines += 1;
        ((1000 + 10 * self.deadlines) * unit).to_string().into_bytes()
    }
}

fn template(Entry(weight, rule, text): &Entry) -> Template {
    let text: &'static str = text;
    let (spoilable, text) = match text.strip_prefix('!') {
        Some(rest) => (false, rest),
        None => (true, text),
    };
    let call = |text: &'static str| {
        let (client, mut rest) = match text.trim().strip_prefix("@1 ") {
            Some(rest) => (1, rest),
            None => (0, text.trim()),
        };
        let items = parse(&mut rest, "");
        assert!(rest.is_empty(), "a template with something behind its end: {text}");
        (client, items)
    };
    Template { weight: *weight, rule: *rule, spoilable, calls: text.split(';').map(call).collect() }
}

fn parse(rest: &mut &'static str, ends: &str) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next().filter(|first| !ends.contains(*first)) else { return items };
        let item = match first {
            '[' => Item::Maybe(alternatives(rest, ']').remove(0)),
            '(' => Item::OneOf(alternatives(rest, ')')),
            '{' => Item::SomeOf(alternatives(rest, '}')),
            '\'' => {
                let end = 1 + rest[1..].find('\'').expect("a template without its second quote");
                let quoted = &rest[1..end];
                *rest = &rest[end + 1..];
                Item::Quoted(quoted)
            }
            _ => {
                let end = rest.find([' ', '[', ']', '(', ')', '{', '}', '|', '.', '+']).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end.max(1));
                *rest = behind;
                match word.starts_with(|first: char| first.is_ascii_lowercase()) {
                    true => Item::Pool(word),
                    false => Item::Word(word),
                }
            }
        };
        items.push(if let Some(behind) = rest.strip_prefix("+++") {
            *rest = behind;
            Item::Many(item.into())
        } else if let Some(behind) = rest.strip_prefix("..") {
            *rest = behind;
            Item::Few(item.into())
        } else {
            item
        });
    }
}

fn alternatives(rest: &mut &'static str, close: char) -> Vec<Vec<Item>> {
    let ends = format!("|{close}");
    let mut found = Vec::new();
    loop {
        *rest = &rest[1..];
        found.push(parse(rest, &ends));
        if rest.starts_with(close) {
            *rest = &rest[1..];
            return found;
        }
        assert!(rest.starts_with('|'), "a template without its {close}");
    }
}

/// None of them is a key: commands that are only used on certain keys stay there.
const JUNK: &[&[u8]] = &[b"x", b"nope", b"NX", b"gt", b"LIMIT", b"COUNT", b"WITHSCORES", b"q", b"\xff\0", b"1x", b"*"];

const TEXTS: &[&[u8]] = &[
    b"",
    b"a",
    b"ab",
    b"hello",
    b"hello world",
    b"\0\xff\r\n\"\\",
    b" 1",
    b"1 ",
    b"+1",
    b"007",
    b"-0",
    b"0x10",
    b"1e5",
    b"\xc3\xa9",
];

const INTEGERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"10",
    b"127",
    b"128",
    b"-129",
    b"4095",
    b"-4097",
    b"32767",
    b"32768",
    b"-32769",
    b"8388608",
    b"2147483647",
    b"2147483648",
    b"-2147483649",
    b"9223372036854775806",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"-9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"99999999999999999999",
    b"x",
    b"",
    b"1.5",
    b"+1",
    b"01",
    b"-0",
    b" 1",
    b"1 ",
    b"1\0",
];

const FLOATS: &[&[u8]] = &[
    b"0",
    b"-0",
    b"0.0",
    b"-0.0",
    b"3.14",
    b"0.1",
    b"0.2",
    b"1e5",
    b"1E5",
    b"1.0",
    b"5.0e3",
    b".5",
    b"5.",
    b"1e-7",
    b"1e16",
    b"1e17",
    b"1e21",
    b"123456789012345680",
    b"17179869184.5",
    b"9007199254740993",
    b"3.0000000000000000000000001",
    b"1e300",
    b"1e308",
    b"-1e308",
    b"1e-300",
    b"5e-324",
    b"1.7976931348623157e308",
    b"1e309",
    b"-1e400",
    b"1e-400",
    b"inf",
    b"+inf",
    b"-inf",
    b"Infinity",
    b"-INFINITY",
    b"nan",
    b"NaN",
    b"-nan",
    b"0x1p3",
    b"0x10",
    b"abc",
    b"",
    b" 1",
    b"1 ",
    b"1_0",
    b"1,5",
    b"--1",
    b"+5",
    b"1e",
    b"1\x00",
];

const COUNTS: &[&[u8]] = &[
    b"0",
    b"1",
    b"1",
    b"2",
    b"2",
    b"3",
    b"5",
    b"10",
    b"100",
    b"1000",
    b"-1",
    b"-2",
    b"-5",
    b"-20",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"4611686018427387904",
    b"x",
    b"",
    b"1.5",
    b"+1",
];

const PATTERNS: &[&[u8]] = &[
    b"*", b"a*", b"?", b"??", b"[a-c]", b"[^a]", b"[^a-d]*", b"", b"*a*", b"\\a", b"[", b"[a", b"[a-", b"\\", b"**",
    b"w1*", b"*5",
];

/// Nothing between small and too large: what is in between is allocated.
const OFFSETS: &[&[u8]] = &[
    b"0",
    b"0",
    b"1",
    b"2",
    b"5",
    b"20",
    b"43",
    b"44",
    b"45",
    b"100",
    b"-1",
    b"536870912",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"x",
    b"",
];

/// Nothing between small and too large, as above; none that leaves 64 bits when it is multiplied by a width, which real
/// servers take for a small one.
const BIT_OFFSETS: &[&[u8]] = &[
    b"-1",
    b"-4294967296",
    b"4294967296",
    b"99999999999",
    b"9223372036854775808",
    b"x",
    b"",
    b"#1",
    b"07",
    b"+1",
    b" 1",
    b"1.5",
];

const AT_SECONDS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"1",
    b"1000000000",
    b"4000000000",
    b"4000000001",
    b"5000000000",
    b"9999999999",
    b"99999999999",
    b"9223372036854775",
    b"9223372036854776",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"x",
    b"",
    b"1.5",
];

const AT_MILLIS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"1",
    b"1000000000000",
    b"4000000000000",
    b"4000000000499",
    b"4000000000500",
    b"4000000000999",
    b"9999999999999",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"x",
    b"",
    b"1.5",
];

const BAD_TIMES: &[&[u8]] = &[
    b"0",
    b"-1",
    b"-1000",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775",
    b"9223372036854776",
    b"9223372036854775808",
    b"x",
    b"",
    b"1.5",
];
