"""LATENCY: its histories, its graphs and its distributions."""

from __future__ import annotations

from durastore.commands.latency_events import SAMPLES, LatencyMonitor
from durastore.commands.sparkline import draw
from support.engines import engine, run, session

# What a redis-server 7.2.4 drew for these values and labels.
GRAPH = ["#o   ", "||   ", "||  o", "||__|", "     ", "64321", "sssss"]


def test_a_second_has_one_sample_and_a_history_an_end() -> None:
    monitor = LatencyMonitor()
    monitor.note(b"command", 5000, 9_000_000)
    assert monitor.events == {}
    monitor.threshold = 10_000_000
    for when, took in ((5000, 9), (5000, 12), (5999, 11), (5001, 30), (7000, 15)):
        monitor.note(b"command", when, took * 1_000_000)
    history = monitor.events[b"command"]
    assert (history.samples, history.longest) == ([(5, 30), (7, 15)], 30)
    for second in range(SAMPLES + 5):
        monitor.note(b"command", (10 + second) * 1000, 10_000_000)
    assert history.samples[0] == (15, 10)
    assert len(history.samples) == SAMPLES
    assert history.longest == 30


def test_what_is_noted_of_commands() -> None:
    server = engine()
    times = iter([0, 3_000_000, 3_000_000, 5_000_000, 5_000_000, 5_500_000])
    server.stopwatch = lambda: next(times, 6_000_000)
    server.watch_for(-1, 2)
    one = session(server)
    run(one, b"set a 1", b"get a", b"get a")
    assert {name: each.samples for name, each in server.instance.latency.events.items()} == {
        b"command": [(1000, 3)],
        b"fast-command": [(1000, 2)],
    }
    assert run(one, b"latency latest") == (
        b"*2\r\n*4\r\n$7\r\ncommand\r\n:1000\r\n:3\r\n:3\r\n*4\r\n$12\r\nfast-command\r\n:1000\r\n:2\r\n:2\r\n"
    )
    assert run(one, b"latency history command") == b"*1\r\n*2\r\n:1000\r\n:3\r\n"
    server.begin_wake(1_000_000 + 90_000)
    graph = b"command - high 3 ms, low 3 ms (all time high 3 ms)\n" + b"-" * 80 + b"\n \n \n \n_\n \n1\nm\n"
    assert run(one, b"latency graph command") == b"$%d\r\n%s\r\n" % (len(graph), graph)
    assert b"command: 1 times, 3 ms on average" in run(one, b"latency doctor")
    assert run(one, b"latency reset nosuch command") == b":1\r\n"
    assert run(one, b"latency reset") == b":1\r\n"
    assert run(one, b"latency latest") == b"*0\r\n"


def test_slow_commands_are_noted_whatever_their_class_below_a_millisecond() -> None:
    server = engine()
    clock = iter(range(0, 10**12, 500_000))
    server.stopwatch = lambda: next(clock)
    one = session(server)
    run(one, *[b"get a"] * 200)
    for threshold, noted in ((10_000, 0), (1000, 0), (500, 200), (501, 0), (-1, 0)):
        server.watch_for(threshold, 0)
        run(one, b"slowlog reset")
        server.instance.slow_log.entries.clear()
        server.instance.slow_log.limit = 1000
        run(one, *[b"get a"] * 200)
        assert len(server.instance.slow_log.entries) == noted, threshold


def test_distributions() -> None:
    server = engine()
    times = iter([0, 1000, 0, 3000, 0, 3_000_000])
    server.stopwatch = lambda: next(times)
    one = session(server)
    run(one, b"get a", b"get a", b"get a")
    server.stopwatch = lambda: 0
    assert run(one, b"latency histogram get nosuch") == (
        b"*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n*6\r\n"
        b":1\r\n:1\r\n:4\r\n:2\r\n:4227\r\n:3\r\n"
    )


def test_graphs() -> None:
    assert draw([52, 45, 3, 3, 20], ["6s", "4s", "3s", "2s", "1s"]).splitlines() == GRAPH
    assert draw([7] * 81, ["1s"] * 81).count("\n") == 15
