//! Scripts: EVAL and its kin, and SCRIPT.

use crate::support::transcript::{check, check_ours};

#[test]
fn keys_and_arguments_are_tables() {
    check(
        r##"
        > EVAL 'return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}' 2 a b c d
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > EVAL 'return {#KEYS, #ARGV, KEYS[1] == nil}' 0 x
        1) (integer) 0
        2) (integer) 1
        3) (integer) 1
        > EVAL 'return ARGV' 0 'a b' '' "\x00\xff"
        1) "a b"
        2) ""
        3) "\x00\xff"
        > EVAL 'return 1' x
        (error) ERR value is not an integer or out of range
        > EVAL 'return 1' 2 a
        (error) ERR Number of keys can't be greater than number of args
        > EVAL 'return 1' -1 a
        (error) ERR Number of keys can't be negative
        > EVAL 'return 1' 1.5 a
        (error) ERR value is not an integer or out of range
        > EVAL 'return 1'
        (error) ERR wrong number of arguments for 'eval' command
        "##,
    );
}

#[test]
fn values_become_replies() {
    check(
        r##"
        > EVAL 'return 3.99' 0
        (integer) 3
        > EVAL 'return -3.99' 0
        (integer) -3
        > EVAL 'return 1e20' 0
        (integer) -9223372036854775808
        > EVAL 'return {true, false, nil, 1}' 0
        1) (integer) 1
        2) (nil)
        > EVAL 'return true' 0
        (integer) 1
        > EVAL 'return false' 0
        (nil)
        > EVAL 'return nil' 0
        (nil)
        > EVAL 'return' 0
        (nil)
        > EVAL '' 0
        (nil)
        > EVAL 'return {1, {2, {3, {}}}, "four"}' 0
        1) (integer) 1
        2) 1) (integer) 2
           2) 1) (integer) 3
              2) (empty array)
        3) "four"
        > EVAL 'return {1, 2, nil, 4}' 0
        1) (integer) 1
        2) (integer) 2
        > EVAL 'return {a = 1, b = 2}' 0
        (empty array)
        > EVAL 'return {ok = "fine"}' 0
        fine
        > EVAL 'return {ok = "two\r\nlines"}' 0
        two  lines
        > EVAL 'return {err = "BAD thing"}' 0
        (error) BAD thing
        > EVAL 'return {err = "two\r\nlines"}' 0
        (error) two  lines
        > EVAL 'return {1, {err = "BAD inside"}, {ok = "well"}}' 0
        1) (integer) 1
        2) (error) BAD inside
        3) well
        > EVAL 'return {ok = 1, err = 2}' 0
        (empty array)
        > EVAL 'return {double = 1.5}' 0
        "1.5"
        > EVAL 'return {map = {a = 1}}' 0
        1) "a"
        2) (integer) 1
        > EVAL 'return {set = {a = true}}' 0
        1) "a"
        > EVAL 'return {big_number = "12345678901234567890"}' 0
        "12345678901234567890"
        > EVAL 'return {verbatim_string = {format = "txt", string = "text"}}' 0
        "text"
        > EVAL 'return function() end' 0
        (nil)
        > EVAL 'return redis.error_reply("MINE my text")' 0
        (error) MINE my text
        > EVAL 'return redis.error_reply("-MINE my text")' 0
        (error) MINE my text
        > EVAL 'return redis.error_reply("text")' 0
        (error) ERR text
        > EVAL 'return redis.error_reply("")' 0
        (error) ERR 
        > EVAL 'return redis.error_reply(1)' 0
        (error) ERR wrong number or type of arguments
        > EVAL 'return redis.status_reply("WELL")' 0
        WELL
        > EVAL 'return redis.status_reply()' 0
        (error) ERR wrong number or type of arguments
        "##,
    );
}

