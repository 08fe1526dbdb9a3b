"""Huey: a job is popped from its list, and nobody but the consumer knows of it from then on."""

from __future__ import annotations

from huey import RedisHuey

from support.applications import URL, done

ERRORS = ()
WORKER = "-m huey.bin.huey_consumer support.applications.huey_jobs.huey -w 2 -q"
huey = RedisHuey("jobs", url=URL)


@huey.task()
def job(number: int) -> int:
    return done(number)


def enqueue(number: int) -> None:
    task = job.s(number)
    task.id = f"job-{number}"
    huey.enqueue(task)


def result(number: int) -> object:
    return huey.result(f"job-{number}", preserve=True)


def held() -> list[int]:
    return []
