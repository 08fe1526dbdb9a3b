"""arq: a job stays in its sorted set until its result is there."""

from __future__ import annotations

import asyncio

import redis
from arq.connections import RedisSettings, create_pool
from arq.jobs import Job, JobStatus

from support.applications import URL, done

# redis-py says so where the connection is lost, or the server still loads, behind a WATCH.
ERRORS = (redis.exceptions.WatchError,)
WORKER = "-m arq support.applications.arq_jobs.Worker"
loop = asyncio.new_event_loop()
pool = None


async def job(context: dict[str, object], number: int) -> int:
    return done(number)


class Worker:
    functions = (job,)
    redis_settings = RedisSettings.from_dsn(URL)
    keep_result = 86400
    job_timeout = 3
    poll_delay = 0.05
    max_jobs = 20


async def _connected() -> object:
    global pool
    pool = pool or await create_pool(Worker.redis_settings)
    return pool


def enqueue(number: int) -> None:
    async def send() -> None:
        name = f"job-{number}"
        queued = await (await _connected()).enqueue_job("job", number, _job_id=name)
        # To it an answer that the server is still loading is as good as one that the job is there already.
        if queued is None and await Job(name, await _connected()).status() == JobStatus.not_found:
            raise redis.exceptions.ConnectionError("the job was not queued")

    loop.run_until_complete(send())


def result(number: int) -> object:
    async def get() -> object:
        info = await Job(f"job-{number}", await _connected()).result_info()
        return info and info.result

    return loop.run_until_complete(get())


def held() -> list[int]:
    return [int(name[4:]) for name in redis.Redis.from_url(URL).zrange("arq:queue", 0, -1)]
