"""Applications as they are: job queues, a web framework's cache and sessions, locks; over a server that is killed, too.

Every job that its queue acknowledged is done, though the server is killed with -9 under load: what ``appendfsync
always`` promises, as far as the application itself does not forget. Celery and Huey pop a job first and only then
write down, if at all, who has it: the answer to a pop that the kill cuts off takes the job with it, as on any server.

APPLICATION_JOBS and APPLICATION_KILLS make more of it, APPLICATION_PYTHON names an interpreter with other packages, and
APPLICATION_PATIENCE is for machines that are busy with other things.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from support.servers import Server, durastore_environment

Starter = Callable[..., Server]
TESTS = Path(__file__).parents[1]
JOBS = int(os.environ.get("APPLICATION_JOBS", "200"))
KILLS = int(os.environ.get("APPLICATION_KILLS", "1"))
PYTHON = os.environ.get("APPLICATION_PYTHON", sys.executable)
# Jobs that are written down nowhere while they are popped, at most: a kill costs each of Huey's two workers the one
# that its pop's answer brings, or that it was about to look up on the server before it begins.
POPPED = {"celery": 2, "huey": 2, "rq": 0, "dramatiq": 0, "arq": 0}
# A queue that has not moved for so long will not move again; those that must notice first that a job was lost take 3 s.
STUCK_SECONDS = float(os.environ.get("APPLICATION_PATIENCE", "20"))


class Application:
    """A job queue: its worker, which is started again when it ends, as an init system does, and what fills it."""

    def __init__(self, name: str, server: Server, folder: Path) -> None:
        self.module = f"{name}_jobs"
        self.done = folder / "done"
        self.log = folder / "application.log"
        self.environment = {
            **durastore_environment(),
            "PYTHONPATH": str(TESTS),
            "URL": f"redis://127.0.0.1:{server.port}/0",
            "DONE": str(self.done),
        }
        ask = f"import support.applications.{self.module} as m; print(m.WORKER)"
        self.command = subprocess.check_output([PYTHON, "-c", ask], env=self.environment, text=True).split()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [PYTHON, *arguments], env=self.environment, stdout=log, stderr=log, cwd=self.log.parent
            )
        self.processes.append(process)
        return process

    def ask(self, *arguments: str) -> tuple[str, ...]:
        return ("-m", "support.applications", self.module, *arguments)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self.worker = self.start(*self.command)
        self.producer = self.start(*self.ask("produce", str(JOBS)))
        try:
            yield
        finally:
            for process in (self.worker, self.producer):
                process.terminate()
            for process in self.processes:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def finished(self) -> set[int]:
        return {int(line) for line in self.done.read_text().splitlines()} if self.done.exists() else set()

    def until(self, count: int) -> set[int]:
        """The jobs that are done, when there are so many, or when nothing has happened for long."""
        seen, deadline = 0, time.monotonic() + STUCK_SECONDS
        while len(finished := self.finished()) < count and time.monotonic() < deadline:
            if self.producer.poll():
                return finished
            if len(finished) > seen:
                seen, deadline = len(finished), time.monotonic() + STUCK_SECONDS
            if self.worker.poll() is not None:
                self.worker = self.start(*self.command)
            time.sleep(0.02)
        return finished

    def check(self) -> dict[str, list[int]]:
        said = subprocess.check_output([PYTHON, *self.ask("check", str(JOBS))], env=self.environment)
        found: dict[str, list[int]] = json.loads(said)
        return found


@pytest.mark.parametrize("kills", sorted({0, KILLS}))
@pytest.mark.parametrize("name", sorted(POPPED))
def test_every_job_is_done(name: str, kills: int, start_durastore: Starter, tmp_path: Path) -> None:
    if sys.executable == PYTHON and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: scripts/applications runs it")
    server = start_durastore(appendonly="yes", appendfsync="always")
    application = Application(name, server, tmp_path)
    begun = time.monotonic()
    with application.running():
        for kill in range(kills):
            application.until(JOBS * (kill + 1) // (kills + 1))
            server.kill()
            server.restart()
        finished = application.until(JOBS)
        assert application.producer.wait(10 + STUCK_SECONDS) == 0, application.log.read_text()[-2000:]
        wanted = time.monotonic() + 10
        while (found := application.check())["without result"] and kills == 0 and time.monotonic() < wanted:
            pass
    lost = set(range(JOBS)) - finished - set(found["held"])
    unanswered = set(found["without result"]) & finished - set(found["held"])
    print(
        f"{name}: {JOBS} jobs, {kills} kills, {time.monotonic() - begun:.1f} s; {len(finished)} done, "
        f"{len(found['held'])} held, {len(lost)} lost while popped, {len(unanswered)} done without a result"
    )
    assert len(lost) <= POPPED[name] * kills, application.log.read_text()[-4000:]
    # The server had them: their jobs stand in the log.
    log = b"".join(path.read_bytes() for path in (server.folder / "appendonlydir").iterdir())
    assert [number for number in lost if not re.search(rb"job-%d(?!\d)" % number, log)] == []
    # The worker writes a result once; huey and rq have no second try where the server is gone just then.
    assert len(unanswered) <= 2 * kills, sorted(unanswered)
    assert "Traceback" not in server.log.read_text()


def test_a_lock_is_held_by_one_and_outlives_the_server(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    counter, inside = [0], [0]

    def work() -> None:
        client = redis.Redis(port=server.port)
        for _ in range(JOBS // 4):
            with client.lock("lock", timeout=30, sleep=0.001):
                inside[0] += 1
                assert inside[0] == 1
                counter[0] += 1
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter[0] == JOBS // 4 * 4
    client = redis.Redis(port=server.port)
    lock = client.lock("lock", timeout=30)
    assert lock.acquire(blocking=False)
    for _ in range(KILLS):
        server.kill()
        server.restart()
        assert not redis.Redis(port=server.port).lock("lock", timeout=30).acquire(blocking=False)
        assert lock.owned()
        assert lock.extend(30)
        assert lock.reacquire()
    lock.release()
    assert redis.Redis(port=server.port).lock("lock", timeout=30).acquire(blocking=False)


DJANGO = """
import json, sys, django
from django.conf import settings
back_end = "django.core.cache.backends.redis.RedisCache"
settings.configure(CACHES={"default": {"BACKEND": back_end, "LOCATION": sys.argv[1], "TIMEOUT": 1000}},
                   SESSION_ENGINE="django.contrib.sessions.backends.cache", USE_TZ=True)
