"""Dramatiq: a script moves a message to the set of its worker, from which it comes back when the worker is gone."""

from __future__ import annotations

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.results import ResultMissing, Results
from dramatiq.results.backends import RedisBackend

from support.applications import URL, done

ERRORS = (BrokerConnectionError,)
WORKER = "-m dramatiq support.applications.dramatiq_jobs -p 1 -t 2"
results = RedisBackend(url=URL)
broker = RedisBroker(url=URL, heartbeat_timeout=3000, maintenance_chance=1_000_000)
broker.add_middleware(Results(backend=results, store_results=True, result_ttl=86_400_000))
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=100, min_backoff=100, max_backoff=500)
def job(number: int) -> int:
    return done(number)


def _message(number: int) -> dramatiq.Message[int]:
    return job.message(number).copy(message_id=f"job-{number}")


def enqueue(number: int) -> None:
    broker.enqueue(_message(number))


def result(number: int) -> object:
    try:
        return results.get_result(_message(number))
    except ResultMissing:
        return None


def held() -> list[int]:
    messages = redis.Redis.from_url(URL).hvals("dramatiq:default.msgs")
    return [dramatiq.Message.decode(message).args[0] for message in messages]
