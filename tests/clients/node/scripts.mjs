// Scripts with ioredis: its defined commands alone, in pipelines and in transactions, and what happens when the server forgot
// them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Redis } from "ioredis";

const [port, protocol] = process.argv.slice(2).map(Number);
const options = { host: "127.0.0.1", port, protocol };
const redis = new Redis(options);

// Increments unless that would pass a limit, as bots do with their quotas.
const LIMITED = `
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count >= tonumber(ARGV[1]) then
    return {count, false}
end
return {redis.call('INCR', KEYS[1]), redis.status_reply(ARGV[2])}
`;
const ECHO = "return {#KEYS, #ARGV, KEYS[1], ARGV[1]}";
const SHA = createHash("sha1").update(LIMITED).digest("hex");
const EVERYTHING = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** A connection on which no script has been sent yet, with the commands of this program. */
async function fresh(program, more = {}) {
  const client = new Redis({ ...options, ...more, scripts: { limited: { lua: LIMITED, numberOfKeys: 1 } } });
  try {
    await program(client);
  } finally {
    client.disconnect();
  }
}

async function fails(promise, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, "ReplyError");
    assert.ok(error.message.includes(text), error.message);
    return true;
  });
}

async function definedCommands() {
  redis.defineCommand("limited", { lua: LIMITED, numberOfKeys: 1 });
  redis.defineCommand("echo_all", { lua: ECHO });
  assert.deepEqual(await redis.script("EXISTS", SHA), [0]);
  assert.deepEqual(await redis.limited("quota", 2, "TAKEN"), [1, "TAKEN"]);
  assert.deepEqual(await redis.script("EXISTS", SHA, "0".repeat(40)), [1, 0]);
  assert.deepEqual(await redis.limited("quota", 2, "TAKEN"), [2, "TAKEN"]);
  assert.deepEqual(await redis.limited("quota", 2, "TAKEN"), [2, null]);
  // Without a fixed number of keys the first argument says how many there are.
  assert.deepEqual(await redis.echo_all(1, "key", "argument", "more"), [1, 2, "key", "argument"]);
  assert.deepEqual(await redis.echo_all(2, ["a", "b"], "c"), [2, 1, "a", "c"]);
  assert.deepEqual(await redis.echo_all(0), [0, 0], "an array ends at its first nil");
  await fresh(async (client) => {
    assert.deepEqual(await client.limited("app:quota", 9, "TAKEN"), [1, "TAKEN"]);
  });
  await fresh(async (client) => {
    assert.deepEqual(await client.limited("quota", 9, "TAKEN"), [2, "TAKEN"], "its prefix stands before keys alone");
  }, { keyPrefix: "app:" });
  assert.equal(await redis.get("app:quota"), "2");
}

async function plainCalls() {
  const sha = await redis.script("LOAD", ECHO);
  assert.equal(sha, createHash("sha1").update(ECHO).digest("hex"));
  assert.deepEqual(await redis.evalsha(sha, 1, "k", "a"), [1, 1, "k", "a"]);
  assert.deepEqual(await redis.eval(ECHO, 1, "k", "a"), [1, 1, "k", "a"]);
  assert.equal(await redis.eval_ro("return redis.call('EXISTS', KEYS[1])", 1, "nothing"), 0);
  await fails(redis.evalsha("0".repeat(40), 0), "NOSCRIPT");
  await fails(redis.eval("return (", 0), "Error compiling script");
  await fails(redis.eval("return redis.error_reply('MINE to tell')", 0), "MINE to tell");
  await fails(redis.eval_ro("return redis.call('DEL', KEYS[1])", 1, "k"), "not allowed from read-only scripts");
  await redis.hset("h", { a: 1, b: 2 });
  const ask = "redis.setresp(3) return redis.call('HGETALL', KEYS[1])";
  assert.deepEqual(await redis.eval(ask, 1, "h"), ["a", "1", "b", "2"]);
  if (protocol === 3) {
    await fresh(async (client) => {
      assert.deepEqual({ ...(await client.eval(ask, 1, "h")) }, { a: "1", b: "2" });
      const kinds = "redis.setresp(3) return {true, false, {double = 1.5}, {map = {a = 1}}}";
      assert.deepEqual(await client.eval(kinds, 0), [true, false, 1.5, { a: 1 }]);
    }, { replyMapping: "resp3" });
  }
}

async function binaryArguments() {
  const told = await redis.echo_allBuffer(1, EVERYTHING, EVERYTHING);
  assert.deepEqual(told, [1, 1, EVERYTHING, EVERYTHING]);
  redis.defineCommand("store", { lua: "redis.call('SET', KEYS[1], ARGV[1] .. '\\0') return #ARGV[1]", numberOfKeys: 1 });
  assert.equal(await redis.store("bytes", EVERYTHING), 256);
  assert.deepEqual(await redis.getBuffer("bytes"), Buffer.concat([EVERYTHING, Buffer.of(0)]));
  const large = Buffer.alloc(1 << 20, EVERYTHING);
  assert.equal(await redis.store("bytes", large), large.length);
  // MessagePack for {"id": 7, "tags": ["a", "ß"], "at": 1700000000123}, its last number as 64 bits.
  const packed = Buffer.from("83a2696407a47461677392a161a2c39fa26174cf0000018bcfe5687b", "hex");
  const unpack = "local t = cmsgpack.unpack(ARGV[1]) return {t.id, t.tags[2], t.at, cjson.encode(t.tags)}";
  assert.deepEqual(await redis.eval(unpack, 0, packed), [7, "ß", 1700000000123, '["a","ß"]']);
}

