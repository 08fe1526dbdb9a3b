"""Users in files: lines of the conf file, and the file that aclfile names."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from durastore.commands.errors import CommandError
from durastore.config import Config, ConfigFileError, load_arguments
from durastore.engine.engine import Engine
from durastore.persistence.disk import RealDisk
from durastore.server.access import UserFiles
from support.engines import PlainHost

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
DEFAULT = "user default on nopass sanitize-payload ~* &* +@all"


def conf(tmp_path: Path, *lines: str) -> Config:
    path = tmp_path / "test.conf"
    path.write_text("\n".join([f"dir {tmp_path}", *lines]) + "\n")
    return load_arguments([str(path)], io.StringIO())


def started(config: Config) -> UserFiles:
    files = UserFiles(config, Engine(1, PlainHost()), RealDisk())
    files.start()
    return files


def users(files: UserFiles) -> list[str]:
    return [line.decode() for line in files._access.describe()]


def test_lines_of_the_conf_file(tmp_path: Path) -> None:
    files = started(
        conf(
            tmp_path,
            "requirepass lost",
            "user default on >hello ~* &* +@all",
            "user bob on (+get ~x) +set",
            'user eve on nopass "(+set  ~a)"',
        )
    )
    assert users(files) == [
        "user bob on sanitize-payload resetchannels -@all +set (~x resetchannels -@all +get)",
        f"user default on sanitize-payload #{HELLO} ~* &* +@all",
        "user eve on nopass sanitize-payload resetchannels -@all (~a resetchannels -@all +set)",
    ]


def test_requirepass_and_the_default_for_channels(tmp_path: Path) -> None:
    files = started(conf(tmp_path, "requirepass hello", "acl-pubsub-default allchannels", "user a on"))
    assert users(files) == [
        "user a on sanitize-payload &* -@all",
        f"user default on sanitize-payload #{HELLO} ~* &* +@all",
    ]


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        (["user a on foo"], 2, "Error in user declaration 'a', rule 'foo': Syntax error"),
        (["user a +nosuch"], 2, "rule '+nosuch': Unknown command or category name in ACL"),
        (["user a (+get"], 2, "Unmatched parenthesis in acl selector starting at '(+get'."),
        (['user "a b" on'], 2, "Spaces not allowed in ACL usernames"),
        (["user a on", "user a off"], 3, "Duplicate user found. A user can only be defined once in config files"),
        (["user a on", "aclfile users.acl"], 0, "please define either an ACL file or declare users directly"),
        (["aclfile users.acl"], 0, "Error loading ACLs, opening file 'users.acl': No such file or directory"),
        (["rename-command nosuch x"], 2, "No such command in rename-command"),
        (["rename-command get SET"], 2, "Target command name already exists"),
    ],
)
def test_what_ends_the_start(tmp_path: Path, lines: list[str], line: int, reason: str) -> None:
    config = conf(tmp_path, *lines)
    with pytest.raises(ConfigFileError) as caught:
        started(config)
    assert reason in caught.value.reason
    assert caught.value.line == line


@pytest.mark.parametrize("line", ["user", "rename-command x", "rename-command a b c"])
def test_lines_with_too_few_words(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigFileError, match="Bad directive or wrong number of arguments"):
        conf(tmp_path, line)


def test_renamed_commands(tmp_path: Path) -> None:
    config = conf(tmp_path, "rename-command CONFIG conf", 'rename-command flushall ""', "user a +config +flushall")
    engine = Engine(1, PlainHost())
    UserFiles(config, engine, RealDisk()).start()
    assert engine.find([b"config", b"get", b"x"]) is None
    assert engine.find([b"FLUSHALL"]) is None
    found = engine.find([b"CONF", b"get", b"x"])
    assert found is not None
    assert found.name == b"config|get"
    # Rules name commands as they are called everywhere.
    assert engine.instance.access.users[b"a"].selectors[0].rules == [b"+config", b"+flushall"]


def test_rewriting_the_conf_file(tmp_path: Path) -> None:
    config = conf(
        tmp_path, "# mine", "user bob on", "rename-command CONFIG conf", "user eve on nopass ~'a\"b'", "port 1"
    )
    files = started(config)
    files._access.users.pop(b"bob")
    config.rewrite(files.conf_lines())
    text = (tmp_path / "test.conf").read_text()
    assert text.partition("\n\n")[0].splitlines() == [
        f'dir "{tmp_path}"',
        "# mine",
        DEFAULT,
        "rename-command CONFIG conf",
        'user eve on nopass sanitize-payload "~a\\"b" resetchannels -@all',
        "port 1",
    ]
    before = users(files)
    assert users(started(load_arguments([str(tmp_path / "test.conf")], io.StringIO()))) == before


def test_the_file_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user z  on  nopass\r\n\n\tuser y on (+get ~x) (  +set  ) \n")
    config = conf(tmp_path, "aclfile users.acl", "requirepass lost")
    files = started(config)
    known = [
        DEFAULT,
        "user y on sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (resetchannels -@all +set)",
        "user z on nopass sanitize-payload resetchannels -@all",
    ]
    assert users(files) == known
    files.save()
    assert path.read_text() == "".join(line + "\n" for line in known)
    files.load()
    assert users(files) == known
    assert files.conf_lines() == []


# A file that a redis-server 7.2.4 refuses, and what it says.
BAD = """\
user default on nopass ~* &* +@all

user  x
usr a on
user a on nopass +nosuch -@foo ~* ~b on &* &y +bad|x
user a on
"""
BAD_ANSWER = (
    "ERR u.acl:3: Syntax error. u.acl:4 should start with user keyword followed by the username. u.acl:5: Error in "
    "applying operation '+nosuch': Unknown command or category name in ACL. u.acl:5: Error in applying operation "
    "'-@foo': Unknown command or category name in ACL. u.acl:5: Adding a pattern after the * pattern (or the 'allkeys' "
    "flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns. "
    "u.acl:5: Error in applying operation '+bad|x': Unknown command or category name in ACL. WARNING: Duplicate user "
    "'a' found on line 6. WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
)


def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "u.acl"
    path.write_text("user a on nopass\n")
    files = started(conf(tmp_path, "aclfile u.acl"))
    before = users(files)
    path.write_text(BAD)
    with pytest.raises(CommandError) as caught:
        files.load()
    assert caught.value.text.decode() == BAD_ANSWER
    path.write_text("user a on (+get\n")
    with pytest.raises(CommandError, match=r"u\.acl:1: Unmatched parenthesis in selector definition\."):
        files.load()
    path.unlink()
    with pytest.raises(CommandError, match=r"Error loading ACLs, opening file 'u\.acl': No such file or directory"):
        files.load()
    assert users(files) == before


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "u.acl"
    path.write_text(DEFAULT + "\n")
    files = started(conf(tmp_path, "aclfile u.acl"))
    (tmp_path / "temp-u.acl").mkdir()
    with pytest.raises(CommandError, match="There was an error trying to save the ACLs"):
        files.save()
    assert path.read_text() == DEFAULT + "\n"


def test_no_file(tmp_path: Path) -> None:
    files = started(conf(tmp_path))
    for action in (files.load, files.save):
        with pytest.raises(CommandError, match="This Redis instance is not configured to use an ACL file"):
            action()
