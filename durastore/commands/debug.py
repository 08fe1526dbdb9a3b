"""DEBUG: what client test suites ask of a server (https://redis.io/commands/debug/)."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.connection import integer_or
from durastore.commands.digest import dataset_digest, value_digest
from durastore.commands.encoding import encoding_of
from durastore.commands.errors import NO_SUCH_KEY, SYNTAX, CommandError, unknown_subcommand_or_arity
from durastore.commands.spec import ADMIN, LOADING, NOSCRIPT, PROTECTED, STALE, command
from durastore.keyspace.hashes import Hash
from durastore.keyspace.listpack import EMPTY
from durastore.keyspace.lists import List
from durastore.keyspace.packed import elements
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.values import RawString
from durastore.protocol.numbers import INT64_MAX

log = logging.getLogger("durastore.commands")

_NUMBER: Final = re.compile(rb"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_NOT_POSITIVE: Final = b"ERR value is out of range, must be positive"
_POPULATED_AT_ONCE: Final = 512
_MEMORY: Final = re.compile(rb"[0-9]+(?:b|kb?|mb?)?\Z|[0-3](?:gb?)\Z", re.IGNORECASE)
# What DUMP puts around a value: its type, the version and the checksum.
_AROUND_VALUE: Final = 11
_FLAGS: Final = ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED


@command(
    "debug",
    "",
    _FLAGS,
    summary="A container for debugging commands.",
    since="1.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
    internal=True,
)
def debug(client: Client, argv: list[bytes]) -> None:
    """DEBUG: one command, as in Redis, whose first argument chooses."""
    name = argv[1].upper()
    size = len(argv)
    if name == b"SLEEP" and size == 3:
        _sleep(client, argv[2])
    elif name == b"RELOAD":
        _reload(client, argv)
    elif name == b"LOADAOF" and size == 2:
        client.instance.host.load_aof()
        client.reply.ok()
    elif name in (b"SEGFAULT", b"ASSERT", b"PANIC", b"OOM") and size == 2:
        client.instance.host.crash(name)
    elif name == b"OBJECT" and size in (3, 4):
        _object(client, argv)
    elif name == b"SDSLEN" and size == 3:
        _string_sizes(client, argv[2])
    elif name == b"LISTPACK" and size == 3:
        _listpack(client, argv[2])
    elif name == b"QUICKLIST" and size in (3, 4):
        _quicklist(client, argv[2])
    elif name == b"REPLICATE" and size > 2:
        # To the replicas, of which there are none.
        client.reply.ok()
    elif name == b"REPLYBUFFER" and size == 4:
        _reply_buffer(client, argv)
    elif name == b"DROP-CLUSTER-PACKET-FILTER" and size == 3:
        integer_or(argv[2])
        client.reply.ok()
    elif name == b"SET-ACTIVE-EXPIRE" and size == 3:
        client.instance.active_expire = _leading_number(argv[2]) != 0
        client.reply.ok()
    elif name == b"PAUSE-CRON" and size == 3:
        client.instance.cron_paused = _leading_number(argv[2]) != 0
        client.reply.ok()
    elif name == b"CLUSTERLINK" and size == 5:
        raise CommandError(b"ERR Debug option only available for cluster mode enabled setup!")
    elif name == b"LEAK" and size == 3:
        # Nothing can leak here.
        client.reply.ok()
    elif name == b"DIGEST" and size == 2:
        client.reply.simple(dataset_digest(client.instance.keyspace))
    elif name == b"DIGEST-VALUE" and size >= 2:
        _digest_value(client, argv)
    elif name == b"PROTOCOL" and size == 3:
        _protocol(client, argv[2].lower())
    elif name == b"QUICKLIST-PACKED-THRESHOLD" and size == 3:
        # A large element stands in a node of its own as it is, whatever is said here.
        if not _MEMORY.match(argv[2]) or (argv[2].isdigit() and int(argv[2]) >= 0xFFFFFFFF):
            raise CommandError(b"ERR argument must be a memory value bigger than 1 and smaller than 4gb")
        client.reply.ok()
    elif name == b"POPULATE" and size in (3, 4, 5):
        _populate(client, argv)
    elif name == b"LOG" and size == 3:
        log.warning("DEBUG LOG: %s", argv[2].decode("utf-8", "replace"))
        client.reply.ok()
    elif name == b"CHANGE-REPL-ID" and size == 2:
        client.instance.host.change_replication_id()
        client.reply.ok()
    elif name == b"SET-DISABLE-DENY-SCRIPTS" and size == 3:
        client.instance.scripts_run_all = _leading_number(argv[2]) != 0
        client.reply.ok()
    elif name == b"HTSTATS" and size in (3, 4):
        _table_stats(client, argv[2])
    elif name == b"HTSTATS-KEY" and size in (3, 4):
        _value_stats(client, argv[2])
    elif name == b"ERROR" and size == 3:
        client.reply.error(argv[2])
    elif name == b"HELP" and size == 2:
        _help(client)
    else:
        raise CommandError(unknown_subcommand_or_arity(b"debug", argv[1]))


def _leading_number(text: bytes) -> float:
    """The number that a text begins with, as C's strtod reads it; 0 where there is none."""
    match = _NUMBER.match(text)
    return float(match[0]) if match else 0.0


