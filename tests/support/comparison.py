"""Compares the replies of two servers, as far as they are defined: sets have no order, and times pass.

Replies are compared byte for byte where nothing of the kind is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.command_tables import YOUNGER
from support.resp import Error, Status, elements, parse

Request = list[bytes]
# Whether a difference between two replies to a request is known.
Known = Callable[[Request, bytes, bytes], bool]
# Relative times may differ by this much: the servers are asked one after the other.
TOLERANCE_MS = 30_000

_UNORDERED = {"smembers", "sinter", "sunion", "sdiff", "hkeys", "hvals", "keys", "spop"}
_SCANS = {"scan", "sscan", "hscan", "zscan"}
_TIMES = {"ttl": 1000, "pttl": 1, "expiretime": 1000, "pexpiretime": 1}
_FIELD_TIMES = {"httl": 1000, "hpttl": 1, "hexpiretime": 1000, "hpexpiretime": 1}
# Of these, only how many there are, or whether there is one, is defined.
_RANDOM = {"srandmember", "hrandfield", "zrandmember", "randomkey"}
# Fields of XINFO and XPENDING that tell how long ago something was.
_CLOCKS = {b"seen-time", b"active-time", b"idle", b"inactive", b"delivery-time"}


def same(request: Request, ours: bytes, theirs: bytes, queued: list[Request], known: Known) -> bool:
    """Whether two replies to a request agree; ``queued`` is what an EXEC carries out.

    ``known`` tells of differences that are meant to be.
    """
    if ours == theirs or known(request, ours, theirs):
        return True
    name = request[0].lower().decode("latin-1")
    if name == "exec" and ours[:1] == theirs[:1] == b"*":
        left, right = elements(ours), elements(theirs)
        if len(left) != len(right) or len(left) != len(queued):
            return False
        return all(same(words, *each, [], known) for words, *each in zip(queued, left, right, strict=True))
    return _same_value(request, parse(ours), parse(theirs))


def _equal(left: Any, right: Any) -> bool:
    """Equality that knows errors, simple strings and NaN apart."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(_equal, left.values(), right.values()))
    return left == right or (left != left and right != right)


def _same_value(request: Request, left: Any, right: Any) -> bool:
    name = request[0].lower().decode("latin-1")
    if type(left) is not type(right) or isinstance(left, (Error, Status)):
        return isinstance(left, Error) and isinstance(right, Error) and name in YOUNGER
    rule = _RULES.get(name)
    return rule is not None and rule(request, left, right)


def _same_members(request: Request, left: Any, right: Any) -> bool:
    return bool(_sorted(left) == _sorted(right))


def _sorted(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, (list, set)) else value


def _pairs(flat: list[Any]) -> Any:
    return sorted(zip(flat[::2], flat[1::2], strict=True), key=repr)


def _same_fields(request: Request, left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return bool(left == right)
    return bool(_pairs(left) == _pairs(right))


def _same_scan(request: Request, left: Any, right: Any) -> bool:
    if not isinstance(left, list):
        return False
    cursor = request[1 if request[0].lower() == b"scan" else 2]
    if left[0] != b"0" or right[0] != b"0" or cursor != b"0":
        # Where to stop, and what a cursor of one's own making leads to, is up to the server.
        return True
    one, other = left[1], right[1]
    if request[0].lower() in (b"hscan", b"zscan"):
        return len(one) % 2 == 0 and len(other) % 2 == 0 and bool(_pairs(one) == _pairs(other))
    return bool(_sorted(one) == _sorted(other))


def _same_time(request: Request, left: Any, right: Any) -> bool:
    unit = _TIMES[request[0].lower().decode()]
    return left > 0 and right > 0 and abs(left - right) * unit <= TOLERANCE_MS


def _same_field_times(request: Request, left: Any, right: Any) -> bool:
    unit = _FIELD_TIMES[request[0].lower().decode()]
    return len(left) == len(right) and all(
        one == other or (one > 0 and other > 0 and abs(one - other) * unit <= TOLERANCE_MS)
        for one, other in zip(left, right, strict=True)
    )


def _same_size(request: Request, left: Any, right: Any) -> bool:
    return isinstance(left, list) == isinstance(right, list) and (not isinstance(left, list) or len(left) == len(right))


def _same_object(request: Request, left: Any, right: Any) -> bool:
    """How long ago a key was used."""
    return request[1].lower() == b"idletime" and isinstance(left, int) and isinstance(right, int)


def _same_sort(request: Request, left: Any, right: Any) -> bool:
    """SORT of a set with a BY that does not sort leaves the order open."""
    words = [word.lower() for word in request]
    return b"by" in words and bool(_sorted(left) == _sorted(right))


def _same_stream_info(request: Request, left: Any, right: Any) -> bool:
    return _equal(without_clocks(left), without_clocks(right))


def without_clocks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key in _CLOCKS else without_clocks(each) for key, each in value.items()}
    if isinstance(value, list):
        cleaned = [without_clocks(each) for each in value]
        for i in range(1, len(cleaned)):
            if isinstance(cleaned[i - 1], bytes) and cleaned[i - 1] in _CLOCKS:
                cleaned[i] = None
            elif isinstance(cleaned[i], int) and cleaned[i] > 1_000_000_000_000:
                # A delivery time in a list of pending entries.
                cleaned[i] = None
        return cleaned
    return value


def _same_pending(request: Request, left: Any, right: Any) -> bool:
    """The third of an entry's four fields is how long ago it was delivered."""
    if len(left) != len(right):
        return False
    return all(
        isinstance(one, list) and len(one) == 4 and one[:2] == other[:2] and one[3] == other[3]
        for one, other in zip(left, right, strict=True)
    )


_RULES: dict[str, Callable[[Request, Any, Any], bool]] = {
    **dict.fromkeys(_UNORDERED, _same_members),
    **dict.fromkeys(_SCANS, _same_scan),
    **dict.fromkeys(_TIMES, _same_time),
    **dict.fromkeys(_FIELD_TIMES, _same_field_times),
    **dict.fromkeys(_RANDOM, _same_size),
    "hgetall": _same_fields,
    "object": _same_object,
    "sort": _same_sort,
    "sort_ro": _same_sort,
    "xinfo": _same_stream_info,
    "xpending": _same_pending,
}
