"""LATENCY: what held the server up, and how long commands take (https://redis.io/commands/latency/)."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.durations import bucket_end
from durastore.commands.errors import CommandError
from durastore.commands.latency_events import History
from durastore.commands.sparkline import draw
from durastore.commands.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from durastore.commands.tablerow import Command

_FLAGS: Final = ADMIN | NOSCRIPT | LOADING | STALE
_TIPS: Final = "nondeterministic_output request_policy:all_nodes response_policy:special"
# The least level of HISTOGRAM, in nanoseconds; each of the others is twice the one before.
_FIRST_LEVEL: Final = 1024
# The line below the title of GRAPH.
_RULE: Final = "-" * 80
_OFF: Final = (
    "Latency monitoring is off, so there is nothing to tell. CONFIG SET latency-monitor-threshold <milliseconds> turns "
    "it on.\n"
)
_QUIET: Final = "No event has reached latency-monitor-threshold since the server began or LATENCY RESET was called.\n"
# What may help, by event.
_ADVICE: Final = {
    b"command": "SLOWLOG GET tells which commands took long: fewer elements at a time, or smaller keys, may help.",
    b"fast-command": "Even commands that take constant time were slow: the machine may be overloaded, or swap.",
}


@command(
    "latency",
    "",
    0,
    summary="A container for latency diagnostics commands.",
    since="2.8.13",
    complexity="Depends on subcommand.",
    arity=-2,
)
def latency(client: Client, argv: list[bytes]) -> None:
    """LATENCY, whose subcommands do the work."""


@command(
    "latency|history",
    "event",
    _FLAGS,
    summary="Returns timestamp-latency samples for an event.",
    since="2.8.13",
    tips=_TIPS,
)
def latency_history(client: Client, argv: list[bytes]) -> None:
    """LATENCY HISTORY."""
    reply = client.reply
    history = client.instance.latency.events.get(argv[2])
    samples = history.samples if history is not None else []
    reply.array(len(samples))
    for when, took in samples:
        reply.array(2)
        reply.integer(when)
        reply.integer(took)


@command(
    "latency|latest",
    "",
    _FLAGS,
    summary="Returns the latest latency samples for all events.",
    since="2.8.13",
    tips=_TIPS,
)
def latency_latest(client: Client, argv: list[bytes]) -> None:
    """LATENCY LATEST."""
    reply = client.reply
    events = client.instance.latency.events
    reply.array(len(events))
    for name, history in events.items():
        reply.array(4)
        reply.bulk(name)
        reply.integer(history.samples[-1][0])
        reply.integer(history.samples[-1][1])
        reply.integer(history.longest)


@command(
    "latency|reset",
    "[event [event ...]]",
    _FLAGS,
    summary="Resets the latency data for one or more events.",
    since="2.8.13",
    tips="request_policy:all_nodes response_policy:agg_sum",
)
def latency_reset(client: Client, argv: list[bytes]) -> None:
    """LATENCY RESET: of some events or of all."""
    events = client.instance.latency.events
    gone = [events.pop(name, None) for name in argv[2:] or list(events)]
    client.reply.integer(sum(history is not None for history in gone))


@command(
    "latency|graph",
    "event",
    _FLAGS,
    summary="Returns a latency graph for an event.",
    since="2.8.13",
    tips=_TIPS,
)
def latency_graph(client: Client, argv: list[bytes]) -> None:
    """LATENCY GRAPH."""
    history = client.instance.latency.events.get(argv[2])
    if history is None:
        raise CommandError(b"ERR No samples available for event '" + argv[2] + b"'")
    now = int(client.instance.now // 1000)
    values = [took for _, took in history.samples]
    name = argv[2].decode("utf-8", "surrogateescape")
    title = f"{name} - high {max(values)} ms, low {min(values)} ms (all time high {history.longest} ms)"
    graph = draw(values, [_age(now - when) for when, _ in history.samples])
    client.reply.verbatim(f"{title}\n{_RULE}\n{graph}".encode("utf-8", "surrogateescape"))


def _age(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@command(
    "latency|doctor",
    "",
    _FLAGS,
    summary="Returns a human-readable latency analysis report.",
    since="2.8.13",
    tips=_TIPS,
)
def latency_doctor(client: Client, argv: list[bytes]) -> None:
    """LATENCY DOCTOR: what there was, and what may help."""
    monitor = client.instance.latency
    if not monitor.events:
        report = _QUIET if monitor.threshold else _OFF
    else:
        lines = [_summary(name, history) for name, history in monitor.events.items()]
        advice = [f"- {text}" for event, text in _ADVICE.items() if event in monitor.events]
        report = "\n".join([*lines, "", *advice]).rstrip() + "\n"
    client.reply.verbatim(report.encode())


def _summary(name: bytes, history: History) -> str:
    took = [each for _, each in history.samples]
    average = sum(took) / len(took)
    deviation = sum(abs(each - average) for each in took) / len(took)
    span = history.samples[-1][0] - history.samples[0][0]
    period = f", one each {span / (len(took) - 1):.2f} s" if len(took) > 1 else ""
    return (
        f"{name.decode('utf-8', 'replace')}: {len(took)} times, {average:.0f} ms on average (mean deviation "
        f"{deviation:.0f} ms){period}; the longest took {history.longest} ms."
    )


@command(
    "latency|histogram",
    "[command [command ...]]",
    _FLAGS,
    summary="Returns the cumulative distribution of latencies of a subset or all commands.",
    since="7.0.0",
    complexity="O(N) where N is the number of commands with latency information being retrieved.",
    tips=_TIPS,
)
def latency_histogram(client: Client, argv: list[bytes]) -> None:
    """LATENCY HISTOGRAM."""
    dispatcher = client.instance.dispatcher
    if len(argv) == 2:
        chosen: list[object] = dispatcher.all_commands()
    else:
        chosen = [dispatcher.find_command(name.split(b"|")) for name in argv[2:]]
    found: list[Command] = []
    for each in chosen:
        if isinstance(each, Command):
            found.append(each)
            if each.subcommands is not None:
                found += each.subcommands.values()
    found = [each for each in found if each.durations.buckets]
    client.reply.map(len(found))
    for each in found:
        client.reply.bulk(each.name)
        _write_histogram(client, each)


def _write_histogram(client: Client, each: Command) -> None:
    """How many runs took no longer than each level that some run comes up to."""
    reply = client.reply
    buckets = each.durations.buckets
    levels: list[tuple[int, int]] = []
    level = _FIRST_LEVEL
    seen = 0
    total = sum(buckets.values())
    while seen < total:
        end = int(bucket_end(level))
        reached = sum(count for bucket, count in buckets.items() if bucket <= end)
        if reached > seen:
            levels.append((end // 1000, reached))
            seen = reached
        level *= 2
    reply.map(2)
    reply.bulk(b"calls")
    reply.integer(total)
    reply.bulk(b"histogram_usec")
    reply.map(len(levels))
    for microseconds, reached in levels:
        reply.integer(microseconds)
        reply.integer(reached)


@command(
    "latency|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="2.8.13"
)
def latency_help(client: Client, argv: list[bytes]) -> None:
    """LATENCY HELP."""
    client.reply.help(
        b"LATENCY",
        [
            b"DOCTOR",
            b"    Return a human readable latency analysis report.",
            b"GRAPH <event>",
            b"    Return an ASCII latency graph for the <event> class.",
            b"HISTORY <event>",
            b"    Return time-latency samples for the <event> class.",
            b"LATEST",
            b"    Return the latest latency samples for all events.",
            b"RESET [<event> ...]",
            b"    Reset latency data of one or more <event> classes.",
            b"    (default: reset all data for all event classes)",
            b"HISTOGRAM [COMMAND ...]",
            b"    Return a cumulative distribution of latencies in the format of a histogram for the specified command "
            b"names.",
            b"    If no commands are specified then all histograms are replied.",
        ],
    )
