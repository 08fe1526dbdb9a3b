"""redis-cli and redis-benchmark, as people use them: what they print for durastore is what they print for Redis."""

from __future__ import annotations

import csv
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable

from support.resp import request
from support.servers import Server, redis_tool

Starter = Callable[..., Server]
SECONDS = 20


def run(tool: str, server: Server, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*redis_tool(tool), "-p", str(server.port), *arguments], input=stdin, capture_output=True, timeout=SECONDS
    )


def cli(server: Server, *arguments: str, stdin: bytes = b"") -> str:
    """What redis-cli prints; it must not complain."""
    done = run("redis-cli", server, *arguments, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout.decode()


def benchmark(server: Server, *arguments: str) -> str:
    done = run("redis-benchmark", server, *arguments)
    assert done.returncode == 0, done
    assert b"rror" not in done.stdout + done.stderr, done
    return done.stdout.decode()


SCRIPT = b"""\
rpush list a b c
lrange list 0 -1
hset hash field value other 1
hgetall hash
sadd set 1 2 3
smembers set
zadd zset 1.5 a inf b
zrange zset 0 -1 withscores
zscore zset a
xadd stream 1-1 field value
xrange stream - +
xinfo stream stream
geoadd geo 13.361389 38.115556 Palermo
geopos geo Palermo
blpop nothing 0.01
lpop set

set greeting "hello \\x00 world" ex 100
get greeting
incr greeting
incrbyfloat number 2.5
mset a 1 b 2
mget a b none
multi
incr a
incr b
exec
multi
get
exec
exec
object encoding a
config get maxmemory-policy
no such command
set one
ping
"""
INVOCATIONS: list[tuple[list[str], bytes]] = [
    (["ping"], b""),
    (["ping", "hello there"], b""),
    ([], SCRIPT),
    (["--no-raw"], SCRIPT),
    (["--csv"], SCRIPT),
    (["-3"], SCRIPT),
    (["-3", "--no-raw"], SCRIPT),
    (["-3", "--json"], b"config get maxmemory-policy\nmget a none\nset q 'a\"b'\nget q\n"),
    (["-e"], b"get\n"),
    (["-e", "get"], b""),
    (["-x", "set", "from standard input"], b"some\nlines\n"),
    (["get", "from standard input"], b""),
    (["-X", "tag", "mset", "k", "tag", "l", "value"], b"in the middle"),
    (["-n", "3", "set", "a", "in three"], b""),
    (["-n", "99", "get", "a"], b""),
    (["-u", "redis://127.0.0.1/3", "get", "a"], b""),
    (["-r", "3", "-i", "0.01", "incr", "counter"], b""),
    (["-d", ";", "-D", "!", "mget", "a", "b"], b""),
    (["--quoted-input", "--no-raw", "set", '"\\x00\\xff"', "binary"], b""),
    (["--quoted-input", "get", '"\\x00\\xff"'], b""),
    (["-c", "get", "a"], b""),
    (["--no-raw", "--verbose", "lcs", "a", "b", "idx"], b""),
    (["--no-raw", "command", "info", "get"], b""),
    (["--no-raw", "command", "getkeys", "mset", "a", "1", "b", "2"], b""),
    (["--scan", "--pattern", "fro*"], b""),
    (["--scan", "--quoted-pattern", '"\\x00*"'], b""),
]


def test_the_same_words_are_printed_as_for_a_real_server(durastore: Server, valkey: Server) -> None:
    wrong = []
    for arguments, stdin in INVOCATIONS:
        ours, theirs = (run("redis-cli", server, *arguments, stdin=stdin) for server in (durastore, valkey))
        if (ours.returncode, ours.stdout, ours.stderr) != (theirs.returncode, theirs.stdout, theirs.stderr):
            wrong.append(f"{arguments}\n    ours   {ours}\n    wanted {theirs}")
    assert not wrong, "\n".join(wrong)


def test_a_password_is_asked_for(start_durastore: Starter) -> None:
    server = start_durastore(requirepass="secret word")
    assert run("redis-cli", server, "get", "a").stdout == b"NOAUTH Authentication required.\n\n"
    assert cli(server, "-a", "secret word", "--no-auth-warning", "set", "a", "1") == "OK\n"
    assert cli(server, "--user", "default", "--pass", "secret word", "--no-auth-warning", "get", "a") == "1\n"
    url = f"redis://default:secret%20word@127.0.0.1:{server.port}"
    assert cli(server, "-u", url, "--no-auth-warning", "get", "a") == "1\n"
    refused = run("redis-cli", server, "-a", "wrong", "--no-auth-warning", "get", "a")
    assert b"AUTH failed: WRONGPASS invalid username-password pair or user is disabled." in refused.stderr
    assert b"NOAUTH" in refused.stdout


def test_a_unix_socket(start_durastore: Starter) -> None:
    server = start_durastore(unixsocket="here.sock", unixsocketperm="700")
    path = server.folder / "here.sock"
    assert cli(server, "-s", str(path), "set", "a", "1") == "OK\n"
    assert path.stat().st_mode & 0o777 == 0o700
    assert f"addr={path}:0" in cli(server, "-s", str(path), "client", "list")
    assert "SET" in benchmark(server, "-s", str(path), "-t", "set", "-n", "500", "-q")
    server.stop()
    assert not path.exists()


def test_pipe_loads_in_bulk_and_counts_errors(durastore: Server, valkey: Server) -> None:
    load = b"".join(request("SET", f"key:{i}", f"value {i}") for i in range(50_000))
    assert cli(durastore, "--pipe", stdin=load).endswith("errors: 0, replies: 50000\n")
    assert durastore.call("DBSIZE") == 50_000
    assert durastore.call("GET", "key:49999") == b"value 49999"
    inline = b"set a 1\r\nincr a\r\nincr key:1\r\nset b 2\r\n"
    found = [run("redis-cli", server, "--pipe", stdin=inline) for server in (durastore, valkey)]
    assert b"errors: 1, replies: 4\n" in found[0].stdout
    assert found[0].stderr == b"ERR value is not an integer or out of range\n"
    valkey.call("SET", "key:1", "value 1")
    assert found[0].returncode == run("redis-cli", valkey, "--pipe", stdin=inline).returncode


def test_scan_lists_every_key_once_and_by_pattern(durastore: Server) -> None:
    keys = {f"user:{i}" for i in range(3000)} | {f"order:{i}" for i in range(3000)} | {"a b", "line\nbreak"}
    for start in range(0, 6000, 1000):
        chunk = sorted(keys)[start : start + 1100]
        durastore.call("MSET", *(word for key in chunk for word in (key, 1)))
    assert sorted(cli(durastore, "--scan").splitlines()) == sorted("\n".join(keys).splitlines())
    assert sorted(cli(durastore, "--scan", "--pattern", "user:??").splitlines()) == sorted(
        f"user:{i}" for i in range(10, 100)
    )
    assert cli(durastore, "--scan", "--pattern", "nothing*") == ""


def test_the_biggest_keys(durastore: Server, valkey: Server) -> None:
    for server in (durastore, valkey):
        server.call("MSET", *(word for i in range(500) for word in (f"k{i}", "v" * (i % 7))))
        server.call("SET", "large", "v" * 100_000)
        for size in (3, 300):
            numbers = [*range(size)]
            server.call("RPUSH", f"list:{size}", *numbers)
            server.call("SADD", f"set:{size}", *numbers)
            server.call("HSET", f"hash:{size}", *(word for i in numbers for word in (i, i)))
            server.call("ZADD", f"zset:{size}", *(word for i in numbers for word in (i, i)))
            server.call("XADD", f"stream:{size}", "1-1", "field", "value")
        server.call("XADD", "stream:300", "2-1", "field", "value")
    summaries = [cli(server, "--bigkeys").partition("summary")[2] for server in (durastore, valkey)]
    assert "Sampled 511 keys in the keyspace!" in summaries[0]
    assert "Biggest string found '\"large\"' has 100000 bytes" in summaries[0]
    assert summaries[0] == summaries[1]
    memory = cli(durastore, "--memkeys")
    found = re.search(r"Biggest string found '\"large\"' has (\d+) bytes", memory)
    assert found is not None, memory
    assert 100_000 < int(found[1]) < 130_000
    assert "501 strings with" in cli(durastore, "--memkeys-samples", "3")


def test_hot_keys_need_a_policy_that_counts(durastore: Server) -> None:
    durastore.call("SET", "a", 1)
    assert b"An LFU maxmemory policy is not selected" in run("redis-cli", durastore, "--hotkeys").stderr


class Terminal:
    """redis-cli on a terminal."""

    def __init__(self, server: Server, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*redis_tool("redis-cli"), "-p", str(server.port), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "dumb", "REDISCLI_HISTFILE": "/dev/null"},
            start_new_session=True,
        )
        os.close(slave)
        self.buffer = bytearray()

    def until(self, text: bytes) -> bytes:
        """What is shown up to and with ``text``, which must come."""
        deadline = time.monotonic() + SECONDS
        while text not in self.buffer:
            ready, _, _ = select.select([self.master], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{text!r} did not come: {bytes(self.buffer[-1000:])!r}"
            self.buffer += os.read(self.master, 4096)
        end = self.buffer.index(text) + len(text)
        seen = bytes(self.buffer[:end])
        del self.buffer[:end]
        return seen

    def enter(self, line: bytes, answer: bytes) -> None:
        os.write(self.master, line + b"\n")
        self.until(answer)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)
        os.close(self.master)


