"""COMMAND: what durastore says of its commands is what Redis 7.2 says of them.

Key positions of requests are compared by ``test_generated.py`` for requests of every command's grammar.
"""

from __future__ import annotations

import pytest

from support.command_tables import YOUNGER, Facts, after_redis72, command_facts, redis72_facts
from support.readme_commands import of_redis
from support.scripts import assert_same_replies
from support.servers import Server

FIELDS = [
    "arity",
    "flags",
    "range",
    "categories",
    "tips",
    "key specs",
    "summary",
    "since",
    "group",
    "complexity",
    "doc_flags",
    "deprecated_since",
    "replaced_by",
    "history",
    "arguments",
]

# Command, field: what durastore says instead, and why.
OWN_ANSWERS: dict[tuple[str, str], tuple[str | int, str]] = {}


@pytest.fixture(scope="module")
def ours(_shared_durastore: Server) -> dict[str, Facts]:
    return command_facts(_shared_durastore.connect())


@pytest.fixture(scope="module")
def theirs(_shared_valkey: Server) -> dict[str, Facts]:
    return redis72_facts(_shared_valkey.connect())


def test_every_command_is_one_of_redis(ours: dict[str, Facts], theirs: dict[str, Facts]) -> None:
    known = {name for name in theirs if not after_redis72(theirs[name]["since"])}
    assert set(ours) - known == YOUNGER


def test_the_list_of_what_redis_has_is_whole(theirs: dict[str, Facts]) -> None:
    """The README's table is made of it."""
    assert set(of_redis()) == {name for name in theirs if not after_redis72(theirs[name]["since"])}


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_told_of_a_command_is_what_redis_tells(
    ours: dict[str, Facts], theirs: dict[str, Facts], field: str
) -> None:
    wrong = []
    for name in ours.keys() - YOUNGER:
        wanted = OWN_ANSWERS.get((name, field), (theirs[name][field], ""))[0]
        if ours[name][field] != wanted:
            wrong.append(f"{name}\n    ours   {ours[name][field]!r}\n    wanted {wanted!r}")
    assert not wrong, "\n".join(wrong)


def test_every_command_is_listed_once_and_counted(durastore: Server, ours: dict[str, Facts]) -> None:
    """The list has subcommands as well, and the count has not."""
    connection = durastore.connect()
    listed = [name.decode() for name in connection.value("COMMAND", "LIST")]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(ours)
    assert sum("|" not in name for name in listed) == connection.value("COMMAND", "COUNT")
    assert len(connection.value("COMMAND")) == connection.value("COMMAND", "COUNT")


@pytest.mark.parametrize("words", [("ACLCAT", "read"), ("ACLCAT", "@read"), ("PATTERN", "*e*"), ("MODULE", "x")])
def test_filters_of_the_list(
    durastore: Server, ours: dict[str, Facts], theirs: dict[str, Facts], words: tuple[str, str]
) -> None:
    """A filter finds subcommands as well; where durastore has a command, it is found by what finds it in Redis."""
    kind, value = words
    found = {name.decode() for name in durastore.connect().value("COMMAND", "LIST", "FILTERBY", *words)}
    known = {name: facts for name, facts in theirs.items() if name in ours and name not in YOUNGER}
    wanted = {
        ("ACLCAT", "read"): {name for name, facts in known.items() if "@read" in facts["categories"].split()},
        ("PATTERN", "*e*"): {name for name in known if "e" in name},
    }.get((kind, value), set())
    assert found - YOUNGER == wanted


# The bytes of the replies, for commands of which Redis 7.2 and Valkey 9.1 tell the same.
SCRIPT = """
    command docs get mset nosuch getex lcs substring
    command docs expire config|get
    command info config|nosuch nosuch|x get|x
    command count x
    command list x
    command list filterby
    command list filterby foo x
    command list filterby module x y
    command list filterby aclcat nosuch
    command list filterby pattern renamen[x]
    command list filterby pattern RENAMEN*
    command getkeys get
    command getkeys get a b
    command getkeys GET a
    command getkeys nosuch a
    command getkeys ping
    command getkeys config get x
    command getkeys config nosuch
    command getkeys memory usage a
    command getkeys object encoding a
    command getkeys mset a 1 b
    command getkeysandflags mset a 1 b 2
    command getkeysandflags set a 1
    command getkeysandflags set a 1 get
    command getkeysandflags set a 1 ex get
    command getkeysandflags lcs a b len
    command getkeysandflags object encoding a
"""


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_the_same(durastore: Server, valkey: Server, protocol: int) -> None:
    assert_same_replies(durastore, valkey, "command", SCRIPT, protocol, {})


def test_the_form_of_what_command_info_tells(durastore: Server, valkey: Server) -> None:
    script = "command info get mset rename del nosuch config|get lcs getex"
    assert_same_replies(durastore, valkey, "info", script, 2, {})


def test_the_form_in_resp3_has_sets(durastore: Server) -> None:
    """As in Redis; Valkey has an empty array for a command without subcommands."""
    assert durastore.connect(3).call("COMMAND", "INFO", "ping", "nosuch") == (
        b"*2\r\n*10\r\n$4\r\nping\r\n:-1\r\n~1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@fast\r\n+@connection\r\n"
        b"~2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n~0\r\n~0\r\n_\r\n"
    )
