"""The parts of redis-py that lean on the server most: iterators, pipelines, INFO, CLIENT, CONFIG and COMMAND."""

import asyncio
import sys

import redis
import redis.asyncio

port, protocol = int(sys.argv[1]), int(sys.argv[2])
r = redis.Redis(port=port, protocol=protocol, decode_responses=True, client_name="library")


def iterators():
    r.mset({f"key:{n}": n for n in range(1000)})
    assert set(r.scan_iter("key:*", count=50)) == {f"key:{n}" for n in range(1000)}
    r.hset("h", mapping={f"f{n}": n for n in range(600)})
    assert dict(r.hscan_iter("h")) == {f"f{n}": str(n) for n in range(600)}
    r.sadd("s", *range(700))
    assert set(r.sscan_iter("s")) == {str(n) for n in range(700)}
    r.zadd("z", {f"m{n}": n for n in range(300)})
    assert dict(r.zscan_iter("z")) == {f"m{n}": float(n) for n in range(300)}
    assert len(list(r.scan_iter(_type="zset"))) == 1


def large_requests():
    assert len(r.mget([f"key:{n % 1000}" for n in range(20_000)])) == 20_000
    with r.pipeline(transaction=False) as pipe:
        for n in range(10_000):
            pipe.incr("n")
        assert pipe.execute()[-1] == 10_000
    with r.pipeline() as pipe:
        for n in range(2_000):
            pipe.rpush("l", n)
        assert pipe.execute()[-1] == 2_000
    raw = redis.Redis(port=port, protocol=protocol)
    value = bytes(range(256)) * 32_768
    raw.set("eight megabytes", value)
    assert raw.get("eight megabytes") == value


def what_the_server_says_of_itself():
    info = r.info()
    assert info["redis_version"].startswith("7.4.") and "resplite_version" in info
    assert info["role"] == "master" and info["redis_mode"] == "standalone" and info["loading"] == 0
    assert info["db0"]["keys"] > 0 and info["used_memory"] > 0 and info["maxmemory_policy"] == "noeviction"
    assert r.info("keyspace")["db0"]["keys"] == r.dbsize()
    assert r.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
    assert r.config_set("maxmemory", "100mb")
    assert r.config_get("maxmemory") == {"maxmemory": "104857600"}
    assert r.config_set("maxmemory", "0")
    assert r.client_getname() == "library"
    names = [client["name"] for client in r.client_list()]
    assert names.count("library") >= 1
    assert r.client_info()["lib-name"].startswith("redis-py")
    assert r.command_count() > 100
    assert r.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
    assert r.memory_usage("key:1") > 0
    seconds, micros = r.time()
    assert seconds > 1_700_000_000 and 0 <= micros < 1_000_000
    assert r.ping() and r.echo("hello") == "hello"


def errors():
    for command, kind in [
        (("LPUSH", "key:1", "x"), redis.ResponseError),
        (("NOSUCH",), redis.ResponseError),
        (("SELECT", "99"), redis.ResponseError),
    ]:
        try:
            r.execute_command(*command)
            raise AssertionError(command)
        except kind:
            pass
    with r.pipeline() as pipe:
        pipe.set("text", "abc").incr("text").set("after", 1)
        replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] is True


async def asynchronous():
    client = redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=True)
    await asyncio.gather(*(client.incr("async") for _ in range(50)))
    assert await client.get("async") == "50"
    async with client.pipeline() as pipe:
        assert await pipe.set("a", 1).get("a").execute() == [True, "1"]
    assert {key async for key in client.scan_iter("key:*")} == {f"key:{n}" for n in range(1000)}
    await client.aclose()


for program in [iterators, large_requests, what_the_server_says_of_itself, errors]:
    program()
    print("ok", program.__name__)
asyncio.run(asynchronous())
print("ok asynchronous")
