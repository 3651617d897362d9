//! The libraries that scripts have: JSON, MessagePack, binary structures and bits.

use crate::support::{builder, check, check_ours};

#[test]
fn json_of_values() {
    check(
        r#"
        > EVAL "return cjson.encode({1, 2, {a = true, b = false}, 'x', cjson.null})" 0
        "[1,2,{\"a\":true,\"b\":false},\"x\",null]"
        > EVAL "return cjson.encode({})" 0
        "{}"
        > EVAL "return cjson.encode(nil)" 0
        "null"
        > EVAL "return cjson.encode('/\\\\\\'\\127\\0\\n')" 0
        "\"\\/\\\\'\\u007f\\u0000\\n\""
        > EVAL "return {cjson.encode(0.1), cjson.encode(1e15), cjson.encode(123456789012345), cjson.encode(-0.5), cjson.encode(1/3)}" 0
        1) "0.1"
        2) "1e+15"
        3) "1.2345678901234e+14"
        4) "-0.5"
        5) "0.33333333333333"
        > EVAL "return cjson.encode({[1] = 1, [4] = 4})" 0
        "[1,null,null,4]"
        > EVAL "return cjson.encode({[-1] = 1})" 0
        "{\"-1\":1}"
        > EVAL "return {cjson.encode({[1.5] = 1}), cjson.encode({['1'] = 1})}" 0
        1) "{\"1.5\":1}"
        2) "{\"1\":1}"
    "#,
    );
}

#[test]
fn values_that_json_does_not_have() {
    check(
        r#"
        > EVAL "local ok, e = pcall(cjson.encode) return e" 0
        "bad argument #1 to '?' (expected 1 argument)"
        > EVAL "local ok, e = pcall(cjson.encode, 1, 2) return e" 0
        "bad argument #1 to '?' (expected 1 argument)"
        > EVAL "local ok, e = pcall(cjson.encode, 1/0) return e" 0
        "Cannot serialise number: must not be NaN or Inf"
        > EVAL "local ok, e = pcall(cjson.encode, tostring) return e" 0
        "Cannot serialise function: type not supported"
        > EVAL "local ok, e = pcall(cjson.encode, {[true] = 1}) return e" 0
        "Cannot serialise boolean: table key must be a number or string"
        > EVAL "local ok, e = pcall(cjson.encode, {[20] = 1}) return e" 0
        "Cannot serialise table: excessively sparse array"
        > EVAL "local ok, e = pcall(cjson.encode, {[1] = {[2] = coroutine.create(function() end)}}) return e" 0
        "Cannot serialise thread: type not supported"
        > EVAL "return cjson.encode()" 0
        (error) ERR user_script:1: bad argument #1 to 'encode' (expected 1 argument) script: fc593ea31f478c7ed65c77495cc63edeb9153530, on @user_script:1.
    "#,
    );
}

#[test]
fn values_of_json() {
    check(
        r#"
        > EVAL "return cjson.decode('[1, \"two\", [3, {\"four\": 4}], true, false, -5e1]')" 0
        1) (integer) 1
        2) "two"
        3) 1) (integer) 3
           2) (empty array)
        4) (integer) 1
        5) (nil)
        6) (integer) -50
        > EVAL "return cjson.decode('{\"a\": {\"b\": [1, 2]}}').a.b" 0
        1) (integer) 1
        2) (integer) 2
        > EVAL "return cjson.decode('null') == cjson.null" 0
        (integer) 1
        > EVAL "return tostring(cjson.decode('[null]')[1])" 0
        "userdata: (nil)"
        > EVAL "return cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\\\\n\\\\/\"')" 0
        "\xc3\xa9\xf0\x9f\x98\x80\n/"
        > EVAL "return {cjson.decode('0x10'), cjson.decode('+1'), cjson.decode('01'), tostring(cjson.decode('-Infinity')), tostring(cjson.decode('nan'))}" 0
        1) (integer) 16
        2) (integer) 1
        3) (integer) 1
        4) "-inf"
        5) "nan"
        > EVAL "return cjson.decode(12)" 0
        (integer) 12
    "#,
    );
}

