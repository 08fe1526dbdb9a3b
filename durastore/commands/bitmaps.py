"""Bitmap commands (https://redis.io/commands/?group=bitmap): strings as arrays of bits."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.commands.strings import content_of, raw_string, string_length
from durastore.keyspace import bits
from durastore.keyspace.values import RawString
from durastore.protocol.numbers import INT64_MAX, NotANumber, parse_int

_BAD_OFFSET: Final = b"ERR bit offset is not an integer or out of range"
_BAD_BIT: Final = b"ERR bit is not an integer or out of range"
_BAD_TYPE: Final = b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


def _offset_argument(client: Client, text: bytes, width: i64) -> i64:
    """A bit offset; with a width, ``#n`` stands for the n-th field of that width."""
    unit: i64 = 1
    if width and text.startswith(b"#"):
        text = text[1:]
        unit = width
    try:
        offset = parse_int(text)
    except NotANumber:
        raise CommandError(_BAD_OFFSET) from None
    if offset < 0 or offset > INT64_MAX // unit:
        raise CommandError(_BAD_OFFSET)
    offset *= unit
    if offset >> 3 >= client.instance.max_bulk and not client.replaying:
        raise CommandError(_BAD_OFFSET)
    return offset


def _read(client: Client, key: bytes) -> bytes | bytearray | None:
    value = client.db.lookup_read(key, client.instance.now)
    return None if value is None else content_of(value)


def _changeable(client: Client, key: bytes, value: object | None, last_bit: i64) -> bytearray:
    """The bytes of a string that is about to be changed, continued by zeros so that it has ``last_bit``."""
    end: i64 = (last_bit >> 3) + 1
    if value is None:
        raw = RawString(bytearray(end))
        client.db.set(key, raw)
        return raw.data
    raw = raw_string(client, key, value)
    data = raw.data
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    return data


@command(
    "setbit",
    "key offset value:integer",
    WRITE | DENYOOM,
    summary="Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
    since="2.2.0",
    keys="RW access update",
)
def setbit(client: Client, argv: list[bytes]) -> None:
    """SETBIT."""
    offset = _offset_argument(client, argv[2], 0)
    try:
        bit = parse_int(argv[3])
    except NotANumber:
        raise CommandError(_BAD_BIT) from None
    if bit != 0 and bit != 1:
        raise CommandError(_BAD_BIT)
    key = argv[1]
    value = client.db.lookup(key, client.instance.now)
    old: i64 = 0
    grows = value is None or string_length(value) <= offset >> 3
    if value is not None:
        old = bits.get_bit(content_of(value), offset)
    if grows or old != bit:
        data = _changeable(client, key, value, offset)
        byte: i64 = offset >> 3
        mask: i64 = 0x80 >> (offset & 7)
        if bit:
            data[byte] |= mask
        else:
            data[byte] &= ~mask
        client.instance.dirty += 1
        client.notify(events.STRING, b"setbit", key)
    elif isinstance(value, bytes):
        client.db.reshape(key, RawString(bytearray(value)))
    client.reply.integer(old)


@command(
    "getbit", "key offset", READONLY | FAST, summary="Returns a bit value by offset.", since="2.2.0", keys="RO access"
)
def getbit(client: Client, argv: list[bytes]) -> None:
    """GETBIT."""
    offset = _offset_argument(client, argv[2], 0)
    data = _read(client, argv[1])
    client.reply.integer(0 if data is None else bits.get_bit(data, offset))


@final
class _Range:
    """The bits that BITCOUNT and BITPOS look at: ``first`` to ``last``, none where ``first`` is greater."""

    def __init__(self, start: i64, end: i64, in_bits: bool, size: i64) -> None:
        """Takes bytes, or bits, counted from the end where negative; ``size`` is the string's in bytes."""
        total: i64 = size * 8 if in_bits else size
        if start < 0:
            start = max(start + total, 0)
        if end < 0:
            end = max(end + total, 0)
        end = min(end, total - 1)
        self.first: i64 = start if in_bits else start * 8 if start <= end else size * 8
        self.last: i64 = end if in_bits else end * 8 + 7


def _in_bits(word: bytes) -> bool:
    """The unit argument: BIT or BYTE."""
    unit = word.upper()
    if unit == b"BIT":
        return True
    if unit == b"BYTE":
        return False
    raise CommandError(SYNTAX)


