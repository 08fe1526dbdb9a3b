"""Commands of clusters, replication and modules, answered by a server that has none of them.

The replies that Redis 7.2 gives are kept in fixtures/replies (scripts/record-replies).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.recordings import assert_recorded_replies
from support.servers import Server

SCRIPTS = {
    "cluster": """
        cluster
        cluster help
        cluster help x
        cluster nosuch
        cluster info
        cluster info x
        cluster myid
        cluster nodes
        cluster slots
        cluster shards
        cluster keyslot
        cluster keyslot a
        cluster addslots
        cluster addslots 1
        cluster setslot 1
        cluster reset
        cluster failover takeover
        cluster meet a
        readonly
        readonly x
        readwrite
        asking
        asking x
        multi
        cluster info
        readonly
        exec
        eval "return redis.call('cluster', 'info')" 0
        eval "return redis.call('cluster', 'reset')" 0
        acl setuser u on nopass +cluster +readonly -cluster|info
        acl setuser u +cluster|nosuch
        acl list
        acl deluser u
        restore-asking a 0
        restore-asking a 0 x
        restore-asking a 0 "\\x00\\xc0\\x05\\x0b\\x00\\x5d\\x9e\\xd8\\x3b\\x02\\x24\\xd1\\x81"
    """,
    "replication": """
        role
        replicaof no one
        slaveof NO ONE
        replicaof no
        replicaof a x
        replicaof a 65536
        replicaof a -1
        slaveof a ""
        failover
        failover abort
        failover abort x
        failover abort timeout 1
        failover to a 1
        failover to a
        failover to a x
        failover to a 1 force timeout 5
        failover to a 1 to b 2
        failover force
        failover force force
        failover timeout
        failover timeout 0
        failover timeout -1
        failover timeout x
        failover timeout 1 timeout 1
        failover nosuch
        replconf
        replconf a
        replconf a b
        replconf a b c
        replconf capa eof CAPA x
        replconf listening-port 6379
        replconf listening-port x
        replconf ip-address 127.0.0.1
        replconf rdb-only 1
        replconf rdb-only 2
        replconf rdb-only x
        replconf rdb-filter-only ""
        replconf rdb-filter-only "functions FUNCTIONS"
        replconf rdb-filter-only "functions a"
        replconf rdb-filter-only '"a'
        replconf rdb-only 0
        sync x
        psync
        multi
        replicaof no one
        failover
        replconf capa eof
        exec
        multi
        sync
        exec
        multi
        psync ? -1
        exec
        eval "return redis.call('replicaof', 'no', 'one')" 0
        eval "return redis.call('sync')" 0
        eval "return redis.call('replconf', 'ack', '1')" 0
    """,
    "modules": """
        module
        module help
        module help x
        module list
        module list x
        module nosuch
        module load
        module load /nosuch.so
        module loadex /nosuch.so
        module unload x
        multi
        module load /nosuch.so
        module list
        exec
        eval "return redis.call('module', 'list')" 0
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_those_of_redis(durastore: Server, name: str, protocol: int) -> None:
    assert_recorded_replies(durastore, "alone", name, SCRIPTS[name], protocol)


@pytest.mark.parametrize("words", [("REPLCONF", "ACK", "1"), ("REPLCONF", "GETACK", "*")])
def test_what_replicas_tell_has_no_answer(durastore: Server, words: tuple[str, ...]) -> None:
    with durastore.connect() as connection:
        connection.send(b"".join(b"%s\r\n" % " ".join(line).encode() for line in (words, ("PING",))))
        assert connection.read() == b"+PONG\r\n"


@pytest.mark.parametrize("words", [("REPLICAOF", "localhost", "6379"), ("SYNC",), ("PSYNC", "?", "-1")])
def test_replication_is_refused(durastore: Server, words: tuple[str, ...]) -> None:
    with durastore.connect() as connection:
        assert connection.call(*words) == b"-ERR Replication is not supported\r\n"
        assert connection.call("ROLE") == b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"


@pytest.mark.parametrize("who", ["yes", "local"])
def test_who_may_load_modules_is_told_that_there_are_none(start_durastore: Callable[..., Server], who: str) -> None:
    with start_durastore(enable_module_command=who).connect() as connection:
        for words in (("LOAD", "/nosuch.so"), ("LOADEX", "/nosuch.so", "CONFIG", "a", "b")):
            assert connection.call("MODULE", *words).startswith(b"-ERR Error loading the extension.")
        assert connection.call("MODULE", "UNLOAD", "x").startswith(b"-ERR Error unloading module: no such module")