#[test]
fn texts_that_are_not_json() {
    check(
        r#"
        > EVAL "local ok, e = pcall(cjson.decode, '') return e" 0
        "Expected value but found T_END at character 1"
        > EVAL "local ok, e = pcall(cjson.decode, 'x') return e" 0
        "Expected value but found invalid token at character 1"
        > EVAL "local ok, e = pcall(cjson.decode, '[1,2') return e" 0
        "Expected comma or array end but found T_END at character 5"
        > EVAL "local ok, e = pcall(cjson.decode, '[1,]') return e" 0
        "Expected value but found T_ARR_END at character 4"
        > EVAL "local ok, e = pcall(cjson.decode, '[1 2]') return e" 0
        "Expected comma or array end but found T_NUMBER at character 4"
        > EVAL "local ok, e = pcall(cjson.decode, '{\"a\":1,}') return e" 0
        "Expected object key string but found T_OBJ_END at character 8"
        > EVAL "local ok, e = pcall(cjson.decode, '{\"a\" 1}') return e" 0
        "Expected colon but found T_NUMBER at character 6"
        > EVAL "local ok, e = pcall(cjson.decode, '{1:2}') return e" 0
        "Expected object key string but found T_NUMBER at character 2"
        > EVAL "local ok, e = pcall(cjson.decode, '[1] x') return e" 0
        "Expected the end but found invalid token at character 5"
        > EVAL "local ok, e = pcall(cjson.decode, '-') return e" 0
        "Expected value but found invalid number at character 1"
        > EVAL "local ok, e = pcall(cjson.decode, '\"abc') return e" 0
        "Expected value but found unexpected end of string at character 5"
        > EVAL "local ok, e = pcall(cjson.decode, '\"\\\\x\"') return e" 0
        "Expected value but found invalid escape code at character 2"
        > EVAL "local ok, e = pcall(cjson.decode, '\"\\\\ud83d\"') return e" 0
        "Expected value but found invalid unicode escape code at character 2"
        > EVAL "local ok, e = pcall(cjson.decode, '\\0[1]') return e" 0
        "JSON parser does not support UTF-16 or UTF-32"
        > EVAL "local ok, e = pcall(cjson.decode, 'tru') return e" 0
        "Expected value but found invalid token at character 1"
        > EVAL "local ok, e = pcall(cjson.decode) return e" 0
        "bad argument #1 to '?' (expected 1 argument)"
        > EVAL "local ok, e = pcall(cjson.decode, {}) return e" 0
        "bad argument #1 to '?' (string expected, got table)"
        > EVAL "return cjson.decode('[1')" 0
        (error) ERR user_script:1: Expected comma or array end but found T_END at character 3 script: 9520afde0d0f5886fe8706b129489231b68d88bd, on @user_script:1.
    "#,
    );
}

#[test]
fn settings_of_json() {
    check(
        r#"
        > EVAL "return {tostring(cjson.encode_max_depth()), tostring(cjson.decode_max_depth()), tostring(cjson.encode_number_precision()), tostring(cjson.encode_keep_buffer()), tostring(cjson.encode_invalid_numbers()), tostring(cjson.decode_invalid_numbers())}" 0
        1) "1000"
        2) "1000"
        3) "14"
        4) "true"
        5) "false"
        6) "true"
        > EVAL "local convert, ratio, safe = cjson.encode_sparse_array() return {tostring(convert), ratio, safe}" 0
        1) "false"
        2) (integer) 2
        3) (integer) 10
        > EVAL "return {cjson.encode_sparse_array(true, 3, 4)}" 0
        1) (integer) 1
        2) (integer) 3
        3) (integer) 4
        > EVAL "return cjson.encode({[5] = 1})" 0
        "{\"5\":1}"
        > EVAL "cjson.encode_number_precision(3) return cjson.encode(1/3)" 0
        "0.333"
        > EVAL "return cjson.encode(2/3)" 0
        "0.667"
        > EVAL "return cjson.encode_invalid_numbers('null')" 0
        "null"
        > EVAL "return cjson.encode({1/0})" 0
        "[null]"
        > EVAL "cjson.encode_invalid_numbers(true) return cjson.encode({-1/0, 0/0})" 0
        "[-inf,nan]"
        > EVAL "cjson.decode_invalid_numbers('off') local ok, e = pcall(cjson.decode, '[0x10]') return e" 0
        "Expected value but found invalid number at character 2"
        > EVAL "return cjson.decode_max_depth(2)" 0
        (integer) 2
        > EVAL "local ok, e = pcall(cjson.decode, '[[[1]]]') return e" 0
        "Found too many nested data structures (3) at character 3"
        > EVAL "local ok, e = pcall(cjson.encode_number_precision, 15) return e" 0
        "bad argument #1 to '?' (expected integer between 1 and 14)"
        > EVAL "local ok, e = pcall(cjson.encode_max_depth, 0) return e" 0
        "bad argument #1 to '?' (expected integer between 1 and 2147483647)"
        > EVAL "local ok, e = pcall(cjson.encode_max_depth, 'x') return e" 0
        "bad argument #1 to '?' (number expected, got string)"
        > EVAL "local ok, e = pcall(cjson.encode_keep_buffer, 'x') return e" 0
        "bad argument #1 to '?' (invalid option 'x')"
        > EVAL "local ok, e = pcall(cjson.encode_max_depth, 1, 2) return e" 0
        "bad argument #2 to '?' (found too many arguments)"
        > EVAL "local ok, e = pcall(cjson.encode_sparse_array, nil, -1) return e" 0
        "bad argument #1 to '?' (expected integer between 0 and 2147483647)"
    "#,
    );
}