@command(
    "bitcount",
    "key [range: start end [unit@7.0.0: BYTE | BIT]]",
    READONLY,
    summary="Counts the number of set bits (population counting) in a string.",
    since="2.6.0",
    complexity="O(N)",
    keys="RO access",
    history=(("7.0.0", "Added the `BYTE|BIT` option."),),
)
def bitcount(client: Client, argv: list[bytes]) -> None:
    """BITCOUNT."""
    data = _read(client, argv[1])
    if data is None:
        client.reply.integer(0)
        return
    size: i64 = len(argv)
    start: i64 = 0
    end: i64 = -1
    in_bits = False
    if size == 4 or size == 5:
        start = integer_argument(argv[2])
        end = integer_argument(argv[3])
        # Redis looks at the unit of a range only where that is not empty by its own numbers.
        if start < 0 and end < 0 and start > end:
            client.reply.integer(0)
            return
        if size == 5:
            in_bits = _in_bits(argv[4])
    elif size != 2:
        raise CommandError(SYNTAX)
    extent = _Range(start, end, in_bits, len(data))
    client.reply.integer(0 if extent.first > extent.last else bits.count_range(data, extent.first, extent.last))


@command(
    "bitpos",
    "key bit:integer [range: start [end-unit-block: end [unit@7.0.0: BYTE | BIT]]]",
    READONLY,
    summary="Finds the first set (1) or clear (0) bit in a string.",
    since="2.8.7",
    complexity="O(N)",
    keys="RO access",
    history=(("7.0.0", "Added the `BYTE|BIT` option."),),
)
def bitpos(client: Client, argv: list[bytes]) -> None:
    """BITPOS: without an end, a string is followed by zeros."""
    bit = integer_argument(argv[2])
    if bit != 0 and bit != 1:
        raise CommandError(b"ERR The bit argument must be 1 or 0.")
    data = _read(client, argv[1])
    if data is None:
        client.reply.integer(-1 if bit else 0)
        return
    size: i64 = len(argv)
    start: i64 = 0
    end: i64 = -1
    in_bits = False
    if size > 6:
        raise CommandError(SYNTAX)
    if size >= 4:
        start = integer_argument(argv[3])
        if size == 6:
            in_bits = _in_bits(argv[5])
        if size >= 5:
            end = integer_argument(argv[4])
    extent = _Range(start, end, in_bits, len(data))
    found: i64 = -1
    if extent.first <= extent.last:
        found = bits.find_in_range(data, bit, extent.first, extent.last)
        if found == -1 and not bit and size < 5:
            found = extent.last + 1
    client.reply.integer(found)


_OPERATIONS: Final = {b"AND": bits.AND, b"OR": bits.OR, b"XOR": bits.XOR, b"NOT": bits.NOT}


@command(
    "bitop",
    "<operation: AND | OR | XOR | NOT> destkey key [key ...]",
    WRITE | DENYOOM,
    summary="Performs bitwise operations on multiple strings, and stores the result.",
    since="2.6.0",
    complexity="O(N)",
    keys="OW update;RO access",
)
def bitop(client: Client, argv: list[bytes]) -> None:
    """BITOP: an empty result removes the destination."""
    operation = _OPERATIONS.get(argv[1].upper())
    if operation is None:
        raise CommandError(SYNTAX)
    if operation == bits.NOT and len(argv) != 4:
        raise CommandError(b"ERR BITOP NOT must be called with a single source key.")
    sources: list[bytes | bytearray] = []
    size: i64 = 0
    for key in argv[3:]:
        data = _read(client, key)
        if data is None:
            data = b""
        sources.append(data)
        size = max(size, len(data))
    target = argv[2]
    if size:
        client.db.set(target, RawString(bits.combine(operation, sources)), client.instance.now)
        client.notify(events.STRING, b"set", target)
        client.instance.dirty += 1
    elif client.db.lookup(target, client.instance.now) is not None:
        client.db.delete(target)
        client.notify(events.GENERIC, b"del", target)
        client.instance.dirty += 1
    client.reply.integer(size)


_GET: Final = 0
_SET: Final = 1
_INCRBY: Final = 2
_WRAP: Final = 0
_SAT: Final = 1
_FAIL: Final = 2
_OVERFLOWS: Final = {b"WRAP": _WRAP, b"SAT": _SAT, b"FAIL": _FAIL}


@final
class _Field:
    """One operation of BITFIELD: on ``width`` bits from bit ``offset`` on."""

    def __init__(self, kind: i64, type_name: bytes, overflow: i64) -> None:
        self.kind: i64 = kind
        self.overflow: i64 = overflow
        self.signed = type_name.startswith(b"i")
        if not self.signed and not type_name.startswith(b"u"):
            raise CommandError(_BAD_TYPE)
        try:
            self.width: i64 = parse_int(type_name[1:])
        except NotANumber:
            raise CommandError(_BAD_TYPE) from None
        if self.width < 1 or self.width > (64 if self.signed else 63):
            raise CommandError(_BAD_TYPE)
        self.offset: i64 = 0
        self.operand: i64 = 0

    def read(self, data: bytes | bytearray) -> int:
        """The present value."""
        value = bits.get_field(data, self.offset, self.width)
        return bits.signed(value, self.width) if self.signed else value

    def result(self, old: int) -> int | None:
        """The value to be stored, or None where it does not fit and must then not be stored."""
        width = int(self.width)
        low = 0
        high = (1 << width) - 1
        if self.signed:
            high >>= 1
            low = -high - 1
        value = int(self.operand)
        if self.kind == _INCRBY:
            value += old
        elif value < 0 and not self.signed:
            # An unsigned field takes the operand as an unsigned number of 64 bits.
            value += 1 << 64
        if low <= value <= high:
            return value
        if self.overflow == _FAIL:
            return None
        if self.overflow == _SAT:
            return high if value > high else low
        value &= (1 << width) - 1
        return bits.signed(value, width) if self.signed else value


