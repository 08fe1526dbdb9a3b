"""Logs that are damaged: refused with file, offset and reason, cut off where they are torn, and never misread."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from durastore.commands.client import Client
from durastore.persistence.aof.manifest import LogFile, parse_manifest
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.commands import StretchedCommands
from durastore.persistence.loader import Loader, LoadError
from durastore.protocol.parser import encode_request
from support.disks import Inode, MemoryDisk
from support.engines import engine
from support.logs import BASE, FIRST, FOLDER, LAST, MANIFEST, changed, foreign, increment, log_settings, small_log
from support.resp import request

Content = dict[bytes, object]


class Reloader:
    """Loads one disk after the other."""

    def __init__(self) -> None:
        self.engine = engine()

    def load(self, disk: MemoryDisk, truncated: bool = True, corrupt_tail: int = 0) -> Content:
        settings = log_settings(truncated)
        settings.corrupt_tail = corrupt_tail
        loader = Loader(self.engine, disk, lambda: settings, lambda: "/dump.rdb")
        loader.reload_log()
        db = self.engine.instance.keyspace.databases[0]
        return {key: db.lookup(key, 1) for key in db.live(db.scan(0, 1 << 30)[1], 1)}


WHOLE = {b"a": b"3", b"b": b"some text!", b"c": b"x\r\n#CRC64:", b"d": b"last"}


def text_of(value: object) -> object:
    return bytes(value.data) if hasattr(value, "data") else value


@pytest.mark.parametrize("path", [BASE, FIRST, LAST, MANIFEST])
def test_a_flipped_bit_is_refused_or_changes_nothing(path: str) -> None:
    disk = small_log()
    reloader = Reloader()
    assert {key: text_of(value) for key, value in reloader.load(disk).items()} == WHOLE
    data = bytes(disk.names[path].data)
    harmless = 0
    refusals = []
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            damaged = changed(disk, path, bytes(flipped))
            try:
                found = reloader.load(damaged)
            except LoadError as error:
                refusals.append(str(error))
            else:
                harmless += 1
                assert {key: text_of(value) for key, value in found.items()} == WHOLE, (place, bit)
    assert all(FOLDER in refusal for refusal in refusals), "each names its file"
    # The word that says that a line holds a checksum is a comment like any other when it is changed.
    assert harmless <= (8 * 8 if path == MANIFEST else 0)


def test_a_log_that_is_cut_anywhere_has_whole_stretches_and_goes_on() -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytes(disk.names[LAST].data)
    states = []
    for size in range(len(data) + 1):
        cut = changed(disk, LAST, data[:size])
        found = {key: text_of(value) for key, value in reloader.load(cut).items()}
        if found not in states:
            states.append(found)
        assert found == states[-1], "never back to an earlier state"
        # What was cut off is gone from the file as well, so that what is appended now stands behind whole stretches.
        writer = AofWriter(cut, LAST, len(cut.names[LAST].data), False)
        writer.append(encode_request([b"SET", b"after", b"x"]), 1)
        assert reloader.load(cut).keys() == {*found, b"after"}
    assert states == [
        {b"a": b"2", b"b": b"some text!"},
        {b"a": b"3", b"b": b"some text!"},
        {b"a": b"3", b"b": b"some text!", b"c": b"x\r\n#CRC64:"},
        WHOLE,
    ]


def test_only_the_last_file_may_end_early_and_only_where_that_is_allowed() -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytes(disk.names[FIRST].data)
    with pytest.raises(LoadError, match=rf"{FIRST}, offset \d+: .*not the last file"):
        reloader.load(changed(disk, FIRST, data[:-1]))
    # Behind it there are only empty files: a crash in the middle of a rewrite leaves this.
    emptied = changed(disk, FIRST, data[:-1])
    emptied.names[LAST] = Inode()
    assert reloader.load(emptied) == {b"a": b"2", b"b": b"some text"}
    last = bytes(disk.names[LAST].data)
    with pytest.raises(LoadError, match=rf"{LAST}, offset \d+: .*aof-load-truncated is off"):
        reloader.load(changed(disk, LAST, last[:-1]), truncated=False)


def commands_base(disk: MemoryDisk) -> bytes:
    """Puts a base of commands in the place of the RDB file; its content."""
    writer = StretchedCommands(1_700_000_000_000)
    writer.select(0, 2, 0)
    writer.entry(b"a", b"1", -1)
    first = writer.take()
    writer.entry(b"b", b"some text", -1)
    writer.end()
    data = first + writer.take()
    del disk.names[BASE]
    path = BASE.removesuffix("rdb") + "aof"
    disk.names[path] = Inode(data)
    manifest = parse_manifest(MANIFEST, bytes(disk.names[MANIFEST].data))
    manifest.base = LogFile(Path(path).name, 1, "b", size=len(data))
    disk.names[MANIFEST] = Inode(manifest.render())
    return data


def test_a_base_of_commands_has_checksums() -> None:
    disk = small_log()
    data = commands_base(disk)
    path = BASE.removesuffix("rdb") + "aof"
    reloader = Reloader()
    assert {key: text_of(value) for key, value in reloader.load(disk).items()} == WHOLE
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(LoadError, match=rf"{path}, offset \d+"):
                reloader.load(changed(disk, path, bytes(flipped)))


@pytest.mark.parametrize("emptied", [False, True], ids=["behind it writes", "behind it nothing"])
@pytest.mark.parametrize("form", ["rdb", "aof"])
def test_a_base_that_was_cut_is_refused_wherever(form: str, emptied: bool) -> None:
    """No crash does that: a base is on disk before it is named."""
    disk = small_log()
    if form == "aof":
        commands_base(disk)
    if emptied:
        disk.names[FIRST] = disk.names[LAST] = Inode()
    path = BASE.removesuffix("rdb") + form
    data = bytes(disk.names[path].data)
    reloader = Reloader()
    assert len(reloader.load(disk)) == (2 if emptied else 4)
    for size in range(len(data)):
        with pytest.raises(LoadError, match=rf"{path}"):
            reloader.load(changed(disk, path, data[:size]), corrupt_tail=1 << 20)


def test_a_base_of_another_size_than_was_noted_is_refused() -> None:
    disk = small_log()
    data = commands_base(disk)
    path = BASE.removesuffix("rdb") + "aof"
    more = data + encode_request([b"SET", b"a", b"2"])
    with pytest.raises(LoadError, match=rf"{path}, offset {len(data)}: it has {len(more)} bytes, and {len(data)} were"):
        Reloader().load(changed(disk, path, more))


@pytest.mark.parametrize("zeros", [1, 7, 4096, 200_000])
def test_zeros_at_the_end_are_what_a_power_failure_leaves(zeros: int) -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytes(disk.names[LAST].data)
    assert reloader.load(changed(disk, LAST, data + bytes(zeros))).keys() == WHOLE.keys()
    torn = data[:-3] + bytes(zeros)
    assert reloader.load(changed(disk, LAST, torn)).keys() == WHOLE.keys() - {b"d"}
    with pytest.raises(LoadError, match=rf"{FIRST}, offset \d+"):
        reloader.load(changed(disk, FIRST, bytes(disk.names[FIRST].data) + bytes(zeros)))


def test_other_garbage_at_the_end_is_refused() -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytes(disk.names[LAST].data)
    chance = random.Random(5)
    places = []
    for _ in range(50):
        garbage = chance.randbytes(chance.randrange(1, 100)) + b"\x01"
        try:
            found = reloader.load(changed(disk, LAST, data + garbage))
        except LoadError as error:
            places.append(str(error).partition(LAST)[2].partition(":")[0])
        else:
            # It happened to look like the beginning of something, and was cut off.
            assert garbage[0] in b"#*"
            assert found.keys() == WHOLE.keys()
    assert set(places) == {f", offset {len(data)}"}


def test_a_foreign_log_is_cut_at_every_byte() -> None:
    commands = [
        request("SELECT", 0), b"#TS:1700000000\r\n", request("SET", "a", "x\n#DURASTORE-AOF:1\r\n"),
        request("MULTI"), request("SET", "b", "MULTI"), request("SET", "c", "x\n#CRC64:"), request("EXEC"),
        request("SET", "d", 1),
    ]  # fmt: skip
    whole = b"".join(commands)
    ends = [len(b"".join(commands[:i])) for i in range(len(commands) + 1)]
    reloader = Reloader()
    for size in range(len(whole) + 1):
        disk = foreign(whole[:size])
        found = reloader.load(disk).keys()
        assert (b"a" in found) == (size >= ends[3])
        assert (b"b" in found) == (b"c" in found) == (size >= ends[7])
        assert (b"d" in found) == (size >= ends[8])
        kept = len(disk.names[FIRST].data)
        # Up to the last whole command, and up to the beginning of a transaction that has no end.
        assert kept in ([size] if size in ends and not ends[3] < size < ends[7] else ends)
        assert kept <= size
        if ends[3] < size < ends[7]:
            assert kept == ends[3]


def test_a_long_foreign_log_is_read_in_pieces_and_goes_on_as_ours() -> None:
    values = [b"v" * (i * 37 % 5000) + b"\n#DURASTORE-AOF:1\r\n" * (i % 3) for i in range(1500)]
    disk = foreign(*(encode_request([b"SET", b"k%d" % i, value]) for i, value in enumerate(values)))
    assert len(disk.names[FIRST].data) > 3 << 20
    writer = AofWriter(disk, FIRST, len(disk.names[FIRST].data), False)
    writer.append(encode_request([b"SET", b"k7", b"changed"]), 1)
    disk.names[FIRST].data += encode_request([b"SET", b"k8", b"changed by them"])
    values[7] = b"changed"
    values[8] = b"changed by them"
    reloader = Reloader()
    assert reloader.load(disk) == {b"k%d" % i: value for i, value in enumerate(values)}
    # A flipped bit in our part is noticed there as well.
    data = bytearray(disk.names[FIRST].data)
    data[data.rindex(b"k7")] ^= 1
    with pytest.raises(LoadError, match="checksum error"):
        reloader.load(foreign(bytes(data)))


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"SET a b\r\n", "no command starts here"),
        (b"*1\r\n+PING\r\n", r"expected '\$', got '\+'"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
    ],
)
def test_what_is_no_command_is_refused_where_it_stands(tail: bytes, reason: str) -> None:
    good = request("SET", "a", 1) * 3
    with pytest.raises(LoadError, match=rf"{FIRST}, offset {len(good)}: {reason}"):
        Reloader().load(foreign(good + tail))


def test_a_command_that_is_not_known_is_refused() -> None:
    with pytest.raises(LoadError, match=rf"{FIRST}, offset 0: .*unknown command 'NOSUCH'"):
        Reloader().load(foreign(request("SET", "a", 1), request("NOSUCH", "x")))


def test_what_would_end_the_replay_unnoticed_is_refused() -> None:
    with pytest.raises(LoadError, match=rf"{FIRST}, offset 0: the command 'quit' ended the replay"):
        Reloader().load(foreign(request("SET", "a", 1), request("QUIT"), request("SET", "b", 1)))


def test_a_damaged_length_is_told_from_a_torn_end_without_all_of_the_file_in_memory() -> None:
    disk = MemoryDisk()
    increment(disk, FIRST, encode_request([b"SET", b"a", b"v" * 5_000_000]))
    disk.names[MANIFEST] = Inode(b"file appendonly.aof.1.incr.aof seq 1 type i\n")
    data = bytes(disk.names[FIRST].data)
    length = b":%d:" % (len(data) - data.index(b"*3"))
    with pytest.raises(LoadError, match="damaged length of a stretch"):
        Reloader().load(changed(disk, FIRST, data.replace(length, b":9" + length[2:], 1)))
    assert Reloader().load(changed(disk, FIRST, data[:-1])) == {}


@pytest.mark.parametrize(
    "lines",
    [
        b'file "a\\x00b" seq 1 type b',
        b"file a seq " + b"9" * 5000 + b" type b",
        b"file a seq 1 type b\nfile b seq 2 type b",
        b"file a seq 1 type x",
        b"file a seq 2 type i\nfile b seq 2 type i",
        b"file ../a seq 1 type b",
        b"file a seq 1",
    ],
)
def test_a_hostile_manifest_is_refused(lines: bytes) -> None:
    disk = small_log()
    disk.names[MANIFEST] = Inode(lines + b"\n")
    with pytest.raises(LoadError, match=rf"The AOF manifest cannot be used: .* line {lines.count(bytes([10])) + 1}"):
        Reloader().load(disk)


def test_a_missing_file_is_named() -> None:
    disk = small_log()
    del disk.names[FIRST]
    with pytest.raises(LoadError, match=rf"{FIRST} is missing"):
        Reloader().load(disk)
    assert Path(FIRST).name in bytes(disk.names[MANIFEST].data).decode()


@pytest.mark.parametrize("garbage", [b"\x01" * 40, b"\r\n*3\r\n$9" + b"\xff" * 30 + bytes(20), b"#CRC64:zz\r\n"])
def test_a_damaged_end_is_set_aside_where_that_is_allowed(garbage: bytes) -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytes(disk.names[LAST].data)
    damaged = changed(disk, LAST, data + garbage)
    with pytest.raises(LoadError, match=rf"{LAST}, offset {len(data)}"):
        reloader.load(damaged, corrupt_tail=len(garbage) - 1)
    assert bytes(damaged.names[LAST].data) == data + garbage
    assert reloader.load(damaged, corrupt_tail=len(garbage)).keys() == WHOLE.keys()
    assert bytes(damaged.names[LAST].data) == data
    aside = f"{LAST}.damaged-{len(data)}"
    assert damaged.names[aside].synced == garbage
    assert damaged.after_power_failure().names[aside].synced == garbage, "the copy is on disk before the cut"
    # The same again keeps both.
    damaged.names[LAST].data += b"other garbage"
    assert reloader.load(damaged, corrupt_tail=100).keys() == WHOLE.keys()
    assert damaged.names[aside].synced == garbage
    assert damaged.names[aside + "-2"].synced == b"other garbage"


@pytest.mark.parametrize("garbage", [b"\0" * 511, b"\xc3\xa4" * 255, b"\x7f" * 511])
def test_garbage_that_begins_as_an_annotation_hides_nothing(garbage: bytes) -> None:
    """The first sector is something else, and the line that begins there ends within a stretch behind it."""
    disk = small_log()
    data = bytes(disk.names[LAST].data)
    changed(disk, LAST, data)
    end = data.index(b"\r\n*", len(data) // 2)
    with pytest.raises(LoadError, match=rf"{LAST}, offset 0: damaged annotation"):
        Reloader().load(changed(disk, LAST, b"#" + garbage + data[end:]))


def test_a_damaged_stretch_is_set_aside_with_all_behind_it() -> None:
    disk = small_log()
    reloader = Reloader()
    data = bytearray(disk.names[LAST].data)
    place = data.index(b"$1\r\nc") + 4
    data[place] ^= 1
    damaged = changed(disk, LAST, bytes(data))
    assert reloader.load(damaged, corrupt_tail=len(data)).keys() == {b"a", b"b"}
    # Only of the last file: what follows in later ones would be without what it follows.
    first = bytearray(disk.names[FIRST].data)
    first[-3] ^= 1
    with pytest.raises(LoadError, match=rf"{FIRST}, offset \d+"):
        reloader.load(changed(disk, FIRST, bytes(first)), corrupt_tail=1 << 40)
    base = bytearray(disk.names[BASE].data)
    base[-12] ^= 1
    with pytest.raises(LoadError, match=BASE):
        reloader.load(changed(disk, BASE, bytes(base)), corrupt_tail=1 << 40)


def test_a_transaction_that_is_damaged_is_set_aside_as_a_whole() -> None:
    begun = request("SET", "a", 1)
    disk = foreign(begun, request("MULTI"), request("SET", "b", 1), b"garbage\r\n")
    assert Reloader().load(disk, corrupt_tail=1000).keys() == {b"a"}
    assert bytes(disk.names[FIRST].data) == begun


def test_a_command_that_is_not_known_is_no_damaged_end() -> None:
    disk = foreign(request("SET", "a", 1), request("NOSUCH", "x"))
    with pytest.raises(LoadError, match="unknown command"):
        Reloader().load(disk, corrupt_tail=1000)


def test_a_bug_of_ours_in_a_replayed_command_ends_the_start() -> None:
    """What follows would be left out in silence."""
    reloader = Reloader()
    command = reloader.engine.find([b"incr"])
    assert command is not None

    def broken(client: Client, argv: list[bytes]) -> None:
        raise ZeroDivisionError

    command.handler = broken
    with pytest.raises(LoadError, match=rf"{FIRST}, offset \d+: the command .*ended the replay"):
        reloader.load(small_log())


def test_a_transaction_that_reset_has_ended_holds_nothing_back() -> None:
    good = (
        request("SET", "a", 1) + request("MULTI") + request("SET", "b", 1) + request("RESET") + request("SET", "c", 1)
    )
    disk = foreign(good, request("SET", "d", 1)[:-3])
    assert Reloader().load(disk).keys() == {b"a", b"c"}
    assert bytes(disk.names[FIRST].data) == good, "what follows the RESET is whole, and stays"