#[test]
fn instances_of_json() {
    check(
        r#"
        > EVAL "local own = cjson.new() own.encode_number_precision(2) return {own.encode(1/3), cjson.encode(1/3), own.new().encode(1/3)}" 0
        1) "0.33"
        2) "0.33333333333333"
        3) "0.33333333333333"
        > EVAL "return {cjson._NAME, cjson._VERSION, type(cjson.new().null)}" 0
        1) "cjson"
        2) "2.1.0"
        3) "userdata"
    "#,
    );
}

#[test]
fn messages() {
    check(
        r#"
        > EVAL "return cmsgpack.pack(1, -1, 127, 128, 65535, 65536, 2^32, -33, -129, -32769, 2^53)" 0
        "\x01\xff\x7f\xcc\x80\xcd\xff\xff\xce\x00\x01\x00\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xd0\xdf\xd1\xff\x7f\xd2\xff\xff\x7f\xff\xcf\x00 \x00\x00\x00\x00\x00\x00"
        > EVAL "return cmsgpack.pack(0.5, 0.1, 1/0, 2^64, -0.0)" 0
        "\xca?\x00\x00\x00\xcb?\xb9\x99\x99\x99\x99\x99\x9a\xca\x7f\x80\x00\x00\xca_\x80\x00\x00\x00"
        > EVAL "return cmsgpack.pack('', 'abc', true, false, nil, cjson.null, tostring)" 0
        "\xa0\xa3abc\xc3\xc2\xc0\xc0\xc0"
        > EVAL "return cmsgpack.pack({}, {1, 2}, {a = 1}, {[2] = 2}, {1, 2, x = 3})" 0
        "\x90\x92\x01\x02\x81\xa1a\x01\x81\x02\x02\x83\x01\x01\x02\x02\xa1x\x03"
        > EVAL "return cmsgpack.pack(('x'):rep(32)):sub(1, 3)" 0
        "\xd9 x"
        > EVAL "return cmsgpack.unpack(cmsgpack.pack({1, {2, 'three'}, 'four'}))" 0
        1) (integer) 1
        2) 1) (integer) 2
           2) "three"
        3) "four"
        > EVAL "return {cmsgpack.unpack('\\1\\2\\3')}" 0
        1) (integer) 1
        2) (integer) 2
        3) (integer) 3
        > EVAL "return {cmsgpack.unpack_one('\\1\\2\\3')}" 0
        1) (integer) 1
        2) (integer) 1
        > EVAL "return {cmsgpack.unpack_one('\\1\\2\\3', 2)}" 0
        1) (integer) -1
        2) (integer) 3
        > EVAL "return {cmsgpack.unpack_limit('\\1\\2\\3', 2)}" 0
        1) (integer) 2
        2) (integer) 1
        3) (integer) 2
        > EVAL "return {cmsgpack.unpack_limit('\\1\\2\\3', 2, 1)}" 0
        1) (integer) -1
        2) (integer) 2
        3) (integer) 3
        > EVAL "local ok, e = pcall(cmsgpack.pack) return e" 0
        "bad argument #0 to '?' (MessagePack pack needs input.)"
        > EVAL "local ok, e = pcall(cmsgpack.unpack) return e" 0
        "bad argument #1 to '?' (string expected, got no value)"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\193') return e" 0
        "Bad data format in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\147\\1') return e" 0
        "Missing bytes in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\129\\192\\1') return e" 0
        "table index is nil"
        > EVAL "local ok, e = pcall(cmsgpack.unpack_one, 'x', 2) return e" 0
        "Start offset 2 greater than input length 1."
        > EVAL "local ok, e = pcall(cmsgpack.unpack_limit, 'x', -1) return e" 0
        "Invalid request to unpack with offset of 0 and limit of 1."
        > EVAL "return cmsgpack.pack()" 0
        (error) ERR user_script:1: bad argument #0 to 'pack' (MessagePack pack needs input.) script: 6bc235afa55de88253e203cc5fe5844792e25209, on @user_script:1.
        > EVAL "return {cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION}" 0
        1) "cmsgpack"
        2) "lua-cmsgpack 0.4.0"
        3) "Copyright (C) 2012, Salvatore Sanfilippo"
        4) "MessagePack C implementation for Lua"
    "#,
    );
}

