"""ACL: rules and their errors, what is refused, where it is checked, and whose connections end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.resp import parse
from support.scenes import assert_same_scenes
from support.scripts import assert_same_replies
from support.servers import Server

Starter = Callable[..., Server]

SCRIPTS = {
    "rules": """
        acl setuser a %R
        acl setuser a resetkeys %R~* %RW~*
        acl setuser a reset ( +get "~a b" )
        acl setuser a reset "(+get ~a" "~b)"
        acl setuser a reset "(+get"
        acl setuser a reset "()"
        acl setuser a reset "(on)"
        acl setuser a reset "(~x +@foo)"
        acl setuser a ""
        acl setuser "a b"
        acl setuser "a\\x00b"
        acl setuser a >
        acl setuser a <x
        acl setuser a !x
        acl setuser a #x
        acl setuser a +config|get|x
        acl setuser a +config|nosuch
        acl setuser a +select|0 +SELECT|1 +Debug|Object
        acl setuser a -select|0
        acl setuser a ~* ~b
        acl setuser a ~* %R~b
        acl setuser a &* &b
        acl setuser a "~a b"
        acl setuser a &\\t
        acl setuser a (
        acl setuser a )
        acl setuser a )(
        acl setuser a nosuch
        acl setuser a "no\\r\\nsuch"
        acl setuser a +
        acl setuser a -@
        acl setuser a +nosuch|
        acl setuser a +get|
        acl setuser a +get|x
        acl setuser a %X~a
        acl setuser a %RR~a
        acl setuser a ON NoPass ALLKEYS ALLCHANNELS ALLCOMMANDS +@ALL
        acl getuser nosuch
        acl deluser default a
        acl deluser nosuch a a
        acl deluser
        acl setuser
        acl getuser
    """,
    "dry runs": """
        acl setuser d on +get ~x
        acl dryrun x get a
        acl dryrun d get a
        acl dryrun d get x
        acl dryrun d set x
        acl dryrun d set x y
        acl dryrun d nosuch x y
        acl dryrun d config nosuch
        acl dryrun d config
        acl dryrun d acl whoami
        acl dryrun d auth whoami
        acl dryrun d publish a b
        acl dryrun d
        acl setuser d +@all (+subscribe &c*)
        acl dryrun d publish a b
        acl dryrun d subscribe ca b
        acl dryrun d subscribe ca cb
        acl dryrun d psubscribe c*
        acl dryrun d mset x 1 y 2
        acl dryrun d unlink x
        acl deluser d
    """,
    "the rest": """
        acl genpass 0
        acl genpass 4097
        acl genpass x
        acl genpass -1
        acl genpass 1 2
        acl log x
        acl log 1 2
        acl log reset
        acl log -1
        acl log 5
        acl cat nosuch
        acl cat
        acl cat read x
        acl nosuch
        acl
        acl users
        acl whoami
        acl whoami x
        acl list x
        config get acllog-max-len
        config get acl-pubsub-default
        config set acl-pubsub-default x
        config get aclfile
        config set aclfile x
    """,
    "permissions": """
        acl setuser s reset on nopass +@all ~a ~b
        rpush a 1 2
        auth s x
        sort a by nosort
        sort a by x*
        sort a by a*
        sort a get #
        sort a get a
        sort a get a nosuch
        sort a store c
        sort a by nosort get # store c
        mset a 1 c 2
        exists a c
        object encoding c
        watch a c
        multi
        get c
        publish x 1
        nosuch
        exec
        multi
        get a
        publish x 1
        exec
        reset
        acl whoami
        acl setuser s resetkeys %R~* %W~b
        auth s x
        sort a get # by x*
        sort a get # by x* store c
        sort a get # by x* store b
        set a 1
        set b 1
        set b 2 get
        get b
        del a
        rename b c
        renamenx b b
        copy a c
        auth default x
        acl setuser s resetkeys %R~a %W~b (~* +sort)
        auth s x
        sort a get # by x*
        sort_ro a get # by x*
        get b
        set b 1 get
        auth default x
        acl setuser s reset on nopass -@all +multi +exec +config|get
        auth s x
        multi
        ping
        exec
        config get hz x
        config set hz x
        config nosuch
        config
        get
        nosuch
        auth s
        auth nosuch x
        auth default x y
        hello 2 auth nosuch x
        auth default x
        acl whoami
        client kill user s
        client kill user nosuch
        acl deluser s
        client kill user s
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, {})


