//! Random Lua programs: every function that scripts have, called with what it was not made for. None may panic, hang or
//! outgrow its ceiling, and the next script must find everything as it was.
//!
//! `./test` runs a few thousand; `cargo xtask fuzz` sets RESPLITE_FUZZ_SECONDS and RESPLITE_FUZZ_SEED.

use crate::support::builder;
use fastrand::Rng;
use resplite::{Client, Server};
use std::time::{Duration, Instant};

/// Programs that run every time.
const PROGRAMS: u64 = 4000;
/// Programs of one server.
const LIFE: u64 = 2000;
/// Bytes that Lua may allocate.
const CEILING: &str = "16mb";

const FUNCTIONS: &str = "assert collectgarbage error gcinfo getmetatable ipairs load loadstring next pairs pcall rawequal \
    rawget rawset select setmetatable tonumber tostring type unpack xpcall \
    string.byte string.char string.dump string.find string.format string.gfind string.gmatch string.gsub string.len \
    string.lower string.match string.rep string.reverse string.sub string.upper \
    table.concat table.foreach table.foreachi table.getn table.insert table.maxn table.remove table.setn table.sort \
    math.abs math.ceil math.floor math.fmod math.frexp math.ldexp math.log math.max math.modf math.pow math.random \
    math.randomseed math.sqrt os.clock coroutine.create coroutine.resume coroutine.running coroutine.status \
    coroutine.wrap coroutine.yield \
    bit.arshift bit.band bit.bnot bit.bor bit.bswap bit.bxor bit.lshift bit.rol bit.ror bit.rshift bit.tobit bit.tohex \
    cjson.decode cjson.decode_invalid_numbers cjson.decode_max_depth cjson.encode cjson.encode_invalid_numbers \
    cjson.encode_keep_buffer cjson.encode_max_depth cjson.encode_number_precision cjson.encode_sparse_array cjson.new \
    cmsgpack.pack cmsgpack.unpack cmsgpack.unpack_limit cmsgpack.unpack_one struct.pack struct.size struct.unpack \
    redis.acl_check_cmd redis.breakpoint redis.call redis.debug redis.error_reply redis.log redis.pcall \
    redis.replicate_commands redis.set_repl redis.setresp redis.sha1hex redis.status_reply";

const ATOMS: &[&str] = &[
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "7",
    "0.5",
    "-0.5",
    "1e15",
    "2^31",
    "-2^31",
    "2^32",
    "2^53",
    "2^63",
    "-2^63",
    "1e308",
    "-1e308",
    "1/0",
    "-1/0",
    "0/0",
    "4096",
    "70000",
    "''",
    "'a'",
    "'abc'",
    "'a\\0b'",
    "'\\255\\254'",
    "' 12 '",
    "'0x10'",
    "'%'",
    "'%d'",
    "'%s%s%s'",
    "'%99d'",
    "'%5.2f'",
    "'(.-)'",
    "'%b()'",
    "'[a-'",
    "'.*'",
    "'%f[%w]'",
    "'x*y?z+'",
    "('x'):rep(300)",
    "('ab'):rep(40000)",
    "'[1,{\"a\":null}]'",
    "'{\"k\":[[[[]]]]}'",
    "'\\146\\1\\2'",
    "'\\223\\255\\255\\255\\255'",
    "'\\219\\127\\255\\255\\255'",
    "'>i4'",
    "'<I8d'",
    "'c0'",
    "'!8l'",
    "'c2147483647'",
    "'i33'",
    "'return 1'",
    "'return return'",
    "string.dump(function() end)",
    "KEYS",
    "ARGV",
    "_G",
    "redis",
    "string",
    "math",
    "cjson.null",
    "cjson",
    "getmetatable('')",
    "print",
    "select",
    "unpack",
    "function(...) return ... end",
    "function() return nil end",
    "function() error({err = 'x'}) end",
    "function(a, b) return a < b end",
    "coroutine.create(function(...) coroutine.yield(...) end)",
    "{}",
    "{1, 2, 3}",
    "{1, nil, 3}",
    "{a = 1, b = {c = 2}}",
    "{[1e9] = 1}",
    "{[-1] = 1, [0] = 2, [1.5] = 3}",
    "{ok = 1}",
    "{err = 'E x'}",
    "{map = {a = {}}}",
    "setmetatable({}, {__index = function(t, k) return k end})",
    "setmetatable({}, {__call = function() return 1 end})",
    "'SET'",
    "'GET'",
    "'k'",
    "'LRANGE'",
    "'EVAL'",
    "'ZADD'",
    "'n'",
    "'#'",
];

struct Maker {
    chance: Rng,
    functions: Vec<&'static str>,
}

