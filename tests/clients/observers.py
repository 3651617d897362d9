"""What programs ask that watch a server: an exporter of metrics, and a browser of keys."""

import re
import sys

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])
r = redis.Redis(port=port, protocol=protocol)


def fill():
    for number in range(300):
        r.set(f"user:{number}", "x" * number)
        if number % 3 == 0:
            r.expire(f"user:{number}", 1000)
    r.rpush("list", *range(20))
    r.sadd("set", *range(20))
    r.zadd("zset", {str(number): number for number in range(20)})
    r.hset("hash", mapping={str(number): number for number in range(20)})
    r.xadd("stream", {"a": 1})
    for _ in range(3):
        try:
            r.execute_command("LPUSH", "user:1", "x")
        except redis.ResponseError:
            pass


def exported():
    """As exporters read INFO: line by line, numbers where numbers are expected, and lists in the values of some."""
    text = r.execute_command("INFO", "ALL")
    text = text if isinstance(text, (bytes, str)) else str(text)
    # redis-py has parsed it already; the raw text is what an exporter sees.
    raw = redis.Redis(port=port, protocol=protocol).connection_pool.get_connection()
    raw.send_command("INFO", "ALL")
    text = raw.read_response()
    text = (text if isinstance(text, bytes) else str(text).encode()).decode()
    section, fields = None, {}
    for line in text.splitlines():
        if not line:
            continue
        if line.startswith("# "):
            section = line[2:]
            continue
        name, _, value = line.partition(":")
        assert section and name and re.fullmatch(r"[a-zA-Z0-9_.|-]+", name), line
        fields[name] = value
    counters = (
        "uptime_in_seconds connected_clients blocked_clients tracking_clients maxclients used_memory used_memory_rss "
        "used_memory_peak used_memory_lua maxmemory total_connections_received total_commands_processed "
        "total_net_input_bytes total_net_output_bytes rejected_connections expired_keys evicted_keys keyspace_hits "
        "keyspace_misses pubsub_channels pubsub_patterns rdb_changes_since_last_save rdb_last_save_time "
        "aof_enabled loading connected_slaves master_repl_offset cluster_enabled process_id total_error_replies"
    )
    for name in counters.split():
        assert re.fullmatch(r"\d+", fields[name]), (name, fields.get(name))
    for name in ("used_cpu_sys", "used_cpu_user", "mem_fragmentation_ratio", "instantaneous_input_kbps"):
        float(fields[name])
    assert fields["role"] == "master" and fields["rdb_last_bgsave_status"] == "ok"
    keys = dict(part.split("=") for part in fields["db0"].split(","))
    assert int(keys["keys"]) == 305 and int(keys["expires"]) == 100 and int(keys["avg_ttl"]) > 0
    get = dict(part.split("=") for part in fields["cmdstat_set"].split(","))
    assert int(get["calls"]) == 300 and float(get["usec_per_call"]) >= 0
    push = dict(part.split("=") for part in fields["cmdstat_lpush"].split(","))
    assert (push["calls"], push["failed_calls"], push["rejected_calls"]) == ("3", "3", "0")
    assert fields["errorstat_WRONGTYPE"] == "count=3"
    assert re.fullmatch(r"p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+", fields["latency_percentiles_usec_set"])
    # What exporters ask besides.
    assert r.config_get("*")["maxmemory"] == b"0" or r.config_get("*")["maxmemory"] == "0"
    assert r.slowlog_len() >= 0 and isinstance(r.slowlog_get(), list)
    assert isinstance(r.latency_latest(), list)
    assert isinstance(r.client_list(), list)


def browsed():
    """As browsers of keys do it: SCAN with a type and a count, then type, deadline, size and length of a page at once."""
    seen, cursor = [], 0
    while True:
        cursor, page = r.scan(cursor, match="*", count=100)
        with r.pipeline(transaction=False) as pipe:
            for key in page:
                pipe.type(key)
                pipe.ttl(key)
                pipe.memory_usage(key, samples=0)
            facts = pipe.execute()
        for at, key in enumerate(page):
            kind, ttl, size = facts[3 * at : 3 * at + 3]
            assert kind in (b"string", b"list", b"set", b"zset", b"hash", b"stream"), kind
            assert (ttl > 0) == (key.startswith(b"user:") and int(key[5:]) % 3 == 0), (key, ttl)
            assert size > 0
            seen.append(key)
        if cursor == 0:
            break
    assert len(set(seen)) == 305
    strings = {key for key in r.scan_iter(_type="string", count=10_000)}
    assert len(strings) == 300
    lengths = [r.llen("list"), r.scard("set"), r.zcard("zset"), r.hlen("hash"), r.xlen("stream"), r.strlen("user:7")]
    assert lengths == [20, 20, 20, 20, 1, 7]
    assert r.object("encoding", "list") == b"listpack"
    assert r.execute_command("DUMP", "hash")


fill()
exported()
browsed()