#[test]
fn replies_become_values() {
    check(
        r##"
        > EVAL 'return type(redis.call("GET", "none"))' 0
        "boolean"
        > EVAL 'return {type(redis.call("INCR", "n")), redis.call("INCR", "n") + 0.5}' 0
        1) "number"
        2) (integer) 2
        > EVAL 'return redis.call("SET", "k", "v").ok' 0
        "OK"
        > EVAL 'return redis.call("GET", "k") .. "!"' 0
        "v!"
        > EVAL 'redis.call("RPUSH", "l", 1, 2, 3) return #redis.call("LRANGE", "l", 0, -1)' 0
        (integer) 3
        > EVAL 'redis.call("HSET", "h", "f", "v") local t = redis.call("HGETALL", "h") return {t[1], t[2], #t}' 0
        1) "f"
        2) "v"
        3) (integer) 2
        > EVAL 'return redis.call("MGET", "k", "none", "n")' 0
        1) "v"
        2) (nil)
        3) "2"
        > EVAL 'local t = redis.call("MGET", "none") return {type(t[1]), #t}' 0
        1) "boolean"
        2) (integer) 1
        > EVAL 'return redis.call("ZADD", "z", 1.5, "m")' 0
        (integer) 1
        > EVAL 'return redis.call("ZSCORE", "z", "m")' 0
        "1.5"
        > EVAL 'return redis.pcall("LPUSH", "k", "x")' 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > EVAL 'local e = redis.pcall("LPUSH", "k", "x") return e.err' 0
        "WRONGTYPE Operation against a key holding the wrong kind of value"
        > EVAL 'local ok, e = pcall(redis.call, "LPUSH", "k", "x") return {tostring(ok), e}' 0
        1) "false"
        2) "WRONGTYPE Operation against a key holding the wrong kind of value"
        > EVAL 'redis.setresp(3) local t = redis.call("HGETALL", "h") return {t.map.f, type(t.map)}' 0
        1) "v"
        2) "table"
        > EVAL 'redis.setresp(3) return type(redis.call("GET", "none"))' 0
        "nil"
        > EVAL 'redis.setresp(3) redis.call("SADD", "s", "a") return tostring(redis.call("SMEMBERS", "s").set.a)' 0
        "true"
        > EVAL 'redis.setresp(3) return tostring(redis.call("ZSCORE", "z", "m").double)' 0
        "1.5"
        > EVAL 'redis.setresp(4)' 0
        (error) ERR RESP version must be 2 or 3. script: 68e72e4d8a428b9f599dce492315f2455a425a82, on @user_script:1.
        > EVAL 'redis.setresp()' 0
        (error) ERR redis.setresp() requires one argument. script: 42aacaf580759e59c97e8b1974d08a62f960014f, on @user_script:1.
        > EVAL 'return tostring(redis.call("ZSCORE", "z", "m"))' 0
        "1.5"
        "##,
    );
}

#[test]
fn arguments_of_calls_are_strings_and_numbers() {
    check(
        r##"
        > EVAL 'redis.call("SET", "k", 12) redis.call("APPEND", "k", 3.0) return redis.call("GET", "k")' 0
        "123"
        > EVAL 'redis.call("SET", "k", 1700000000123 * 4096 + 5) return redis.call("GET", "k")' 0
        "6963200000503813"
        > EVAL 'return redis.call("SET", "k", {})' 0
        (error) ERR Lua redis lib command arguments must be strings or integers script: 8e5913ab2eee3428c0e675ca8cbf83f51c65a6f9, on @user_script:1.
        > EVAL 'return redis.call("SET", "k", nil)' 0
        (error) ERR Lua redis lib command arguments must be strings or integers script: 7fda4664298f613f1c091117d43b0cd1064273a4, on @user_script:1.
        > EVAL 'return redis.call("SET", "k", true)' 0
        (error) ERR Lua redis lib command arguments must be strings or integers script: 3e9ebfd002447fa49322576c821dd187f7ccd559, on @user_script:1.
        > EVAL 'return redis.call()' 0
        (error) ERR Please specify at least one argument for this redis lib call script: 0a907e1429221a4d85516cab7fd219a82a9439d8, on @user_script:1.
        > EVAL 'return redis.pcall()' 0
        (error) ERR Please specify at least one argument for this redis lib call
        > EVAL 'return redis.call(function() end)' 0
        (error) ERR Lua redis lib command arguments must be strings or integers script: 71671147d5e0dec30f5ce247e178685baad856c2, on @user_script:1.
        "##,
    );
}

#[test]
fn errors_say_what_and_where() {
    check(
        r##"
        > EVAL 'error("boom")' 0
        (error) ERR user_script:1: boom script: 872b3fcb081448525c6141cdfa3df8374d30d162, on @user_script:1.
        > EVAL 'error({err = "MINE own"})' 0
        (error) MINE own script: 9a07ca6f8da03fea4fd6308d7c0acbbab269c7ba, on @user_script:1.
        > EVAL 'error("two\r\nlines")' 0
        (error) ERR user_script:1: two  lines script: 6ec7f152bc702557e466c457e62088a6215fef6a, on @user_script:1.
        > EVAL 'error()' 0
        (error) ERR nil script: aca90d914519fdb9825352bdc0befb59f7c8510f, on @user_script:1.
        > EVAL "\nlocal x = nil\nreturn x.y" 0
        (error) ERR user_script:3: attempt to index local 'x' (a nil value) script: 2cfdb2dafcd0e3ae9ec059c2bb77180916704af1, on @user_script:3.
        > EVAL 'local function f() error("inside") end f()' 0
        (error) ERR user_script:1: inside script: d9197234bbddd8ad88e8d88024509d3ecf8e9a1e, on @user_script:1.
        > EVAL 'return redis.call("LPUSH")' 0
        (error) ERR Wrong number of args calling Redis command from script script: a350eecda331c14312fa99dbc06237f56bef6ddd, on @user_script:1.
        > EVAL 'return redis.call("NOSUCH", "a")' 0
        (error) ERR Unknown Redis command called from script script: 34aaf8423f24f34ddda9689fe0a1439d7daf5b30, on @user_script:1.
        > EVAL 'return redis.call("CONFIG", "NOSUCH")' 0
        (error) ERR Unknown Redis command called from script script: c4a0777a366908fbd164be21432052054e73ed22, on @user_script:1.
        > EVAL 'redis.call("SET", "k", "v") return redis.call("LPUSH", "k", "x")' 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value script: 4aa94386d764cbba92fe1765eac4ec52379686bc, on @user_script:1.
        > EVAL 'return redis.pcall("NOSUCH")' 0
        (error) ERR Unknown Redis command called from script
        > EVAL 'local ok, e = pcall(error, {err = "MINE table"}) return e' 0
        "MINE table"
        > EVAL 'local ok, e = pcall(error, {1, 2}) return e' 0
        1) (integer) 1
        2) (integer) 2
        > EVAL 'local ok, e = pcall(error) return {tostring(ok), tostring(e)}' 0
        1) "false"
        2) "nil"
        > EVAL 'return tostring(select("#", pcall(function() return 1, nil, 3 end)))' 0
        "4"
        > EVAL 'return {xpcall(function() error("x") end, function(e) return "handled " .. e end)}' 0
        1) (nil)
        2) "handled user_script:1: x"
        > EVAL 'no lua' 0
        (error) ERR Error compiling script (new function): user_script:1: '=' expected near 'lua'
        > EVAL 'return return' 0
        (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near 'return'
        > EVAL "return 1\nend" 0
        (error) ERR Error compiling script (new function): user_script:2: '<eof>' expected near 'end'
        > EVAL 'local function f(n) return 1 + f(n) end return f(1)' 0
        (error) ERR user_script:1: stack overflow script: 93a5f6eb158db66fb8b452aa24ee5c7cfb5f1372, on @user_script:1.
        > GET k
        "v"
        "##,
    );
}

