"""redis.asyncio's pub/sub: a task that listens while others publish, patterns, handlers, and a listener that is cancelled."""

import asyncio
import sys

import redis.asyncio as redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def connect():
    return redis.Redis(port=port, protocol=protocol, decode_responses=True)


async def a_listener_beside_publishers():
    client = connect()
    subscribed, heard = asyncio.Event(), []

    async def listen():
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("chat:1", "control")
            await pubsub.psubscribe("chat:*", "user:[ab]:?")
            answers = 0
            async for message in pubsub.listen():
                if message["type"] in ("subscribe", "psubscribe"):
                    answers += 1
                    if answers == 4:
                        subscribed.set()
                    continue
                if message["channel"] == "control":
                    return
                heard.append((message["type"], message["pattern"], message["channel"], message["data"]))

    listener = asyncio.create_task(listen())
    await asyncio.wait_for(subscribed.wait(), 60)
    assert await client.pubsub_numpat() == 2
    counts = await asyncio.gather(*(client.publish("chat:1", f"m{n}") for n in range(50)))
    assert counts == [2] * 50, "once by its name and once by a pattern"
    assert await client.publish("user:b:7", "in") == 1
    assert await client.publish("user:c:7", "out") == 0
    assert await client.publish("control", "stop") == 1
    await asyncio.wait_for(listener, 60)
    assert len(heard) == 101, len(heard)
    assert sorted(data for kind, _, _, data in heard if kind == "message") == sorted(f"m{n}" for n in range(50))
    assert heard[-1] == ("pmessage", "user:[ab]:?", "user:b:7", "in")
    # Both copies of a message come before the next one.
    for by_name, by_pattern in zip(heard[0:100:2], heard[1:100:2]):
        assert (by_name[0], by_pattern[0]) == ("message", "pmessage") and by_name[3] == by_pattern[3]
    await client.aclose()


async def handlers_in_a_task():
    client = connect()
    seen = asyncio.Queue()
    pubsub = client.pubsub(ignore_subscribe_messages=True)

    async def handler(message):
        await seen.put((message["channel"], message["data"]))

    await pubsub.psubscribe(**{"job:*": handler})
    runner = asyncio.create_task(pubsub.run())
    while await client.pubsub_numpat() == 0:
        await asyncio.sleep(0)
    await client.publish("job:9", "done")
    assert await asyncio.wait_for(seen.get(), 60) == ("job:9", "done")
    # A channel can be added while the task listens.
    await pubsub.subscribe(news=handler)
    while await client.pubsub_numsub("news") != [("news", 1)]:
        await asyncio.sleep(0)
    await client.publish("news", "more")
    assert await asyncio.wait_for(seen.get(), 60) == ("news", "more")
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await pubsub.aclose()
    while await client.pubsub_numpat() != 0:
        await asyncio.sleep(0)
    assert await client.publish("job:9", "nobody") == 0
    await client.aclose()


async def a_listener_whose_connection_is_killed():
    client = connect()
    pubsub = client.pubsub()
    await pubsub.subscribe("steady")
    assert (await pubsub.get_message(timeout=60))["type"] == "subscribe"
    assert await client.client_kill_filter(_type="pubsub") == 1
    # The library connects again and subscribes again by itself.
    again = await pubsub.get_message(timeout=60)
    assert again["type"] == "subscribe", again
    assert await client.publish("steady", "still here") == 1
    assert (await pubsub.get_message(timeout=60))["data"] == "still here"
    await pubsub.aclose()
    await client.aclose()


async def expiry_as_an_event():
    client = connect()
    await client.config_set("notify-keyspace-events", "Ex")
    async with client.pubsub() as pubsub:
        await pubsub.psubscribe("__keyevent@*__:expired")
        assert (await pubsub.get_message(timeout=60))["type"] == "psubscribe"
        await client.set("session:42", "here", px=10)
        message = await pubsub.get_message(timeout=60)
        assert (message["channel"], message["data"]) == ("__keyevent@0__:expired", "session:42"), message
    await client.aclose()


async def main():
    for program in [
        a_listener_beside_publishers,
        handlers_in_a_task,
        a_listener_whose_connection_is_killed,
        expiry_as_an_event,
    ]:
        await program()
        print("ok", program.__name__)


asyncio.run(main())
