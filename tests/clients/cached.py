"""redis-py's own client-side cache: what it has read it need not read again, until somebody changes it."""

import sys

import redis
from redis.cache import CacheConfig

port = int(sys.argv[1])
cached = redis.Redis(port=port, protocol=3, decode_responses=True, cache_config=CacheConfig())
other = redis.Redis(port=port, protocol=3, decode_responses=True)


def reads():
    return other.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]


def unchanged_is_read_once():
    other.set("k", "1")
    before = reads()
    for _ in range(20):
        assert cached.get("k") == "1"
    assert reads() == before + 1, (before, reads())
    assert cached.get_cache().size >= 1


def changed_is_read_again():
    for number in range(20):
        other.set("k", number)
        # The message has left before the answer to SET has.
        assert cached.get("k") == str(number)


def gone_is_gone():
    other.delete("k")
    assert cached.get("k") is None
    other.hset("h", "f", "1")
    assert cached.hget("h", "f") == "1"
    other.hset("h", "f", "2")
    assert cached.hget("h", "f") == "2"
    other.flushall()
    assert cached.hget("h", "f") is None


unchanged_is_read_once()
changed_is_read_again()
gone_is_gone()
