"""Pub/sub as a bot uses it: handlers, patterns, shard channels, keyspace events, monitoring."""

import sys

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def connect():
    return redis.Redis(port=port, protocol=protocol, decode_responses=True)


def message(pubsub, kind):
    while True:
        found = pubsub.get_message(timeout=30)
        assert found is not None, "no " + kind
        if found["type"] == kind:
            return found


client = connect()
pubsub = client.pubsub()
pubsub.subscribe("news", "sport")
pubsub.psubscribe("n*")
for kind in ("subscribe", "subscribe", "psubscribe"):
    message(pubsub, kind)
assert client.publish("news", "hello") == 2
assert message(pubsub, "message")["data"] == "hello"
found = message(pubsub, "pmessage")
assert (found["pattern"], found["channel"], found["data"]) == ("n*", "news", "hello")
assert client.pubsub_numsub("news", "none") == [("news", 1), ("none", 0)]
assert sorted(client.pubsub_channels()) == ["news", "sport"]
assert client.pubsub_numpat() == 1
pubsub.unsubscribe()
for channel in range(2):
    message(pubsub, "unsubscribe")
pubsub.punsubscribe()
message(pubsub, "punsubscribe")
assert client.publish("news", "nobody") == 0
pubsub.close()

handled = []
pubsub = client.pubsub()
pubsub.psubscribe(**{"__keyevent@0__:*": lambda event: handled.append((event["channel"], event["data"]))})
message(pubsub, "psubscribe")
client.config_set("notify-keyspace-events", "EA")
client.set("key", "value", px=5)
client.lpush("list", "a")
client.lpop("list")
while ("__keyevent@0__:expired", "key") not in handled:
    pubsub.get_message(timeout=30)
assert handled[:2] == [("__keyevent@0__:set", "key"), ("__keyevent@0__:expire", "key")], handled
rest = [event for event in handled[2:] if event[1] == "list"]
assert [event[0].split(":")[1] for event in rest] == ["lpush", "lpop", "del"][: len(rest)], handled
pubsub.close()

pubsub = client.pubsub()
pubsub.ssubscribe("shard")
message(pubsub, "ssubscribe")
assert client.spublish("shard", "here") == 1
assert message(pubsub, "smessage")["data"] == "here"
pubsub.close()

with connect().monitor() as monitor:
    client.set("seen", "by a monitor")
    shown = monitor.next_command()
    while shown["command"].startswith(("CLIENT", "HELLO")):
        shown = monitor.next_command()
    assert shown["command"] == "SET seen by a monitor" and shown["db"] == 0, shown
