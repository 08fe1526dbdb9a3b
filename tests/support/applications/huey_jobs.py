"""Huey: a job is popped from its list, and nobody but the consumer knows of it from then on.

redis-py gives an answer up after 5 s of its own accord, and with that to a pop the job, on any server that stands still
for so long.
"""

from __future__ import annotations

from huey import RedisHuey

from support.applications import URL, done

ERRORS = ()
WORKER = "-m huey.bin.huey_consumer support.applications.huey_jobs.huey -w 2 -q"
huey = RedisHuey("jobs", url=f"{URL}?socket_timeout=600")


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
