"""Makes requests out of the commands' own argument trees, plausible ones for the most part.

Every command that durastore declares comes in by itself; what its arguments may hold follows from their names and
types. Keys are few and named by the type that they mostly hold, so that commands meet each other's values.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from librt.vecs import vec

from durastore.commands.spec import BLOCKING, WRITE
from durastore.commands.syntax import Argument
from durastore.commands.table import build_table
from durastore.commands.tablerow import Command
from durastore.keyspace.hashes import build_hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.list_nodes import nodes_of
from durastore.keyspace.lists import list_of_nodes
from durastore.keyspace.sets import build_set
from durastore.keyspace.sorted_sets import build_sorted_set
from durastore.persistence.rdb.dump import dump_value
from support.command_tables import YOUNGER

T = TypeVar("T")
Request = list[bytes]

# The groups of data commands, with the first letter of the keys that they mostly work on.
GROUPS = {
    "string": b"s",
    "bitmap": b"s",
    "hyperloglog": b"p",
    "list": b"l",
    "set": b"e",
    "hash": b"h",
    "sorted-set": b"z",
    "geo": b"g",
    "stream": b"x",
    "generic": b"",
    "transactions": b"",
}
# How often a group is chosen: the others have 1.
_WEIGHTS = {
    "sorted-set": 1.5,
    "stream": 1.5,
    "hyperloglog": 0.4,
    "transactions": 0.3,
    "connection": 0.1,
    "server": 0.03,
}
KEYS_PER_TYPE = 3

# Commands of these groups that are left out, and why.
LEFT_OUT = {
    "dump": "the payload names the version of the format",
    "migrate": "needs another server",
    "object|refcount": "Redis shares small integers",
    "object|help": "words",
    "xgroup|help": "words",
    "xinfo|help": "words",
    "wait": "time",
    "waitaof": "time",
    "pfdebug": "internal",
    "pfselftest": "internal",
}
# Commands of other groups that are put in.
PUT_IN = ("select", "swapdb", "dbsize", "flushdb", "ping", "echo", "lcs")

_TIMED = ("set", "setex", "psetex", "getex", "restore", "expire", "pexpire", "expireat", "pexpireat")
# Commands that are not spoilt: Valkey takes FIELDS wherever it stands, and SPOP is to take all.
_WHOLE = (*YOUNGER, "spop")

_TEXTS = [b"a", b"b", b"c", b"d", b"e", b"0", b"1", b"2", b"3", b"10", b"-1", b"3.5", b"hello", b"x y"]
_ODD_TEXTS = [
    b"",
    b"\x00\xff",
    b"\r\n",
    b"x" * 65,
    b"9223372036854775807",
    b"-9223372036854775808",
    b"1e3",
    b" 1",
    b"01",
]
_INTEGERS = [b"0", b"1", b"2", b"3", b"5", b"10", b"-1", b"-2", b"-5", b"100"]
_ODD_INTEGERS = [
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"4294967296",
    b"-2147483649",
    b"1000000",
    b"abc",
    b"",
    b"1.5",
    b"+1",
    b" 1",
    b"01",
    b"-0",
    b"1e2",
]
_DOUBLES = [b"0", b"1", b"2", b"3", b"-1", b"1.5", b"-2.25", b"10", b"0.1", b"1e3", b"inf", b"-inf", b"3.0"]
_ODD_DOUBLES = [
    b"nan",
    b"",
    b"abc",
    b"1e400",
    b"0x10",
    b" 1",
    b"-0",
    b"1e-320",
    b"+inf",
    b"infinity",
    b"12345678901234567890",
]
_IDS = [b"0", b"0-0", b"1", b"1-1", b"1-2", b"2-1", b"2-5", b"3", b"5-0", b"5-*", b"7-*", b"10-1", b"100"]
_ODD_IDS = [
    b"$",
    b">",
    b"+",
    b"-",
    b"",
    b"x",
    b"1-x",
    b"1-",
    b"-1",
    b"(1",
    b"18446744073709551615-18446744073709551615",
    b"9-9-9",
]
_RANGE_IDS = [b"-", b"+", b"0", b"1", b"1-2", b"(1-1", b"(2", b"5", b"10"]
_SCORES = [b"-inf", b"+inf", b"0", b"1", b"2", b"(1", b"(2", b"5", b"-1", b"(inf"]
_LEXES = [b"-", b"+", b"[a", b"(a", b"[b", b"[c", b"(d", b"[", b"("]
_PATTERNS = [b"*", b"?", b"[a-c]", b"h*", b"*1", b"\\*", b"[^a]", b"", b"x"]
_ENCODINGS = [b"u8", b"i8", b"u1", b"i16", b"u16", b"i64", b"u63", b"u32", b"i5"]
_ODD_ENCODINGS = [b"u64", b"i65", b"x8", b"u0", b"u", b"8", b""]
_JUNK = [b"nosuch", b"", b"0", b"WITHSCORES", b"LIMIT", b"COUNT", b"-1", b"abc", b"NX", b"GET", b"\xff", b"MATCH"]
# Times that do not come while the test runs, in each unit and way of counting; and some that have been.
_FUTURE_SECONDS = 100_000
_FUTURE_UNIX = 33_177_117_420

# Names of arguments, and what they may hold: likely and unlikely.
_POOLS: dict[str, tuple[list[bytes], list[bytes]]] = {
    "encoding": (_ENCODINGS, _ODD_ENCODINGS),
    "bit": ([b"0", b"1"], [b"2", b"-1", b"x"]),
    "offset": (_INTEGERS, _ODD_INTEGERS),
    "longitude": ([b"0", b"13.361389", b"15.087269", b"-122.4", b"180", b"2.35"], [b"181", b"-181", b"x", b"nan"]),
    "latitude": ([b"0", b"38.115556", b"37.502669", b"85", b"-33.9", b"48.85"], [b"86", b"-86", b"x", b""]),
    "radius": ([b"0", b"1", b"200", b"5000", b"0.5", b"20000000"], [b"-1", b"x", b"inf", b"nan"]),
    "width": ([b"0", b"1", b"400", b"10000"], [b"-1", b"x"]),
    "height": ([b"0", b"1", b"400", b"10000"], [b"-1", b"x"]),
    "min-idle-time": ([b"0", b"100000000"], [b"-1", b"x"]),
    "group": ([b"g1", b"g2"], [b"nosuch", b""]),
    "consumer": ([b"c1", b"c2"], [b"c3", b""]),
    "field": ([b"f1", b"f2", b"f3", b"a", b"1"], _ODD_TEXTS),
    "pattern": (_PATTERNS, _ODD_TEXTS),
    "by-pattern": ([b"nosort", b"s*", b"h1->*", b"h*->f1", b"*"], [b"", b"->", b"s*->"]),
    "get-pattern": ([b"#", b"s*", b"h*->f1", b"*"], [b"", b"nosuch"]),
    "type": ([b"string", b"list", b"set", b"hash", b"zset", b"stream"], [b"nosuch", b""]),
    "index1": ([b"0", b"1"], [b"16", b"x"]),
    "index2": ([b"0", b"1"], [b"16", b"-1"]),
    "db": ([b"0", b"1"], [b"16", b"-1", b"x"]),
    "destination-db": ([b"0", b"1"], [b"16", b"x"]),
    "cursor": ([b"0"], [b"x", b"-", b"0 "]),
    "weight": (_DOUBLES, _ODD_DOUBLES),
    "libname": ([b"lib"], [b"a b"]),
}


def _payloads() -> list[bytes]:
    """What RESTORE takes: a value of each type and encoding."""
    words = [b"a", b"b", b"1", b"hello"]
    many = [b"%d" % number for number in range(600)]
    limits = Limits()
    values: list[object] = [b"hello", b"12", b"x" * 100]
    values += [list_of_nodes(nodes_of(items), limits.list_size) for items in (words, many)]
    values += [build_set(items, limits) for items in (words, many[:5], many)]
    values += [build_hash(dict.fromkeys(items, b"v"), None, limits) for items in (words, many)]
    values += [
        build_sorted_set(items, vec[float](float(at) for at in range(len(items))), limits) for items in (words, many)
    ]
    return [dump_value(value) for value in values]


def data_commands() -> list[Command]:
    """The commands that act on data, and their subcommands."""
    found: list[Command] = []
    for command in build_table().values():
        if command.subcommands is not None:
            family = list(command.subcommands.values())
        else:
            family = [command]
        found.extend(
            each
            for each in family
            if (each.group in GROUPS or each.spec.name in PUT_IN) and each.spec.name not in LEFT_OUT
        )
    return found


class Generator:
    """Makes requests; the same seed makes the same ones."""

    def __init__(self, seed: int, only: Callable[[Command], bool] | None = None) -> None:
        self.random = random.Random(seed)
        self.payloads = _payloads()
        self.commands = [command for command in data_commands() if only is None or only(command)]
        # A group is chosen first, so that it does not matter how many commands it has.
        groups: dict[str, list[Command]] = {}
        for command in self.commands:
            groups.setdefault(command.group, []).append(command)
        self.groups = list(groups.values())
        self.weights = [_WEIGHTS.get(name, 1.0) for name in groups]
        self.command = self.commands[0]
        self.in_multi = False

    def script(self, size: int) -> list[Request]:
        """So many requests, which leave no transaction open."""
        self.in_multi = False
        return [self.request() for _ in range(size)] + [[b"DISCARD"], [b"UNWATCH"]]

    def request(self) -> Request:
        """One request."""
        if self.in_multi and self._chance(0.2):
            self.in_multi = False
            return [b"EXEC"]
        self.command = self._pick(self.random.choices(self.groups, self.weights)[0])
        if self.in_multi and self.command.spec.name in ("multi", "watch"):
            # Valkey takes these for errors that spoil the transaction, Redis does not.
            return [b"DISCARD"]
        self.in_multi = self.in_multi or self.command.spec.name == "multi"
        words = [word for part in self._sequence(self.command.arguments) for word in part]
        name = self.command.name.split(b"|")
        # A spoilt timeout might be none.
        spoilt = self.in_multi or not self.command.flags & BLOCKING
        if spoilt and self.command.spec.name not in _WHOLE and self._chance(0.06):
            self._spoil(words)
        if self.command.flags & WRITE:
            # Valkey takes these for no numbers, and so would not carry out what a log of ours says.
            words = [b"abc" if word in (b" 1", b"0x10") else word for word in words]
        if self._chance(0.5):
            name = [part.upper() for part in name]
        return [*name, *words]

    def _pick(self, items: list[T]) -> T:
        return self.random.choice(items)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _spoil(self, words: Request) -> None:
        """Makes a request wrong, mostly."""
        # What takes the place of a time to live might be so short that one server sees the end of it first.
        kind = self._pick([1, 4] if self.command.spec.name in _TIMED else [0, 1, 2, 3, 4])
        at = self.random.randrange(len(words) + 1)
        if kind == 0 and words:
            del words[at % len(words)]
        elif kind == 1 and words:
            words[at % len(words)] = self._pick(_JUNK)
        elif kind == 2 and len(words) > 1:
            other = self.random.randrange(len(words))
            at %= len(words)
            words[at], words[other] = words[other], words[at]
        elif kind == 3 and words:
            words.insert(at, words[at % len(words)])
        else:
            words.insert(at, self._pick(_JUNK))

    def _sequence(self, arguments: list[Argument]) -> list[Request]:
        """The words of each argument."""
        parts: list[Request] = []
        repeats: int | None = None
        for argument in arguments:
            if argument.name in ("numkeys", "numfields"):
                if argument.token is not None:
                    parts.append([self._literal(argument.token)])
                repeats = self.random.choice([1, 1, 2, 2, 3])
                said = repeats if self._chance(0.93) else self.random.choice([0, -1, 1, 2, 5])
                parts.append([b"%d" % said if self._chance(0.98) else self._pick(_ODD_INTEGERS)])
                continue
            times = repeats if argument.multiple else None
            parts.append(self._argument(argument, times))
            if argument.kind == "block" and argument.name == "streams":
                continue
            if times is not None:
                repeats = None
        if self._chance(0.25):
            self._shuffle_options(arguments, parts)
        return parts

    def _shuffle_options(self, arguments: list[Argument], parts: list[Request]) -> None:
        places = [i for i, argument in enumerate(arguments) if argument.optional and argument.kind != "key"]
        mixed = [parts[i] for i in places]
        self.random.shuffle(mixed)
        for place, part in zip(places, mixed, strict=True):
            parts[place] = part

    def _argument(self, argument: Argument, times: int | None = None) -> Request:
        if self.command.spec.name == "spop" and argument.name == "count":
            # Which members it takes is left to chance, unless it takes all of them.
            return [b"1000000"]
        if argument.optional and not self._chance(0.3):
            return []
        if times is None:
            times = self.random.choice([1, 1, 1, 2, 2, 3]) if argument.multiple else 1
        words: Request = []
        for i in range(times):
            if argument.token is not None and argument.kind != "pure-token" and (i == 0 or argument.multiple_token):
                words.append(self._literal(argument.token))
            words += self._value(argument)
        return words

    def _literal(self, token: str) -> bytes:
        return token.encode() if self._chance(0.7) else token.lower().encode()

    def _value(self, argument: Argument) -> Request:
        kind = argument.kind
        if kind == "oneof":
            return self._argument(self._pick(argument.members))
        if kind == "block":
            if argument.name == "streams":
                return self._streams()
            return [word for part in self._sequence(argument.members) for word in part]
        if kind == "pure-token":
            if argument.token == "*":
                # An identifier made of the time, but for the part that is given.
                return [b"7-*"]
            return [self._literal(argument.token or "")]
        if kind == "key":
            return [self.key()]
        return [self._leaf(argument.name, kind)]

    def _streams(self) -> Request:
        """As many keys as identifiers, mostly."""
        count = self.random.choice([1, 1, 2])
        ids = [self._pick([b"0", b"1-1", b"5", b">", b"$"]) for _ in range(count if self._chance(0.95) else count + 1)]
        return [*[self.key() for _ in range(count)], *ids]

    def key(self) -> bytes:
        """A key, mostly one that holds what the command works on."""
        family = GROUPS.get(self.command.group, b"")
        if not family or self._chance(0.07):
            # Redis makes a sorted set that it sorts a large one, in which, where the scores are not the same, it finds
            # other members by their names than in a small one.
            left_out = b"zg" if self.command.spec.name in ("sort", "sort_ro") else b""
            family = self._pick([family for family in GROUPS.values() if family and family not in left_out])
        return family + b"%d" % self.random.randrange(1, KEYS_PER_TYPE + 1)

    def _leaf(self, name: str, kind: str) -> bytes:
        odd = self._chance(0.06)
        group = self.command.group
        if odd and group == "hash" and (kind == "unix-time" or name in ("seconds", "milliseconds")):
            # How far a field's expiry may lie ahead is another matter in Valkey than in Redis.
            return self._pick([b"-1", b"x", b"", b"1.5"])
        if kind == "unix-time":
            return self._unix_time(name.endswith("seconds") and "milli" not in name, odd)
        if name in ("seconds", "milliseconds", "ttl") and group != "stream":
            unit = 1 if name == "seconds" else 1000
            return (
                self._pick(_ODD_INTEGERS) if odd else b"%d" % (self.random.choice([1, 2, -1]) * _FUTURE_SECONDS * unit)
            )
        if name == "timeout" or (name == "milliseconds" and group == "stream"):
            short = [b"0.001", b"0.002"] if kind == "double" else [b"1", b"2"]
            return self._pick([b"-1", b"x", b""]) if odd else self._pick(short)
        if group == "stream" and name in ("id", "threshold", "last-id", "lastid", "max-deleted-id"):
            return self._pick(_ODD_IDS if odd else _IDS)
        if group == "stream" and name in ("start", "end"):
            return self._pick(_ODD_IDS if odd else _RANGE_IDS)
        if group == "sorted-set" and name in ("min", "max", "start", "stop") and kind != "integer":
            lex = "bylex" in self.command.spec.name or "lexcount" in self.command.spec.name
            likely = _LEXES if lex else _SCORES if kind == "double" else self._pick([_SCORES, _LEXES, _INTEGERS])
            return self._pick(_ODD_DOUBLES if odd else likely)
        if group == "bitmap" and name == "offset":
            return self._pick([*_ODD_INTEGERS[6:], b"#-1"]) if odd else self._pick([*_INTEGERS[:6], b"#1", b"#2"])
        if self.command.spec.name == "select":
            return self._pick(_POOLS["db"][1 if odd else 0])
        if name == "serialized-value":
            payload = self._pick(self.payloads)
            return payload[:-1] + b"\0" if odd else payload
        if name in _POOLS:
            return self._pick(_POOLS[name][1 if odd else 0])
        if name == "count" and "scan" in self.command.spec.name:
            return self._pick([b"0", b"x", b"-1"]) if odd else b"1000"
        if odd and self.command.spec.name == "lset" and name == "index":
            # Redis takes the lower half of what is longer than 32 bits.
            return self._pick([b"x", b"", b"1.5", b"100", b"-100"])
        if name == "count" and self.command.spec.name in ("srandmember", "hrandfield", "zrandmember"):
            # Less than nothing means that many, with repetitions.
            return self._pick([b"x", b"", b"1.5", b"9223372036854775808"] if odd else _INTEGERS)
        if kind == "integer":
            return self._pick(_ODD_INTEGERS if odd else _INTEGERS)
        if kind == "double":
            return self._pick(_ODD_DOUBLES if odd else _DOUBLES)
        return self._pick(_ODD_TEXTS if odd else _TEXTS)

    def _unix_time(self, seconds: bool, odd: bool) -> bytes:
        if odd:
            return self._pick(_ODD_INTEGERS)
        unit = 1 if seconds else 1000
        if self.command.group == "stream":
            # XCLAIM's TIME only shows as an idle time.
            return b"%d" % (_FUTURE_UNIX * unit)
        return b"%d" % (self.random.choice([_FUTURE_UNIX, _FUTURE_UNIX + 1, _FUTURE_UNIX - 1, 1]) * unit)
