//! Twin runs of the libraries that scripts have: random values, texts and formats, put together as Lua expressions that this
//! server and real ones evaluate; what comes out, or the error, must be what one of the real ones says.

use super::{COMMANDS, MOST_SHOWN, SEEDS, variable};
use crate::support::Connection;
use crate::support::oracle::{Kind, Oracle};
use crate::support::transcript::show;
use fastrand::Rng;

/// Runs an expression and shows what it has returned, down to the last bit of a number. What has no order of its own is
/// sorted, as addresses are not the same anywhere.
const EVALUATE: &str = r#"
    local function show(value)
        if type(value) == "string" then return string.format("%q", value) end
        if type(value) == "number" then return string.format("%.17g", value) end
        if type(value) ~= "table" then return (tostring(value):gsub(": 0x%x+", "")) end
        local entries = {}
        for key, element in pairs(value) do entries[#entries + 1] = show(key) .. "=" .. show(element) end
        table.sort(entries)
        return "{" .. table.concat(entries, ",") .. "}"
    end
    local function list(...)
        local values = {}
        for at = 1, select('#', ...) do values[at] = show((select(at, ...))) end
        return table.concat(values, " ")
    end
    return list(pcall(assert(loadstring(ARGV[1], "@expression"))))
"#;

#[test]
fn libraries_of_scripts() {
    let commands = variable("RESPLITE_TWIN_COMMANDS");
    let seed = variable("RESPLITE_TWIN_SEED");
    let mut shown: Vec<String> = Vec::new();
    for seed in SEEDS.into_iter().filter(|_| commands.is_none()).chain(seed) {
        let server = crate::support::server();
        let mut ours = Connection::tcp(server.address().expect("it listens"));
        let oracles: Vec<Oracle> =
            [Kind::Redis, Kind::Valkey].into_iter().filter_map(|kind| Oracle::start(kind, &[])).collect();
        let mut theirs: Vec<Connection> = oracles.iter().map(Oracle::connect).collect();
        let mut writer = Writer(Rng::with_seed(seed));
        let mut left = commands.map_or(COMMANDS, |commands| commands as usize);
        while left > 0 && shown.len() < MOST_SHOWN {
            left -= 1;
            let expression = writer.expression();
            let ask = |server: &mut Connection| show(server.call(["EVAL", EVALUATE, "0", &expression]));
            let ours = ask(&mut ours);
            let theirs: Vec<String> = theirs.iter_mut().map(ask).collect();
            if !theirs.is_empty() && !theirs.contains(&ours) {
                let theirs = theirs.join("\ntheirs ");
                shown.push(format!("== seed {seed}\n{expression}\nours   {ours}\ntheirs {theirs}"));
            }
        }
    }
    assert!(shown.is_empty(), "{} differences\n\n{}", shown.len(), shown.join("\n"));
}

/// Writes Lua code by chance.
struct Writer(Rng);

/// Numbers where something changes: signs, sizes of integers, digits.
const NUMBERS: &[&str] = &[
    "0",
    "-0.0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "31",
    "32",
    "33",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "-32",
    "-33",
    "-128",
    "-129",
    "-32768",
    "-32769",
    "0.1",
    "0.5",
    "-0.5",
    "1.5",
    "2.5",
    "1/3",
    "1e14",
    "1e15",
    "99999999999999.5",
    "123456789012345",
    "0.0001",
    "0.00001",
    "1e100",
    "1e300",
    "5e-324",
    "2^31",
    "2^31-1",
    "-2^31",
    "-2^31-1",
    "2^32",
    "2^32-1",
    "2^32+5",
    "2^51",
    "2^52+1",
    "2^53",
    "2^62",
    "2^63",
    "-2^63",
    "2^64",
    "2^64-2048",
    "-2^64",
    "1e30",
    "-1e30",
    "1/0",
    "-1/0",
    "0/0",
    "-(0/0)",
    "16777217",
    "3.4e38",
    "3.5e38",
    "1e-46",
];

const TEXTS: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"key",
    b"\0",
    b"a\0b",
    b"/",
    b"\"",
    b"\\",
    b"\x7f",
    b"\xff",
    b"\xc3\xa9",
    b"\x08\x0c\n\r\t\x1b",
    b"0",
    b"1",
    b"7",
    b" 7 ",
    b"0x10",
    b"1e2",
    b"-1",
    b"nan",
    b"on",
    b"off",
    b"null",
    b"[1]",
    b"{}",
    b"\x91\x01",
];