#[test]
fn commands_that_scripts_may_not_call() {
    check(
        r##"
        > EVAL 'return redis.call("EVAL", "return 1", 0)' 0
        (error) ERR This Redis command is not allowed from script script: fb84d3469b9a28041d0dc716c4f0174d874cbb73, on @user_script:1.
        > EVAL 'return redis.call("MULTI")' 0
        (error) ERR This Redis command is not allowed from script script: 425c24f6c4ecab310492afa38262c1ff79efe3aa, on @user_script:1.
        > EVAL 'return redis.call("SUBSCRIBE", "c")' 0
        (error) ERR This Redis command is not allowed from script script: d4d154e5ad0c9d78a7db96b2642e521836b9248a, on @user_script:1.
        > EVAL 'return redis.call("CONFIG", "GET", "save")' 0
        (error) ERR This Redis command is not allowed from script script: 7246995387264dcd07e58151124696c1236e43d9, on @user_script:1.
        > EVAL 'return redis.call("SCRIPT", "FLUSH")' 0
        (error) ERR This Redis command is not allowed from script script: 04474f6cccde0d3e6270470e48b87e25aa6d8f47, on @user_script:1.
        > EVAL 'return redis.call("FUNCTION", "LIST")' 0
        (error) ERR This Redis command is not allowed from script script: 276d056e1df892455f4e800dcef0bf9da69ed8c7, on @user_script:1.
        > EVAL 'return redis.call("SAVE")' 0
        (error) ERR This Redis command is not allowed from script script: c5bfff2a340988d1ad41ea6f03e0a963d1cacba4, on @user_script:1.
        > EVAL 'return redis.call("CLIENT", "ID")' 0
        (error) ERR This Redis command is not allowed from script script: a2414f9c67fb2f7000c190707eef822194e9a6bc, on @user_script:1.
        > EVAL 'return redis.call("AUTH", "x")' 0
        (error) ERR This Redis command is not allowed from script script: 1be077ceaf2e29d61e2fa1fb8b274cca5a007b73, on @user_script:1.
        > EVAL 'return redis.call("WATCH", "x")' 0
        (error) ERR This Redis command is not allowed from script script: 8df74e2a924c51fa29c77b3c909d30a2d7d9d03b, on @user_script:1.
        > EVAL 'return redis.call("MONITOR")' 0
        (error) ERR This Redis command is not allowed from script script: a211a9c82092f011bd47d3cfd991532485107292, on @user_script:1.
        "##,
    );
}