async function forgotten() {
  for (const flush of [[], ["SYNC"], ["ASYNC"]]) {
    await redis.del("quota");
    await redis.limited("quota", 100, "TAKEN");
    assert.equal(await redis.script("FLUSH", ...flush), "OK");
    assert.deepEqual(await redis.script("EXISTS", SHA), [0]);
    // A hundred are under way before the first answer says that the server does not know it.
    const told = await Promise.all(Array.from({ length: 100 }, () => redis.limited("quota", 100, "TAKEN")));
    const taken = told.filter(([, text]) => text === "TAKEN").map(([count]) => count);
    assert.deepEqual(taken.sort((a, b) => a - b), Array.from({ length: 99 }, (_, n) => n + 2));
    assert.deepEqual(await redis.script("EXISTS", SHA), [1]);
  }
}

async function inPipelines() {
  await redis.del("quota");
  await fresh(async (client) => {
    const batch = () =>
      client.pipeline().set("before", 1).limited("quota", 2, "TAKEN").limited("quota", 2, "TAKEN").get("quota").exec();
    assert.deepEqual(await batch(), [[null, "OK"], [null, [1, "TAKEN"]], [null, [2, "TAKEN"]], [null, "2"]]);
    // When it was forgotten, its calls are sent again behind the rest of the pipeline.
    await client.script("FLUSH");
    await client.del("quota");
    assert.deepEqual(await batch(), [[null, "OK"], [null, [1, "TAKEN"]], [null, [2, "TAKEN"]], [null, null]]);
    const [[error], [, after]] = await client.pipeline().evalsha("0".repeat(40), 0).get("quota").exec();
    assert.match(error.message, /^NOSCRIPT/);
    assert.equal(after, "2");
    const failing = await client.pipeline().eval("return redis.call('LPUSH', KEYS[1], 'x')", 1, "quota").ping().exec();
    assert.match(failing[0][0].message, /^WRONGTYPE/);
    assert.deepEqual(failing[1], [null, "PONG"]);
  });
  await fresh(async (client) => {
    await client.del("quota");
    const told = await Promise.all(Array.from({ length: 50 }, () => client.limited("quota", 20, "TAKEN")));
    assert.deepEqual(told.map(([count]) => count), Array.from({ length: 50 }, (_, n) => Math.min(n + 1, 20)));
  }, { enableAutoPipelining: true });
}

async function inTransactions() {
  await redis.del("quota");
  await fresh(async (client) => {
    const batch = () => client.multi().limited("quota", 1, "TAKEN").limited("quota", 1, "TAKEN").get("quota").exec();
    assert.deepEqual(await batch(), [[null, [1, "TAKEN"]], [null, [1, null]], [null, "1"]]);
    assert.deepEqual(await batch(), [[null, [1, null]], [null, [1, null]], [null, "1"]]);
    // Forgotten, each of its calls fails in its place; the transaction goes on, and the next call outside brings it back.
    await client.script("FLUSH");
    const [[first], [second], third] = await batch();
    assert.match(first.message, /^NOSCRIPT/);
    assert.match(second.message, /^NOSCRIPT/);
    assert.deepEqual(third, [null, "1"]);
    assert.deepEqual(await client.limited("quota", 1, "TAKEN"), [1, null]);
    assert.deepEqual(await batch(), [[null, [1, null]], [null, [1, null]], [null, "1"]]);
    // A script is a change like another to who watches.
    await client.watch("quota");
    await redis.limited("quota", 5, "TAKEN");
    assert.equal(await batch(), null);
    await client.multi({ pipeline: false });
    assert.equal(await client.limited("quota", 5, "TAKEN"), "QUEUED");
    assert.deepEqual(await client.exec(), [[null, [3, "TAKEN"]]]);
  });
}

async function functions() {
  const library = `#!lua name=counters
    redis.register_function('count', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)
    redis.register_function{function_name = 'counted', flags = {'no-writes'},
        callback = function(keys) return redis.call('GET', keys[1]) end}`;
  assert.equal(await redis.function("LOAD", library), "counters");
  assert.equal(await redis.function("LOAD", "REPLACE", library), "counters");
  assert.equal(await redis.fcall("count", 1, "counter", 5), 5);
  assert.equal(await redis.fcall_ro("counted", 1, "counter"), "5");
  await fails(redis.fcall_ro("count", 1, "counter", 5), "write flag");
  const told = await redis.multi().fcall("count", 1, "counter", 2).fcall_ro("counted", 1, "counter").exec();
  assert.deepEqual(told, [[null, 7], [null, "7"]]);
  const dump = await redis.functionBuffer("DUMP");
  assert.equal(await redis.function("FLUSH"), "OK");
  await fails(redis.fcall("count", 1, "counter", 1), "Function not found");
  assert.equal(await redis.function("RESTORE", dump), "OK");
  assert.equal(await redis.fcall("count", 1, "counter", 1), 8);
  assert.equal(await redis.function("DELETE", "counters"), "OK");
}

for (const program of [
  definedCommands,
  plainCalls,
  binaryArguments,
  forgotten,
  inPipelines,
  inTransactions,
  functions,
]) {
  await program();
  console.log("ok", program.name);
}
await redis.quit();
