"""The rate limits of the library `limits`: fixed and moving windows and sliding counters, each by scripts of its own.

Nothing here waits for a window's end: what would pass with time is put into the past instead.
"""

import asyncio
import sys
import time

import limits.aio
import redis
from limits import RateLimitItemPerMinute, parse, parse_many
from limits.storage import RedisStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

URL = "redis://127.0.0.1:{}?protocol={}".format(*sys.argv[1:])
r = redis.Redis.from_url(URL, decode_responses=True)
storage = storage_from_string(URL)
assert isinstance(storage, RedisStorage) and storage.check()


def hits(limiter, item, count, *user, **options):
    return [limiter.hit(item, *user, **options) for _ in range(count)]


def fixed_window():
    limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(3, 10)
    key = storage.prefixed_key(item.key_for("ann"))
    assert limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 3
    assert hits(limiter, item, 4, "ann") == [True, True, True, False]
    assert limiter.hit(item, "bob"), "another user has a window of their own"
    assert not limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 0
    assert time.time() < limiter.get_window_stats(item, "ann").reset_time <= time.time() + 600
    assert r.get(key) == "4" and 0 < r.ttl(key) <= 600
    # The window's end is set by its first hit, and by no other.
    assert r.persist(key) and not limiter.hit(item, "ann") and r.ttl(key) == -1
    assert r.pexpire(key, -1) and hits(limiter, item, 2, "ann") == [True, True] and 0 < r.ttl(key) <= 600
    limiter.clear(item, "ann")
    assert hits(limiter, item, 2, "ann", cost=2) == [True, False]


def moving_window():
    limiter, item = MovingWindowRateLimiter(storage), parse("5 per 10 minutes")
    key = storage.prefixed_key(item.key_for("ann"))
    assert limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 5
    assert hits(limiter, item, 6, "ann") == [True] * 5 + [False]
    assert not limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 0
    assert r.llen(key) == 5 and 0 < r.ttl(key) <= 600
    # The first two become eleven minutes old, so there is room for two.
    for index in [-1, -2]:
        r.lset(key, index, str(time.time() - 660))
    stats = limiter.get_window_stats(item, "ann")
    assert stats.remaining == 2 and time.time() < stats.reset_time <= time.time() + 600
    assert abs(stats.reset_time - 600 - float(r.lindex(key, 2))) < 0.001, "reckoned from the oldest that counts"
    assert not limiter.hit(item, "ann", cost=3)
    assert limiter.hit(item, "ann", cost=2) and not limiter.hit(item, "ann")
    assert not limiter.hit(item, "eve", cost=6), "more than ever fits"
    # A cost is written in parts of five thousand.
    many = parse("12000 per hour")
    assert limiter.hit(many, "ann", cost=11_999)
    assert limiter.hit(many, "ann") and not limiter.hit(many, "ann")
    assert r.llen(storage.prefixed_key(many.key_for("ann"))) == 12_000


def sliding_counter():
    limiter, item = SlidingWindowCounterRateLimiter(storage), parse("10 per 10 minutes")
    current = storage.prefixed_key("{%s}" % item.key_for("ann"))
    previous = current + "/-1"
    assert limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 10
    assert hits(limiter, item, 11, "ann") == [True] * 10 + [False]
    assert r.get(current) == "10" and 600_000 < r.pttl(current) <= 1_200_000
    assert limiter.get_window_stats(item, "ann").remaining == 0
    # Half of the next window has passed, so half of what was counted still counts.
    assert r.pexpire(current, 300_000)
    assert limiter.hit(item, "ann", cost=5)
    assert (r.get(previous), r.get(current)) == ("10", "5")
    assert 0 < r.pttl(previous) <= 300_000 < 600_000 < r.pttl(current) <= 900_000
    assert not limiter.hit(item, "ann", cost=2)
    # Less than a tenth of it is left, so of the ten less than one counts.
    assert r.pexpire(previous, 59_000)
    assert limiter.hit(item, "ann", cost=4) and not limiter.hit(item, "ann", cost=2)
    assert limiter.test(item, "ann") and limiter.get_window_stats(item, "ann").remaining == 1
    limiter.clear(item, "ann")
    assert not r.exists(current, previous)
    # Only looking shifts the windows too.
    assert limiter.hit(item, "bob", cost=10)
    current = current.replace("ann", "bob")
    assert r.pexpire(current, 60_000)
    assert limiter.get_window_stats(item, "bob").remaining >= 9 and r.get(current) == "0"


def what_is_kept_goes():
    fixed = FixedWindowRateLimiter(storage)
    items = parse_many("100 per day; 5 per minute")
    assert all(fixed.hit(item, "ann") for item in items)
    pipe = r.pipeline(transaction=False)
    for number in range(12_000):
        pipe.set(f"LIMITS:many:{number}", 1)
    pipe.execute()
    r.set("something else", 1)
    kept = r.dbsize() - 1
    assert storage.reset() == kept and r.keys() == ["something else"]
    assert storage.reset() == 0


def scripts_are_loaded_again():
    limiters = [FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter]
    for number, limiter in enumerate(limiter(storage) for limiter in limiters):
        item = parse(f"{number + 2} per hour")
        assert limiter.hit(item, "ann")
        r.script_flush()
        assert hits(limiter, item, number + 2, "ann") == [True] * (number + 1) + [False]
        r.script_flush()
        assert limiter.get_window_stats(item, "ann").remaining == 0


async def asynchronous():
    storage = limits.aio.storage.RedisStorage(f"async+{URL}", implementation="redispy")
    assert await storage.check()
    for limiter, item in [
        (limits.aio.strategies.FixedWindowRateLimiter, "20 per hour"),
        (limits.aio.strategies.MovingWindowRateLimiter, "21 per hour"),
        (limits.aio.strategies.SlidingWindowCounterRateLimiter, "22 per hour"),
    ]:
        limiter, item = limiter(storage), parse(item)
        told = await asyncio.gather(*(limiter.hit(item, "crowd") for _ in range(50)))
        assert told.count(True) == item.amount, "many at once get no more than the limit"
        assert not await limiter.test(item, "crowd")
        assert (await limiter.get_window_stats(item, "crowd")).remaining == 0
        await limiter.clear(item, "crowd")
        assert await limiter.hit(item, "crowd")
    assert await storage.reset() > 0


for program in [fixed_window, moving_window, sliding_counter, what_is_kept_goes, scripts_are_loaded_again]:
    program()
    print("ok", program.__name__)
asyncio.run(asynchronous())
print("ok asynchronous")
