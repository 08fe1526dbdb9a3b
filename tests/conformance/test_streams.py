"""Streams, played to durastore and to a real server; see test_scripts.py, and test_consumer_groups.py.

Ids are given, so that replies can be compared.
"""

from __future__ import annotations

import pytest

from support.servers import Server
from support.stream_replies import assert_same_stream_replies


def _radix_script() -> str:
    """Nodes of one entry each, so that the number of radix tree nodes can be followed."""
    large = 1700000000000
    ids = [(1, 0), (1, 1), (1, 255), (1, 256), (1, 65536), (2, 0), (2, 1), (255, 7), (256, 7), (300, 1), (65535, 0)]
    ids += [(large, 0), (large, 1), (large + 1, 0), (large + 512, 9), (large + 99999, 0)]
    ids += [(2**63, 0), (2**63, 1), (2**64 - 1, 0)]
    lines = [f"xadd s {ms}-{seq} f v" for ms, seq in ids]
    lines += ["xdel s 1-256", "xdel s 2-0", "xtrim s maxlen 4", "xtrim s maxlen 0"]
    looks = [text for line in lines for text in (line, "xinfo stream s")]
    setting = "config set stream-node-max-entries"
    return "\n".join([f"{setting} 1", *looks, f"{setting} 100"])


SCRIPTS = {
    "xadd": """
        xadd s 1-1 f v
        xadd s 1-1 f v
        xadd s 1-0 f v
        xadd s 1-2 f v g w
        xadd s 1-* f v
        xadd s 2-* f v
        xadd s 3 f v
        xadd s 3-* f v
        xadd s 2-* f v
        xadd s 0-* f v
        xadd s 0-0 f v
        xadd s 0 f v
        xadd new 0-0 f v
        exists new
        xadd new 0-* f v
        xadd s - f v
        xadd s + f v
        xadd s abc f v
        xadd s 1-abc f v
        xadd s 1--1 f v
        xadd s 1-1-1 f v
        xadd s 18446744073709551616-1 f v
        xadd s -1 f v
        xadd s "" f v
        xadd s 007-+8 f v
        xadd s 4-1 f
        xadd s 4-1 f v g
        xadd s 4-1
        xadd s *
        xadd s
        xadd
        set str x
        xadd str 1-1 f v
        xadd str 0-0 f v
        xadd str nonsense f v
        xadd missing nomkstream 1-1 f v
        exists missing
        xadd s NOMKSTREAM 5-1 f v
        xadd s nomkstream nomkstream maxlen 3 6-1 f v
        xlen s
        xrange s - +
        xadd s maxlen 2 maxlen 3 7-1 f v
        xadd s maxlen 2 minid 3 7-1 f v
        xadd s minid 2 minid 3 7-1 f v
        xadd s maxlen -1 7-1 f v
        xadd s maxlen abc 7-1 f v
        xadd s minid abc 7-1 f v
        xadd s minid - 7-1 f v
        xadd s limit 10 7-1 f v
        xadd s limit 0 7-1 f v
        xadd s maxlen 10 limit 10 7-2 f v
        xadd s maxlen = 10 limit 0 7-2 f v
        xadd s maxlen ~ 10 limit -1 7-2 f v
        xadd s maxlen ~ 10 limit x 7-2 f v
        xadd s maxlen ~ 10 limit 0 7-2 f v
        xadd s maxlen ~ 10 7-3 f v
        xadd s maxlen = 2 7-4 f v
        xadd s minid 7-4 7-5 f v
        xadd s minid = 7-5 7-6 f v
        xadd s minid ~ 7-6 7-7 f v
        xadd s maxlen 0 7-8 f v
        xlen s
        xadd s maxlen ~ = 7-9 f v
        xadd s maxlen
        xadd s maxlen 5
        xadd s 18446744073709551615-18446744073709551615 f v
        xadd s * f v
        xadd s 18446744073709551615-* f v
        xrange s - +
        xinfo stream s
        xadd t 18446744073709551614-18446744073709551615 f v
        xadd t * f v
        xadd t 18446744073709551615-* f v
        xadd n 1-1 1 2 -3 4000 50000 -600000 7000000000 9223372036854775807 -9223372036854775808 18446744073709551615
        xadd n 1-2 "" "" 007 -0 "a b" "\\x00\\xff"
        xrange n - +
        xadd s extra 1-1 f v
        object encoding n
        type n
        object encoding nosuch
    """,
    "ranges": """
        xrange s - +
        xadd s 1-1 a 1
        xadd s 1-2 a 2
        xadd s 2-1 a 3
        xadd s 2-5 b 4
        xadd s 3-0 a 5 b 6
        xrange s - +
        xrevrange s + -
        xrange s 1 1
        xrange s 1 2
        xrange s 2 2-3
        xrange s 1-2 2-1
        xrange s (1-2 2-1
        xrange s (1-2 (2-5
        xrange s (1 +
        xrange s (1 (3
        xrange s - (1
        xrange s (- +
        xrange s - (+
        xrange s ( +
        xrange s (18446744073709551615-18446744073709551615 +
        xrange s - (0-0
        xrange s - (0
        xrange s + -
        xrange s 5 +
        xrange s 2-2 2-4
        xrevrange s 2 1
        xrevrange s (2-5 (1-1
        xrevrange s (2 1
        xrevrange s 1 2
        xrange s - + count 2
        xrevrange s + - count 2
        xrange s - + count 0
        xrange s - + count -1
        xrange s - + count abc
        xrange s - + count
        xrange s - + limit 2
        xrange s - + count 1 count 2
        xrange s - + COUNT 9223372036854775807
        xrange nosuch - + count 0
        xrange nosuch abc +
        xrange s abc +
        xrange s - abc
        xrange s -
        set str 1
        xrange str - +
        xrange str abc +
        xlen s
        xlen nosuch
        xlen str
        xdel s 2-1
        xdel s 2-1 9-9 abc
        xdel s abc
        xdel nosuch abc
        xdel nosuch 1-1
        xdel str 1-1
        xdel s 1-1 3-0 3-0
        xrange s - +
        xrevrange s + -
        xinfo stream s
        xdel s 1-2 2-5
        xlen s
        exists s
        xinfo stream s
        xadd s 3-0 a b
        xadd s 3-1 a b
        xinfo stream s
        xdel s 3
        xdel s 3-1
        xrange s - +
        xdel s
    """,
    "xtrim": """
        config set stream-node-max-entries 5
        xtrim s maxlen 5
        xtrim s maxlen
        xtrim s
        xtrim s 5
        xtrim s maxlen 5 minid 3
        xtrim s limit 5
        xtrim s limit 0
        xtrim s maxlen 5 extra
        xtrim s maxlen ~ 5 limit
        xtrim s maxlen 5 limit 5
        xtrim s maxlen -1
        xtrim s maxlen ~ 1 limit -1
        xtrim s nomkstream maxlen 5
        """
    + "\n".join(f"xadd s {i}-1 field {i}" for i in range(1, 28))
    + """
        xinfo stream s
        xtrim s maxlen ~ 24
        xtrim s maxlen ~ 23
        xtrim s maxlen ~ 22
        xlen s
        xinfo stream s
        xtrim s maxlen = 20
        xtrim s maxlen ~ 15
        xtrim s maxlen ~ 10 limit 2
        xtrim s maxlen ~ 10 limit 3
        xlen s
        xtrim s maxlen ~ 10 limit 0
        xlen s
        xrange s - +
        xtrim s minid 18
        xtrim s minid ~ 20
        xtrim s minid ~ 21
        xtrim s minid = 22-2
        xrange s - +
        xinfo stream s
        xdel s 24-1 25-1
        xtrim s maxlen 2
        xrange s - +
        xtrim s minid ~ 18446744073709551615
        xlen s
        xtrim s minid 18446744073709551615
        xtrim s minid ~ 5
        xinfo stream s
        xadd s 30-1 a 1
        xadd s maxlen ~ 1 30-2 a 2
        xadd s 30-3 a 2
        xadd s 30-4 a 2
        xadd s 30-5 a 2
        xadd s 30-6 a 2
        xadd s maxlen ~ 1 30-7 a 2
        xadd s minid ~ 30-5 30-8 a 2
        xrange s - +
        xtrim s maxlen 0
        xlen s
        set str 1
        xtrim str maxlen 1
        xtrim str maxlen x
        config set stream-node-max-entries 0
        config set stream-node-max-bytes 100
        """
    + "\n".join(f"xadd b {i}-1 field value{i}" for i in range(1, 28))
    + """
        xinfo stream b
        xtrim b maxlen ~ 20
        xtrim b maxlen ~ 20 limit 100
        xlen b
        xtrim b minid ~ 20
        xlen b
        config set stream-node-max-entries 100
        config set stream-node-max-bytes 4096
    """,
    "radix": _radix_script(),
    "fields": """
        xadd s 1-1 a 1 b 2
        xadd s 1-2 b 1 a 2
        xadd s 1-3 a 1 b 2
        xadd s 1-4 a 1
        xadd s 1-5 a 1 b 2 c 3
        xadd s 1-6 a 1 a 2
        xadd s 5-0 a x b y
        xrange s - +
        xrevrange s + -
        xdel s 1-3
        xdel s 1-1
        xrange s - + count 2
        xrevrange s + - count 9
        xadd s 6-0 a x b y
        xadd s 6-1 z x b y
        xrange s 1-6 +
        debug digest-value s
        copy s t
        debug digest-value t
        xadd t 7-0 only t
        xdel s 6-1
        xrange s 5 +
        xrange t 5 +
        rename s u
        xrange u 5 +
        debug reload
        xrange u - +
        xrange t - +
        debug digest
    """,
    "xread": """
        xread streams s 0
        xadd s 1-1 a 1
        xadd s 1-2 a 2
        xadd s 2-0 a 3
        xadd t 1-1 b 1
        xread streams s 0
        xread streams s 1-1
        xread streams s 1
        xread streams s 2
        xread streams s 2-0
        xread streams s t 1-2 0
        xread streams s t 2 0
        xread streams s t 2 1-1
        xread streams s nosuch 0 0
        xread count 1 streams s t 0-0 0-0
        xread count 0 streams s 0
        xread count -5 streams s 0
        xread count abc streams s 0
        xread streams s $
        xread streams s t $ 0
        xread streams nosuch $
        xread block 1 streams s $
        xread block 1 streams nosuch $
        xread block -1 streams s $
        xread block abc streams s $
        xread block 1.5 streams s $
        xread block 0 streams s 0
        xread streams s >
        xread streams s abc
        xread streams s -
        xread streams s t 0
        xread streams s t u 0 0
        xread streams s
        xread streams
        xread count 1 s 0
        xread group g c streams s 0
        xread noack streams s 0
        xread count
        xread block
        xread block 10
        xread count 1
        xread foo 1 streams s 0
        xread streams count count 1 0
        xread COUNT 2 BLOCK 1 STREAMS s 0
        set str 1
        xread streams str 0
        xread streams s str 0 0
        xread streams s str bad 0
        xdel s 2-0
        xread streams s 1-2
        xread streams s 18446744073709551615-18446744073709551615
        multi
        xread block 0 streams s $
        xread block 0 streams s 0
        exec
    """,
    "xsetid": """
        xsetid nosuch 1-1
        xsetid nosuch bad
        xadd s 5-5 a 1
        xadd s 6-6 a 1
        xsetid s 6-5
        xsetid s 6-6
        xsetid s 7
        xadd s 6-9 a 1
        xadd s 7-1 a 1
        xsetid s 9 entriesadded 100 maxdeletedid 8-8
        xinfo stream s
        xsetid s 8
        xsetid s 10 maxdeletedid 11
        xsetid s 10 entriesadded -1
        xsetid s 10 entriesadded 2
        xsetid s 10 entriesadded abc
        xsetid s 10 maxdeletedid abc
        xsetid s 10 entriesadded
        xsetid s 10 foo
        xsetid s -
        xsetid s 10 maxdeletedid 0-0
        xsetid s 10 entriesadded 3 entriesadded 4
        xinfo stream s
        xdel s 7-1
        xdel s 5-5 6-6
        xsetid s 10 entriesadded 0
        xsetid s 8-7
        xinfo stream s
        xsetid s
        set str 1
        xsetid str 1-1
    """,
    "generic": """
        xadd s 1-1 a 1
        xgroup create s g 0
        xreadgroup group g c streams s >
        xadd s 1-2 a 2
        copy s t
        xack t g 1-1
        xpending s g
        xpending t g
        xgroup createconsumer t g d
        xinfo consumers s g
        xgroup destroy t g
        xinfo groups s
        xinfo groups t
        rename s u
        xpending u g
        move u 1
        select 1
        xpending u g
        xrange u - +
        watch u
        xack u g 1-1
        multi
        xlen u
        exec
        watch u
        xadd u 3-0 a 1
        multi
        xlen u
        exec
        watch u
        xreadgroup group g c streams u >
        multi
        xlen u
        exec
        watch u
        xdel u 9-9
        xtrim u maxlen 100
        multi
        xlen u
        exec
        watch u
        xtrim u maxlen 1
        multi
        xlen u
        exec
        append u x
        get u
        lpush u x
        scan 0 type stream
        debug reload
        xinfo stream u full
        xpending u g
        del u
        exists u
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_same_replies(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_stream_replies(durastore, valkey, SCRIPTS[name], protocol)