#[test]
fn the_globals_are_frozen() {
    check(
        r##"
        > EVAL 'x = 1' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 34bce5f775de97f557a34088509c8bfe1ea17e52, on @user_script:1.
        > EVAL 'return x' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: 03c387736bb5cc009ff35151572cee04677aa374, on @user_script:1.
        > EVAL 'return _G.x' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: a77ae67de163f975b1ed8463acc72469cf24a035, on @user_script:1.
        > EVAL '_G.x = 1' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: e5cf4a26667af1721988fe8c9829d5cd2e26c62e, on @user_script:1.
        > EVAL 'redis.x = 1' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 0e3b052f72a1147275fd3ab2c8c15d4453b9010f, on @user_script:1.
        > EVAL 'redis.call = nil' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 2786c35ed73d3860851cf52e0b5dfbbc0bdb4803, on @user_script:1.
        > EVAL 'string.len = nil' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: aae4cbee48e90937ebceba1885534a683395a9ae, on @user_script:1.
        > EVAL 'table.insert(math, 1)' 0
        (error) ERR Attempt to modify a readonly table script: c455f8cb9b8b3d1661a05c9d9ac245dfca88d4b8, on @user_script:1.
        > EVAL 'rawset(_G, "x", 1)' 0
        (error) ERR Attempt to modify a readonly table script: 65ef3ec3263f0393f2c50ec499529357012d55c2, on @user_script:1.
        > EVAL 'rawset(redis, "call", 1)' 0
        (error) ERR Attempt to modify a readonly table script: 3f16c7d82fb4d02a5337f568611bf7ee3635343d, on @user_script:1.
        > EVAL 'setmetatable(_G, {})' 0
        (error) ERR Attempt to modify a readonly table script: 0bf0a51fbb051c942113de0105d3f8e18cdcddb5, on @user_script:1.
        > EVAL 'setmetatable(string, nil)' 0
        (error) ERR Attempt to modify a readonly table script: 971e78f019731c3b94cd1c9d156923a85ee493e8, on @user_script:1.
        > EVAL 'getmetatable(_G).__index = nil' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 1ec4f48ee3d02bfee5da8ba9aeab8a503d3032f1, on @user_script:1.
        > EVAL 'getmetatable("").__index = nil' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: b120a585c4888117361e4e215dea0ed127683232, on @user_script:1.
        > EVAL 'getmetatable("").__index.len = nil' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: c6672bf7763bf3e3f1e27743f3b6b92b152eff6a, on @user_script:1.
        > EVAL 'return type(getmetatable(_G).__index)' 0
        "function"
        > EVAL 'for k in pairs(redis) do redis[k] = nil end' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: 14346d1ec5d71e4481eed155ef256c7cde9349e2, on @user_script:1.
        > EVAL 'local f, t = pairs(redis) t.x = 1' 0
        (error) ERR user_script:1: Attempt to modify a readonly table script: b8fe3d5502208ca958bca2ba2af91855c7eccce0, on @user_script:1.
        > EVAL 'return {type(next(redis)), type(rawget(redis, "call")), tostring(rawget(_G, "x"))}' 0
        1) "string"
        2) "function"
        3) "nil"
        > EVAL 'local n = 0 for k, v in pairs(math) do n = n + 1 end return n' 0
        (integer) 31
        > EVAL 'local n = 0 for k, v in next, string do n = n + 1 end return n' 0
        (integer) 15
        > EVAL 'return ("abc"):upper()' 0
        "ABC"
        > EVAL 'return type(getmetatable({}))' 0
        "nil"
        > EVAL 'return tostring(getmetatable(setmetatable({}, {__metatable = "mine"})))' 0
        "mine"
        > EVAL 'setmetatable(setmetatable({}, {__metatable = "mine"}), {})' 0
        (error) ERR user_script:1: cannot change a protected metatable script: 8612e5034d475d14084749ddf9c36baec7c50c99, on @user_script:1.
        > EVAL 'return setmetatable({}, {__index = function(t, k) return k .. "!" end}).a' 0
        "a!"
        "##,
    );
}

#[test]
fn what_reaches_outside_is_not_there() {
    check(
        r##"
        > EVAL 'return dofile' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'dofile' script: 0c5f629ecf4a281cada464398cd571c2f6828b27, on @user_script:1.
        > EVAL 'return loadfile' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'loadfile' script: a08fbe72c95f67027cc9b6349f5d335b598397b7, on @user_script:1.
        > EVAL 'return print' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'print' script: df4c752a7558004676bbee87e38b92e0b9056d68, on @user_script:1.
        > EVAL 'return require' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'require' script: 68c9d8918a98cebaec1948aff703e96c57af9fdd, on @user_script:1.
        > EVAL 'return module' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'module' script: 2803774b6b78613fcfa3f4ce44070f589e937542, on @user_script:1.
        > EVAL 'return io' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'io' script: badfe324d30f60abd2dbecf4d4b0f915038384e2, on @user_script:1.
        > EVAL 'return debug' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'debug' script: 7f0eed9eaa523ec9e1ff69159f45a399473d9771, on @user_script:1.
        > EVAL 'return package' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'package' script: bfab18646c3a65e87365badef4807726c27a0041, on @user_script:1.
        > EVAL 'return newproxy' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'newproxy' script: f77b925834a6a5cd4c3f954d604c77e44181c40f, on @user_script:1.
        > EVAL 'return getfenv' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'getfenv' script: 16cfebc0feae9751eb6419326840e1512625eb36, on @user_script:1.
        > EVAL 'return setfenv' 0
        (error) ERR user_script:1: Script attempted to access nonexistent global variable 'setfenv' script: 3ffeb955c6323bb75eb872e0e1bc7214ea8780d9, on @user_script:1.
        > EVAL 'return type(loadstring(string.dump(function() end)))' 0
        "nil"
        > EVAL 'return loadstring("return 1 + 1")()' 0
        (integer) 2
        > EVAL 'return {loadstring("return return")}' 0
        (empty array)
        > EVAL 'return {loadstring("return return", "=name")}' 0
        (empty array)
        > EVAL 'return {loadstring("error(1)", "@file")}' 0
        1) (nil)
        > EVAL 'local n = 0 return load(function() n = n + 1 return ({"return ", "1", " + 2"})[n] end)()' 0
        (integer) 3
        > EVAL 'return {load(function() return 1 < {} end)}' 0
        (empty array)
        > EVAL 'load(1)' 0
        (error) ERR user_script:1: bad argument #1 to 'load' (function expected, got number) script: 4a68fc367b4fee6790189303d23fb5191419b227, on @user_script:1.
        > EVAL 'loadstring(nil)' 0
        (error) ERR user_script:1: bad argument #1 to 'loadstring' (string expected, got nil) script: 45724e6b3f0675cbadc5f9655b90a3db1e25e8de, on @user_script:1.
        "##,
    );
}

