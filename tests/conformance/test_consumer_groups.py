"""Consumer groups of streams, played to durastore and to a real server; see test_scripts.py.

Ids are given, and times are either given by XCLAIM or masked, so that replies can be compared.
"""

from __future__ import annotations

import pytest

from support.servers import Server
from support.stream_replies import assert_same_stream_replies

SCRIPTS = {
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
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_same_replies(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_stream_replies(durastore, valkey, SCRIPTS[name], protocol)