/// What JSON is made of, and what it is not.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"a\"",
    "\"b\":",
    "1",
    "-",
    "0",
    "01",
    "+1",
    "0x1F",
    "0x1p",
    "-0x.8p1",
    "1.5",
    "1.",
    ".5",
    "-.5",
    "1e",
    "1e5",
    "1E+2",
    "1e400",
    "1e-400",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "tru",
    "nan",
    "-NaN",
    "nan(1)",
    "inf",
    "-Infinity",
    "infin",
    "\\",
    "\\u",
    "\\u0041",
    "\\u00e9",
    "\\u20AC",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\uD83D\\u0041",
    "\\u12G4",
    "\\u0000",
    "\\n",
    "\\/",
    "\\x",
    " ",
    "\t\r\n",
    "\x0b",
    "\0",
    "\x01",
    "\u{feff}",
    "/",
    "//",
    "'",
    "é",
    "[[",
    "]]",
    "[]",
    "{}",
    "[1,2]",
    "{\"a\":1}",
    "{\"a\":{\"b\":[null]}}",
];

const OPTIONS: &[&str] = &[
    "b", "B", "h", "H", "l", "L", "T", "i", "I", "i", "I", "f", "d", "s", "x", "c", "c0", "c1", "c3", "i0", "i1", "i3",
    "I5", "i8", "I8", "i9", "i10", "I16", "i32", "<", ">", "!", "!1", "!2", "!4", "!8", "!16", "!64", " ",
];

const ODD_OPTIONS: &[&str] = &[
    "i33",
    "I2147483647",
    "i2147483648",
    "c2147483647",
    "c2147483648",
    "!0",
    "!3",
    "!1073741824",
    "!2147483648",
    "=",
    "z",
    "5",
    "%",
    "\0",
    "\u{c8}",
    "bc0",
    "sc0",
    "dc0",
];

const BITS: &[&str] =
    &["tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap", "tohex"];

/// Bytes with which values begin in MessagePack.
const MARKERS: &[u8] = &[
    0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x8f, 0x90, 0x91, 0x92, 0x9f, 0xa0, 0xa1, 0xa3, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3,
    0xc4, 0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd,
    0xde, 0xdf, 0xe0, 0xff,
];

