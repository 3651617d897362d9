"""What bots keep in Redis, written the way their authors write it with redis-py."""

import sys
import threading
import time
import uuid

import redis

r = redis.Redis(port=int(sys.argv[1]), protocol=int(sys.argv[2]), decode_responses=True)


def session_in_a_hash():
    r.hset("session:42", mapping={"state": "ordering", "step": 3, "lang": "de"})
    r.expire("session:42", 3600)
    assert r.hgetall("session:42") == {"state": "ordering", "step": "3", "lang": "de"}
    assert r.hget("session:42", "state") == "ordering"
    assert 3590 <= r.ttl("session:42") <= 3600


def last_five_messages():
    for number in range(12):
        with r.pipeline() as pipe:
            pipe.lpush("chat:7", f"message {number}")
            pipe.ltrim("chat:7", 0, 4)
            pipe.execute()
    assert r.lrange("chat:7", 0, -1) == [f"message {n}" for n in (11, 10, 9, 8, 7)]


def priority_queue():
    r.zadd("todo", {"low": 10, "urgent": 1, "middle": 5})
    # RESP3 has a lone pair flat, and redis-py passes that on.
    assert r.zpopmin("todo") in ([("urgent", 1.0)], ["urgent", 1.0])
    assert r.zrange("todo", 0, 0) == ["middle"]


def one_time_code():
    assert r.set("otp:42", "123456", ex=300)
    assert 295 <= r.ttl("otp:42") <= 300
    assert r.getdel("otp:42") == "123456"
    assert r.get("otp:42") is None


def one_transaction():
    with r.pipeline() as pipe:
        pipe.hset("user:1", "points", 5)
        pipe.zincrby("leaderboard", 5, "user:1")
        assert pipe.execute() == [1, 5.0]


def sliding_window_rate_limit(user, now, limit=3, window=10.0):
    key = f"rate:{user}"
    with r.pipeline() as pipe:
        pipe.zremrangebyscore(key, 0, now - window)
        pipe.zadd(key, {str(uuid.uuid4()): now})
        pipe.zcard(key)
        pipe.expire(key, int(window))
        return pipe.execute()[2] <= limit


def rate_limit():
    start = 1_700_000_000.25
    allowed = [sliding_window_rate_limit("ann", start + second) for second in (0, 1, 2, 3)]
    assert allowed == [True, True, True, False]
    assert sliding_window_rate_limit("ann", start + 20)


def lock_and_release():
    token = str(uuid.uuid4())
    assert r.set("lock:job", token, nx=True, ex=30)
    assert r.set("lock:job", "another", nx=True, ex=30) is None
    with r.pipeline() as pipe:
        pipe.watch("lock:job")
        assert pipe.get("lock:job") == token
        pipe.multi()
        pipe.delete("lock:job")
        assert pipe.execute() == [1]
    # A lock that changed hands in between must not be released.
    r.set("lock:job", token, ex=30)
    with r.pipeline() as pipe:
        pipe.watch("lock:job")
        assert pipe.get("lock:job") == token
        r.set("lock:job", "another", ex=30)
        pipe.multi()
        pipe.delete("lock:job")
        try:
            pipe.execute()
            raise AssertionError("the watched key has changed")
        except redis.WatchError:
            pass
    assert r.get("lock:job") == "another"


def against_doubles():
    assert r.getset("seen:update:99", "1") is None
    r.expire("seen:update:99", 60)
    assert r.getset("seen:update:99", "1") == "1"
    assert r.ttl("seen:update:99") == -1, "GETSET removes the deadline, as SET does"


def muting():
    assert r.sadd("muted:chat", "bob", "eve") == 2
    assert r.sismember("muted:chat", "bob")
    assert r.srem("muted:chat", "bob") == 1
    assert not r.sismember("muted:chat", "bob")


def counters():
    for _ in range(5):
        r.hincrby("stats:day", "messages", 1)
    assert r.hincrbyfloat("stats:day", "seconds", 1.5) == 1.5
    assert r.hgetall("stats:day") == {"messages": "5", "seconds": "1.5"}


def completion():
    r.zadd("commands", dict.fromkeys(["/start", "/stop", "/status", "/help"], 0))
    assert r.zrangebylex("commands", "[/st", "[/st\xff") == ["/start", "/status", "/stop"]


def expiry_seen_by_everybody():
    r.set("short", "v", px=20)
    deadline = time.monotonic() + 30
    while r.exists("short"):
        assert time.monotonic() < deadline
    assert r.get("short") is None


def counting_from_many_threads():
    def count():
        for _ in range(100):
            r.incr("hits")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("hits") == "800"


for program in [
    session_in_a_hash,
    last_five_messages,
    priority_queue,
    one_time_code,
    one_transaction,
    rate_limit,
    lock_and_release,
    against_doubles,
    muting,
    counters,
    completion,
    expiry_seen_by_everybody,
    counting_from_many_threads,
]:
    program()
    print("ok", program.__name__)