#[test]
fn structures() {
    check(
        r#"
        > EVAL "return struct.pack('>bhi<bhi', 1, 2, 3, -1, -2, -3)" 0
        "\x01\x00\x02\x00\x00\x00\x03\xff\xfe\xff\xfd\xff\xff\xff"
        > EVAL "return struct.pack('>lfd', 1, 0.5, 0.1)" 0
        "\x00\x00\x00\x00\x00\x00\x00\x01?\x00\x00\x00?\xb9\x99\x99\x99\x99\x99\x9a"
        > EVAL "return struct.pack('>!4bibd', 1, 2, 3, 4)" 0
        "\x01\x00\x00\x00\x00\x00\x00\x02\x03\x00\x00\x00@\x10\x00\x00\x00\x00\x00\x00"
        > EVAL "return struct.pack('sc0c2x', 'abc', 'def', 'ghi')" 0
        "abc\x00defgh\x00"
        > EVAL "return struct.pack('>i3I9', -2, 2^40)" 0
        "\xff\xff\xfe\x00\x00\x00\x01\x00\x00\x00\x00\x00"
        > EVAL "return {struct.unpack('>bBhH', '\\255\\255\\255\\254\\255\\253')}" 0
        1) (integer) -1
        2) (integer) 255
        3) (integer) -2
        4) (integer) 65533
        5) (integer) 7
        > EVAL "return {struct.unpack('Bc0s', '\\3abcdef\\0')}" 0
        1) "abc"
        2) "def"
        3) (integer) 9
        > EVAL "return {struct.unpack('b', '\\1\\2', 2)}" 0
        1) (integer) 2
        2) (integer) 3
        > EVAL "return {struct.size('bhil'), struct.size('!bhil'), struct.size('c10x'), struct.size('')}" 0
        1) (integer) 15
        2) (integer) 16
        3) (integer) 11
        4) (integer) 0
        > EVAL "local ok, e = pcall(struct.pack) return e" 0
        "bad argument #1 to '?' (string expected, got no value)"
        > EVAL "local ok, e = pcall(struct.pack, 'b') return e" 0
        "bad argument #2 to '?' (number expected, got nil)"
        > EVAL "local ok, e = pcall(struct.pack, 'b', 'x') return e" 0
        "bad argument #2 to '?' (number expected, got string)"
        > EVAL "local ok, e = pcall(struct.pack, 'z', 1) return e" 0
        "bad argument #1 to '?' (invalid format option 'z')"
        > EVAL "local ok, e = pcall(struct.pack, '!3') return e" 0
        "alignment 3 is not a power of 2"
        > EVAL "local ok, e = pcall(struct.pack, 'c3', 'ab') return e" 0
        "bad argument #3 to '?' (string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'i', 'abc') return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 's', 'abc') return e" 0
        "unfinished string in data"
        > EVAL "local ok, e = pcall(struct.unpack, 'c0', 'abc') return e" 0
        "format 'c0' needs a previous size"
        > EVAL "local ok, e = pcall(struct.unpack, 'b', 'a', 0) return e" 0
        "bad argument #3 to '?' (offset must be 1 or greater)"
        > EVAL "local ok, e = pcall(struct.size, 's') return e" 0
        "bad argument #1 to '?' (option 's' has no fixed size)"
        > EVAL "local ok, e = pcall(struct.size, 'c0') return e" 0
        "bad argument #1 to '?' (option 'c0' has no fixed size)"
        > EVAL "local ok, e = pcall(struct.size, '=') return e" 0
        "bad argument #1 to '?' (invalid format option '=')"
    "#,
    );
}