#[test]
fn lua_itself() {
    check(
        r##"
        > EVAL 'return {unpack({1, 2, 3}, 2)}' 0
        1) (integer) 2
        2) (integer) 3
        > EVAL 'return {unpack({1, 2, 3}, 2, 2)}' 0
        1) (integer) 2
        > EVAL 'return {unpack({}, 1, 0)}' 0
        (empty array)
        > EVAL 'return {unpack({}, 1, 1e8)}' 0
        (error) ERR user_script:1: too many results to unpack script: 515c5661b5b66afdd82003fc4280d03dd1e46f02, on @user_script:1.
        > EVAL 'return {unpack({}, 0, 2^31 - 1)}' 0
        (error) ERR user_script:1: too many results to unpack script: d72d8caed4157e992992ee886416eb3591b2021c, on @user_script:1.
        > EVAL 'return {unpack({}, -2^31, 2^31 - 1)}' 0
        (error) ERR user_script:1: too many results to unpack script: 0fe69266064d685655a605a14e61f03053a0f635, on @user_script:1.
        > EVAL 'return {unpack({}, 2^31 - 1, 2^31 - 1)}' 0
        (empty array)
        > EVAL 'unpack()' 0
        (error) ERR user_script:1: bad argument #1 to 'unpack' (table expected, got no value) script: 6c5f10b5021d4ccc2b8b43a8e3eee9d2c8a7cfdf, on @user_script:1.
        > EVAL 'return select("#", pcall(function() return unpack({}, 1, 7000) end))' 0
        (integer) 7001
        > EVAL 'return string.find(("-"):rep(2000), ("-"):rep(1500), 1, true)' 0
        (integer) 1
        > EVAL 'pairs()' 0
        (error) ERR user_script:1: bad argument #1 to 'pairs' (table expected, got no value) script: b9b4cc59dc3aeca62636a97763e2b62a1e1f5ac3, on @user_script:1.
        > EVAL 'pairs(1)' 0
        (error) ERR user_script:1: bad argument #1 to 'pairs' (table expected, got number) script: c4bb72e3ff555f1faeebf6cee0ad1345b83c4bea, on @user_script:1.
        > EVAL 'next({}, "none")' 0
        (error) ERR invalid key to 'next' script: 0c5fd74083f1ea296f96bb08f7204a7c8a8f8cce, on @user_script:1.
        > EVAL 'setmetatable(1, {})' 0
        (error) ERR user_script:1: bad argument #1 to 'setmetatable' (table expected, got number) script: ffabce3cc23f006ee7f408dacb056fa39cdb178f, on @user_script:1.
        > EVAL 'setmetatable({}, 1)' 0
        (error) ERR user_script:1: bad argument #2 to 'setmetatable' (nil or table expected) script: 776d36312459124e28579bc808b73b75f7c90f53, on @user_script:1.
        > EVAL 'rawget({})' 0
        (error) ERR user_script:1: bad argument #2 to 'rawget' (value expected) script: 70fdf55183444285781010f50796cb0f6c017e2b, on @user_script:1.
        > EVAL 'rawset({}, nil, 1)' 0
        (error) ERR table index is nil script: 219d887eafc60c03b9d7e9e8dd7832b40ad03ddb, on @user_script:1.
        > EVAL 'rawset({}, 0/0, 1)' 0
        (error) ERR table index is NaN script: 5c101cdcd3537c8b1b044a20532395e1a3907d93, on @user_script:1.
        > EVAL 'local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return t' 0
        1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        4) (integer) 3
        > EVAL 'table.insert({})' 0
        (error) ERR user_script:1: wrong number of arguments to 'insert' script: 2ae31ceb4ea10295af75ccfec65e505c277f0840, on @user_script:1.
        > EVAL 'table.insert({}, 1, 2, 3)' 0
        (error) ERR user_script:1: wrong number of arguments to 'insert' script: bc556108a0eea9b424d1918ebc52dff0f4bb3ac3, on @user_script:1.
        > EVAL 'table.insert(nil, 1)' 0
        (error) ERR user_script:1: bad argument #1 to 'insert' (table expected, got nil) script: 299b315a066f2e452a66f250241fc738ce10682e, on @user_script:1.
        > EVAL 'local t = {} table.insert(t, 3, "x") return {#t, t[3]}' 0
        1) (integer) 0
        2) "x"
        > EVAL 'local t = {3, 1, 2} table.sort(t) return {t, table.concat(t, "-"), table.remove(t), #t}' 0
        1) 1) (integer) 1
           2) (integer) 2
        2) "1-2-3"
        3) (integer) 3
        4) (integer) 2
        > EVAL 'return {math.floor(3.7), math.max(1, 5, 3), math.huge > 1, math.pi > 3}' 0
        1) (integer) 3
        2) (integer) 5
        3) (integer) 1
        4) (integer) 1
        > EVAL 'return tostring(1e15) .. " " .. tostring(2^53) .. " " .. tostring(0.1)' 0
        "1e+15 9.007199254741e+15 0.1"
        > EVAL 'return {string.format("%5.2f|%d|%s|%q|%x", 3.14159, 42, "s", "a\"b", 255)}' 0
        1) " 3.14|42|s|\"a\\\"b\"|ff"
        > EVAL 'string.format("%99999d", 1)' 0
        (error) ERR user_script:1: invalid format (width or precision too long) script: c893b74ac0124e863b48934e8c995241ee6df3eb, on @user_script:1.
        > EVAL 'string.format("%s", {})' 0
        (error) ERR user_script:1: bad argument #2 to 'format' (string expected, got table) script: 3245ce8433ec16f8c68b747798892ccd9db5b136, on @user_script:1.
        > EVAL 'string.format("%", 1)' 0
        (error) ERR user_script:1: invalid option '%' to 'format' script: ce0cb0c84fbcc10feb9e5de21861b23088a10a27, on @user_script:1.
        > EVAL 'return ("a,b,c"):gsub(",", ";")' 0
        "a;b;c"
        > EVAL 'local r = {} for w in string.gmatch("one two", "%a+") do r[#r + 1] = w end return r' 0
        1) "one"
        2) "two"
        > EVAL 'return string.find(("a"):rep(100), ("(a)"):rep(40))' 0
        (error) ERR user_script:1: too many captures script: abeea0b7b175b700e855ac0565314cb5aafc0070, on @user_script:1.
        > EVAL 'math.randomseed(5) return {tostring(math.random()), math.random(10), math.random(5, 7)}' 0
        1) "0.52483957937213"
        2) (integer) 3
        3) (integer) 7
        > EVAL 'math.random(0)' 0
        (error) ERR user_script:1: bad argument #1 to 'random' (interval is empty) script: b8faef5f7621add0f8ef0d202b7e857f65286437, on @user_script:1.
        > EVAL 'math.random(2, 1)' 0
        (error) ERR user_script:1: bad argument #2 to 'random' (interval is empty) script: 28ee0fa96784ad17b37feab8a7a149f75f029380, on @user_script:1.
        > EVAL 'math.random(1, 2, 3)' 0
        (error) ERR user_script:1: wrong number of arguments script: 1c6dba8ce8d6fe19326dc3625552738102b55116, on @user_script:1.
        > EVAL 'math.randomseed()' 0
        (error) ERR user_script:1: bad argument #1 to 'randomseed' (number expected, got no value) script: 6bd6400623e09987abdb24b82d64d67a81e99462, on @user_script:1.
        > EVAL 'local c = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) local _, x = coroutine.resume(c, 1) local _, y = coroutine.resume(c, 10) return {x, y, coroutine.status(c)}' 0
        1) (integer) 2
        2) (integer) 20
        3) "dead"
        > EVAL 'local c = coroutine.wrap(function() return redis.call("SET", "co", "v") end) return c()' 0
        OK
        > EVAL 'return select("#", table.unpack)' 0
        (integer) 1
        > EVAL 'return {collectgarbage("count") > 0, collectgarbage() == 0}' 0
        1) (integer) 1
        2) (integer) 1
        > EVAL 'return _VERSION' 0
        "Lua 5.1"
        "##,
    );
}