def _fields(client: Client, argv: list[bytes]) -> list[_Field]:
    """The operations that a BITFIELD asks for."""
    fields: list[_Field] = []
    overflow: i64 = _WRAP
    size: i64 = len(argv)
    i: i64 = 2
    while i < size:
        word = argv[i].upper()
        rest: i64 = size - i - 1
        if word == b"GET" and rest >= 2:
            kind: i64 = _GET
        elif word == b"SET" and rest >= 3:
            kind = _SET
        elif word == b"INCRBY" and rest >= 3:
            kind = _INCRBY
        elif word == b"OVERFLOW" and rest >= 1:
            chosen = _OVERFLOWS.get(argv[i + 1].upper())
            if chosen is None:
                raise CommandError(b"ERR Invalid OVERFLOW type specified")
            overflow = chosen
            i += 2
            continue
        else:
            raise CommandError(SYNTAX)
        field = _Field(kind, argv[i + 1], overflow)
        field.offset = _offset_argument(client, argv[i + 2], field.width)
        if kind != _GET:
            field.operand = integer_argument(argv[i + 3])
        fields.append(field)
        i += 3 if kind == _GET else 4
    return fields


@command(
    "bitfield",
    "key [operation: <get-block: GET encoding offset> | <write: [OVERFLOW <overflow-block: WRAP | SAT | "
    "FAIL>] <write-operation: <set-block: SET encoding offset value:integer> | <incrby-block: INCRBY "
    "encoding offset increment>>>] ...",
    WRITE | DENYOOM,
    summary="Performs arbitrary bitfield integer operations on strings.",
    since="3.2.0",
    complexity="O(1) for each subcommand specified",
    keys="RW access update variable_flags (This command allows both access and modification of the key)",
)
def bitfield(client: Client, argv: list[bytes]) -> None:
    """BITFIELD."""
    fields = _fields(client, argv)
    last_bit: i64 = -1
    for field in fields:
        if field.kind != _GET:
            last_bit = max(last_bit, field.offset + field.width - 1)
    if last_bit == -1:
        _get_fields(client, argv[1], fields)
        return
    key = argv[1]
    value = client.db.lookup(key, client.instance.now)
    data: bytes | bytearray = b"" if value is None else content_of(value)
    changes: i64 = 0
    grows = len(data) <= last_bit >> 3
    results: list[int | None] = []
    changed: bytearray | None = None
    if grows:
        changed = data = _changeable(client, key, value, last_bit)
    for field in fields:
        old = field.read(data)
        if field.kind == _GET:
            results.append(old)
            continue
        new = field.result(old)
        if new is None:
            results.append(None)
            continue
        results.append(new if field.kind == _INCRBY else old)
        if new != old:
            if changed is None:
                changed = data = _changeable(client, key, value, last_bit)
            bits.set_field(changed, field.offset, field.width, new)
        if grows or new != old:
            changes += 1
    if changed is not None:
        client.instance.dirty += max(changes, 1)
        client.notify(events.STRING, b"setbit", key)
    elif isinstance(value, bytes):
        client.db.reshape(key, RawString(bytearray(value)))
    reply = client.reply
    reply.array(len(results))
    for result in results:
        if result is None:
            reply.null()
        else:
            reply.integer(result)


def _get_fields(client: Client, key: bytes, fields: list[_Field]) -> None:
    data = _read(client, key)
    client.reply.array(len(fields))
    for field in fields:
        client.reply.integer(0 if data is None else field.read(data))


@command(
    "bitfield_ro",
    "key [get-block: GET encoding offset] ...",
    READONLY | FAST,
    summary="Performs arbitrary read-only bitfield integer operations on strings.",
    since="6.0.0",
    complexity="O(1) for each subcommand specified",
    keys="RO access",
)
def bitfield_ro(client: Client, argv: list[bytes]) -> None:
    """BITFIELD_RO."""
    fields = _fields(client, argv)
    if any(field.kind != _GET for field in fields):
        raise CommandError(b"ERR BITFIELD_RO only supports the GET subcommand")
    _get_fields(client, argv[1], fields)
