"""The tasks that celery_worker.py has its workers do; broker, results and a notebook for what they tell lie on one server."""

import os
import time

import redis_py_settings  # noqa: F401
import redis
from celery import Celery

URL = os.environ["CELERY_TASKS_URL"]

app = Celery("celery_tasks", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": float(os.environ.get("CELERY_TASKS_VISIBILITY", "3600"))},
    result_expires=600,
    result_extended=True,
    task_track_started=True,
    timezone="UTC",
)

notebook = redis.Redis.from_url(f"{URL}/2", decode_responses=True)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def flaky(self, failures):
    if self.request.retries < failures:
        raise self.retry(countdown=0, exc=ConnectionError("the service is away"))
    return self.request.retries


@app.task
def what_time_is_it():
    return time.time()


@app.task(bind=True)
def progress(self):
    self.update_state(state="HALFWAY", meta={"done": 50})
    notebook.rpush("progress", "halfway")
    notebook.blpop("go on")
    return "all"


@app.task(acks_late=True)
def gate(name):
    """Tells that it runs, then waits until it is let go."""
    notebook.rpush("begun", name)
    notebook.blpop(f"gate {name}")
    return f"{name} passed"


@app.task(ignore_result=True)
def note(text):
    notebook.rpush("notes", text)
