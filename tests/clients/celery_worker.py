"""A Celery application with its worker processes: Redis is broker and result backend, and every worker is a real one."""

import datetime
import os
import subprocess
import sys
import threading
import time

URL, PROTOCOL = sys.argv[1:]
os.environ |= {"CELERY_TASKS_URL": URL, "REDIS_PROTOCOL": PROTOCOL}

from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult

import celery_tasks as tasks

broker = tasks.redis.Redis.from_url(f"{URL}/0", decode_responses=True)
results = tasks.redis.Redis.from_url(f"{URL}/1", decode_responses=True)
notebook = tasks.notebook

# Nothing here takes so long; a wait that does has lost something.
PATIENCE = 60


class Worker:
    """A `celery worker` process; its log is shown when the program fails."""

    def __init__(self, name, *options, visibility=3600):
        command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-l", "info", "-n", f"{name}@test"]
        environment = os.environ | {"CELERY_TASKS_VISIBILITY": str(visibility)}
        self.process = subprocess.Popen(
            [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        self.ended = False
        self.news = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()
        self.wait_for(f"{name}@test ready.")

    def listen(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait_for(self, text):
        def said():
            return any(text in line for line in self.lines)

        with self.news:
            self.news.wait_for(lambda: said() or self.ended, PATIENCE)
            assert said(), f"the worker does not say {text!r}:\n" + "".join(self.lines)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            # The processes of its pool end when it is gone.
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print("".join(self.lines))


def get(result):
    return result.get(timeout=PATIENCE)


def pop(key):
    found = notebook.blpop(key, timeout=PATIENCE)
    assert found is not None, f"nothing was told in {key!r}"
    return found[1]


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


def raised(result):
    try:
        get(result)
    except Exception as error:
        return error
    raise AssertionError(f"{result} did not fail")


def work_waits_for_its_worker():
    early = [tasks.add.delay(n, n) for n in range(5)]
    assert broker.llen("celery") == 5
    assert early[0].state == "PENDING"
    return early


def results_come_back(early):
    assert [get(result) for result in early] == [0, 2, 4, 6, 8]
    result = tasks.add.delay(2, 3)
    assert get(result) == 5 and result.state == "SUCCESS" and result.successful()
    meta = f"celery-task-meta-{result.id}"
    assert 0 < results.ttl(meta) <= 600
    assert AsyncResult(result.id, app=tasks.app).name == "celery_tasks.add"
    result.forget()
    assert not results.exists(meta)


def failures_come_back():
    result = tasks.fail.delay("no such order")
    error = raised(result)
    assert isinstance(error, ValueError) and error.args == ("no such order",), error
    assert result.state == "FAILURE" and "raise ValueError(text)" in result.traceback


def retries():
    assert get(tasks.flaky.delay(2)) == 2
    assert isinstance(raised(tasks.flaky.delay(9)), ConnectionError)


def later():
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    first, second = tasks.what_time_is_it.apply_async(countdown=1), tasks.what_time_is_it.apply_async(eta=due)
    at_once = get(tasks.what_time_is_it.delay())
    assert at_once < due.timestamp(), "who waits is in nobody's way"
    assert get(first) >= due.timestamp() - 0.1 and get(second) >= due.timestamp()
    expired = tasks.add.apply_async((1, 1), expires=datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=5))
    assert isinstance(raised(expired), TaskRevokedError)


def workflows():
    assert get(group(tasks.add.s(n, n) for n in range(10)).apply_async()) == [2 * n for n in range(10)]
    assert get(chain(tasks.add.s(1, 2), tasks.add.s(4), tasks.add.s(5)).apply_async()) == 12
    assert get(chord((tasks.add.s(n, 1) for n in range(20)), tasks.total.s()).apply_async()) == 210
    parts = [tasks.add.s(1, 1), tasks.fail.s("a part is missing")]
    assert "a part is missing" in str(raised(chord(parts, tasks.total.s()).apply_async()))
    nested = chain(group(tasks.add.s(n, n) for n in range(3)), tasks.total.s(), tasks.add.s(1))
    assert get(nested.apply_async()) == 7


def progress_is_seen():
    result = tasks.progress.delay()
    pop("progress")
    assert (result.state, result.info) == ("HALFWAY", {"done": 50})
    notebook.rpush("go on", "now")
    assert get(result) == "all"


def control():
    assert {client["resp"] for client in broker.client_list()} == {PROTOCOL}
    control = tasks.app.control
    assert control.ping(limit=1, timeout=PATIENCE) == [{"first@test": {"ok": "pong"}}]
    [answer] = control.broadcast("registered", reply=True, limit=1, timeout=PATIENCE)
    assert "celery_tasks.add" in answer["first@test"]
    # Revoked before it is sent, so it cannot run first.
    [answer] = control.revoke("unwanted", reply=True, limit=1, timeout=PATIENCE)
    assert "unwanted" in answer["first@test"]["ok"]
    assert isinstance(raised(tasks.note.apply_async(("never",), task_id="unwanted", ignore_result=False)), TaskRevokedError)
    running = tasks.gate.delay("revoked")
    assert pop("begun") == "revoked"
    running.revoke(terminate=True, signal="SIGKILL")
    assert isinstance(raised(running), TaskRevokedError)
    assert notebook.lrange("notes", 0, -1) == []
    assert get(tasks.add.delay(1, 1)) == 2, "the pool has a new process"


def an_ordered_end(worker):
    """What runs is finished, what was only fetched goes back to the queue."""
    running = [tasks.gate.delay(name) for name in "ab"]
    assert sorted([pop("begun"), pop("begun")]) == ["a", "b"]
    for n in range(6):
        tasks.note.delay(n)
    until(lambda: broker.hlen("unacked") > 2)
    worker.process.terminate()
    worker.wait_for("Warm shutdown")
    for name in "ab":
        notebook.rpush(f"gate {name}", "open")
    assert [get(result) for result in running] == ["a passed", "b passed"]
    assert worker.process.wait(PATIENCE) == 0
    assert broker.hlen("unacked") == 0 and broker.zcard("unacked_index") == 0
    assert broker.llen("celery") + notebook.llen("notes") == 6


def the_next_worker_goes_on():
    assert sorted(pop("notes") for _ in range(6)) == list("012345")
    assert broker.llen("celery") == 0


def a_worker_dies(worker):
    result = tasks.gate.delay("late")
    assert pop("begun") == "late"
    worker.process.kill()
    worker.process.wait()
    assert broker.hlen("unacked") == 1 and not result.ready()
    return result


def its_work_is_done_by_another(result):
    assert pop("begun") == "late", "it was acknowledged only when done, so it is begun anew"
    notebook.rpush("gate late", "open")
    assert get(result) == "late passed"
    until(lambda: broker.hlen("unacked") == 0)


def run(program, *arguments):
    found = program(*arguments)
    print("ok", program.__name__)
    return found


early = run(work_waits_for_its_worker)
with Worker("first", "-P", "prefork", "-c", "2") as worker:
    for program in [failures_come_back, retries, later, workflows, progress_is_seen, control]:
        if early:
            run(results_come_back, early)
            early = None
        run(program)
    run(an_ordered_end, worker)
with Worker("second", "-P", "solo") as worker:
    run(the_next_worker_goes_on)
    late = run(a_worker_dies, worker)
with Worker("third", "-P", "solo", visibility=0) as worker:
    run(its_work_is_done_by_another, late)
    worker.process.terminate()
    assert worker.process.wait(PATIENCE) == 0
