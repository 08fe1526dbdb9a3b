"""Corners of many commands in which Redis 7.2 answers otherwise than one would think.

The replies that Redis 7.2 gives are kept in fixtures/replies (scripts/record-replies).
"""

from __future__ import annotations

import pytest

from support.recordings import assert_recorded_replies
from support.servers import Server

_DIGITS = "9" * 4400
_ZEROS = "0" * 4400 + "1"

SCRIPTS = {
    # Python does not convert more than 4300 digits.
    "long numbers": "\n".join(
        [
            *(
                f"incrbyfloat a{i} {text}\nincrbyfloat a{i} 1\nhincrbyfloat h f{i} {text}"
                for i, text in enumerate(
                    [
                        "1e4932",
                        "1.2e4932",
                        "1" * 4301,
                        "1" * 4932,
                        "1" * 4933,
                        "0" * 5118 + "5",
                        "0" * 5119 + "5",
                        f"1e{_ZEROS}",
                        f"1e-{_ZEROS}",
                        f"1e{_DIGITS}",
                        f"0e{_DIGITS}",
                        f"0x{_ZEROS}",
                        f"0x1p{_ZEROS}",
                        f"0x1p{_DIGITS}",
                        "0." + "1" * 4400,
                        "3.7e-4951",
                    ]
                )
            ),
            *(
                template % digits
                for digits in (_DIGITS, _ZEROS, f"-{_DIGITS}")
                for template in (
                    "command getkeys eval x %s a",
                    "command getkeys zunion %s a",
                    "sscan nosuch %s",
                    "hscan nosuch %s",
                    "zadd z %s a",
                    "blpop a %s",
                    "xadd s %s f v",
                    "set a 1 ex %s",
                )
            ),
            "command getkeys eval x 4294967297 a",
            "command getkeys zunion 1x a",
        ]
    ),
    "words that are repeated": """
        set a 1 ex 10 ex 20
        ttl a
        set a 1 px 10 px 20000
        set a 1 ex 10 px 20000
        set a 1 keepttl keepttl
        set a 1 ex 10 keepttl
        getex a ex 10 ex 200
        ttl a
        getex a persist persist
        getex a ex 10 persist
        getex a persist ex 10
    """,
    # SCAN removes those that it finds, of what it is asked for.
    "keys that have expired": """
        debug set-active-expire 0
        set a 1 pxat 1
        keys *
        keys a
        dbsize
        scan 0 match x*
        dbsize
        scan 0 type list
        dbsize
        set a 1 pxat 1
        scan 0
        dbsize
        debug set-active-expire 1
    """,
    "words of other versions": """
        sadd s 1
        zadd z 1 a
        scan 0 novalues
        sscan s 0 novalues
        zscan z 0 novalues
        xadd x 1-1 a 1
        xgroup create x g 0
        xreadgroup group g c streams x +
        client pause 1 write x
        lolwut version 5 x
        lolwut version 5 1 2 x
        lolwut version 6 1 x
        config set loglevel nothing
        config set loglevel nosuch
        config set loglevel notice
        config set bind 192.0.2.1
    """,
    "what keys and errors are": """
        command getkeys spublish a b
        command getkeys ssubscribe a b
        command getkeysandflags spublish a b
        config resetstat
        eval "return {err='x'}" 0
        eval "return {err='abcdefghijklmnopqrstuvwxyzabcd y'}" 0
        eval "return {err='abcdefghijklmnopqrstuvwxyzabcde y'}" 0
        eval "return {err='OTHER y'}" 0
        info errorstats
    """,
    "debug": """
        config set list-max-listpack-size 2
        rpush l a b c d e
        rpush short a
        debug quicklist l
        debug quicklist l x
        debug quicklist short
        debug quicklist nosuch
        debug quicklist
        debug replicate
        debug replicate a b
        debug replybuffer resizing 0
        debug replybuffer resizing
        debug replybuffer peak-reset-time never
        debug replybuffer peak-reset-time reset
        debug replybuffer peak-reset-time 100
        debug replybuffer peak-reset-time x
        debug replybuffer nosuch 1
        debug drop-cluster-packet-filter 1
        debug drop-cluster-packet-filter x
        config set list-max-listpack-size -2
    """,
    "the least count": """
        rpush l a b a c a
        lrem l -9223372036854775808 a
        lrange l 0 -1
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_those_of_redis(durastore: Server, name: str, protocol: int) -> None:
    assert_recorded_replies(durastore, "corners", name, SCRIPTS[name], protocol)