#[test]
fn bits() {
    check(
        r#"
        > EVAL "return {bit.tobit(2^31), bit.tobit(2^32 + 5), bit.tobit(-1.5), bit.tobit('0x10')}" 0
        1) (integer) -2147483648
        2) (integer) 5
        3) (integer) -2
        4) (integer) 16
        > EVAL "return {bit.bnot(0), bit.band(7, 6, 12), bit.bor(1, 2, 4), bit.bxor(5, 1), bit.bswap(0x12345678)}" 0
        1) (integer) -1
        2) (integer) 4
        3) (integer) 7
        4) (integer) 4
        5) (integer) 2018915346
        > EVAL "return {bit.lshift(1, 31), bit.lshift(1, 33), bit.rshift(-1, 28), bit.arshift(-256, 4), bit.rol(0x12345678, 8), bit.ror(1, 1)}" 0
        1) (integer) -2147483648
        2) (integer) 2
        3) (integer) 15
        4) (integer) -16
        5) (integer) 878082066
        6) (integer) -2147483648
        > EVAL "return {bit.tohex(1), bit.tohex(-1, 4), bit.tohex(-1, -4), bit.tohex(255, 0)}" 0
        1) "00000001"
        2) "ffff"
        3) "FFFF"
        4) ""
        > EVAL "local ok, e = pcall(bit.band) return e" 0
        "bad argument #1 to '?' (number expected, got no value)"
        > EVAL "local ok, e = pcall(bit.band, 1, 'x', {}) return e" 0
        "bad argument #3 to '?' (number expected, got table)"
        > EVAL "local ok, e = pcall(bit.lshift, 1) return e" 0
        "bad argument #2 to '?' (number expected, got no value)"
        > EVAL "return bit.bnot('x')" 0
        (error) ERR user_script:1: bad argument #1 to 'bnot' (number expected, got string) script: 05b0921ebc0a3ff8eec13124c9566f458ceec38d, on @user_script:1.
    "#,
    );
}

#[test]
fn libraries_cannot_be_written_to() {
    check(
        r#"
        > EVAL "local ok, e = pcall(function() cjson.encode = nil end) return e" 0
        "user_script:1: Attempt to modify a readonly table"
        > EVAL "local ok, e = pcall(function() bit.x = 1 end) return e" 0
        "user_script:1: Attempt to modify a readonly table"
        > EVAL "return {#cmsgpack.pack(bit), #cmsgpack.pack({bit})}" 0
        1) (integer) 80
        2) (integer) 81
        > EVAL "local ok, e = pcall(cjson.encode, bit) return e" 0
        "Cannot serialise function: type not supported"
    "#,
    );
}

/// Recursion that a text or a table decides on has overflowed the stacks of servers: CVE-2022-24834 was one of its kin.
#[test]
fn json_is_only_so_deep() {
    check(
        r#"
        > EVAL "local t = 1 for i = 1, 1000 do t = {t} end return #cjson.encode(t)" 0
        (integer) 2001
        > EVAL "local t = {} t.t = t local ok, e = pcall(cjson.encode, t) return e" 0
        "Cannot serialise, excessive nesting (1001)"
        > EVAL "return #cjson.encode(cjson.decode(('['):rep(1000) .. (']'):rep(1000)))" 0
        (integer) 2000
        > EVAL "local ok, e = pcall(cjson.decode, ('['):rep(1001)) return e" 0
        "Found too many nested data structures (1001) at character 1001"
        > EVAL "cjson.encode_max_depth(1000000) local t = 1 for i = 1, 20000 do t = {t} end local ok, e = pcall(cjson.encode, t) return e" 0
        "Cannot serialise, excessive nesting (7998)"
        > EVAL "cjson.encode_max_depth(1000000) local t = 1 for i = 1, 20000 do t = {a = t} end local ok, e = pcall(cjson.encode, t) return e" 0
        "Cannot serialise, excessive nesting (4000)"
        > EVAL "cjson.decode_max_depth(1000000) local ok, e = pcall(cjson.decode, ('['):rep(20000)) return e" 0
        "Found too many nested data structures (7999) at character 7999"
        > EVAL "cjson.decode_max_depth(1000000) local ok, e = pcall(cjson.decode, ('{\"a\":'):rep(20000)) return e" 0
        "Found too many nested data structures (4000) at character 19996"
    "#,
    );
}