#[test]
fn helpers_of_scripts() {
    check(
        r##"
        > EVAL 'return redis.sha1hex("")' 0
        "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        > EVAL 'return redis.sha1hex(1)' 0
        "356a192b7913b04c54574d18c28d46e6395428ab"
        > EVAL 'return redis.sha1hex()' 0
        (error) ERR wrong number of arguments script: 3c7ce947ae74a835cc575b6ee87fb27503cb7ba4, on @user_script:1.
        > EVAL 'return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}' 0
        1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        4) (integer) 3
        > EVAL 'return redis.log(redis.LOG_DEBUG, "a", 1, {})' 0
        (nil)
        > EVAL 'return redis.log(redis.LOG_DEBUG)' 0
        (error) ERR redis.log() requires two arguments or more. script: 6bf6f3d3f7f086887c12267e3c474f6111e25657, on @user_script:1.
        > EVAL 'return redis.log("x", "y")' 0
        (error) ERR First argument must be a number (log level). script: 29fcf9151605ed057b9c1a5ba8b2a91241a9563e, on @user_script:1.
        > EVAL 'return redis.log(9, "y")' 0
        (error) ERR Invalid debug level. script: c3219e7c4bee2ed7b84760d58a564e631fd4116c, on @user_script:1.
        > EVAL 'return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}' 0
        1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        4) (integer) 2
        5) (integer) 3
        > EVAL 'return redis.set_repl(redis.REPL_ALL)' 0
        (nil)
        > EVAL 'return redis.set_repl(9)' 0
        (error) ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE. script: f43d522179aeb2c4dadb59b026d11ed249ca02e0, on @user_script:1.
        > EVAL 'return redis.set_repl()' 0
        (error) ERR redis.set_repl() requires two arguments. script: 9504533b41060c143a92eb2f8878e77d33b6dc33, on @user_script:1.
        > EVAL 'return redis.replicate_commands()' 0
        (integer) 1
        > EVAL 'return redis.breakpoint()' 0
        (nil)
        > EVAL 'return redis.debug("x")' 0
        (nil)
        > EVAL 'return redis.acl_check_cmd("SET", "a", "b")' 0
        (integer) 1
        > EVAL 'return redis.acl_check_cmd("NOSUCH")' 0
        (error) ERR Invalid command passed to redis.acl_check_cmd() script: 240a505bbd5f5f876ec8839f79785edaea0d4d07, on @user_script:1.
        > EVAL 'return redis.acl_check_cmd()' 0
        (error) ERR Please specify at least one argument for this redis lib call script: 1124f33ad66e7866b4e0c1499a4c20fb5eb9c180, on @user_script:1.
        > EVAL 'return redis.register_function' 0
        (nil)
        "##,
    );
}

