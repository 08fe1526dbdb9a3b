"""Starting and stopping, as the person sees it who runs the server."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.rdb import strings_file
from support.resp import Closed, Connection, request
from support.servers import Server, durastore_command, durastore_environment, durastore_server, free_port

Starter = Callable[..., Server]
SECONDS = 30


def run(*arguments: str, stdin: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, until it ends."""
    return subprocess.run(
        [*durastore_command(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env=durastore_environment(),
    )


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A process that nobody waits for stays as a zombie where the tests run as the first process.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


# The command line and the conf file


def test_a_directive_that_does_not_exist_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("port 0\n\n# a comment\nappendonly yes\nno-such-thing 1\n")
    for arguments in ([str(path)], ["--check-config", str(path)]):
        done = run(*arguments)
        assert done.returncode == 1
        assert f"at line 5 of {path}\n>>> 'no-such-thing 1'\nBad directive or wrong number of arguments" in done.stderr
    done = run(str(path.with_name("missing.conf")))
    assert done.returncode == 1
    assert "missing.conf" in done.stderr
    assert "No such file or directory" in done.stderr


def test_a_value_that_cannot_be_is_refused_with_its_place(tmp_path: Path) -> None:
    done = run("--port", "seventy")
    assert done.returncode == 1
    assert ">>> 'port \"seventy\"'" in done.stderr
    assert "argument couldn't be parsed into an integer" in done.stderr
    path = tmp_path / "a.conf"
    path.write_text(f"include {tmp_path}/b.conf\n")
    (tmp_path / "b.conf").write_text("\nappendfsync sometimes\n")
    done = run(str(path))
    assert done.returncode == 1
    assert f"line 2 of {tmp_path}/b.conf" in done.stderr


def test_check_config_serves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "good.conf"
    path.write_text("appendonly yes\nsave 900 1\n")
    done = run("--check-config", str(path), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == ["good.conf"]


def test_the_conf_of_debians_redis_is_taken(tmp_path: Path) -> None:
    stock = Path(__file__).parents[2] / "fixtures" / "conf" / "debian-redis-7.0.conf"
    path = tmp_path / "redis.conf"
    path.write_text(stock.read_text().replace("/var/lib/redis", str(tmp_path)))
    assert run("--check-config", str(path)).stderr == ""


def test_the_conf_may_come_from_standard_input(tmp_path: Path) -> None:
    port = free_port()
    command = subprocess.Popen(
        [*durastore_command(), "-", "--dir", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=durastore_environment(),
    )
    assert command.stdin is not None
    command.stdin.write(b"port %d\nbind 127.0.0.1\nmaxclients 123\n" % port)
    command.stdin.close()
    server = Server([], tmp_path)
    server.process, server.port = command, port
    try:
        server.wait_ready()
        assert server.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"123"]
    finally:
        assert server.stop() == 0


def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stdout
    assert "Address already in use" in done.stdout


# The log


def test_the_log_tells_what_runs_and_what_was_loaded(start_durastore: Starter) -> None:
    server = start_durastore(logfile="here.log")
    with server.connect() as connection:
        connection.send(b"".join(request("SET", f"k:{i}", i) for i in range(1000)))
        for _ in range(1000):
            connection.read()
    server.call("SAVE")
    first = server.pid
    server.stop()
    server.start()
    log = (server.folder / "here.log").read_text()
    stamp = r"\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}"
    assert re.search(rf"^{stamp} # durastore [\d.]+ \((compiled|interpreted)\), pid {first}, port \d+$", log, re.M), log
    size = (server.folder / "dump.rdb").stat().st_size
    loaded = rf"^{stamp} \* DB loaded from disk: [\d.]+ seconds, 1000 keys, {size} bytes \([\d.]+ keys/s\)$"
    assert re.search(loaded, log, re.M), log
    assert "Ready to accept connections" in log
    assert server.log.read_bytes() == b""


# Loading


def test_who_comes_while_the_data_is_loading_is_told_so(start_durastore: Starter, tmp_path: Path) -> None:
    count = 400_000
    data = strings_file(count)
    (tmp_path / "dump.rdb").write_bytes(data)
    server = durastore_server(tmp_path, {"save": "", "appendonly": "no"})
    server.start(wait=False)
    try:
        connection = connect_early(server)
        loading = b"-LOADING Redis is loading the dataset in memory\r\n"
        assert connection.call("PING") == loading
        assert connection.call("GET", "key:1") == loading
        assert connection.call("SET", "key:1", "x") == loading
        assert connection.call("MULTI") == b"+OK\r\n"
        assert connection.call("GET", "key:1") == loading
        assert connection.call("EXEC").startswith(b"-EXECABORT")
        info = connection.value("INFO", "persistence").decode()
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        assert fields["loading"] == "1"
        assert int(fields["loading_total_bytes"]) == len(data)
        assert 0 <= int(fields["loading_loaded_bytes"]) < len(data)
        assert 0 <= float(fields["loading_loaded_perc"]) < 100
        assert fields["loading_rdb_used_mem"] == "12345"
        assert abs(int(fields["loading_start_time"]) - time.time()) < 60
        assert int(fields["loading_eta_seconds"]) >= 0
        server.wait_ready()
        assert connection.call("PING") == b"+PONG\r\n"
        assert connection.value("DBSIZE") == count
        assert server.info("persistence", "loading") == "0"
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SHUTDOWN"])
def test_a_server_that_is_loading_can_be_stopped_and_saves_nothing(tmp_path: Path, how: str) -> None:
    data = strings_file(400_000)
    (tmp_path / "dump.rdb").write_bytes(data)
    server = durastore_server(tmp_path, {"save": "1 1"})
    server.start(wait=False)
    connection = connect_early(server)
    assert connection.call("PING").startswith(b"-LOADING")
    if how == "SHUTDOWN":
        with pytest.raises(Closed):
            connection.call("SHUTDOWN")
    else:
        os.kill(server.pid, getattr(signal, how))
    assert server.process is not None
    assert server.process.wait(SECONDS) == 0
    assert (tmp_path / "dump.rdb").read_bytes() == data


def connect_early(server: Server) -> Connection:
    """A connection at the first moment there can be one."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return Connection(socket.create_connection(("127.0.0.1", server.port)))
        except ConnectionRefusedError:
            assert server.running(), server.log_tail()
            assert time.monotonic() < deadline


# Stopping


def keys_after_restart(server: Server) -> object:
    server.directives.pop("save", None)
    server.start()
    return server.call("DBSIZE")


@pytest.mark.parametrize(
    ("directives", "words", "kept"),
    [
        ({"save": "3600 1"}, [], 1),
        ({"save": ""}, [], 0),
        ({"save": ""}, ["SAVE"], 1),
        ({"save": "3600 1"}, ["NOSAVE"], 0),
        ({"save": "3600 1"}, ["nosave", "now", "force"], 0),
        ({"save": "", "appendonly": "yes"}, ["NOSAVE"], 1),
    ],
)
def test_shutdown(start_durastore: Starter, directives: dict[str, str], words: list[str], kept: int) -> None:
    server = start_durastore(**directives)
    with server.connect() as connection:
        connection.call("SET", "a", 1)
        with pytest.raises(Closed) as closed:
            connection.call("SHUTDOWN", *words)
        assert closed.value.args == (b"",)
    assert server.process is not None
    assert server.process.wait(SECONDS) == 0
    assert "bye bye" in server.log_tail()
    assert keys_after_restart(server) == kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("words", "kept"), [("default", 1), ("nosave", 0), ("nosave now force", 0), ("save", 1)])
def test_signals(start_durastore: Starter, number: signal.Signals, words: str, kept: int) -> None:
    server = start_durastore(save="3600 1")
    server.call("SET", "a", 1)
    name = "shutdown-on-" + number.name.lower()
    assert server.call("CONFIG", "SET", name, words) == "OK"
    assert server.call("CONFIG", "GET", name) == [name.encode(), words.encode()]
    os.kill(server.pid, number)
    assert server.process is not None
    assert server.process.wait(SECONDS) == 0
    assert f"Received {number.name} scheduling shutdown" in server.log_tail()
    assert keys_after_restart(server) == kept


def test_shutdown_words_that_make_no_sense_are_refused(start_durastore: Starter) -> None:
    server = start_durastore()
    for words in (["SAVE", "NOSAVE"], ["ABORT", "NOW"], ["LATER"]):
        assert server.call("SHUTDOWN", *words) == "ERR syntax error"
    assert server.call("SHUTDOWN", "ABORT") == "ERR No shutdown in progress."
    refused = server.call("CONFIG", "SET", "shutdown-on-sigterm", "save nosave")
    assert str(refused).endswith("- shutdown options SAVE and NOSAVE can't be used simultaneously")
    refused = server.call("CONFIG", "SET", "shutdown-on-sigint", "later")
    assert str(refused).endswith("- argument(s) must be one of the following: default, save, nosave, now, force")


def test_a_server_that_cannot_save_goes_on_until_it_is_forced(start_durastore: Starter) -> None:
    server = start_durastore(save="3600 1", dbfilename="in-the-way")
    (server.folder / "in-the-way").mkdir()
    server.call("SET", "a", 1)
    assert server.call("SHUTDOWN") == "ERR Errors trying to SHUTDOWN. Check logs."
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: "SIGTERM received but errors" in server.log_tail(), "the signal is not answered")
    # The second is as patient as the first, since the first came to nothing.
    os.kill(server.pid, signal.SIGINT)
    wait_until(lambda: server.log.read_text().count("SIGINT received but errors") == 1, "the signal is not answered")
    os.kill(server.pid, signal.SIGINT)
    wait_until(lambda: server.log.read_text().count("SIGINT received but errors") == 2, "the signal is not answered")
    assert server.call("GET", "a") == b"1"
    assert [path.name for path in server.folder.iterdir() if path.name.startswith("temp-")] == []
    with server.connect() as connection, pytest.raises(Closed):
        connection.call("SHUTDOWN", "FORCE")
    assert server.process is not None
    assert server.process.wait(SECONDS) == 0


def test_nothing_is_acknowledged_that_the_last_snapshot_does_not_have(start_durastore: Starter) -> None:
    server = start_durastore(save="3600 1", appendonly="no")
    connections = [server.connect() for _ in range(20)]
    counts = [0] * len(connections)
    stopping = server.connect()
    for round_ in range(200):
        if round_ == 100:
            stopping.send(request("SHUTDOWN"))
        for connection in connections:
            try:
                connection.send(request("INCR", f"n:{connections.index(connection)}"))
            except OSError:
                continue
        for i, connection in enumerate(connections):
            try:
                counts[i] = int(connection.read()[1:])
            except (Closed, OSError):
                continue
    assert server.process is not None
    assert server.process.wait(SECONDS) == 0
    assert min(counts) >= 100
    server.start()
    assert server.call("MGET", *(f"n:{i}" for i in range(20))) == [b"%d" % count for count in counts]


def test_the_first_log_must_be_whole_before_a_shutdown(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", save="", snapshot_cpu_percent="1")
    server.call("SET", "old", 1)
    server.call("CONFIG", "SET", "appendonly", "no")
    with server.connect() as connection:
        connection.send(b"".join(request("SET", f"k:{i}", "x" * 100) for i in range(20_000)))
        for _ in range(20_000):
            connection.read()
        connection.send(request("CONFIG", "SET", "appendonly", "yes") + request("SHUTDOWN") + request("PING"))
        assert connection.read() == b"+OK\r\n"
        # With the files of the earlier log the next start would lose what came after it.
        assert connection.read() == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
        assert connection.read() == b"+PONG\r\n"
    assert "Writing initial AOF, can't exit." in server.log_tail()
    server.call("CONFIG", "SET", "snapshot-cpu-percent", "100")
    server.until_info("persistence", "aof_rewrite_in_progress", "0")
    assert server.stop() == 0
    server.start()
    assert server.call("DBSIZE") == 20_001


def test_a_second_sigint_ends_a_long_last_save(start_durastore: Starter) -> None:
    server = start_durastore(save="3600 1")
    with server.connect() as connection:
        connection.send(b"".join(request("SET", f"k:{i}", "x" * 200) for i in range(150_000)))
        for _ in range(150_000):
            connection.read()
    os.kill(server.pid, signal.SIGINT)
    temporary = server.folder / f"temp-{server.pid}.rdb"
    wait_until(temporary.exists, "the last save does not begin")
    os.kill(server.pid, signal.SIGINT)
    assert server.process is not None
    assert server.process.wait(SECONDS) == 1
    assert "You insist... exiting now." in server.log_tail()
    assert not temporary.exists()
    assert not (server.folder / "dump.rdb").exists()


def test_what_was_flushed_does_not_come_back_from_a_snapshot(start_durastore: Starter) -> None:
    server = start_durastore(save="3600 1", enable_debug_command="yes", snapshot_cpu_percent="1")
    server.call("DEBUG", "POPULATE", 50_000)
    server.call("SAVE")
    server.call("SET", "k", "v")
    server.call("BGSAVE")
    assert server.call("FLUSHALL") == "OK"
    server.until_info("persistence", "rdb_changes_since_last_save", "0")
    server.kill()
    assert "Background saving cancelled" in server.log_tail()
    server.restart()
    assert server.call("DBSIZE") == 0


def test_a_closed_terminal_ends_nothing(start_durastore: Starter) -> None:
    server = start_durastore()
    os.kill(server.pid, signal.SIGHUP)
    assert server.call("PING") == "PONG"


# In the background


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Server]:
    """A server that is not there yet, with a pid file and a log."""
    server = durastore_server(
        tmp_path, {"daemonize": "yes", "pidfile": "d.pid", "logfile": "d.log", "save": "", "bind": "127.0.0.1"}
    )
    server.port = free_port()
    yield server
    if (tmp_path / "d.pid").exists():
        pid = int((tmp_path / "d.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gone(pid), "the server in the background does not end")


def start_in_background(server: Server, **more: str) -> subprocess.CompletedProcess[str]:
    directives = {"port": str(server.port), "dir": str(server.folder), **server.directives, **more}
    return run(*(word for name, value in directives.items() for word in (f"--{name}", value)))


def test_daemonize(background: Server) -> None:
    done = start_in_background(background)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # The command returned when the server listens, and with its pid file in place.
    pid = int((background.folder / "d.pid").read_text())
    wait_until(background.answers, "the server in the background does not answer")
    assert background.call("SET", "a", 1) == "OK"
    assert background.info("server", "process_id") == str(pid)
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(stat[1]), int(stat[3]), int(stat[4])
    assert parent != os.getpid()
    assert session not in (pid, os.getsid(0)), "a session of its own, and not its leader"
    assert terminal == 0
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)] == ["/dev/null"] * 3
    assert f"pid {pid}" in (background.folder / "d.log").read_text()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: gone(pid), "the server does not end")
    assert not (background.folder / "d.pid").exists()
    assert "Removing the pid file." in (background.folder / "d.log").read_text()


def test_a_start_in_the_background_that_fails_says_so(background: Server) -> None:
    assert start_in_background(background).returncode == 0
    wait_until(background.answers, "the server in the background does not answer")
    pid = (background.folder / "d.pid").read_text()
    second = start_in_background(background, logfile="", pidfile="d.pid", port=str(free_port()))
    assert second.returncode == 1
    assert f"in use by another server (pid {pid.strip()}" in second.stdout
    assert (background.folder / "d.pid").read_text() == pid, "the pid file stays the first server's"
    assert background.call("PING") == "PONG"


def test_a_pid_file_that_cannot_be_written_is_only_a_warning(start_durastore: Starter) -> None:
    server = start_durastore(pidfile="/proc/no/such.pid")
    assert "Failed to write PID file /proc/no/such.pid: No such file or directory" in server.log_tail()
    assert server.stop() == 0


# Under a service manager


@pytest.mark.parametrize("abstract", [False, True])
@pytest.mark.parametrize("mode", ["systemd", "auto"])
def test_systemd_is_told(tmp_path: Path, mode: str, abstract: bool) -> None:
    name = f"durastore-test-{os.getpid()}-{mode}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        # Supervised, the server stays in the foreground whatever is said of daemonize.
        server = durastore_server(tmp_path, {"supervised": mode, "daemonize": "yes"})
        assert server.environment is not None
        server.environment["NOTIFY_SOCKET"] = "@" + name if abstract else name
        server.start()
        try:
            said = messages(manager, "READY=1")
            assert said[0].startswith("STATUS=Loading the dataset: 0%\nEXTEND_TIMEOUT_USEC=")
            assert said[-1] == "STATUS=Ready to accept connections\nREADY=1\n"
            assert server.info("server", "process_supervised") == "systemd"
            assert server.info("server", "process_id") == str(server.pid)
        finally:
            assert server.stop() == 0
        assert messages(manager, "STOPPING=1")[-1] == "STOPPING=1\nSTATUS=Shutting down\n"


def test_systemds_watchdog_is_kept_calm(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        server = durastore_server(tmp_path, {"supervised": "systemd", "appendonly": "yes"})
        assert server.environment is not None
        server.environment.update(NOTIFY_SOCKET=name, WATCHDOG_USEC="200000")
        server.start()
        for _ in range(3):
            assert messages(manager, "WATCHDOG=1")[-1] == "WATCHDOG=1\n"
        # The final snapshot is not to be taken for a hang; where there is no end after all, all is as before.
        server.call("CONFIG", "SET", "save", "3600 100000")
        (tmp_path / "dump.rdb").mkdir()
        os.kill(server.pid, signal.SIGTERM)
        said = messages(manager, "WATCHDOG_USEC=86400000000") + messages(manager, "WATCHDOG_USEC=200000")
        assert not any("STOPPING=1" in each for each in said), (
            "it may fail to stop, and what was said is not taken back"
        )
        (tmp_path / "dump.rdb").rmdir()
        assert server.stop() == 0
        # A watchdog of another process is none of ours.
        server.environment["WATCHDOG_PID"] = "1"
        server.start()
        server.stop()
        assert "WATCHDOG=1\n" not in messages(manager, "STOPPING=1")[1:]


def test_sighup_opens_the_log_file_again(start_durastore: Starter) -> None:
    server = start_durastore(logfile="here.log", log_format="json")
    here, rotated = server.folder / "here.log", server.folder / "here.log.1"
    here.rename(rotated)
    os.kill(server.pid, signal.SIGHUP)
    wait_until(here.exists, "the log file is not opened again")
    server.call("BGSAVE")
    server.until_info("persistence", "rdb_bgsave_in_progress", "0")
    # And without a signal, with the next line.
    here.unlink()
    server.stop()
    lines = [json.loads(line) for line in here.read_text().splitlines()]
    assert {"level", "logger", "message", "pid", "time"} == set(lines[-1])
    assert (lines[-1]["level"], lines[-1]["pid"]) == ("warning", server.pid)
    assert "bye bye" in lines[-1]["message"]
    assert "bye bye" not in rotated.read_text()


def messages(manager: socket.socket, last: str) -> list[str]:
    said: list[str] = []
    while not said or last not in said[-1]:
        assert select.select([manager], [], [], SECONDS)[0], f"{last} does not come after {said}"
        said.append(manager.recv(4096).decode())
    return said


def test_systemd_that_is_not_there(start_durastore: Starter) -> None:
    server = start_durastore(supervised="systemd")
    assert "systemd supervision requested, but NOTIFY_SOCKET not found" in server.log_tail()
    assert server.info("server", "process_supervised") == "systemd"
    server = start_durastore(supervised="auto")
    assert server.info("server", "process_supervised") == "no"


def test_upstart_hears_by_a_stop(tmp_path: Path) -> None:
    server = durastore_server(tmp_path, {"supervised": "upstart"})
    assert server.environment is not None
    server.environment["UPSTART_JOB"] = "durastore"
    server.start(wait=False)
    _, status = os.waitpid(server.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    os.kill(server.pid, signal.SIGCONT)
    server.wait_ready()
    assert server.info("server", "process_supervised") == "upstart"
    assert server.stop() == 0