SCENES = {
    "rights change under a transaction": """
        c> acl setuser u on nopass +@all ~* &*
        a> auth u x
        a> multi
        a> get k
        a> set k 1
        a> publish x 1
        a> incr k
        c> acl setuser u -set resetkeys ~j resetchannels +ping
        a> exec
        a> multi
        a> ping
        c> acl setuser u -exec
        a> exec
        a> ping
        c> acl setuser u -@all +multi
        a> multi
        a> auth default x
        a> exec
        c> acl deluser u
        a!
    """,
    "a blocked client that has lost its right": """
        c> acl setuser u on nopass +@all ~* &*
        a> auth u x
        b> auth u x
        a: blpop k 0
        b: blpop j 0
        c> acl setuser u -blpop
        c> rpush k 1 2
        a<
        a> ping
        c> acl setuser u +blpop resetkeys ~k*
        c> rpush j 1 2
        b<
        a: brpop kk 0
        c> acl deluser u
        a!
        b!
        c> lrange k 0 -1
    """,
    "subscribers whose channels shrink": """
        c> acl setuser u on nopass +@all ~* &*
        a> auth u x
        b> auth u x
        d> auth u x
        e> auth default x
        a> subscribe x
        b> psubscribe p*
        d> ssubscribe s
        e> subscribe z
        c> acl setuser u &x
        c> acl setuser u resetchannels &x &p* &s
        c> acl setuser u &more
        c> acl setuser u resetchannels &x &p*
        d!
        c> acl setuser u resetchannels &x &p (&*)
        c> acl setuser u clearselectors &p
        b!
        c> publish x 1
        a<
        c> acl setuser u reset
        a!
        c> publish z 1
        e<
        c> acl deluser u
    """,
    "a user that is turned off or deleted": """
        c> acl setuser u on nopass +@all ~* &*
        a> auth u x
        c> acl setuser u off
        a> ping
        a> auth u x
        a> acl whoami
        c> acl setuser v on nopass +@all ~* &*
        b> auth v x
        b> acl deluser v u
        b!
        a!
        c> acl users
    """,
}


@pytest.mark.parametrize("protocol", [2])
@pytest.mark.parametrize("name", SCENES)
def test_scenes(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_scenes(durastore, valkey, SCENES[name], protocol)


DEFAULT_USER = """
    c> acl setuser default >pw
    c> ping
    a> ping
    a> hello
    a> hello 3 auth default no
    a> auth no
    a> auth default pw
    a> auth pw
    c> reset
    c> ping
    c> auth pw
    c> acl setuser default off
    b> ping
    b> auth pw
    c> ping
    c> acl setuser default on nopass
    b> ping
    b> hello 2
    c> config set requirepass hi
    b> ping
    c> config get requirepass
    c> acl setuser default nopass
    c> config get requirepass
    c> config set requirepass hi
    b> ping
    c> config set requirepass ""
    b> ping
    c> acl setuser default -debug
    c> debug sleep 0
    c> config resetstat
    c> acl setuser default reset
    c> ping
    c> acl whoami
    c> auth default x
"""


def test_the_default_user(start_durastore: Starter, start_valkey: Starter) -> None:
    directives = {"requirepass": "first", "enable_debug_command": "yes"}
    servers = start_durastore(**directives), start_valkey(**directives)
    for server in servers:
        with server.connect() as connection:
            assert connection.call("AUTH", "first") == b"+OK\r\n"
            assert connection.call("CONFIG", "SET", "requirepass", "") == b"+OK\r\n"
    assert_same_scenes(*servers, DEFAULT_USER, 2)


def test_categories(durastore: Server, valkey: Server) -> None:
    """Each category has the commands that it has in Valkey, as far as there are the same commands."""
    ours, theirs = durastore.connect(), valkey.connect()
    common: set[bytes] = set(ours.value("COMMAND", "LIST")) & set(theirs.value("COMMAND", "LIST"))

    def members(connection: object, name: bytes) -> set[bytes]:
        return {each for each in connection.value("ACL", "CAT", name) if each.split(b"|")[0] in common}  # type: ignore[attr-defined]

    for name in ours.value("ACL", "CAT"):
        known = members(theirs, name)
        assert {each for each in members(ours, name) if each in known or b"|" not in each} <= known, name
        assert len(known) == 0 or members(ours, name), name


COUNTED = ("auth", "cmd", "key", "channel")
LOGGED = [
    ("auth nosuch x", 1),
    ("AUTH u x", 1),
    ("auth u pw", 0),
    ("get b", 1),
    ("get b", 1),
    ("config get port", 1),
    ("publish x y", 1),
    ("multi", 0),
    ("get b", 1),
    ("exec", 1),
    ("set a 1", 1),
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_log(start_durastore: Starter, start_valkey: Starter, protocol: int) -> None:
    found = []
    for server in (start_durastore(), start_valkey()):
        with server.connect(protocol) as connection, server.connect(protocol) as admin:
            admin.call("ACL", "SETUSER", "u", "on", ">pw", "+get", "+publish", "+multi", "+exec", "~a")
            admin.call("CONFIG", "RESETSTAT")
            for line, refused in LOGGED:
                assert connection.call(*line.split()).startswith(b"-") == bool(refused), line
            admin.call("CONFIG", "SET", "acllog-max-len", "6")
            connection.call("SET", "a", "2")
            entries = []
            for entry in admin.value("ACL", "LOG", "20"):
                fields = entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
                assert 0 <= float(fields.pop(b"age-seconds")) < 60
                line = dict(word.split(b"=", 1) for word in fields.pop(b"client-info").split(b" "))
                assert fields.pop(b"timestamp-created") <= fields.pop(b"timestamp-last-updated")
                entries.append((list(fields.items()), line[b"cmd"], line[b"user"]))
            info = admin.value("INFO", "stats").decode()
            counts = [
                line
                for line in info.split("\r\n")
                if line.startswith(tuple(f"acl_access_denied_{what}:" for what in COUNTED))
            ]
            assert admin.call("ACL", "LOG", "RESET") == b"+OK\r\n"
            assert parse(admin.call("ACL", "LOG")) == []
            found.append((entries, counts))
    assert found[0] == found[1]
