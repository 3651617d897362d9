"""kombu's exchanges on Redis: fan-out to two consumers, a direct queue that two share, topics, priorities, what is given back."""

import collections
import os
import socket
import sys
import threading
import uuid

URL, PROTOCOL = sys.argv[1:]
os.environ["REDIS_PROTOCOL"] = PROTOCOL

import redis_py_settings  # noqa: F401
import redis
from kombu import Connection, Consumer, Exchange, Queue

r = redis.Redis.from_url(URL, decode_responses=True)
PATIENCE = 60


class Listener:
    """A consumer on a connection of its own, read by a thread of its own until it has got the message `stop`."""

    def __init__(self, queues, prefetch=0):
        self.heard = []
        self.error = None
        self.ready = threading.Event()
        self.prefetch = prefetch
        self.thread = threading.Thread(target=self.listen, args=(queues,), daemon=True)
        self.thread.start()
        assert self.ready.wait(PATIENCE)

    def listen(self, queues):
        try:
            with Connection(URL) as connection, Consumer(connection, queues, callbacks=[self.on_message]) as consumer:
                if self.prefetch:
                    consumer.qos(prefetch_count=self.prefetch)
                self.ready.set()
                while "stop" not in self.heard:
                    connection.drain_events(timeout=PATIENCE)
        except Exception as error:
            self.error = error
            self.ready.set()

    def on_message(self, body, message):
        message.ack()
        self.heard.append(body)

    def end(self):
        self.thread.join(PATIENCE)
        assert self.error is None, self.error
        assert not self.thread.is_alive(), f"it heard only {self.heard}"
        return self.heard


def drain(connection, count):
    for _ in range(count):
        connection.drain_events(timeout=PATIENCE)


def fanout():
    exchange = Exchange("news", type="fanout")
    listeners = [
        Listener([Queue(f"listener {n} {uuid.uuid4()}", exchange, exclusive=True, auto_delete=True)]) for n in range(2)
    ]
    # Consumers of fan-out exchanges subscribe when they first look for events, which is after they have said that they are ready.
    while sum(int(client["psub"]) for client in r.client_list()) < 2:
        pass
    assert {client["resp"] for client in r.client_list()} == {PROTOCOL}
    assert len(r.smembers("_kombu.binding.news")) == 2
    with Connection(URL) as connection:
        producer = connection.Producer(exchange=exchange, serializer="json")
        for number in range(20):
            producer.publish({"number": number})
        producer.publish("stop")
    for listener in listeners:
        assert listener.end() == [{"number": number} for number in range(20)] + ["stop"]


def direct():
    exchange = Exchange("work", type="direct")
    queue = Queue("jobs", exchange, routing_key="job")
    with Connection(URL) as connection:
        producer = connection.Producer(exchange=exchange)
        for number in range(100):
            producer.publish(number, routing_key="job", declare=[queue])
        producer.publish("nowhere", routing_key="no queue has this key")
        assert r.llen("jobs") == 100
        assert r.smembers("_kombu.binding.work") == {"job\x06\x16\x06\x16jobs"}
        listeners = [Listener([queue], prefetch=1) for _ in range(2)]
        while r.llen("jobs") > 0:
            pass
        # One order to stop for each of them; who has got one asks for no more.
        for _ in listeners:
            producer.publish("stop", routing_key="job")
        heard = collections.Counter(body for listener in listeners for body in listener.end())
    assert heard == collections.Counter(list(range(100)) + ["stop"] * 2), heard
    assert not r.exists("jobs", "unacked", "unacked_index")


def topics():
    exchange = Exchange("logs", type="topic")
    errors = Queue("errors", exchange, routing_key="#.error")
    kitchen = Queue("kitchen logs", exchange, routing_key="kitchen.*")
    heard = []
    with Connection(URL) as connection:
        producer = connection.Producer(exchange=exchange)
        with connection.Consumer(
            [errors, kitchen], callbacks=[lambda body, message: (heard.append(body), message.ack())]
        ):
            for routing_key in ["kitchen.info", "bar.error", "kitchen.error", "bar.info"]:
                producer.publish(routing_key, routing_key=routing_key)
            drain(connection, 4)
    assert sorted(heard) == ["bar.error", "kitchen.error", "kitchen.error", "kitchen.info"], heard


def priorities():
    queue = Queue("urgent", Exchange("urgent"), routing_key="urgent")
    heard = []
    with Connection(URL, transport_options={"queue_order_strategy": "priority"}) as connection:
        producer = connection.Producer()
        for priority in (9, 6, 0, 3, 0):
            producer.publish(priority, exchange="urgent", routing_key="urgent", priority=priority, declare=[queue])
        assert [r.llen(key) for key in ("urgent", "urgent\x06\x163", "urgent\x06\x166", "urgent\x06\x169")] == [2, 1, 1, 1]
        with connection.Consumer([queue], callbacks=[lambda body, message: (heard.append(body), message.ack())]):
            drain(connection, 5)
    assert heard == [0, 0, 3, 6, 9], heard


def given_back():
    """A message that is rejected comes again, and so does one whose consumer goes without an acknowledgement."""
    queue = Queue("fragile", Exchange("fragile"), routing_key="fragile")
    seen = []

    def on_message(body, message):
        seen.append(body)
        if len(seen) == 1:
            message.requeue()
        elif len(seen) == 3:
            message.ack()

    with Connection(URL) as connection:
        connection.Producer().publish("glass", exchange="fragile", routing_key="fragile", declare=[queue])
        with connection.Consumer([queue], callbacks=[on_message]):
            drain(connection, 2)
        assert r.hlen("unacked") == 1 and r.zcard("unacked_index") == 1 and r.llen("fragile") == 0
    assert r.hlen("unacked") == 0 and r.llen("fragile") == 1, "closing gives it back"
    with Connection(URL) as connection:
        with connection.Consumer([queue], callbacks=[on_message]):
            drain(connection, 1)
    assert seen == ["glass"] * 3
    assert not r.exists("unacked", "unacked_index", "fragile")


def simple_queues():
    with Connection(URL) as connection:
        with connection.SimpleQueue("simple") as queue:
            queue.put({"a": 1})
            queue.put(b"\x00\xff" * 1000, serializer="raw", content_type="application/data", content_encoding="binary")
            queue.put("z" * 100_000, compression="zlib")
            assert queue.qsize() == 3
            message = queue.get(timeout=PATIENCE)
            assert message.payload == {"a": 1}
            message.ack()
            message = queue.get(timeout=PATIENCE)
            assert bytes(message.payload) == b"\x00\xff" * 1000
            message.ack()
            message = queue.get(timeout=PATIENCE)
            assert message.payload == "z" * 100_000
            message.ack()
            try:
                queue.get(block=False)
                raise AssertionError("the queue is empty")
            except queue.Empty:
                pass
            queue.put("to be thrown away")
            assert queue.clear() == 1
        try:
            connection.drain_events(timeout=0.01)
            raise AssertionError("nothing is there")
        except socket.timeout:
            pass


for program in [fanout, direct, topics, priorities, given_back, simple_queues]:
    program()
    print("ok", program.__name__)