django.setup()
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache
if sys.argv[2] == "write":
    cache.clear()
    assert cache.add("a", 1) and not cache.add("a", 2) and cache.incr("a", 4) == 5
    cache.set_many({"b": [1, {"x": "y"}], "c": b"bytes"}, 100)
    assert cache.get_many(["a", "b", "c", "d"]) == {"a": 5, "b": [1, {"x": "y"}], "c": b"bytes"}
    assert cache.touch("b", 50) and not cache.touch("d") and cache.has_key("c") and cache.delete("c")
    assert cache.get_or_set("e", lambda: 7) == 7 and cache.incr_version("e") == 2 and cache.get("e", version=2) == 7
    cache.set("gone", 1, timeout=0)
    assert cache.get("gone") is None
    session = SessionStore()
    session["user"] = 7
    session.save()
    old = session.session_key
    session.cycle_key()
    session.save()
    assert not SessionStore(old).exists(old)
    print("session", session.session_key, flush=True)
    for number in range(int(sys.argv[3])):
        cache.set(f"key-{number}", {"number": number})
        print(number, flush=True)
    sys.stdin.read()
    while True:
        number += 1
        try:
            cache.set(f"key-{number}", {"number": number})
        except Exception:
            break
        print(number, flush=True)
else:
    key, *numbers = sys.stdin.read().split()
    assert SessionStore(key)["user"] == 7 and cache.get("a") == 5 and cache.get("b") == [1, {"x": "y"}]
    assert all(cache.get(f"key-{number}") == {"number": int(number)} for number in numbers)
    SessionStore(key).flush()
    assert not SessionStore(key).exists(key)
    cache.clear()
    assert cache.get("a") is None
"""


def test_the_cache_and_the_sessions_of_django_outlive_the_server(start_durastore: Starter) -> None:
    if sys.executable == PYTHON:
        pytest.importorskip("django")
    server = start_durastore(appendonly="yes", appendfsync="always")
    command = [PYTHON, "-c", DJANGO, f"redis://127.0.0.1:{server.port}/0"]
    writer = subprocess.Popen([*command, "write", str(JOBS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdin is not None
    key = writer.stdout.readline().split()[1]
    told = [writer.stdout.readline() for _ in range(JOBS)]
    writer.stdin.close()
    told += [writer.stdout.readline() for _ in range(20)]
    server.kill()
    told += writer.stdout.readlines()
    assert writer.wait(10) == 0
    server.restart()
    subprocess.run([*command, "read"], input=" ".join([key, *told]), text=True, check=True, timeout=120)