def test_an_interactive_session(durastore: Server) -> None:
    place = b"127.0.0.1:%d" % durastore.port
    with Terminal(durastore) as shown:
        shown.until(place + b"> ")
        shown.enter(b"set a 1", b"OK\r\n")
        shown.until(place + b"> ")
        shown.enter(b"select 3", place + b"[3]> ")
        shown.enter(b"multi", place + b"[3](TX)> ")
        shown.enter(b"incr a", b"QUEUED\r\n")
        shown.enter(b"exec", b"1) (integer) 1\r\n")
        shown.until(place + b"[3]> ")
        shown.enter(b"nonsense", b"(error) ERR unknown command 'nonsense', with args beginning with: \r\n")
        shown.enter(b"hello 3", b'# "server" => "redis"\r\n')


def test_statistics_go_on(durastore: Server) -> None:
    durastore.call("MSET", "a", 1, "b", 2)
    with Terminal(durastore, "--stat", "-i", "0.05") as shown:
        shown.until(b"keys ")
        shown.until(b"\n")
        for _ in range(3):
            # Keys, memory, clients, blocked clients, requests and how many of them are new, connections.
            line = shown.until(b"\n")
            assert re.match(rb"2 +[\d.]+M +\d+ +0 +\d+ \(\+\d+\) +\d+ ", line), line


