"""redis-py over TLS: with a certificate of its own and without, synchronous and asynchronous."""

import asyncio
import ssl
import sys

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

port, protocol, auth_clients = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ca, cert, key = sys.argv[4:]
trusting = {"host": "127.0.0.1", "port": port, "protocol": protocol, "ssl": True, "ssl_ca_certs": ca}
known = {**trusting, "ssl_certfile": cert, "ssl_keyfile": key}


def refused(options):
    try:
        redis.Redis(**options, retry=Retry(NoBackoff(), 0)).ping()
    except (redis.ConnectionError, ssl.SSLError, OSError):
        return True
    return False


r = redis.Redis(**known, decode_responses=True)
assert r.set("k", "v") and r.get("k") == "v"
with r.pipeline(transaction=False) as pipe:
    for _ in range(10_000):
        pipe.incr("n")
    assert pipe.execute()[-1] == 10_000
raw = redis.Redis(**known)
value = bytes(range(256)) * 32_768
assert raw.set("eight megabytes", value) and raw.get("eight megabytes") == value
listener = r.pubsub(ignore_subscribe_messages=True)
listener.subscribe("news")
listener.get_message(timeout=30)
assert r.publish("news", "hello") == 1
assert next(message for message in listener.listen())["data"] == "hello"

assert refused(trusting) == (auth_clients == "yes")
# A server whose authority is unknown is not trusted.
assert refused({"host": "127.0.0.1", "port": port, "ssl": True})
url = f"rediss://127.0.0.1:{port}/?ssl_ca_certs={ca}&ssl_certfile={cert}&ssl_keyfile={key}"
assert redis.from_url(url).strlen("k") == 1


async def asynchronous():
    async with redis.asyncio.Redis(**known) as client:
        assert await asyncio.gather(*(client.strlen("k") for _ in range(50))) == [1] * 50


asyncio.run(asynchronous())
