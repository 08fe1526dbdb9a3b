"""The commands that rebuild a stream keep its groups whole: also what is pending and no longer in the stream."""

from __future__ import annotations

import pytest

from durastore.keyspace.streams import Stream
from durastore.persistence.commands import CommandSerializer
from support.engines import engine, run, session
from support.rdb import describe_value

GROUPS = [
    b"XADD s 1-0 f a", b"XADD s 2-0 f b", b"XADD s 3-0 f c", b"XADD s 4-0 f d", b"XADD s 5-0 f e",
    b"XGROUP CREATE s g 0", b"XGROUP CREATE s h 2-0 ENTRIESREAD 2",
    b"XREADGROUP GROUP g alice COUNT 2 STREAMS s >", b"XREADGROUP GROUP g bob STREAMS s >",
    b"XREADGROUP GROUP h carol STREAMS s >", b"XREADGROUP GROUP g bob COUNT 1 STREAMS s 3-0",
]  # fmt: skip


def stream(*lines: bytes) -> Stream:
    of = engine()
    out = run(session(of), *GROUPS, *lines)
    assert b"-ERR" not in out
    found = of.instance.keyspace.databases[0].lookup(b"s", 1)
    assert isinstance(found, Stream)
    return found


def described(value: Stream) -> object:
    found = describe_value(value)[1]
    for group in found["groups"]:
        # When consumers were last seen is in no command.
        group["consumers"] = [name for name, _, _ in group["consumers"]]
    return found


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"XDEL s 3-0"],
        [b"XDEL s 1-0 3-0 5-0"],
        [b"XTRIM s MAXLEN 2"],
        [b"XTRIM s MAXLEN 2", b"XDEL s 5-0"],
        [b"XTRIM s MAXLEN 0"],
        [b"XDEL s 1-0 2-0 3-0 4-0 5-0"],
        [b"XDEL s 2-0", b"XGROUP DESTROY s g"],
        [b"XTRIM s MAXLEN 0", b"XSETID s 3-0"],
    ],
    ids=lambda lines: b"; ".join(lines).decode(),
)
def test_a_stream_is_rebuilt_whole(lines: list[bytes]) -> None:
    before = stream(*lines)
    writer = CommandSerializer()
    writer.entry(b"s", before, -1)
    writer.end()
    other = engine()
    client = session(other)
    client.feed(writer.take())
    out = client.take_output()
    assert b"-ERR" not in out
    after = other.instance.keyspace.databases[0].lookup(b"s", 1)
    wanted = described(before)
    if b"XSETID s 3-0" in lines:
        # No command makes what is pending and behind the last id.
        for group in wanted["groups"]:
            group["pending"] = [entry for entry in group["pending"] if entry[0] <= "3-0"]
    assert described(after) == wanted