def _sleep(client: Client, text: bytes) -> None:
    client.instance.host.sleep(max(_leading_number(text), 0.0))
    client.reply.ok()


def _populate(client: Client, argv: list[bytes]) -> None:
    """DEBUG POPULATE count [prefix] [size]: keys that are not there yet, with values of a size."""
    count = integer_or(argv[2], _NOT_POSITIVE)
    size = integer_or(argv[4], _NOT_POSITIVE) if len(argv) == 5 else 0
    if count < 0 or size < 0 or count > INT64_MAX >> 20:
        raise CommandError(_NOT_POSITIVE)
    prefix = argv[3] if len(argv) > 3 else b"key"
    instance = client.instance
    made: list[bytes] = [b"MSET"]
    for number in range(count):
        key = b"%s:%d" % (prefix, number)
        if client.db.lookup(key, instance.now) is not None:
            continue
        value = b"value:%d" % number
        if size:
            value = value[:size].ljust(size, b"\0")
        client.db.set(key, value)
        made += [key, value]
        if len(made) > _POPULATED_AT_ONCE:
            instance.propagate(made)
            made = [b"MSET"]
    if len(made) > 1:
        instance.propagate(made)
    instance.dirty += 1
    client.reply.ok()


def _reload(client: Client, argv: list[bytes]) -> None:
    merge = False
    save = flush = True
    for option in argv[2:]:
        word = option.upper()
        if word == b"MERGE":
            merge = True
        elif word == b"NOFLUSH":
            flush = False
        elif word == b"NOSAVE":
            save = False
        else:
            raise CommandError(b"ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    client.instance.host.reload(save, flush, merge)
    client.reply.ok()


def _value(client: Client, key: bytes) -> object:
    """The value of a key that must be there; to look at it is no use of it."""
    value = client.db.lookup_no_touch(key, client.instance.now)
    if value is None:
        raise CommandError(NO_SUCH_KEY)
    return value


def _string_sizes(client: Client, key: bytes) -> None:
    """DEBUG SDSLEN: the lengths of a key and its string, what is reserved for more, and what they take here."""
    value = _value(client, key)
    spare = 0
    if isinstance(value, RawString):
        text: bytes | bytearray = value.data
        spare = max(sys.getsizeof(text) - sys.getsizeof(bytearray()) - len(text) - 1, 0)
    elif isinstance(value, bytes) and encoding_of(value) != b"int":
        text = value
    else:
        raise CommandError(b"ERR Not an sds encoded string.")
    client.reply.simple(
        b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:%d, val_zmalloc: %d"
        % (len(key), sys.getsizeof(key), len(text), spare, sys.getsizeof(text))
    )


def _object(client: Client, argv: list[bytes]) -> None:
    if len(argv) == 4 and argv[3].lower() != b"fast":
        raise CommandError(SYNTAX)
    value = _value(client, argv[2])
    clock: i64 = client.instance.now // 1000
    idle: i64 = client.db.idle_seconds(argv[2], client.instance.now)
    text = b"Value at:0x%x refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d" % (
        id(value),
        encoding_of(value),
        max(len(client.instance.host.dump(value)) - _AROUND_VALUE, 0),
        (clock - idle) & 0xFFFFFF,
        idle,
    )
    if isinstance(value, List) and value.quicklist:
        text += _quicklist_facts(value, client.instance.keyspace.limits.list_size)
    client.reply.simple(text)


def _quicklist_facts(value: List, fill: i64) -> bytes:
    nodes = value.packed_nodes()
    size = sum(int(node.size) + EMPTY for node in nodes)
    return b" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:0 ql_uncompressed_size:%d" % (
        len(nodes),
        int(value.count) / len(nodes),
        fill,
        size,
    )


def _listpack(client: Client, key: bytes) -> None:
    """DEBUG LISTPACK: a status, as in Redis; the elements themselves go to the server's log."""
    value = _value(client, key)
    if encoding_of(value) not in (b"listpack", b"listpackex"):
        raise CommandError(b"ERR Not a listpack encoded object.")
    if isinstance(value, (Hash, Set)):
        log.info("listpack of %d bytes: %r", len(value.packed), elements(value.packed, 0, 1))
    elif isinstance(value, List):
        log.info("listpack of %d bytes: %r", int(value.packed_nodes()[0].size) + EMPTY, value.items())
    client.reply.simple(b"Listpack structure printed on stdout")


def _quicklist(client: Client, key: bytes) -> None:
    """DEBUG QUICKLIST: as DEBUG LISTPACK, for a list of several nodes."""
    value = _value(client, key)
    if not isinstance(value, List) or not value.quicklist:
        raise CommandError(b"ERR Not a quicklist encoded object.")
    nodes = value.packed_nodes()
    log.info("quicklist of %d nodes, with elements and bytes: %r", len(nodes), [(n.count, n.size) for n in nodes])
    client.reply.simple(b"Quicklist structure printed on stdout")


def _reply_buffer(client: Client, argv: list[bytes]) -> None:
    """DEBUG REPLYBUFFER: Redis makes the buffers of idle clients smaller from time to time; ours are gone then."""
    what, value = argv[2].upper(), argv[3].upper()
    if what == b"PEAK-RESET-TIME":
        if value not in (b"NEVER", b"RESET"):
            integer_or(value)
    elif what != b"RESIZING":
        raise CommandError(unknown_subcommand_or_arity(b"debug", argv[1]))
    client.reply.ok()


def _table_stats(client: Client, number: bytes) -> None:
    """DEBUG HTSTATS: how many keys a database has, in Redis's form."""
    index = integer_or(number)
    databases = client.instance.keyspace.databases
    if not 0 <= index < len(databases):
        raise CommandError(b"ERR Out of range database")
    table = databases[index].table
    keys, expiring = _hash_table(table.count), _hash_table(table.expires_count)
    client.reply.verbatim(b"[Dictionary HT]\n" + keys + b"[Expires HT]\n" + expiring)


def _value_stats(client: Client, key: bytes) -> None:
    """DEBUG HTSTATS-KEY: how many elements a value has that is no compact one."""
    value = _value(client, key)
    if not isinstance(value, (Hash, Set, SortedSet)) or encoding_of(value) not in (b"hashtable", b"skiplist"):
        raise CommandError(b"ERR The value stored at the specified key is not represented using an hash table")
    client.reply.verbatim(_hash_table(value.size()))


def _hash_table(elements: int) -> bytes:
    """What Redis tells of a table; the number of its slots is the one that Redis's has where it only grew."""
    head = b"Hash table 0 stats (main hash table):\n"
    if not elements:
        return head + b"No stats available for empty dictionaries\n"
    slots = max(4, 1 << (elements - 1).bit_length())
    return head + b" table size: %d\n number of elements: %d\n" % (slots, elements)


def _digest_value(client: Client, argv: list[bytes]) -> None:
    client.reply.array(len(argv) - 2)
    for key in argv[2:]:
        digest = bytes(20)
        value = client.db.lookup_no_touch(key, client.instance.now)
        if value is not None:
            digest = value_digest(digest, value, client.db.get_expiry(key) != -1)
        client.reply.simple(digest.hex().encode())


def _protocol(client: Client, kind: bytes) -> None:
    """One reply of each kind of the protocol."""
    reply = client.reply
    if kind == b"string":
        reply.bulk(b"Hello World")
    elif kind == b"integer":
        reply.integer(12345)
    elif kind == b"double":
        reply.double(3.141)
    elif kind == b"null":
        reply.null()
    elif kind == b"array":
        reply.array(3)
        for i in range(3):
            reply.integer(i)
    elif kind == b"set":
        reply.set(3)
        for i in range(3):
            reply.integer(i)
    elif kind == b"map":
        reply.map(3)
        for i in range(3):
            reply.integer(i)
            reply.boolean(i == 1)
    elif kind == b"attrib":
        if reply.resp == 3:
            reply.raw(b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n")
        reply.bulk(b"Some real reply following the attribute")
    elif kind == b"push":
        if reply.resp < 3:
            raise CommandError(b"ERR RESP2 is not supported by this command")
        # A push is no reply, so there is one as well; and it comes when the reply is complete.
        reply.bulk(b"Some real reply following the push reply")
        reply.push(2)
        reply.bulk(b"server-cpu-usage")
        reply.integer(42)
    elif kind == b"verbatim":
        reply.verbatim(b"This is a verbatim\nstring")
    elif kind == b"true":
        reply.boolean(True)
    elif kind == b"false":
        reply.boolean(False)
    elif kind == b"bignum":
        number = b"1234567999999999999999999999999999999"
        if reply.resp == 2:
            reply.bulk(number)
        else:
            reply.raw(b"(" + number + b"\r\n")
    else:
        raise CommandError(
            b"ERR Wrong protocol type name. Please use one of the following: "
            b"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )


def _help(client: Client) -> None:
    client.reply.help(
        b"DEBUG",
        [
            b"ASSERT",
            b"    Crash by assertion failed.",
            b"CHANGE-REPL-ID",
            b"    Change the replication IDs of the instance.",
            b"    Dangerous: should be used only for testing the replication subsystem.",
            b"CLUSTERLINK KILL <to|from|all> <node-id>",
            b"    Kills the link based on the direction to/from (both) with the provided node.",
            b"DIGEST",
            b"    Output a hex signature representing the current DB content.",
            b"DIGEST-VALUE <key> [<key> ...]",
            b"    Output a hex signature of the values of all the specified keys.",
            b"DROP-CLUSTER-PACKET-FILTER <packet-type>",
            b"    Drop all packets that match the filtered type. Set to -1 allow all packets.",
            b"ERROR <string>",
            b"    Return a Redis protocol error with <string> as message. Useful for clients",
            b"    unit tests to simulate Redis errors.",
            b"HTSTATS <dbid> [full]",
            b"    Return hash table statistics of the specified Redis database.",
            b"HTSTATS-KEY <key> [full]",
            b"    Like HTSTATS but for the hash table stored at <key>'s value.",
            b"LEAK <string>",
            b"    Taken without effect: there is no memory leak to create.",
            b"LISTPACK <key>",
            b"    Show low level info about the listpack encoding of <key>.",
            b"LOG <message>",
            b"    Write <message> to the server log.",
            b"LOADAOF",
            b"    Flush the AOF buffers on disk and reload the AOF in memory.",
            b"OBJECT <key> [fast]",
            b"    Show low level info about `key` and associated value.",
            b"OOM",
            b"    Crash the server simulating an out-of-memory error.",
            b"PANIC",
            b"    Crash the server simulating a panic.",
            b"PAUSE-CRON <0|1>",
            b"    Stop periodic cron job processing.",
            b"POPULATE <count> [<prefix>] [<size>]",
            b"    Create <count> string keys named key:<num>. If <prefix> is specified then",
            b"    it is used instead of the 'key' prefix. <size> is the length of the values.",
            b"PROTOCOL <type>",
            b"    Reply with a test value of the specified type. <type> can be: string,",
            b"    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
            b"    true, false.",
            b"QUICKLIST <key> [<0|1>]",
            b"    Show low level info about the quicklist encoding of <key>.",
            b"    The optional argument (0 by default) sets the level of detail",
            b"QUICKLIST-PACKED-THRESHOLD <size>",
            b"    Sets the threshold for elements to be inserted as plain vs packed nodes",
            b"    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
            b"RELOAD [option ...]",
            b"    Save the RDB on disk and reload it back to memory. Valid <option> values:",
            b"    * MERGE: conflicting keys will be loaded from RDB.",
            b"    * NOFLUSH: the existing database will not be removed before load, but",
            b"      conflicting keys will generate an exception and kill the server.",
            b"    * NOSAVE: the database will be loaded from an existing RDB file.",
            b"REPLICATE <string>",
            b"    Replicates the provided string to replicas, allowing data divergence.",
            b"REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
            b"REPLYBUFFER RESIZING <0|1>",
            b"    Taken without effect: the reply buffers of idle clients are given back in any case.",
            b"SDSLEN <key>",
            b"    Show low level string info representing `key` and value.",
            b"SEGFAULT",
            b"    Crash the server with sigsegv.",
            b"SET-ACTIVE-EXPIRE <0|1>",
            b"    Setting it to 0 disables expiring keys (and hashes' fields) in background ",
            b"    when they are not accessed (otherwise the Redis behavior). Setting it",
            b"    to 1 reenables back the default.",
            b"SET-DISABLE-DENY-SCRIPTS <0|1>",
            b"    Allow commands marked with NOSCRIPT to run in scripts.",
            b"SLEEP <seconds>",
            b"    Stop the server for <seconds>. Decimals allowed.",
        ],
    )
