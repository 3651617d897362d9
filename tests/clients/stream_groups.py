"""Consumer groups with redis-py: processes that share the work of a stream, one of which is killed in the middle."""

import subprocess
import sys

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])
r = redis.Redis(port=port, protocol=protocol, decode_responses=True)

STREAM, GROUP = "orders", "kitchen"
ORDERS = 200


def entries(reply):
    """The entries of one stream in a reply of XREAD or XREADGROUP, which RESP3 gives as a map."""
    if not reply:
        return []
    if isinstance(reply, dict):
        [batches] = reply.values()
        # redis-py wraps them once more when they came as a map.
        return batches[0] if batches and isinstance(batches[0], list) else batches
    [(_, found)] = reply
    return found


def take(consumer, count, since=">", block=None):
    return entries(r.xreadgroup(GROUP, consumer, {STREAM: since}, count=count, block=block))


def work(consumer):
    """A consumer's life: what it had not finished before, what nobody finishes, then what is new."""
    done = r.pipeline()

    def finish(order_id, fields):
        # The result and the acknowledgement are one step, so a death in between is not seen.
        done.hincrby("done", fields["number"], 1)
        done.xack(STREAM, GROUP, order_id)
        done.execute()

    for order in take(consumer, ORDERS, since="0"):
        finish(*order)
    cursor = "0-0"
    while True:
        cursor, claimed, deleted = r.xautoclaim(STREAM, GROUP, consumer, min_idle_time=0, start_id=cursor, count=7)
        assert deleted == [], deleted
        for order in claimed:
            finish(*order)
        if cursor == "0-0":
            break
    while True:
        batch = take(consumer, 10)
        if not batch:
            return
        for order in batch:
            finish(*order)


def crash(consumer):
    """Takes some orders, finishes a few, says so and then never moves again: the parent kills it."""
    batch = take(consumer, 50)
    for order_id, fields in batch[:20]:
        r.hincrby("done", fields["number"], 1)
        r.xack(STREAM, GROUP, order_id)
    print("took", len(batch), flush=True)
    r.blpop("never", timeout=0)


def a_consumer_dies():
    r.xgroup_create(STREAM, GROUP, id="$", mkstream=True)
    for number in range(ORDERS):
        r.xadd(STREAM, {"number": number, "dish": "soup"})
    victim = subprocess.Popen([sys.executable, *sys.argv, "crash"], stdout=subprocess.PIPE, text=True)
    try:
        assert victim.stdout.readline() == "took 50\n"
    finally:
        victim.kill()
        victim.wait()

    pending = r.xpending(STREAM, GROUP)
    assert pending["pending"] == 30, pending
    assert pending["consumers"] == [{"name": "victim", "pending": 30}], pending
    [first] = r.xpending_range(STREAM, GROUP, "-", "+", 1, consumername="victim")
    assert first["consumer"] == "victim" and first["times_delivered"] == 1, first
    assert first["message_id"] == pending["min"]

    # Only what has been idle for long enough may change hands.
    assert r.xautoclaim(STREAM, GROUP, "heir", min_idle_time=3_600_000)[1] == []
    [claimed] = r.xclaim(STREAM, GROUP, "heir", min_idle_time=0, message_ids=[first["message_id"]])
    assert claimed == (first["message_id"], {"number": "20", "dish": "soup"}), claimed
    [again] = r.xpending_range(STREAM, GROUP, "-", "+", 1)
    assert (again["consumer"], again["times_delivered"]) == ("heir", 2), again

    heirs = [subprocess.Popen([sys.executable, *sys.argv, "work", f"heir{n}"]) for n in range(2)]
    assert [heir.wait() for heir in heirs] == [0, 0]
    done = r.hgetall("done")
    assert set(done) == {str(number) for number in range(ORDERS)}, "an order is lost"
    # The two heirs claim without a time limit, so one may take from the other what is still in work: once more, never less.
    assert all(int(times) >= 1 for times in done.values()), done
    assert r.xpending(STREAM, GROUP)["pending"] == 0
    [group] = r.xinfo_groups(STREAM)
    assert (group["entries-read"], group["lag"], group["pending"]) == (ORDERS, 0, 0), group


def what_was_deleted_is_told():
    [kept, gone] = [r.xadd("jobs", {"n": n}) for n in range(2)]
    r.xgroup_create("jobs", "g", id="0")
    r.xreadgroup("g", "first", {"jobs": ">"})
    assert r.xdel("jobs", gone) == 1
    cursor, claimed, deleted = r.xautoclaim("jobs", "g", "second", min_idle_time=0)
    assert (cursor, claimed, deleted) == ("0-0", [(kept, {"n": "0"})], [gone])
    assert r.xautoclaim("jobs", "g", "third", min_idle_time=0, justid=True) == [kept]
    consumers = {consumer["name"]: consumer["pending"] for consumer in r.xinfo_consumers("jobs", "g")}
    assert consumers == {"first": 0, "second": 0, "third": 1}, consumers
    assert r.xgroup_delconsumer("jobs", "g", "third") == 1
    assert r.xpending("jobs", "g")["pending"] == 0


def waiting_for_entries():
    """A consumer that blocks is woken by what another process adds."""
    r.xgroup_create("live", GROUP, mkstream=True)
    waiter = subprocess.Popen([sys.executable, *sys.argv, "wait"], stdout=subprocess.PIPE, text=True)
    try:
        while r.info("clients")["blocked_clients"] == 0:
            assert waiter.poll() is None
        added = r.xadd("live", {"text": "hello"})
        assert waiter.communicate(timeout=60)[0] == f"{added} hello\n"
        assert waiter.returncode == 0
    finally:
        waiter.kill()
        waiter.wait()
    assert entries(r.xreadgroup(GROUP, "late", {"live": ">"}, block=1)) == []


def wait_for_one():
    [(order_id, fields)] = entries(r.xreadgroup(GROUP, "waiter", {"live": ">"}, block=60_000))
    print(order_id, fields["text"])


def bounded_streams():
    for number in range(1000):
        r.xadd("log", {"n": number}, maxlen=100, approximate=False)
    assert r.xlen("log") == 100
    newest = r.xrevrange("log", count=3)
    assert [fields["n"] for _, fields in newest] == ["999", "998", "997"]
    assert r.xtrim("log", minid=newest[2][0], approximate=False) == 97
    assert [fields["n"] for _, fields in entries(r.xread({"log": "0"}))] == ["997", "998", "999"]
    info = r.xinfo_stream("log")
    assert (info["length"], info["entries-added"]) == (3, 1000), info
    assert info["last-generated-id"] == newest[0][0]


def groups_that_are_wrong():
    r.xgroup_create("wrong", "g", mkstream=True)
    for call, text in [
        (lambda: r.xgroup_create("wrong", "g"), "BUSYGROUP Consumer Group name already exists"),
        (lambda: r.xreadgroup("none", "c", {"wrong": ">"}), "NOGROUP"),
        (lambda: r.xadd("wrong", {"a": 1}, id="0-0"), "The ID specified in XADD must be greater than 0-0"),
    ]:
        try:
            call()
        except redis.ResponseError as error:
            assert text in str(error), error
        else:
            raise AssertionError(text)


match sys.argv[3:]:
    case ["crash"]:
        crash("victim")
    case ["work", name]:
        work(name)
    case ["wait"]:
        wait_for_one()
    case _:
        for program in [
            a_consumer_dies,
            what_was_deleted_is_told,
            waiting_for_entries,
            bounded_streams,
            groups_that_are_wrong,
        ]:
            program()
            print("ok", program.__name__)