def test_latency(durastore: Server) -> None:
    least, most, average, samples = cli(durastore, "--latency", "--raw", "-i", "0.3").split()
    assert 0 <= int(least) <= float(average) <= int(most) < 5000
    assert int(samples) > 5
    with Terminal(durastore, "--latency-history", "-i", "0.1") as shown:
        shown.until(b"min: ")
        shown.until(b"seconds range")
    with Terminal(durastore, "--latency-dist", "-i", "0.1") as shown:
        shown.until(b"---------------------------------------------")


def test_benchmark_in_every_shape(durastore: Server) -> None:
    tests = ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)")
    given = ["-t", "ping,set,get,incr,mset", "-n", "2000", "-r", "500"]
    for more in ("", "-P 16", "-c 200", "-3", "--threads 2", "-P 50 -c 3", "--dbnum 2"):
        lines = benchmark(durastore, *given, *more.split(), "-q").replace("\r", "\n")
        for test in tests:
            found = re.search(rf"^{re.escape(test)}: ([\d.]+) requests per second, p50=[\d.]+ msec", lines, re.M)
            assert found is not None, lines
            assert float(found[1]) > 100
    assert 0 < durastore.call("DBSIZE") <= 1501  # type: ignore[operator]
    assert int(durastore.call("GET", "counter:000000000001") or 0) > 0  # type: ignore[call-overload]
    rows = list(csv.DictReader(benchmark(durastore, *given, "--csv").splitlines()))
    assert [row["test"] for row in rows] == list(tests)
    assert all(float(row["rps"]) > 100 and float(row["max_latency_ms"]) > 0 for row in rows)


def test_the_whole_benchmark(durastore: Server) -> None:
    lines = benchmark(durastore, "-n", "500", "-q").replace("\r", "\n")
    done = re.findall(r"^(\S.*): [\d.]+ requests per second", lines, re.M)
    assert len(done) >= 20
    assert {"LPUSH", "RPOP", "SADD", "HSET", "SPOP", "ZADD", "ZPOPMIN", "MSET (10 keys)"} <= set(done)
    assert durastore.call("LLEN", "mylist") != 0


def test_benchmark_reports_and_values_of_any_size(durastore: Server) -> None:
    report = benchmark(durastore, "-t", "set", "-n", "1000", "-d", "100000", "-k", "0")
    assert "1000 requests completed in" in report
    assert "100000 bytes payload" in report
    assert 'host configuration "save":' in report
    assert 'host configuration "appendonly": no' in report
    assert durastore.call("STRLEN", "key:__rand_int__") == 100_000
    benchmark(durastore, "-n", "1000", "-r", "100", "-P", "10", "-q", "append", "k:__rand_int__", "x")
    assert durastore.call("EXISTS", *(f"k:{i:012d}" for i in range(100))) == 100