impl Writer {
    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.0.usize(..one_in) == 0
    }

    /// Code that returns something.
    fn expression(&mut self) -> String {
        match self.0.u8(..8) {
            0..=3 => self.json(),
            4 => self.message(),
            5 | 6 => self.structure(),
            _ => {
                let name = self.one_of(BITS);
                format!("return bit.{name}({})", self.arguments(3))
            }
        }
    }

    fn literal(&self, bytes: &[u8]) -> String {
        let escaped: String = bytes
            .iter()
            .map(|byte| match byte {
                b' '..=b'~' if !matches!(byte, b'"' | b'\\') => char::from(*byte).to_string(),
                _ => format!("\\{byte:03}"),
            })
            .collect();
        format!("\"{escaped}\"")
    }

    fn number(&mut self) -> String {
        match self.0.u8(..6) {
            0 => self.0.i32(-300..300).to_string(),
            1 => format!("{:e}", f64::from_bits(self.0.u64(..)).clamp(-1e308, 1e308)).replace("NaN", "0"),
            2 => format!("{}", self.0.i64(..) >> self.0.u32(..64)),
            _ => self.one_of(NUMBERS).to_owned(),
        }
    }

    fn text(&mut self) -> String {
        if self.chance(8) {
            let length = self.one_of(&[31, 32, 255, 256, 65_535, 65_536]);
            return format!("(\"x\"):rep({length})");
        }
        self.short_text()
    }

    fn short_text(&mut self) -> String {
        if self.chance(4) {
            let bytes: Vec<u8> = (0..self.0.usize(..12)).map(|_| self.0.u8(..)).collect();
            return self.literal(&bytes);
        }
        let text = self.one_of(TEXTS);
        self.literal(text)
    }

    fn value(&mut self, depth: usize) -> String {
        match self.0.u8(..if depth == 0 { 8 } else { 14 }) {
            0 => self.one_of(&["nil", "true", "false", "cjson.null", "tostring"]).to_owned(),
            1..=4 => self.number(),
            5..=7 => self.text(),
            8 | 9 => format!("{{{}}}", self.values(5, depth - 1)),
            10 => {
                let (first, second) = (self.number(), self.number());
                let (values, one, other) = (self.values(3, depth - 1), self.index(), self.index());
                format!("{{[{one}]={first},[{other}]={second},{values}}}")
            }
            11 => {
                let entries: Vec<String> =
                    (0..self.0.usize(..4)).map(|_| format!("[{}]={}", self.key(), self.value(depth - 1))).collect();
                format!("{{{}}}", entries.join(","))
            }
            12 => {
                let (levels, value) = (self.one_of(&[3, 15, 16, 17, 100, 999, 1000]), self.value(0));
                let table = self.one_of(&["{t}", "{a=t}", "{1,t}", "{t,b=1}", "{[2]=t}"]);
                format!("(function() local t={value} for i=1,{levels} do t={table} end return t end)()")
            }
            _ => {
                let count = self.one_of(&[9, 10, 11, 15, 16, 17, 300]);
                let key = self.one_of(&["i", "i*2", "i*3", "-i", "'k'..i", "i+1"]);
                format!("(function() local t={{}} for i=1,{count} do t[{key}]=i end return t end)()")
            }
        }
    }

    fn values(&mut self, most: usize, depth: usize) -> String {
        let values: Vec<String> = (0..self.0.usize(..=most)).map(|_| self.value(depth)).collect();
        values.join(",")
    }

    /// No array that is mostly holes may be so long that writing it takes a while.
    fn index(&mut self) -> String {
        self.one_of(&[
            "1", "2", "3", "4", "6", "10", "11", "12", "21", "100", "0", "-1", "1.5", "2^31", "1e10", "1e100",
        ])
        .to_owned()
    }

    /// A key. None is an address, and none is long: for those the Lua of the real servers has another hash, and so another
    /// order.
    fn key(&mut self) -> String {
        match self.0.u8(..10) {
            0 => self.one_of(&["true", "false", "cjson.null", "1/0", "-1/0"]).to_owned(),
            1..=4 => self.index(),
            _ => self.short_text(),
        }
    }

    fn arguments(&mut self, most: usize) -> String {
        let arguments: Vec<String> = (0..self.0.usize(..=most)).map(|_| self.argument()).collect();
        arguments.join(",")
    }

    fn argument(&mut self) -> String {
        if self.chance(6) { self.value(1) } else { self.number() }
    }

    fn json(&mut self) -> String {
        let settings = self.settings();
        let call = match self.0.u8(..12) {
            0..=3 => format!("j.encode({})", self.value(3)),
            4 => format!("j.encode(j.decode({}))", self.json_text()),
            5 => format!("j.decode(j.encode({}))", self.value(3)),
            6 => {
                let (opening, closing) = self.one_of(&[("[", "]"), ("{\"a\":", "}"), ("[1,{\"a\":[", "]}]")]);
                let (levels, close) = (self.one_of(&[3, 10, 400, 999, 1000, 1001]), self.one_of(&[0, 1, 1000]));
                format!("j.decode(('{opening}'):rep({levels})..'1'..('{closing}'):rep({close}))")
            }
            7 => {
                let function = self.one_of(&["encode", "decode"]);
                format!("j.{function}({})", self.values(2, 1))
            }
            _ => format!("j.decode({})", self.json_text()),
        };
        format!("{settings} return {call}")
    }

    /// Changes settings of an instance, mostly of a new one.
    fn settings(&mut self) -> String {
        let mut code = String::from(if self.chance(8) { "local j=cjson" } else { "local j=cjson.new()" });
        while self.chance(2) {
            let odd = if self.chance(4) { self.value(1) } else { self.number() };
            let number =
                if self.chance(3) { odd } else { self.one_of(&["1", "2", "3", "10", "14", "1000"]).to_owned() };
            let switch = self.one_of(&["true", "false", "'on'", "'off'", "'null'", "nil", "1", "{}", "'x'", ""]);
            let call = match self.0.u8(..8) {
                0 => format!("encode_sparse_array({switch})"),
                1 => format!(
                    "encode_sparse_array({},{number},{})",
                    self.one_of(&["true", "false", "nil"]),
                    self.number()
                ),
                2 => format!("encode_max_depth({number})"),
                3 => format!("decode_max_depth({number})"),
                4 => format!("encode_number_precision({number})"),
                5 => format!("encode_invalid_numbers({switch})"),
                6 => format!("decode_invalid_numbers({switch})"),
                _ => format!("encode_keep_buffer({switch})"),
            };
            // Some are of interest for what they say, and end it there.
            code +=
                &if self.chance(6) { format!(" return j.{call}") } else { format!(" pcall(function() j.{call} end)") };
            if code.contains("return") {
                return format!("do {code} end");
            }
        }
        code
    }

    fn json_text(&mut self) -> String {
        let mut text = String::new();
        if self.chance(2) {
            for _ in 0..self.0.usize(..8) {
                text += self.one_of(PIECES);
            }
        } else {
            self.write_json(3, &mut text);
        }
        let mut bytes = text.into_bytes();
        while self.chance(3) && !bytes.is_empty() {
            let at = self.0.usize(..bytes.len());
            match self.0.u8(..3) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = self.0.u8(..),
                _ => {
                    let piece = self.one_of(PIECES);
                    bytes.splice(at..at, piece.bytes());
                }
            }
        }
        self.literal(&bytes)
    }

    fn write_json(&mut self, depth: usize, text: &mut String) {
        const SPACE: [&str; 5] = ["", "", "", " ", "\n\t"];
        text.push_str(self.one_of(&SPACE));
        match self.0.u8(..if depth == 0 { 4 } else { 8 }) {
            0 => text.push_str(self.one_of(&["null", "true", "false", "[]", "{}"])),
            1 => text.push_str(self.one_of(&["0", "-1", "1.5", "1e3", "-0", "0.1", "1E-7", "12345678901234567890"])),
            2 => text.push_str(&self.0.i32(..).to_string()),
            3 => self.write_json_string(text),
            4 | 5 => {
                text.push('[');
                for number in 0..self.0.usize(..4) {
                    text.push_str(if number > 0 { "," } else { "" });
                    self.write_json(depth - 1, text);
                }
                text.push(']');
            }
            _ => {
                text.push('{');
                for number in 0..self.0.usize(..4) {
                    text.push_str(if number > 0 { "," } else { "" });
                    self.write_json_string(text);
                    text.push_str(self.one_of(&[":", " :", ": "]));
                    self.write_json(depth - 1, text);
                }
                text.push('}');
            }
        }
        text.push_str(self.one_of(&SPACE));
    }

    fn write_json_string(&mut self, text: &mut String) {
        text.push('"');
        for _ in 0..self.0.usize(..3) {
            text.push_str(self.one_of(&[
                "a",
                "b",
                "key",
                " ",
                "\\n",
                "\\\"",
                "\\u0041",
                "\\u20ac",
                "\\ud83d\\ude00",
                "é",
                "\\/",
            ]));
        }
        text.push('"');
    }

    fn message(&mut self) -> String {
        let call = match self.0.u8(..8) {
            0 | 1 => format!("pack({})", self.values(3, 3)),
            2 => format!("unpack(cmsgpack.pack({}))", self.values(3, 2)),
            3 => {
                let piece = self.one_of(&["\\145", "\\129\\001", "\\146\\001", "\\129", "\\001"]);
                let times = self.one_of(&[10, 1000, 3999, 4000, 4001, 7999, 8000, 9000]);
                format!("unpack((\"{piece}\"):rep({times})..{})", self.message_text())
            }
            4 | 5 => format!("unpack({})", self.message_text()),
            6 => format!("unpack_one({},{})", self.message_text(), self.place()),
            _ => {
                let limit = if self.chance(6) { self.argument() } else { self.0.i32(-1..5).to_string() };
                format!("unpack_limit({},{limit},{})", self.message_text(), self.place())
            }
        };
        // Thousands of values would be thousands of arguments of what shows them.
        match call.contains(":rep") {
            true => format!("return select('#',cmsgpack.{call})"),
            false => format!("return cmsgpack.{call}"),
        }
    }

    fn place(&mut self) -> String {
        if self.chance(6) { self.argument() } else { self.0.i32(-1..6).to_string() }
    }

    fn message_text(&mut self) -> String {
        if self.chance(12) {
            return self.value(1);
        }
        let mut bytes = Vec::new();
        for _ in 0..self.0.usize(..8) {
            match self.0.u8(..4) {
                0 => bytes.extend([0, 0, 0, self.0.u8(..4)].iter().take(self.0.usize(..5))),
                1 => bytes.push(self.0.u8(..)),
                _ => bytes.push(self.one_of(MARKERS)),
            }
        }
        self.literal(&bytes)
    }

    fn structure(&mut self) -> String {
        let mut format = String::new();
        for _ in 0..self.0.usize(..6) {
            format += if self.chance(12) { self.one_of(ODD_OPTIONS) } else { self.one_of(OPTIONS) };
        }
        let literal = self.literal(format.as_bytes());
        let format = if self.chance(20) { self.value(1) } else { literal };
        match self.0.u8(..8) {
            0 => format!("return struct.size({format})"),
            1..=3 => {
                let count = self.0.usize(..7);
                let arguments: Vec<String> =
                    (0..count).map(|_| if self.chance(3) { self.text() } else { self.argument() }).collect();
                let arguments = arguments.iter().map(|argument| format!(",{argument}")).collect::<String>();
                format!("return struct.pack({format}{arguments})")
            }
            4 => {
                let (first, second) = (self.number(), self.number());
                format!("return struct.unpack({format},struct.pack({format},{first},{second},1,2,3,4))")
            }
            _ => {
                let bytes: Vec<u8> = (0..self.0.usize(..40))
                    .map(|_| if self.chance(2) { self.0.u8(..4) } else { self.0.u8(..) })
                    .collect();
                let data = if self.chance(20) { self.value(1) } else { self.literal(&bytes) };
                let place = if self.chance(3) { format!(",{}", self.place()) } else { String::new() };
                format!("return struct.unpack({format},{data}{place})")
            }
        }
    }
}
