"""Key specifications: what a syntax line says about where the keys of a request stand."""

from __future__ import annotations

import pytest

from durastore.commands.keyspecs import KeySpec, derive_keys, find_keys, legacy_range
from durastore.commands.syntax import parse_syntax

# Name, syntax, flag groups; then for each specification where it begins and how it finds the keys, and the range that
# COMMAND INFO tells.  The values are those of redis-server.
SPECS = [
    ("get", "key", "RO access", ["1 range 0 1 0"], (1, 1, 1)),
    ("del", "key [key ...]", "RM delete", ["1 range -1 1 0"], (1, -1, 1)),
    ("mset", "key value [key value ...]", "OW update", ["1 range -1 2 0"], (1, -1, 2)),
    ("rename", "key newkey", "RW access;OW update", ["1 range 0 1 0", "2 range 0 1 0"], (1, 2, 1)),
    (
        "bitop",
        "<AND | OR> destkey key [key ...]",
        "OW update;RO access",
        ["2 range 0 1 0", "3 range -1 1 0"],
        (2, -1, 1),
    ),
    ("blpop", "key [key ...] timeout", "RW access delete", ["1 range -2 1 0"], (1, -2, 1)),
    ("eval", "script numkeys [key [key ...]] [arg [arg ...]]", "RW access update", ["2 keynum"], (0, 0, 0)),
    ("lmpop", "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", "RW access", ["1 keynum"], (0, 0, 0)),
    ("blmpop", "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", "RW access", ["2 keynum"], (0, 0, 0)),
    (
        "zunionstore",
        "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
        "OW update;RO access",
        ["1 range 0 1 0", "2 keynum"],
        (1, 1, 1),
    ),
    (
        "xread",
        "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        "RO access",
        ["STREAMS 1 range -1 1 2"],
        (0, 0, 0),
    ),
    (
        "xreadgroup",
        "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
        "RO access",
        ["STREAMS 4 range -1 1 2"],
        (0, 0, 0),
    ),
    (
        "georadius",
        "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] "
        "[ASC | DESC] [STORE storekey | STOREDIST storedistkey]",
        "RO access;OW update",
        ["1 range 0 1 0", "STORE 6 range 0 1 0", "STOREDIST 6 range 0 1 0"],
        (1, 1, 1),
    ),
    (
        "sort",
        "key [BY by-pattern#1] [LIMIT offset count] [GET get-pattern#1 [GET get-pattern ...]] [ASC | DESC] [ALPHA] "
        "[STORE destination]",
        "RO access;unknown RO access;unknown OW update",
        ["1 range 0 1 0", "unknown", "unknown"],
        (1, 1, 1),
    ),
    (
        "migrate",
        'host port <key | ""> destination-db timeout [COPY] [REPLACE] [KEYS key [key ...]]',
        "RW access delete;RW access delete incomplete from:-2",
        ["3 range 0 1 0", "KEYS -2 range -1 1 0"],
        (3, 3, 1),
    ),
]


def _shown(spec: KeySpec) -> str:
    if spec.unknown:
        return "unknown"
    begin = f"{spec.keyword} {spec.first}" if spec.keyword else str(spec.first)
    return f"{begin} keynum" if spec.counted else f"{begin} range {spec.last} {spec.step} {spec.limit}"


@pytest.mark.parametrize(("name", "syntax", "flags", "shown", "legacy"), SPECS, ids=[row[0] for row in SPECS])
def test_specifications_follow_from_the_syntax_line(
    name: str, syntax: str, flags: str, shown: list[str], legacy: tuple[int, int, int]
) -> None:
    specs = derive_keys(parse_syntax(syntax), 1, flags)
    assert [_shown(spec) for spec in specs] == shown
    assert legacy_range(specs) == legacy


@pytest.mark.parametrize(
    ("request_line", "keys"),
    [
        ("eval script 2 a b c", "a b"),
        ("eval script 0 a", None),
        ("eval script -1 a", None),
        ("eval script x a", None),
        ("eval script 3 a b", None),
        ("eval script 01 a", "a"),
        ("zunionstore d 2x a b", "a b d"),
        ("zunionstore d 3x a b", None),
        ("lmpop 2 a b left count 1", "a b"),
        ("zunionstore d 2 a b weights 1 2", "d a b"),
        ("xread count 1 streams a b 0 0", "a b"),
        ("xread COUNT 1 STREAMS a 0", "a"),
        ("xreadgroup group streams c streams a 0", "a"),
        ("georadius k 1 1 1 m store a storedist b", "k a b"),
        ("sort k by x get y store d limit 0 store", "k d"),
        ("sort k", "k"),
        ("migrate h 1 k 0 10", "k"),
        ("migrate h 1 '' 0 10 auth keys keys a b", "a b"),
        ("blpop a b 0", "a b"),
        ("mset a 1 b 2", "a b"),
    ],
)
def test_keys_of_a_request(request_line: str, keys: str | None) -> None:
    argv = [b"" if word == "''" else word.encode() for word in request_line.split()]
    name, syntax, flags = next(row[:3] for row in SPECS if row[0] == request_line.split()[0])
    found = find_keys(name.encode(), derive_keys(parse_syntax(syntax), 1, flags), argv)
    assert (None if found is None else " ".join(argv[position].decode() for position, _ in found)) == keys


@pytest.mark.parametrize(
    ("request_line", "flags"),
    [
        ("set a 1", "OW update"),
        ("set a 1 ex 5 get", "RW access update"),
        ("bitfield a get u8 0 overflow sat get u4 1", "RO access"),
        ("bitfield a get u8 0 set u8 0 1", "RW access update"),
    ],
)
def test_use_of_a_key_that_depends_on_options(request_line: str, flags: str) -> None:
    argv = request_line.encode().split()
    found = find_keys(argv[0], derive_keys(parse_syntax("key"), 1, ""), argv)
    assert found == [(1, flags.split())]
