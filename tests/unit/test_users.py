"""The rules of users: what they allow, and that a description makes the same user again."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.commands.permissions import denial
from durastore.commands.table import build_table, catalogue_of
from durastore.commands.tablerow import Command
from durastore.commands.users import READ, WRITE, Catalogue, RuleError, User, join_selectors
from support.engines import engine, run, session

TABLE = build_table()
CATALOGUE = catalogue_of(TABLE)
PASSWORD = hashlib.sha256(b"pw").hexdigest()


def user(*rules: str, channels_by_default: bool = False) -> User:
    made = User(b"u", CATALOGUE.size, channels_by_default)
    joined, opened = join_selectors([rule.encode() for rule in rules])
    assert opened is None
    for rule in joined:
        made.apply(rule, CATALOGUE, channels_by_default)
    return made


# Rules, and the description that a redis-server 7.2.4 gives of the user.
DESCRIPTIONS = [
    ("", "off sanitize-payload resetchannels -@all"),
    ("on nopass allkeys allchannels allcommands", "on nopass sanitize-payload ~* &* +@all"),
    ("on >pw nopass >pw", f"on sanitize-payload #{PASSWORD} resetchannels -@all"),
    ("skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"),
    ("+get +GET -get +set", "off sanitize-payload resetchannels -@all -get +set"),
    ("+@all -@dangerous +info", "off sanitize-payload resetchannels +@all -@dangerous +info"),
    ("+config|get +config", "off sanitize-payload resetchannels -@all +config"),
    ("+config -config|set", "off sanitize-payload resetchannels -@all +config -config|set"),
    ("+select|0 +SELECT|1 +Debug|Object", "off sanitize-payload resetchannels -@all +select|0 +select|1 +debug|object"),
    ("+select|0 +select", "off sanitize-payload resetchannels -@all +select"),
    (
        "+@READ +GET +@read -config|get -config +config|set",
        "off sanitize-payload resetchannels -@all +get +@read -config +config|set",
    ),
    ("~a %R~b %W~c %R~a %W~b %RW~d", "off sanitize-payload ~a ~b %W~c ~d resetchannels -@all"),
    ("%R~*", "off sanitize-payload %R~* resetchannels -@all"),
    ("&a &b &a", "off sanitize-payload resetchannels &a &b -@all"),
    ("allkeys resetkeys ~x allchannels resetchannels &y", "off sanitize-payload ~x resetchannels &y -@all"),
    ("(~a +get) (+set &*)", "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (&* -@all +set)"),
    ("(~a +get) clearselectors ()", "off sanitize-payload resetchannels -@all (resetchannels -@all)"),
    ("on >pw ~* &* +@all (~a) reset", "off sanitize-payload resetchannels -@all"),
]


@pytest.mark.parametrize(("rules", "description"), DESCRIPTIONS)
def test_descriptions(rules: str, description: str) -> None:
    assert user(*rules.split()).describe().decode() == description


ERRORS = [
    ("nosuch", "Syntax error"),
    ("%~a", "Syntax error"),
    ("%RR~a", "Syntax error"),
    ("%X~a", "Syntax error"),
    ("~a\tb", "Syntax error"),
    ("&a\0b", "Syntax error"),
    ("+nosuch", "Unknown command or category name in ACL"),
    ("-@nosuch", "Unknown command or category name in ACL"),
    ("-select|0", "Unknown command or category name in ACL"),
    ("+config|nosuch", "Unknown command or category name in ACL"),
    ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
    ("+get|", "Syntax error"),
    ("(on)", "Syntax error"),
    ("(~x +nosuch)", "Unknown command or category name in ACL"),
    ("#abc", "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"),
    (
        "#" + PASSWORD.upper(),
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
    ),
    ("<pw", "The password you are trying to remove from the user does not exist"),
    ("!" + PASSWORD, "The password you are trying to remove from the user does not exist"),
]


@pytest.mark.parametrize(("rule", "text"), ERRORS)
def test_errors(rule: str, text: str) -> None:
    with pytest.raises(RuleError) as caught:
        user(rule)
    assert caught.value.text.decode() == text


def test_patterns_after_all() -> None:
    for first, second in (("~*", "~a"), ("allkeys", "%R~a"), ("&*", "&a")):
        with pytest.raises(RuleError, match="is not valid and does not have any effect"):
            user(first, second)


def test_passwords() -> None:
    made = user("on", ">pw", ">other", "<other")
    assert made.accepts(b"pw")
    assert not made.accepts(b"other")
    assert not user("on").accepts(b"")
    assert user("on", "nopass").accepts(b"whatever")
    assert not user("nopass").accepts(b"whatever")
    assert not user(">pw").accepts(b"pw")


# Rules, request, and what is wrong with it: the word at fault, or "-".
PERMISSIONS = [
    ("+get ~a*", "get abc", "-"),
    ("+get ~a*", "get b", "b"),
    ("+get ~a*", "set a 1", "set"),
    ("+@all %R~a %W~b", "get a", "-"),
    ("+@all %R~a %W~b", "set a 1", "a"),
    ("+@all %R~a %W~b", "set b 1", "-"),
    ("+@all %R~a %W~b", "set b 1 get", "b"),
    ("+@all %R~a %W~b", "copy a b", "-"),
    ("+@all %R~a %W~b", "copy b a", "b"),
    ("+@all %R~a %W~b", "exists b a", "-"),
    ("+@all %R~a %W~b", "zunionstore b 1 a", "-"),
    ("+@all %R~a %W~b", "zunionstore b 2 a b", "b"),
    ("+@all %R~a %W~b", "zunionstore a 1 a", "a"),
    ("+@all %R~a %W~b", "sort a store b", "-"),
    ("+@all %R~a %W~b", "sort a store a", "a"),
    ("+@all ~a", "xread streams a b 0 0", "b"),
    ("+@all ~a", "migrate h 1 '' 0 1 keys a b", "b"),
    ("+@all ~a", "publish x 1", "x"),
    ("+@all &x*", "publish xy 1", "-"),
    ("+@all &x*", "spublish xy 1", "-"),
    ("+@all &x*", "subscribe xy zz", "zz"),
    ("+@all &x*", "psubscribe x*", "-"),
    ("+@all &x*", "psubscribe xy*", "xy*"),
    ("+@all &x*", "unsubscribe zz", "-"),
    ("+config|get", "config get a", "-"),
    ("+config|get", "config set a b", "config|set"),
    ("+select|1", "select 1", "-"),
    ("+select|1", "select 2", "select"),
    ("+debug|Object", "debug object a", "-"),
    ("-@all", "auth x", "-"),
    ("+@read ~a (+@write ~b)", "get a", "-"),
    ("+@read ~a (+@write ~b)", "del b", "-"),
    ("+@read ~a (+@write ~b)", "get b", "b"),
    ("+@read ~a (+@write ~b)", "del a", "a"),
    ("+@read ~a (+@write ~b)", "ping", "ping"),
    ("+mget ~a (+mget ~a ~b)", "mget a b c", "c"),
]


@pytest.mark.parametrize(("rules", "request_", "wrong"), PERMISSIONS)
def test_permissions(rules: str, request_: str, wrong: str) -> None:
    argv = [b"" if word == "''" else word.encode() for word in request_.split()]
    command = TABLE[argv[0]]
    if command.subcommands is not None:
        command = command.subcommands[argv[1]]
    found = denial(user(*rules.split(" (", 1)[0].split(), *_selectors(rules)), command, argv)
    if found is None:
        assert wrong == "-"
    else:
        assert (argv[found.position] if found.position else command.name).decode() == wrong


def _selectors(rules: str) -> list[str]:
    return ["(" + part for part in rules.split(" (")[1:]]


def commands(of: Catalogue) -> list[str]:
    names = [entry.name.decode() for entry in of.commands.values()]
    return names + [sub.name.decode() for entry in of.commands.values() for sub in entry.subcommands.values()]


names = st.sampled_from([*commands(CATALOGUE), *["@" + name.decode() for name in CATALOGUE.categories], "@all"])
patterns = st.text(st.sampled_from("ab*?[]\\"), min_size=1, max_size=5)
selector_rules = st.one_of(
    st.builds("+{}".format, names),
    st.builds("-{}".format, names),
    st.builds("{}~{}".format, st.sampled_from(["", "%R", "%W", "%RW"]), patterns),
    st.builds("&{}".format, patterns),
    st.builds("+{}|{}".format, st.sampled_from(["get", "select", "debug"]), st.sampled_from(["a", "B", "0"])),
    st.sampled_from(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"]),
)
user_rules = st.one_of(
    selector_rules,
    st.sampled_from(
        ["on", "off", "nopass", "resetpass", "sanitize-payload", "skip-sanitize-payload", "clearselectors"]
    ),
    st.builds(">{}".format, st.sampled_from(["x", "y z", ""])),
    st.builds("({})".format, st.lists(selector_rules, max_size=5).map(" ".join)),
)


def rights(command: Command, selector: int, of: User) -> bool:
    return of.selectors[selector].allows_command(command.number, None)


@given(st.lists(user_rules, max_size=12), st.booleans())
def test_a_description_makes_the_same_user(rules: list[str], channels_by_default: bool) -> None:
    made = User(b"u", CATALOGUE.size, channels_by_default)
    for rule in rules:
        try:
            made.apply(rule.encode(), CATALOGUE, channels_by_default)
        except RuleError:
            continue
    described = made.describe()
    words, opened = join_selectors(described.split(b" "))
    assert opened is None
    again = User(b"u", CATALOGUE.size, channels_by_default)
    for word in words:
        again.apply(word, CATALOGUE, channels_by_default)
    assert again.describe() == described
    for old, new in zip(made.selectors, again.selectors, strict=True):
        assert (old.all_channels, old.channels) == (new.all_channels, new.channels)
        assert new.all_keys == old.allows_every_key(READ | WRITE)
        assert new.all_keys or new.patterns == old.patterns
        for entry in CATALOGUE.commands.values():
            for each in (entry, *entry.subcommands.values()):
                assert old.allows_command(each.number, b"a") == new.allows_command(each.number, b"a")


def test_a_category_has_the_commands_that_declare_it() -> None:
    made = user("+@hash")
    for command in TABLE.values():
        assert rights(command, 0, made) == ("@hash" in command.categories), command.name


# What happens to connections


def test_an_ordinary_connection_is_not_looked_at() -> None:
    one = session(engine())
    assert run(one, b"acl setuser default -debug") == b"+OK\r\n"
    assert one.client.restricted
    assert run(one, b"acl setuser default +@all") == b"+OK\r\n"
    assert not one.client.restricted


def test_rights_change_under_an_open_connection() -> None:
    server = engine()
    admin, one = session(server), session(server, 2)
    run(admin, b"acl setuser u on >pw +@all ~*")
    assert run(one, b"auth u pw", b"set a 1") == b"+OK\r\n+OK\r\n"
    run(admin, b"acl setuser u -set")
    assert run(one, b"set a 2", b"get a") == (
        b"-NOPERM User u has no permissions to run the 'set' command\r\n$1\r\n1\r\n"
    )
    run(admin, b"acl deluser u")
    assert one.client.closing
    assert run(one, b"get a") == b""


def test_what_is_refused_changes_nothing_and_is_not_journalled() -> None:
    server = engine()
    one = session(server)
    run(one, b"set a 1", b"acl setuser u on nopass +@all %R~a", b"auth u x")
    server.journal.take()
    assert run(one, b"set a 2", b"multi", b"del a", b"exec", b"get a").endswith(b"$1\r\n1\r\n")
    assert server.journal.take() == b""


def test_a_pipeline_behind_auth_has_its_rights() -> None:
    server = engine()
    one = session(server)
    run(one, b"acl setuser u on nopass -@all +ping")
    assert run(one, b"auth u x", b"ping", b"get a", b"auth default x", b"get a") == (
        b"+OK\r\n+PONG\r\n-NOPERM User u has no permissions to run the 'get' command\r\n+OK\r\n$-1\r\n"
    )


def test_alike_refusals_are_one_entry_of_the_log() -> None:
    server = engine()
    one = session(server)
    access = server.instance.access
    run(one, b"acl setuser u on nopass -@all +ping", b"auth u x")
    for _ in range(3):
        run(one, b"get a")
    run(one, b"get a", b"set a 1")
    assert [(entry.subject, entry.count) for entry in access.log] == [(b"set", 1), (b"get", 4)]
    server.begin_wake(int(server.instance.now) + 60_001)
    run(one, b"get b")
    assert [(entry.subject, entry.count) for entry in access.log] == [(b"get", 1), (b"set", 1), (b"get", 4)]
    assert access.refused == [6, 0, 0, 0]
    access.log_limit = 2
    run(one, b"del a")
    assert [entry.subject for entry in access.log] == [b"del", b"get"]
