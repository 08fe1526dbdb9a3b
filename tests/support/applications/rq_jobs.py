"""RQ: a worker that runs jobs in its own process; a job that was moved to a registry stays there until it is done."""

from __future__ import annotations

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry

from support.applications import URL, done

ERRORS = ()
WORKER = f"-m rq.cli worker jobs --url {URL} --worker-class rq.SimpleWorker --quiet"
connection = Redis.from_url(URL)
queue = Queue("jobs", connection=connection)


def enqueue(number: int) -> None:
    queue.enqueue(done, number, job_id=f"job-{number}", result_ttl=86400)


def result(number: int) -> object:
    try:
        return Job.fetch(f"job-{number}", connection=connection).return_value()
    except Exception:
        return None


def held() -> list[int]:
    ids = [name.decode() for name in connection.lrange("rq:queue:jobs:intermediate", 0, -1)]
    for registry in (StartedJobRegistry, FailedJobRegistry):
        ids += registry(queue=queue).get_job_ids(cleanup=False)
    return sorted({int(name[4:]) for name in ids})