#[test]
fn scripts_are_kept_by_name() {
    check(
        r##"
        > EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
        (error) NOSCRIPT No matching script. Please use EVAL.
        > EVALSHA short 0
        (error) NOSCRIPT No matching script. Please use EVAL.
        > SCRIPT EXISTS ffffffffffffffffffffffffffffffffffffffff e0e1f9fabfc9d4800c877a703b823ac0578ff8db
        1) (integer) 0
        2) (integer) 0
        > SCRIPT LOAD 'return 1'
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (integer) 1
        > EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
        (integer) 1
        > EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (integer) 1
        > SCRIPT EXISTS ffffffffffffffffffffffffffffffffffffffff e0e1f9fabfc9d4800c877a703b823ac0578ff8db
        1) (integer) 0
        2) (integer) 1
        > EVAL 'return ARGV[1]' 0 x
        "x"
        > EVALSHA 098e0f0d1448c0a81dafe820f66d460eb09263da 0 y
        "y"
        > SCRIPT FLUSH
        OK
        > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (error) NOSCRIPT No matching script. Please use EVAL.
        > SCRIPT FLUSH SYNC
        OK
        > SCRIPT FLUSH ASYNC
        OK
        > SCRIPT FLUSH NOW
        (error) ERR SCRIPT FLUSH only support SYNC|ASYNC option
        > SCRIPT FLUSH SYNC ASYNC
        (error) ERR SCRIPT FLUSH only support SYNC|ASYNC option
        > SCRIPT LOAD 'return return'
        (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near 'return'
        > SCRIPT LOAD ''
        "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        > SCRIPT LOAD
        (error) ERR wrong number of arguments for 'script|load' command
        > SCRIPT EXISTS
        (error) ERR wrong number of arguments for 'script|exists' command
        > SCRIPT KILL
        (error) NOTBUSY No scripts in execution right now.
        > SCRIPT DEBUG NO
        OK
        > SCRIPT DEBUG FOO
        (error) ERR Use SCRIPT DEBUG YES/SYNC/NO
        > SCRIPT NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try SCRIPT HELP.
        > SCRIPT
        (error) ERR wrong number of arguments for 'script' command
        "##,
    );
}