/// CVE-2018-11218: values without end on a stack that nobody had made larger.
#[test]
fn messages_are_only_so_deep() {
    check(
        r#"
        > EVAL "local t = {} t[1] = t return cmsgpack.pack(t)" 0
        "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0"
        > EVAL "local t = 1 for i = 1, 100000 do t = {[t] = 1} end return cmsgpack.pack(t)" 0
        "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\xc0\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, ('\\145'):rep(100000)) return e" 0
        "stack overflow (in function mp_decode_to_lua_array)"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, ('\\129\\1'):rep(100000)) return e" 0
        "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, ('\\129'):rep(100000)) return e" 0
        "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, ('\\1'):rep(100000)) return e" 0
        "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"
        > EVAL "local t = {} for i = 1, 4001 do t[i] = i end local ok, e = pcall(cmsgpack.pack, unpack(t)) return e" 0
        "bad argument #0 to '?' (Too many arguments for MessagePack pack.)"
    "#,
    );
}

/// Lengths and offsets that turn negative in 32 bits, as in CVE-2018-11218.
#[test]
fn lengths_of_messages_do_not_wrap() {
    check(
        r#"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\219\\255\\255\\255\\255x') return e" 0
        "Missing bytes in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255\\1') return e" 0
        "Missing bytes in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\223\\255\\255\\255\\255\\1\\1') return e" 0
        "Missing bytes in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\218\\255') return e" 0
        "Missing bytes in input."
        > EVAL "local ok, e = pcall(cmsgpack.unpack_one, 'x', -1) return e" 0
        "Invalid request to unpack with offset of -1 and limit of 1."
        > EVAL "local ok, e = pcall(cmsgpack.unpack_one, 'x', 2^63) return e" 0
        "Invalid request to unpack with offset of 0 and limit of 1."
        > EVAL "local ok, e = pcall(cmsgpack.unpack_one, 'x', 2^32) return e" 0
        "Start offset 0 greater than input length 1."
        > EVAL "local ok, e = pcall(cmsgpack.unpack_limit, 'x', 2^31, -2^31) return e" 0
        "Invalid request to unpack with offset of -2147483648 and limit of 1."
        > EVAL "return {cmsgpack.unpack_limit('\\1\\2', 2^32 + 1, 0)}" 0
        1) (integer) -1
        2) (integer) 1
        3) (integer) 2
        > EVAL "return {cmsgpack.unpack('\\207\\255\\255\\255\\255\\255\\255\\255\\255')}" 0
        1) (integer) -1
    "#,
    );
}

/// CVE-2018-11219, CVE-2015-8080 and CVE-2020-14147: sizes in a format that wrap, or reach behind the data.
#[test]
fn sizes_of_structures_do_not_overflow() {
    check(
        r#"
        > EVAL "local ok, e = pcall(struct.pack, 'c2147483647', 'x') return e" 0
        "bad argument #3 to '?' (string too short)"
        > EVAL "local ok, e = pcall(struct.pack, 'c2147483648', 'x') return e" 0
        "integral size overflow"
        > EVAL "local ok, e = pcall(struct.pack, 'i33', 'x') return e" 0
        "integral size 33 is larger than limit of 32"
        > EVAL "local ok, e = pcall(struct.pack, 'i2147483647', 'x') return e" 0
        "integral size 2147483647 is larger than limit of 32"
        > EVAL "local ok, e = pcall(struct.pack, 'I99999999999999999999', 'x') return e" 0
        "integral size overflow"
        > EVAL "local ok, e = pcall(struct.pack, '!2147483648b', 'x') return e" 0
        "integral size overflow"
        > EVAL "local ok, e = pcall(struct.pack, '!1073741824', 'x') return e" 0
        ""
        > EVAL "local ok, e = pcall(struct.unpack, 'c2147483647', 'x') return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'Bc0', '\\255x') return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'dc0', struct.pack('d', -1)) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'lc0', struct.pack('l', -2^63)) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'b', 'x', -1) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 'b', 'x', 2^63) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, '!8d', 'abcdefgh', -2) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "local ok, e = pcall(struct.unpack, 's', 'x', 3) return e" 0
        "bad argument #2 to '?' (data string too short)"
        > EVAL "return tostring(struct.size(('c2147483647'):rep(5)))" 0
        "10737418235"
        > EVAL "local ok, e = pcall(struct.unpack, ('b'):rep(8000), ('x'):rep(8000)) return e" 0
        "stack overflow (too many results)"
    "#,
    );
}

