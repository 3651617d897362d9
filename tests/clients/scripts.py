"""Scripts and functions with redis-py: its Lock in full, registered scripts and their fall-back, functions."""

import asyncio
import hashlib
import json
import sys
import threading

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def connect(**options):
    return redis.Redis(port=port, protocol=protocol, **options)


r = connect(decode_responses=True)
raw = connect()


def raises(kind, text, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        assert text in str(error), error
        return error
    raise AssertionError(f"no {kind.__name__}: {text}")


# Locks. One that must still be held later lives for ten minutes, so that no machine is too slow for it.


def a_lock_has_one_owner():
    mine, other = r.lock("job", timeout=600), raw.lock("job", timeout=600)
    assert mine.acquire(blocking=False) and mine.locked() and mine.owned()
    assert r.get("job") == mine.local.token.decode() and 0 < r.pttl("job") <= 600_000
    assert other.locked() and not other.owned() and not other.acquire(blocking=False)
    raises(LockError, "Cannot release a lock that's not owned", other.release)
    mine.release()
    assert not r.exists("job") and not mine.owned()
    raises(LockError, "already unlocked", mine.release)
    assert other.acquire(blocking=False, token="its token") and r.get("job") == "its token"
    other.release()
    for_ever = r.lock("for ever")
    assert for_ever.acquire() and r.pttl("for ever") == -1
    raises(LockError, "no timeout", for_ever.extend, 10)
    raises(LockError, "no timeout", for_ever.reacquire)
    for_ever.release()


def a_lock_is_extended():
    lock = r.lock("job", timeout=600)
    raises(LockError, "Cannot extend an unlocked lock", lock.extend, 10)
    raises(LockError, "Cannot reacquire an unlocked lock", lock.reacquire)
    assert lock.acquire()
    assert lock.extend(600) and 600_000 < r.pttl("job") <= 1_200_000
    assert lock.extend(60.5, replace_ttl=True) and 0 < r.pttl("job") <= 60_500
    assert lock.reacquire() and 60_500 < r.pttl("job") <= 600_000
    lock.release()


def a_lock_is_lost():
    def lost(how, **options):
        lock = r.lock("job", timeout=600, **options)
        assert lock.acquire(blocking=False)
        how()
        return lock

    def expire():
        # Past already, so it is gone at once.
        assert r.pexpire("job", -1)

    def change_hands():
        r.set("job", "of another", px=600_000)

    for how in [expire, change_hands]:
        lock = lost(how)
        raises(LockNotOwnedError, "Cannot extend a lock that's no longer owned", lock.extend, 10)
        raises(LockNotOwnedError, "Cannot extend a lock that's no longer owned", lock.extend, 10, replace_ttl=True)
        raises(LockNotOwnedError, "Cannot reacquire a lock that's no longer owned", lock.reacquire)
        raises(LockNotOwnedError, "Cannot release a lock that's no longer owned", lock.release)
        raises(LockError, "already unlocked", lock.release)
        assert r.get("job") == (None if how is expire else "of another")
        r.delete("job")
    # One that never ends has no time that could be added to.
    lock = lost(lambda: r.persist("job"))
    raises(LockNotOwnedError, "Cannot extend", lock.extend, 10)
    lock.release()

    def leave(**options):
        with r.lock("job", timeout=600, **options):
            change_hands()

    raises(LockNotOwnedError, "Cannot release", leave)
    r.delete("job")
    leave(raise_on_release_error=False)
    assert r.get("job") == "of another"
    r.delete("job")


def a_lock_is_waited_for():
    holder = r.lock("job", timeout=600)
    assert holder.acquire()
    assert not r.lock("job", timeout=600, sleep=0.005, blocking_timeout=0.02).acquire()
    assert not r.lock("job", timeout=600).acquire(sleep=0.005, blocking_timeout=0.02)
    raises(LockError, "Unable to acquire", r.lock("job", blocking_timeout=0, sleep=0.005).__enter__)
    # Its holder's death lets the next one in, and so does a release.
    assert r.pexpire("job", 30)
    with raw.lock("job", timeout=600, sleep=0.005) as next_one:
        assert next_one.owned()
        raises(LockNotOwnedError, "Cannot release", holder.release)
        waiting = threading.Event()

        def wait():
            waiting.set()
            with connect().lock("job", timeout=600, sleep=0.005):
                r.rpush("order", "waiter")

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert waiting.wait(60)
        r.rpush("order", "holder")
    waiter.join()
    assert r.lrange("order", 0, -1) == ["holder", "waiter"] and not r.exists("job")


def a_lock_guards():
    def count():
        client = connect(decode_responses=True)
        for _ in range(25):
            with client.lock("guard", timeout=600, sleep=0.001):
                client.set("count", int(client.get("count") or 0) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("count") == "100"


async def asynchronous_locks():
    client = redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=True)

    async def count():
        for _ in range(10):
            async with client.lock("async guard", timeout=600, sleep=0.001):
                await client.set("async count", int(await client.get("async count") or 0) + 1)

    await asyncio.gather(*(count() for _ in range(5)))
    assert await client.get("async count") == "50"
    lock = client.lock("async job", timeout=600)
    assert await lock.acquire() and await lock.locked() and await lock.owned()
    assert not await client.lock("async job", sleep=0.005, blocking_timeout=0.02).acquire()
    assert await lock.extend(600) and 600_000 < await client.pttl("async job") <= 1_200_000
    assert await lock.reacquire() and await client.pttl("async job") <= 600_000
    await client.script_flush()
    await client.set("async job", "of another")
    for change in [lambda: lock.extend(10), lock.reacquire, lock.release]:
        try:
            await change()
            raise AssertionError("the lock was lost")
        except LockNotOwnedError:
            pass
    script = client.register_script("return {KEYS[1], ARGV[1]}")
    assert await script(["k"], ["v"]) == ["k", "v"]
    await client.script_flush()
    assert await script(["k"], ["v"]) == ["k", "v"]
    async with client.pipeline() as pipe:
        await script(["a"], [1], client=pipe)
        await script(["b"], [2], client=pipe)
        assert await pipe.execute() == [["a", "1"], ["b", "2"]]
    await client.aclose()


# Scripts.

# Increments unless that would pass a limit, as bots do with their quotas.
LIMITED = """
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count >= tonumber(ARGV[1]) then
    return {count, false}
end
count = redis.call('INCR', KEYS[1])
if count == 1 then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return {count, redis.status_reply('TAKEN')}
"""


def registered_scripts():
    limited = r.register_script(LIMITED)
    assert limited.sha == hashlib.sha1(LIMITED.encode()).hexdigest()
    assert r.script_exists(limited.sha) == [False]
    assert [limited(keys=["quota"], args=[2, 600]) for _ in range(3)] == [[1, "TAKEN"], [2, "TAKEN"], [2, None]]
    assert 0 < r.ttl("quota") <= 600
    assert r.script_exists(limited.sha, "0" * 40) == [True, False]
    for flush in [(), ("SYNC",), ("ASYNC",)]:
        assert r.script_flush(*flush)
        assert r.script_exists(limited.sha) == [False]
        raises(NoScriptError, "No matching script", r.evalsha, limited.sha, 1, "quota", 2, 600)
        # Loads it again by itself; another client finds it there.
        assert limited(keys=["quota"], args=[2, 600]) == [2, None]
        assert limited(keys=["quota"], args=[2, 600], client=raw) == [2, None]
    assert r.script_load("return 1") == hashlib.sha1(b"return 1").hexdigest()
    assert r.eval("return {#KEYS, #ARGV}", 2, "a", "b", "c") == [2, 1]
    assert r.evalsha(hashlib.sha1(b"return {#KEYS, #ARGV}").hexdigest().upper(), 0) == [0, 0]


def scripts_in_pipelines():
    limited = r.register_script(LIMITED)
    for transaction in [False, True]:
        r.delete("quota")
        r.script_flush()
        with r.pipeline(transaction=transaction) as pipe:
            pipe.set("before", 1)
            for _ in range(3):
                limited(keys=["quota"], args=[2, 600], client=pipe)
            pipe.get("quota")
            expected = [True, [1, "TAKEN"], [2, "TAKEN"], [2, None], "2"]
            assert pipe.execute() == expected
        # What fails stands in its place, and the rest is done.
        with r.pipeline(transaction=transaction) as pipe:
            pipe.evalsha("0" * 40, 0).eval("return redis.call('INCR', KEYS[1])", 1, "quota")
            pipe.eval("redis.call('SET', KEYS[1], 'half done'); error('then')", 1, "half").get("half")
            missing, count, broken, half = pipe.execute(raise_on_error=False)
            assert isinstance(missing, NoScriptError) and isinstance(broken, ResponseError), (missing, broken)
            assert "then" in str(broken) and (count, half) == (3, "half done")
            r.delete("half")
    # A script is one of the others' changes that a transaction watches for.
    with r.pipeline() as pipe:
        pipe.watch("quota")
        pipe.multi()
        limited(keys=["other"], args=[1, 600], client=pipe)
        r.eval("return redis.call('INCR', KEYS[1])", 1, "quota")
        raises(redis.WatchError, "", pipe.execute)
    assert not r.exists("other")


def binary_arguments():
    everything = bytes(range(256))
    echo = raw.register_script("return {KEYS[1], ARGV[1], #ARGV[1], string.byte(ARGV[1], 1), string.byte(ARGV[1], -1)}")
    assert echo([everything], [everything]) == [everything, everything, 256, 0, 255]
    store = raw.register_script("redis.call('SET', KEYS[1], ARGV[1] .. '\\0' .. string.char(255)) return KEYS[1]")
    assert store([b"\xff\x00\r\n"], [everything]) == b"\xff\x00\r\n"
    assert raw.get(b"\xff\x00\r\n") == everything + b"\0\xff"
    # The script's own text may hold anything too.
    assert raw.eval(b"return '\xf0\x9f\x8d\x9c\xff'", 0) == b"\xf0\x9f\x8d\x9c\xff"
    large = everything * 4096
    assert raw.eval("return ARGV[1]", 0, large) == large
    assert raw.eval("return #ARGV", 0, *["x"] * 5000) == 5000


def packed_and_unpacked():
    order = {"dish": "soup", "portions": 3, "notes": ["größe", "🍜", ""], "price": 4.25, "paid": False}
    order["at"] = 1700000000123
    keep = raw.register_script("redis.call('HSET', KEYS[1], 'packed', cmsgpack.pack(cjson.decode(ARGV[1]))) return 1")
    assert keep(["packed order"], [json.dumps(order)]) == 1
    told = raw.register_script("return cjson.encode(cmsgpack.unpack(redis.call('HGET', KEYS[1], 'packed')))")
    assert json.loads(told(["packed order"])) == order
    # As every MessagePack library writes it.
    pack = raw.register_script("return cmsgpack.pack({1, -1, 300, 70000, 0.5, 'ab', true, {}})")
    packed = b"\x98\x01\xff\xcd\x01\x2c\xce\x00\x01\x11\x70\xca\x3f\x00\x00\x00\xa2ab\xc3\x90"
    assert pack() == packed, pack()
    unpack = raw.register_script("return cmsgpack.unpack(ARGV[1])")
    assert unpack([], [packed]) == [1, -1, 300, 70000, 0, b"ab", 1, []]
    # What libraries write that the server itself would write shorter: 64 bits, doubles and long strings.
    for sent, found in [
        (b"\xcf\x00\x00\x01\x8b\xcf\xe5\x68\x7b", 1700000000123),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
        (b"\xcb\x40\x11\x00\x00\x00\x00\x00\x00", 4),
        (b"\xd9\x02ab", b"ab"),
        (b"\xda\x00\x02ab", b"ab"),
        (b"\xc0", None),
    ]:
        assert unpack([], [sent]) == found, sent
    fields = raw.register_script("local m = cmsgpack.unpack(ARGV[1]) return {m.a, m['b'][2], m.c == nil}")
    assert fields([], [b"\x82\xa1a\xa1x\xa1b\x92\x01\xd1\x01\x00"]) == [b"x", 256, 1]


def what_becomes_of_values():
    for script, value in [
        ("return 3.99", 3),
        ("return -3.99", -3),
        ("return '3.99'", "3.99"),
        ("return tostring(0.1)", "0.1"),
        ("return {1, 2, nil, 4}", [1, 2]),
        ("return {1, {'two', {3.5}}, false}", [1, ["two", [3]], None]),
        ("return true", 1),
        ("return false", None),
        ("return nil", None),
        ("return", None),
        ("return {}", []),
        ("return redis.sha1hex('')", hashlib.sha1(b"").hexdigest()),
        ("return {ok = 'fine'}", "fine"),
        ("return redis.call('PING')", "PONG"),
        ("return redis.call('GET', 'no such key')", None),
        ("return {redis.call('SET', 'k', 1700000000123 * 4096), redis.call('GET', 'k')}", ["OK", "6963200000503808"]),
    ]:
        found = r.eval(script, 0)
        assert found == value and type(found) is type(value), (script, found)
    # One who asks for RESP3 inside the script gets maps, which RESP2 has flat.
    r.hset("h", mapping={"a": 1, "b": 2})
    told = r.eval("redis.setresp(3) return redis.call('HGETALL', KEYS[1])", 1, "h")
    assert told == ({"a": "1", "b": "2"} if protocol == 3 else ["a", "1", "b", "2"]), told
    assert r.eval("return redis.call('HGETALL', KEYS[1])", 1, "h") == ["a", "1", "b", "2"]


def what_fails():
    r.rpush("list", "a")
    raises(ResponseError, "Error compiling script", r.eval, "return (", 0)
    raises(ResponseError, "Error compiling script", r.script_load, "if")
    raises(ResponseError, "nonexistent global variable 'nothing'", r.eval, "return nothing", 0)
    raises(ResponseError, "attempt to index", r.eval, "local nothing return nothing.at", 0)
    raises(ResponseError, "WRONGTYPE", r.eval, "return redis.call('GET', KEYS[1])", 1, "list")
    raises(ResponseError, "MINE to tell", r.eval, "return redis.error_reply('MINE to tell')", 0)
    raises(ResponseError, "plain words", r.eval, "error('plain words')", 0)
    raises(ResponseError, "Number of keys can't be greater than number of args", r.eval, "return 1", 2, "a")
    raises(ResponseError, "command called from script", r.eval, "return redis.call('NOSUCH')", 0)
    raises(ResponseError, "Wrong number of args", r.eval, "return redis.call('GET')", 0)
    raises(ResponseError, "not allowed from script", r.eval, "return redis.call('SUBSCRIBE', 'c')", 0)
    caught = "local e = redis.pcall('GET', KEYS[1]) return {type(e), string.match(e.err, '^%u+')}"
    assert r.eval(caught, 1, "list") == ["table", "WRONGTYPE"]
    caught = "local fine, e = pcall(redis.call, 'GET', KEYS[1]) return fine and 'fine' or 'caught'"
    assert r.eval(caught, 1, "list") == "caught"
    assert r.eval_ro("return redis.call('LLEN', KEYS[1])", 1, "list") == 1
    delete = "return redis.call('DEL', KEYS[1])"
    raises(ResponseError, "not allowed from read-only scripts", r.eval_ro, delete, 1, "list")
    raises(ResponseError, "not allowed from read-only scripts", r.eval, f"#!lua flags=no-writes\n{delete}", 1, "list")
    sha = r.script_load("return redis.call('LRANGE', KEYS[1], 0, -1)")
    assert r.evalsha_ro(sha, 1, "list") == ["a"]
    raises(ResponseError, "No scripts in execution", r.script_kill)


# Functions.

LIBRARY = """#!lua name=orders
local function key(user) return 'orders:' .. user end
redis.register_function('order', function(keys, args)
    return redis.call('RPUSH', key(keys[1]), unpack(args))
end)
redis.register_function{
    function_name = 'ordered',
    callback = function(keys, args) return redis.call('LRANGE', key(keys[1]), 0, -1) end,
    flags = {'no-writes'},
    description = 'what a user has ordered',
}
"""


def functions():
    assert r.function_load(LIBRARY) == "orders"
    raises(ResponseError, "already exists", r.function_load, LIBRARY)
    assert r.function_load(LIBRARY, replace=True) == "orders"
    assert r.fcall("order", 1, "ann", "soup", "cake") == 2
    assert r.fcall("ordered", 1, "ann") == r.fcall_ro("ordered", 1, "ann") == ["soup", "cake"]
    raises(ResponseError, "write flag", r.fcall_ro, "order", 1, "ann", "tea")
    raises(ResponseError, "Function not found", r.fcall, "nothing", 0)
    # Scripts and functions are kept apart.
    r.script_flush()
    with r.pipeline() as pipe:
        pipe.fcall("order", 1, "ann", "tea").fcall_ro("ordered", 1, "ann").fcall("nothing", 0)
        added, ordered, missing = pipe.execute(raise_on_error=False)
    assert (added, ordered) == (3, ["soup", "cake", "tea"]) and "Function not found" in str(missing)

    [library] = r.function_list(library="ord*", withcode=True)
    library = library if isinstance(library, dict) else dict(zip(library[::2], library[1::2]))
    assert (library["library_name"], library["engine"], library["library_code"]) == ("orders", "LUA", LIBRARY)
    told = [one if isinstance(one, dict) else dict(zip(one[::2], one[1::2])) for one in library["functions"]]
    told = {one["name"]: (one["description"], sorted(one["flags"])) for one in told}
    assert told == {"order": (None, []), "ordered": ("what a user has ordered", ["no-writes"])}
    stats = r.function_stats()
    stats = stats if isinstance(stats, dict) else dict(zip(stats[::2], stats[1::2]))
    assert stats["running_script"] is None

    dump = raw.function_dump()
    assert r.function_delete("orders")
    raises(ResponseError, "Function not found", r.fcall, "ordered", 1, "ann")
    assert raw.function_restore(dump)
    assert r.fcall("ordered", 1, "ann") == ["soup", "cake", "tea"]
    raises(ResponseError, "already exists", raw.function_restore, dump)
    assert raw.function_restore(dump, "REPLACE") and raw.function_restore(dump, "FLUSH")
    assert r.function_flush() and r.function_list() == []
    raises(ResponseError, "Error compiling function", r.function_load, "#!lua name=broken\nreturn (")
    raises(ResponseError, "No functions registered", r.function_load, "#!lua name=empty\nlocal a = 1")
    raises(ResponseError, "", r.function_load, "redis.register_function('f', function() end)")


for program in [
    a_lock_has_one_owner,
    a_lock_is_extended,
    a_lock_is_lost,
    a_lock_is_waited_for,
    a_lock_guards,
    registered_scripts,
    scripts_in_pipelines,
    binary_arguments,
    packed_and_unpacked,
    what_becomes_of_values,
    what_fails,
    functions,
]:
    program()
    print("ok", program.__name__)
asyncio.run(asynchronous_locks())
print("ok asynchronous_locks")