#[test]
fn scripts_that_only_read() {
    check(
        r##"
        > SET k v
        OK
        > EVAL_RO 'return redis.call("GET", KEYS[1])' 1 k
        "v"
        > EVAL_RO 'return redis.call("SET", KEYS[1], "x")' 1 k
        (error) ERR Write commands are not allowed from read-only scripts. script: 913b8cca8662e8c832abd69820a35764bd641a0f, on @user_script:1.
        > EVAL_RO 'return redis.call("PUBLISH", "a", "b")' 0
        (error) ERR Write commands are not allowed from read-only scripts. script: 2f1bfdd8e7558b5b8d55dee7488f020e0af6a1cf, on @user_script:1.
        > EVAL_RO 'return redis.pcall("SET", KEYS[1], "x")' 1 k
        (error) ERR Write commands are not allowed from read-only scripts.
        > EVAL "#!lua\nreturn redis.call('SET', KEYS[1], 'y')" 1 k
        OK
        > EVAL "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'z')" 1 k
        (error) ERR Write commands are not allowed from read-only scripts. script: a7a3a60b6478667d02dcc824a5190df82d7d3d57, on @user_script:2.
        > EVAL "#!lua flags=no-writes,allow-stale\nreturn redis.call('GET', KEYS[1])" 1 k
        "y"
        > EVAL_RO "#!lua\nreturn redis.call('GET', KEYS[1])" 1 k
        (error) ERR Can not execute a script with write flag using *_ro command.
        > EVAL_RO "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])" 1 k
        "y"
        > EVAL "#!lua flags=allow-oom,no-cluster,allow-cross-slot-keys\nerror('at line 2')" 0
        (error) ERR user_script:2: at line 2 script: faaa3968a58b6e2b6b858a42d81145679988d57d, on @user_script:2.
        > EVAL "#!lua flags=nosuch\nreturn 1" 0
        (error) ERR Unexpected flag in script shebang: nosuch
        > EVAL "#!lua name=x\nreturn 1" 0
        (error) ERR Unknown lua shebang option: name=x
        > EVAL "#!lua other=x\nreturn 1" 0
        (error) ERR Unknown lua shebang option: other=x
        > EVAL "#!python\nreturn 1" 0
        (error) ERR Unexpected engine in script shebang: #!python
        > EVAL "#!lua" 0
        (error) ERR Invalid script shebang
        > EVAL "#!lua flags=\nreturn 1" 0
        (integer) 1
        > SCRIPT LOAD "#!lua flags=nosuch\nreturn 1"
        (error) ERR Unexpected flag in script shebang: nosuch
        "##,
    );
}

#[test]
fn a_script_has_a_database_of_its_own() {
    check(
        r##"
        > EVAL 'redis.call("SELECT", 1) redis.call("SET", "k", "in one") return redis.call("GET", "k")' 0
        "in one"
        > GET k
        (nil)
        > SELECT 1
        OK
        > GET k
        "in one"
        > EVAL 'return redis.call("SELECT", 99)' 0
        (error) ERR DB index is out of range script: 03ec0139b20c6ca55e86f4e2a878d7419dbad120, on @user_script:1.
        "##,
    );
}

#[test]
fn scripts_in_transactions() {
    check(
        r##"
        > MULTI
        OK
        > EVAL 'return redis.call("INCR", KEYS[1])' 1 n
        QUEUED
        > EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
        QUEUED
        > EVAL 'return redis.pcall("LPUSH", KEYS[1], "x")' 1 n
        QUEUED
        > EVAL 'return return' 0
        QUEUED
        > INCR n
        QUEUED
        > EXEC
        1) (integer) 1
        2) (error) NOSCRIPT No matching script. Please use EVAL.
        3) (error) WRONGTYPE Operation against a key holding the wrong kind of value
        4) (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near 'return'
        5) (integer) 2
        > MULTI
        OK
        > EVAL 'return 1' x
        QUEUED
        > EVAL
        (error) ERR wrong number of arguments for 'eval' command
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        "##,
    );
}

#[test]
fn what_has_changed_since_redis_7_0() {
    check_ours(
        r##"
        > EVAL 'redis.call("SET", "k", 0.1) return redis.call("GET", "k")' 0
        "0.1"
        > EVAL 'redis.call("SET", "k", 1e17) return redis.call("GET", "k")' 0
        "100000000000000000"
        > EVAL 'return redis.call("BLPOP", "none", 0)' 0
        (nil)
        > EVAL 'return redis.call("XREAD", "BLOCK", 0, "STREAMS", "none", "$")' 0
        (nil)
        > EVAL 'redis.call("RPUSH", "l", "x") return redis.call("BLPOP", "l", 0)' 0
        1) "l"
        2) "x"
        > EVAL 'return redis.call("WAIT", 0, 0)' 0
        (integer) 0
        > EVAL 'error({1, 2})' 0
        (error) ERR unknown error script: 668d862062d0f50b4abb3f8753a80a9fbf983556, on @user_script:1.
        > EVAL 'return type(os.clock())' 0
        "number"
        > EVAL 'local t = redis.call("TIME") for i = 1, 1e5 do end local u = redis.call("TIME") return t[2] == u[2]' 0
        (integer) 1
        > EVAL 'return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}' 0
        1) "7.4.2"
        2) (integer) 459778
        > SCRIPT LOAD 'return 1'
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        > SCRIPT SHOW e0e1f9fabfc9d4800c877a703b823ac0578ff8db
        "return 1"
        > SCRIPT SHOW ffffffffffffffffffffffffffffffffffffffff
        (error) NOSCRIPT No matching script. Please use EVAL.
        > SCRIPT DEBUG YES
        (error) ERR SCRIPT DEBUG is not supported: there is no debugger
        > SCRIPT DEBUG SYNC
        (error) ERR SCRIPT DEBUG is not supported: there is no debugger
        > SCRIPT HELP
        (any)
        > FUNCTION HELP
        (any)
        "##,
    );
}
