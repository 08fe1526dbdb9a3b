"""Who waits for entries of a stream, and what he gets from durastore and from a real server."""

from __future__ import annotations

import pytest

from support.resp import request
from support.servers import Server

# What is prepared, what waits, and what then happens on another connection.
WAITING = {
    "entry": ("xadd s 1-1 a 1", "xread block 0 streams s t $ $", "xadd s 2-1 b 2"),
    "other key": ("xadd s 1-1 a 1", "xread count 5 block 0 streams s t $ 0", "xadd t 2-1 b 2"),
    "known id": ("xadd s 1-1 a 1", "xread block 0 streams s 5-5", "xadd s 5-5 b 2; xadd s 5-6 c 3"),
    "transaction": ("del s", "xread block 0 streams s $", "multi; xadd s 1-1 a 1; xadd s 1-2 a 2; exec"),
    "undone": ("del s", "xread block 0 streams s 0", "multi; xadd s 1-1 a 1; del s; exec; xadd s 3-1 c 3"),
    "moved away and back": ("del s", "xread block 0 streams s 0", "xadd t 1-1 a 1; rename t s"),
    "restored": ("xadd t 1-1 a 1", "xread block 0 streams s 0", "copy t s"),
    "type": ("del s", "xread block 0 streams s 0", "set s text; del s; xadd s 1-1 a 1"),
    "group": ("xgroup create s g $ mkstream", "xreadgroup group g c block 0 streams s >", "xadd s 1-1 a 1"),
    "group, no ack": (
        "xgroup create s g $ mkstream",
        "xreadgroup group g c block 0 noack streams s >",
        "xadd s 1-1 a 1; xadd s 1-2 a 2",
    ),
    "group set back": (
        "xadd s 1-1 a 1; xgroup create s g $",
        "xreadgroup group g c block 0 streams s >",
        "xgroup setid s g 0; xadd s 2-1 b 2",
    ),
    "destroyed": ("xgroup create s g $ mkstream", "xreadgroup group g c block 0 streams s >", "xgroup destroy s g"),
    "another destroyed": (
        "xgroup create s g $ mkstream; xgroup create s h $",
        "xreadgroup group g c block 0 streams s >",
        "xgroup destroy s h; xadd s 1-1 a 1",
    ),
    "deleted": ("xgroup create s g $ mkstream", "xreadgroup group g c block 0 streams s >", "del s"),
    "flushed": ("xgroup create s g $ mkstream", "xreadgroup group g c block 0 streams s >", "flushall"),
    "overwritten": ("xgroup create s g $ mkstream", "xreadgroup group g c block 0 streams s >", "set s text"),
    "replaced": (
        "xadd t 1-1 a 1; xgroup create s g $ mkstream",
        "xreadgroup group g c block 0 streams s >",
        "rename t s",
    ),
    "recreated": (
        "xgroup create s g $ mkstream",
        "xreadgroup group g c block 0 streams s >",
        "multi; del s; xgroup create s g $ mkstream; exec; xadd s 1-1 a 1",
    ),
    "one of two deleted": (
        "xgroup create s g $ mkstream; xgroup create t g $ mkstream",
        "xreadgroup group g c block 0 streams s t > >",
        "del t",
    ),
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", WAITING)
def test_those_who_wait_get_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    prepared, waits, happens = WAITING[name]
    replies = []
    for server in (durastore, valkey):
        with server.connect() as actor, server.connect(protocol) as waiting:
            for line in prepared.split("; "):
                assert not actor.call(*line.split()).startswith(b"-")
            waiting.send(request(*waits.split()))
            server.until_info("clients", "blocked_clients", "1")
            for line in happens.split("; "):
                assert not actor.call(*line.split()).startswith(b"-")
            replies.append(waiting.read())
            assert server.info("clients", "blocked_clients") == "0"
            replies.append(actor.call("XINFO", "GROUPS", "s"))
    assert replies[:2] == replies[2:]
