"""Celery: Redis as broker and as result back end; messages are acknowledged late, and restored when that fails."""

from __future__ import annotations

import json

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from support.applications import URL, done

ERRORS = (OperationalError,)
WORKER = "-m celery -A support.applications.celery_jobs worker -c 2 -l warning --without-gossip --without-mingle"
app = Celery("jobs", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3},
    result_backend_always_retry=True,
)


@app.task
def job(number: int) -> int:
    return done(number)


def enqueue(number: int) -> None:
    job.apply_async((number,), task_id=f"job-{number}", retry=False)


def result(number: int) -> object:
    return app.AsyncResult(f"job-{number}").result


def held() -> list[int]:
    unacknowledged = redis.Redis.from_url(URL).hvals("unacked")
    return [int(json.loads(message)[0]["headers"]["id"][4:]) for message in unacknowledged]
