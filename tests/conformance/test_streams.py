"""Streams and their consumer groups, played to durastore and to a real server; see test_scripts.py.

Ids are given, and times are either given by XCLAIM or masked, so that replies can be compared.
"""

from __future__ import annotations

import re

import pytest

from support.resp import request
from support.scripts import play
from support.servers import Server


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
    "groups": """
        xgroup create s g $
        xgroup create s g 0 mkstream
        xgroup create s g 0 mkstream
        xgroup create s g 0
        xgroup create s g bad
        xgroup create s h - mkstream
        xgroup create s h $ entriesread 5
        xgroup create s h2 $ entriesread -1
        xgroup create s h3 $ entriesread -2
        xgroup create s h3 $ entriesread abc
        xgroup create s h3 $ entriesread
        xgroup create s h3 $ foo
        xgroup create s h3 0 mkstream mkstream entriesread 3
        xgroup create s h3 0 mkstream mkstream entriesread 3 mkstream
        xgroup create nosuch h3 0 mkstream mkstream entriesread 3 mkstream
        xgroup create s
        xgroup create
        xgroup
        xgroup foo
        xgroup foo s g
        xgroup help
        xgroup help x
        xinfo help
        xinfo stream s
        xinfo groups s
        xinfo stream s full
        type s
        xadd s 1-1 a 1
        xadd s 1-2 a 2
        xadd s 1-3 a 3
        xadd s 2-0 b 4
        xinfo groups s
        xgroup create s k 1-2
        xgroup create s l 2-0
        xgroup create s m 9-9
        xgroup create s n 0-5
        xinfo groups s
        xreadgroup group g alice count 1 streams s >
        xinfo groups s
        xreadgroup group g alice count 2 streams s >
        xreadgroup group g bob streams s >
        xreadgroup group g bob streams s >
        xreadgroup group g alice streams s 0
        xreadgroup group g alice streams s 1-1
        xreadgroup group g alice count 1 streams s 0
        xreadgroup group g bob streams s 0
        xreadgroup group g carol streams s 0
        xreadgroup group g carol streams s 18446744073709551615-18446744073709551615
        xreadgroup group g carol streams s 5-5
        xinfo groups s
        xinfo consumers s g
        xpending s g
        xpending s g - + 10
        xpending s g - + 10 alice
        xpending s g - + 10 nobody
        xpending s g 1-2 2 10
        xpending s g (1-2 + 10
        xpending s g - (1-2 10
        xpending s g - + 1
        xpending s g - + 0
        xpending s g - + -1
        xpending s g idle 100000 - + 10
        xpending s g idle 0 - + 10
        xpending s g idle 0 - + 10 bob
        xpending s g idle 0 - + 10 bob extra
        xpending s g - + 10 bob extra
        xpending s g - + 10 bob extra more
        xpending s g -
        xpending s g - +
        xpending s g - + abc
        xpending s g abc + 10
        xpending s g - abc 10
        xpending s g (- + 10
        xpending s g idle abc - + 10
        xpending s g idle 5 - +
        xpending s nogroup
        xpending s nogroup - + 10
        xpending nosuch g
        xpending nosuch g abc + 10
        xpending s h
        xack s g 1-1
        xack s g 1-1 1-2 9-9
        xack s g abc
        xack s g 1-3 abc
        xack s nogroup abc
        xack nosuch g abc
        xack s g
        xpending s g
        xinfo stream s full
        xinfo stream s full count 1
        xinfo stream s full count 0
        xinfo stream s full count -1
        xinfo stream s full count abc
        xinfo stream s full count
        xinfo stream s full 5
        xinfo stream s foo
        xinfo stream s full count 1 2
        xinfo stream nosuch
        xinfo stream nosuch foo
        xinfo groups nosuch
        xinfo consumers nosuch g
        xinfo consumers s nogroup
        xinfo consumers s
        xinfo foo s
        xinfo
        xgroup createconsumer s g dora
        xgroup createconsumer s g dora
        xgroup createconsumer s nogroup dora
        xgroup createconsumer nosuch g dora
        xgroup createconsumer s g
        xgroup delconsumer s g dora
        xgroup delconsumer s g bob
        xgroup delconsumer s g bob
        xgroup delconsumer s nogroup bob
        xpending s g
        xinfo consumers s g
        xgroup setid s g 1-2
        xinfo groups s
        xreadgroup group g alice streams s >
        xinfo groups s
        xgroup setid s g 0
        xgroup setid s g -
        xgroup setid s g +
        xgroup setid s g $
        xgroup setid s g bad
        xgroup setid s g 0 entriesread 3
        xgroup setid s g 0 entriesread 3 entriesread 4
        xgroup setid s g 0 mkstream
        xgroup setid s nogroup 0
        xgroup setid nosuch g 0
        xreadgroup group g eve noack count 2 streams s >
        xreadgroup group g eve noack streams s 0
        xinfo stream s full
        xgroup destroy s g
        xgroup destroy s g
        xgroup destroy nosuch g
        xgroup destroy s
        xinfo groups s
        set str 1
        xgroup create str g 0
        xgroup create str g 0 bad
        xgroup destroy str g
        xgroup setid str g 0
        xinfo stream str
        xpending str g
        xack str g 1-1
        xack str g bad
    """,
    "xreadgroup": """
        xadd s 1-1 a 1
        xadd t 1-1 b 1
        xadd s 1-2 a 2
        xgroup create s g 0
        xreadgroup group g c streams s t > >
        xreadgroup group g c streams nosuch >
        xgroup create t g 0
        xreadgroup group g c streams s t > >
        xreadgroup group g c streams s t 0 0
        xreadgroup group g c streams s t > 0
        xreadgroup group g c streams s t > >
        xreadgroup group g c streams s s 0 >
        xreadgroup group g c block 1 streams s t > >
        xreadgroup group g c streams s $
        xreadgroup group g c streams s bad
        xreadgroup group g c streams s -
        xreadgroup group g c streams s t >
        xreadgroup group g c streams s t u > >
        xreadgroup group g c count 1 block 1 noack streams s >
        xreadgroup group g c count abc streams s >
        xreadgroup group g c block -1 streams s >
        xreadgroup group g c foo streams s >
        xreadgroup count 1 block 1 streams s >
        xreadgroup group g streams streams s >
        xreadgroup group g c
        xreadgroup group g c count 1 block 1
        xreadgroup group nogroup c streams s >
        xreadgroup group nogroup c streams s bad
        xdel s 1-1
        xreadgroup group g c streams s 0
        xpending s g
        xreadgroup group g c streams s 0-5
        xinfo stream s full
        set str 1
        xreadgroup group g c streams str >
        xreadgroup group g c streams s str > >
        multi
        xreadgroup group g c block 0 streams s >
        xreadgroup group g c block 0 streams s 0
        exec
        xadd s 2-1 x y
        multi
        xreadgroup group g d streams s >
        xack s g 2-1
        exec
    """,
    "xclaim": """
        xadd s 1-1 a 1
        xadd s 1-2 a 2
        xadd s 1-3 a 3
        xadd s 1-4 a 4
        xgroup create s g 0
        xclaim s g c 0 1-1
        xclaim s g c 0 1-1 force
        xclaim s g c 0 1-1 1-2 1-3 force justid
        xinfo stream s full
        xreadgroup group g d streams s >
        xclaim s g c 0 1-1 1-3 9-9 time 5000
        xclaim s g c 100000000 1-1
        xclaim s g e 0 1-1 time 1000 retrycount 7
        xclaim s g e 1000 1-1 time 2000
        xclaim s g e 0 1-2 time 99999999999999
        xclaim s g e 0 1-2 idle 99999999999999
        xclaim s g e 0 1-2 idle -5
        xclaim s g e 0 1-4 time -1 retrycount -1
        xclaim s g e 0 1-4 retrycount 0 justid time 3000
        xclaim s g e -5 1-4 time 3000
        xclaim s g e abc 1-4
        xclaim s g e 0 abc
        xclaim s g e 0 1-4 abc
        xclaim s g e 0 1-4 - justid
        xclaim s g e 0 1-4 idle
        xclaim s g e 0 1-4 idle abc
        xclaim s g e 0 1-4 time abc
        xclaim s g e 0 1-4 retrycount abc
        xclaim s g e 0 1-4 lastid abc
        xclaim s g e 0 1-4 lastid
        xclaim s g e 0 1-4 justid 1-3
        xclaim s g e 0 1-4 justid lastid 0-5 time 4000
        xinfo groups s
        xclaim s g e 0 1-4 justid lastid 7-7 time 4000
        xinfo groups s
        xclaim s g f 0 9-9 lastid 8-8
        xinfo groups s
        xclaim s g e 0
        xclaim s nogroup e 0 1-1
        xclaim nosuch g e 0 1-1
        xclaim nosuch g e abc 1-1
        xinfo stream s full
        xdel s 1-2
        xclaim s g z 0 1-2 1-3 force time 100
        xclaim s g z 0 1-2 force
        xpending s g
        xinfo stream s full
        xclaim s g late 0 JUSTID
        xinfo consumers s g
        set str 1
        xclaim str g c 0 1-1
        xclaim str g c abc 1-1
    """,
    "xautoclaim": """
        xadd s 1-1 a 1
        xadd s 1-2 a 2
        xadd s 1-3 a 3
        xadd s 1-4 a 4
        xadd s 1-5 a 5
        xgroup create s g 0
        xautoclaim s g c 0 -
        xreadgroup group g c streams s >
        xautoclaim s g d 0 - count 2
        xautoclaim s g d 0 1-3 count 2 justid
        xautoclaim s g d 0 (1-3 count 1
        xautoclaim s g d 0 (1-5
        xautoclaim s g d 0 +
        xautoclaim s g d 100000000 -
        xautoclaim s g d 100000000 - count 1
        xautoclaim s g d -1 - count 1 justid
        xautoclaim s g d abc -
        xautoclaim s g d 0 abc
        xautoclaim s g d 0 (18446744073709551615-18446744073709551615
        xautoclaim s g d 0 - count 0
        xautoclaim s g d 0 - count -1
        xautoclaim s g d 0 - count abc
        xautoclaim s g d 0 - count 576460752303423489
        xautoclaim s g d 0 - count
        xautoclaim s g d 0 - foo
        xautoclaim s g d 0 - justid justid
        xautoclaim s nogroup d 0 -
        xautoclaim nosuch g d 0 -
        xautoclaim nosuch g d abc -
        xdel s 1-1 1-3 1-5
        xautoclaim s g e 0 - count 2
        xautoclaim s g e 0 1-3 count 2 justid
        xautoclaim s g e 0 1-4
        xpending s g
        xinfo stream s full
        xtrim s maxlen 0
        xautoclaim s g f 0 -
        xinfo stream s full
        set str 1
        xautoclaim str g d 0 -
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
    "lag": """
        xgroup create s g $ mkstream
        xinfo groups s
        xadd s 1-0 a 1
        xadd s 2-0 a 1
        xadd s 3-0 a 1
        xadd s 4-0 a 1
        xadd s 5-0 a 1
        xgroup create s h 0
        xgroup create s i 3-0
        xgroup create s j $
        xgroup create s k 3-0 entriesread 3
        xgroup create s l 6-0
        xgroup create s m 1-0
        xinfo groups s
        xreadgroup group h c count 1 streams s >
        xreadgroup group i c count 1 streams s >
        xreadgroup group k c count 1 streams s >
        xinfo groups s
        xdel s 3-0
        xinfo groups s
        xreadgroup group h c count 1 streams s >
        xinfo groups s
        xreadgroup group h c count 1 streams s >
        xinfo groups s
        xreadgroup group h c count 1 streams s >
        xinfo groups s
        xdel s 1-0
        xinfo groups s
        xtrim s maxlen 2
        xinfo groups s
        xgroup create s n 0
        xgroup create s o 1-0
        xgroup create s p 4-0
        xinfo groups s
        xreadgroup group n c count 1 streams s >
        xreadgroup group o c streams s >
        xinfo groups s
        xadd s 6-0 a 1
        xinfo groups s
        xdel s 6-0
        xinfo groups s
        xtrim s maxlen 0
        xinfo groups s
        xadd s 7-0 a 1
        xinfo groups s
        xreadgroup group p c streams s >
        xinfo groups s
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

_IDLE = re.compile(rb"(\r\n):\d+(\r\n:\d+\r\n)")
_TIME = re.compile(rb":1\d{12}\r\n")
_AGE = re.compile(rb"((?:idle|inactive)\r\n):(?!-1\r)\d+\r\n")


def masked(line: str, reply: bytes) -> bytes:
    """A reply without what depends on the clock."""
    words = line.split()
    if words[0] == "xpending" and len(words) > 3:
        return _IDLE.sub(rb"\1:0\2", reply)
    return _AGE.sub(rb"\1:0\r\n", _TIME.sub(b":0\r\n", reply))


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_same_replies(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    wrong = []
    for (line, reply), (_, answer) in zip(
        play(durastore, SCRIPTS[name], protocol), play(valkey, SCRIPTS[name], protocol), strict=True
    ):
        ours, wanted = masked(line, reply), masked(line, answer)
        if ours != wanted:
            wrong.append(f"{line}\n    ours   {ours[:600]!r}\n    wanted {wanted[:600]!r}")
    assert not wrong, "\n".join(wrong)


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