/// CVE-2024-31449: a number of digits that has no positive counterpart.
#[test]
fn digits_of_bits_are_at_most_eight() {
    check(
        r#"
        > EVAL "return {bit.tohex(-1, 2147483647), bit.tohex(-1, -2147483647), bit.tohex(-1, 9), bit.tohex(-1, 1e300), bit.tohex(-1, 0/0)}" 0
        1) "ffffffff"
        2) "FFFFFFFF"
        3) "ffffffff"
        4) "FFFFFFFF"
        5) ""
    "#,
    );
}

/// What a library returns can be far larger than what it is given, and no allocation fails while it is at work: it looks
/// after the ceiling itself. Buffers that grew without bounds were CVE-2022-24834.
#[test]
fn results_of_libraries_are_bounded() {
    check_ours(
        r#"
        > CONFIG SET lua-memory-limit 4mb
        OK
        > EVAL "local t = {} for i = 1, 60 do t = {t, t} end local ok, e = pcall(cjson.encode, t) return e" 0
        "not enough memory"
        > EVAL "local t = {} for i = 1, 60 do t = {a = t, b = t} end local ok, e = pcall(cjson.encode, t) return e" 0
        "not enough memory"
        > EVAL "local json = cjson.new() json.encode_sparse_array(false, 0) local ok, e = pcall(json.encode, {[2147483647] = 1}) return e" 0
        "not enough memory"
        > EVAL "local ok, e = pcall(cjson.encode, ('\\1'):rep(700000)) return e" 0
        "not enough memory"
        > EVAL "local ok, e = pcall(cjson.decode, '[' .. ('{},'):rep(200000) .. '1]') return e" 0
        "not enough memory"
        > EVAL "local t = 1 for i = 1, 15 do local u = {} for j = 1, 1000 do u[j] = t end t = u end local ok, e = pcall(cmsgpack.pack, t) return e" 0
        "not enough memory"
        > EVAL "local s = ('x'):rep(700000) local ok, e = pcall(cmsgpack.pack, s, s, s, s, s, s) return e" 0
        "not enough memory"
        > EVAL "local ok, e = pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255' .. ('\\144'):rep(200000)) return e" 0
        "not enough memory"
        > EVAL "local s = ('x'):rep(700000) local ok, e = pcall(struct.pack, 'ssssss', s, s, s, s, s, s) return e" 0
        "not enough memory"
        > EVAL "return cjson.encode(cjson.decode('[1]'))" 0
        "[1]"
    "#,
    );
}

/// Sizes and alignments at their ends, and a stack that is full: errors, not an internal one.
#[test]
fn full_stacks_are_no_defect() {
    check(
        r#"
        > EVAL "local function f(...) return select('#', pcall(struct.pack, 'b', ...)) end local t = {} for i = 1, 7900 do t[i] = {} end return f(unpack(t))" 0
        (integer) 2
        > EVAL "local t = {} for i = 1, 7990 do t[i] = 'x' end local ok, e = pcall(cjson.encode, unpack(t)) return e" 0
        "bad argument #1 to '?' (expected 1 argument)"
        > EVAL "local t = {} for i = 1, 7990 do t[i] = 1 end return bit.bor(unpack(t))" 0
        (integer) 1
        > EVAL "local t = {} for i = 1, 3990 do t[i] = {{{{1}}}} end return #cmsgpack.pack(unpack(t))" 0
        (integer) 19950
    "#,
    );
}

/// Tables that are in each other many times take their time: such a script can be killed while a library is at work.
#[test]
fn libraries_can_be_killed() {
    let server = builder().setting("busy-reply-threshold", "1").unwrap().start().unwrap();
    let mut kills = server.client();
    for call in ["cjson.encode(t)", "cmsgpack.pack({u, u, u, u, u, u})"] {
        let mut runs = server.client();
        let code = format!(
            "local t, u = {{}}, {{}} for i = 1, 60 do t = {{t, t}} end
            for i = 1, 15 do local v = {{}} for j = 1, 100 do v[j] = u end u = v end return {call}"
        );
        let running = std::thread::spawn(move || runs.call(["EVAL", &code, "0"]));
        while !kills.call(["SCRIPT", "KILL"]).is_ok() {
            assert!(!running.is_finished(), "{call} has ended by itself");
        }
        let error = running.join().unwrap();
        assert!(error.as_error().unwrap().contains("Script killed by user"), "{error:?}");
    }
}