impl Maker {
    fn pick<'a>(&mut self, pool: &[&'a str]) -> &'a str {
        pool[self.chance.usize(..pool.len())]
    }

    fn expression(&mut self, depth: u32) -> String {
        if depth == 0 || self.chance.u8(..3) == 0 {
            return self.pick(ATOMS).to_owned();
        }
        match self.chance.u8(..16) {
            0..9 => self.call(depth),
            9 => format!("({} .. {})", self.expression(depth - 1), self.expression(depth - 1)),
            10 => {
                let operator = self.pick(&["+", "-", "*", "/", "%", "^", "==", "<", "<=", "and", "or"]);
                format!("({} {operator} {})", self.expression(depth - 1), self.expression(depth - 1))
            }
            11 => format!("{{{}, {}}}", self.expression(depth - 1), self.expression(depth - 1)),
            12 => format!("{{[{}] = {}}}", self.expression(depth - 1), self.expression(depth - 1)),
            13 => format!("({})[{}]", self.expression(depth - 1), self.expression(depth - 1)),
            14 => format!("#({})", self.expression(depth - 1)),
            _ => format!("select(2, pcall(function() return {} end))", self.expression(depth - 1)),
        }
    }

    fn call(&mut self, depth: u32) -> String {
        let name = self.functions[self.chance.usize(..self.functions.len())];
        let count = self.chance.usize(..5);
        let arguments: Vec<String> = (0..count).map(|_| self.expression(depth - 1)).collect();
        format!("{name}({})", arguments.join(", "))
    }

    fn program(&mut self) -> String {
        let mut lines = Vec::new();
        for _ in 0..self.chance.usize(1..5) {
            let expression = self.expression(4);
            lines.push(match self.chance.u8(..6) {
                0 => format!("for i = 1, 20 do pcall(function() return {expression} end) end"),
                1 => format!("for k, v in pairs({{{expression}}}) do pcall(rawset, k, v, {}) end", self.expression(2)),
                2 => format!(
                    "local t = {{}} for i = 1, 50 do t = {{t, a = t}} end pcall(function() return {expression}, t end)"
                ),
                _ => format!("pcall(function() return {expression} end)"),
            });
        }
        let result = self.expression(4);
        if self.chance.bool() {
            lines.push(format!("local ok, e = pcall(function() return {result} end) return e"));
        } else {
            lines.push(format!("return {result}"));
        }
        lines.join("\n")
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn start() -> Server {
    builder().no_port().setting("lua-memory-limit", CEILING).unwrap().start().unwrap()
}

/// Everything that every script finds: the globals, and what is in those that are tables.
const WORLD: &str = "local found = {} \
    local function look(name, value, depth) \
        found[#found + 1] = name .. ':' .. type(value) \
        if type(value) == 'table' and depth > 0 and value ~= _G then \
            for k, v in pairs(value) do look(name .. '.' .. tostring(k), v, depth - 1) end end end \
    for k, v in pairs(_G) do if k ~= 'KEYS' and k ~= 'ARGV' then look(k, v, 2) end end \
    look('string', getmetatable(''), 2) \
    table.sort(found) \
    return {table.concat(found, ' '), ('x'):upper(), #KEYS, #ARGV, tostring(getmetatable({})), \
        tostring(redis.call('GET', 'none')), tostring(collectgarbage('count') < 16384)}";

fn world(client: &mut Client) -> String {
    format!("{:?}", client.call(["EVAL", WORLD, "0"]))
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a long run ends by the clock")]
fn random_programs_end_and_leave_nothing_behind() {
    let end = variable("RESPLITE_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first = variable("RESPLITE_FUZZ_SEED").unwrap_or(1);
    let functions: Vec<&str> = FUNCTIONS.split_whitespace().collect();
    let mut number = 0;
    let mut server = start();
    let mut client = server.client();
    let untouched = world(&mut client);
    assert!(untouched.contains("redis.call:function") && untouched.contains("cjson.encode:function"), "{untouched}");
    while end.map_or(number < PROGRAMS, |end| Instant::now() < end) {
        if number % LIFE == 0 && number > 0 {
            drop(client);
            server = start();
            client = server.client();
        }
        let program = Maker { chance: Rng::with_seed(first + number), functions: functions.clone() }.program();
        let answer = client.call_raw(["EVAL", &program, "1", "key", "argument"]);
        let is_broken = answer.windows(14).any(|some| some == b"internal error");
        assert!(!is_broken, "seed {}: a panic in\n{program}", first + number);
        if number % 10 == 0 {
            assert_eq!(world(&mut client), untouched, "seed {}: something is left of\n{program}", first + number);
        }
        number += 1;
    }
    println!("{number} programs");
}
