"""What CLIENT LIST and CLIENT INFO tell of clients."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.resp import request
from support.servers import Server

Starter = Callable[..., Server]

# The fields of Redis 7.2.4.
FIELDS = [
    "id",
    "addr",
    "laddr",
    "fd",
    "name",
    "age",
    "idle",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "qbuf",
    "qbuf-free",
    "argv-mem",
    "multi-mem",
    "rbs",
    "rbp",
    "obl",
    "oll",
    "omem",
    "tot-mem",
    "events",
    "cmd",
    "user",
    "redir",
    "resp",
    "lib-name",
    "lib-ver",
]


def described(text: bytes) -> dict[str, str]:
    """A line of CLIENT LIST."""
    assert text.endswith(b"\n")
    return dict(field.split("=", 1) for field in text.decode().rstrip("\n").split(" "))


def test_a_client_is_described(durastore: Server) -> None:
    with durastore.connect(3) as a, durastore.connect() as b:
        address = "{}:{}".format(*a.sock.getsockname())
        for words in (
            ("CLIENT", "SETNAME", "me"),
            ("CLIENT", "SETINFO", "lib-name", "lib"),
            ("CLIENT", "SETINFO", "LIB-VER", "1.2"),
            ("SELECT", "3"),
            ("CLIENT", "NO-EVICT", "on"),
            ("CLIENT", "NO-TOUCH", "on"),
            ("MULTI",),
            ("SET", "a", "1" * 1000),
        ):
            a.call(*words)
        number = b.value("CLIENT", "LIST").decode().split("name=me")[0].rsplit("id=", 1)[1].split(" ")[0]
        found = described(b.value("CLIENT", "LIST", "ID", number))
        assert list(found) == FIELDS
        wanted = {
            "addr": address,
            "laddr": f"127.0.0.1:{durastore.port}",
            "name": "me",
            "age": "0",
            "idle": "0",
            "flags": "xeT",
            "db": "3",
            "sub": "0",
            "multi": "1",
            "events": "r",
            "cmd": "set",
            "user": "default",
            "redir": "-1",
            "resp": "3",
            "lib-name": "lib",
            "lib-ver": "1.2",
        }
        assert {name: found[name] for name in wanted} == wanted
        assert int(found["multi-mem"]) >= 1000
        assert int(found["tot-mem"]) >= 1000
        own = described(b.value("CLIENT", "INFO"))
        assert own["cmd"] == "client|info"
        assert own["flags"] == "N"
        assert own["id"] == str(b.value("CLIENT", "ID"))
        listed = [described(line + b"\n")["id"] for line in b.value("CLIENT", "LIST").splitlines()]
        assert listed == sorted(listed, key=int)
        assert b.value("CLIENT", "LIST", "ID", own["id"], "999999", own["id"]).count(b"\n") == 2


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("", "N"),
        ("multi", "x"),
        ("watch k", "N"),
        ("subscribe c", "P"),
        ("client no-evict on", "e"),
        ("client no-touch on", "T"),
    ],
)
def test_flags_of_a_client(durastore: Server, valkey: Server, script: str, flags: str) -> None:
    for server in (durastore, valkey):
        with server.connect() as a, server.connect() as b:
            number = a.value("CLIENT", "ID")
            if script:
                a.call(*script.split())
            assert described(b.value("CLIENT", "LIST", "ID", number))["flags"] == flags


COUNTED = ("qbuf", "argv-mem", "multi", "multi-mem", "obl", "oll", "omem", "sub", "psub", "ssub", "events")


def test_what_clients_have_in_their_buffers(durastore: Server, valkey: Server) -> None:
    found = []
    for server in (durastore, valkey):
        with (
            server.connect() as asking,
            server.connect() as idle,
            server.connect() as waiting,
            server.connect() as half,
        ):
            names = {asking: "asking", idle: "idle", waiting: "waiting", half: "half"}
            for client, name in names.items():
                client.call("CLIENT", "SETNAME", name)
            waiting.send(request("BLPOP", "nothing", "here", "0"))
            half.send(b"*3\r\n$3\r\nSET\r\n$5\r\nnever\r\n$10\r\nend")
            while True:
                listed = [described(line + b"\n") for line in asking.value("CLIENT", "LIST").splitlines()]
                told = {each["name"]: [each[field] for field in COUNTED] for each in listed if each["name"]}
                if told["half"][1] != "0" and told["waiting"][1] != "0":
                    break
            found.append(told)
            own = described(asking.value("CLIENT", "INFO"))
            found[-1]["info"] = [own[field] for field in COUNTED]
            for name in ("asking", "info"):
                # The request that asks is still in the buffer of Redis 7.2, and no longer in Valkey's.
                del found[-1][name][0]
            waiting.close()
    assert found[0] == found[1]


def test_clients_are_listed_and_killed_by_type(start_durastore: Starter, start_valkey: Starter) -> None:
    found = []
    for server in (start_durastore(), start_valkey()):
        with server.connect() as asking, server.connect() as first, server.connect() as second:
            first.call("SUBSCRIBE", "c")
            second.call("PING")
            replies = [
                [described(line + b"\n")["cmd"] for line in asking.value("CLIENT", "LIST", "TYPE", kind).splitlines()]
                for kind in ("normal", "pubsub", "replica", "master")
            ]
            found.append([*replies, asking.call("CLIENT", "KILL", "TYPE", "pubsub"), first.rest()])
    assert found[0] == found[1]
