"""COMMAND: what the server can do, told from the declarations (https://redis.io/commands/command/)."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.keyspecs import Key, KeySpec
from durastore.commands.spec import (
    ADMIN,
    ALLOW_BUSY,
    ASKING,
    BLOCKING,
    DENYOOM,
    FAST,
    LOADING,
    MOVABLE_KEYS,
    NO_ASYNC_LOADING,
    NO_AUTH,
    NO_MANDATORY_KEYS,
    NO_MULTI,
    NOSCRIPT,
    PUBSUB,
    READONLY,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    STALE,
    WRITE,
    command,
)
from durastore.commands.syntax import Argument
from durastore.commands.tablerow import Command
from durastore.keyspace.glob import glob_match
from durastore.protocol.reply import Reply

_FLAG_NAMES: Final = (
    (WRITE, b"write"),
    (READONLY, b"readonly"),
    (DENYOOM, b"denyoom"),
    (ADMIN, b"admin"),
    (PUBSUB, b"pubsub"),
    (NOSCRIPT, b"noscript"),
    (BLOCKING, b"blocking"),
    (LOADING, b"loading"),
    (STALE, b"stale"),
    (SKIP_MONITOR, b"skip_monitor"),
    (SKIP_SLOWLOG, b"skip_slowlog"),
    (ASKING, b"asking"),
    (FAST, b"fast"),
    (NO_AUTH, b"no_auth"),
    (NO_MANDATORY_KEYS, b"no_mandatory_keys"),
    (NO_ASYNC_LOADING, b"no_async_loading"),
    (NO_MULTI, b"no_multi"),
    (MOVABLE_KEYS, b"movablekeys"),
    (ALLOW_BUSY, b"allow_busy"),
)


def _commands(client: Client) -> list[Command]:
    found: list[Command] = []
    for each in client.instance.dispatcher.all_commands():
        assert isinstance(each, Command)
        found.append(each)
    return found


def _find(client: Client, name: bytes) -> Command | None:
    """A command by its name, or a subcommand as ``container|name``."""
    container, _, sub = name.lower().partition(b"|")
    found = client.instance.dispatcher.find_command([container])
    if found is None:
        return None
    assert isinstance(found, Command)
    if not sub:
        return found
    return found.subcommands.get(sub) if found.subcommands is not None else None


def _write_search(reply: Reply, step: bytes, kind: bytes, fields: list[tuple[bytes, int]]) -> None:
    reply.bulk(step)
    reply.map(2)
    reply.bulk(b"type")
    reply.bulk(kind)
    reply.bulk(b"spec")
    reply.map(len(fields))
    for name, value in fields:
        reply.bulk(name)
        reply.integer(value)


def _write_key_spec(reply: Reply, spec: KeySpec) -> None:
    reply.map(4 if spec.note else 3)
    if spec.note:
        _pair(reply, b"notes", spec.note)
    reply.bulk(b"flags")
    reply.simple_set([flag.encode() for flag in spec.flags])
    if spec.unknown:
        _write_search(reply, b"begin_search", b"unknown", [])
        _write_search(reply, b"find_keys", b"unknown", [])
        return
    if spec.keyword:
        reply.bulk(b"begin_search")
        reply.map(2)
        _pair(reply, b"type", "keyword")
        reply.bulk(b"spec")
        reply.map(2)
        _pair(reply, b"keyword", spec.keyword)
        reply.bulk(b"startfrom")
        reply.integer(spec.first)
    else:
        _write_search(reply, b"begin_search", b"index", [(b"index", spec.first)])
    if spec.counted:
        fields = [(b"keynumidx", 0), (b"firstkey", 1), (b"keystep", spec.step)]
        _write_search(reply, b"find_keys", b"keynum", fields)
    else:
        fields = [(b"lastkey", spec.last), (b"keystep", spec.step), (b"limit", spec.limit)]
        _write_search(reply, b"find_keys", b"range", fields)


def _write_info(reply: Reply, found: Command | None) -> None:
    if found is None:
        reply.null()
        return
    reply.array(10)
    reply.bulk(found.name)
    reply.integer(found.arity)
    reply.simple_set([name for flag, name in _FLAG_NAMES if found.flags & flag])
    for position in found.key_range():
        reply.integer(position)
    reply.simple_set([category.encode() for category in found.categories])
    tips = found.spec.tips.split()
    reply.set(len(tips))
    for tip in tips:
        reply.bulk(tip.encode())
    reply.set(len(found.key_specs))
    for spec in found.key_specs:
        _write_key_spec(reply, spec)
    if found.subcommands is None:
        reply.set(0)
        return
    reply.array(len(found.subcommands))
    for sub in found.subcommands.values():
        _write_info(reply, sub)


@command(
    "command",
    "",
    LOADING | STALE,
    summary="Returns detailed information about all commands.",
    since="2.8.13",
    complexity="O(N) where N is the total number of Redis commands",
    arity=-1,
    tips="nondeterministic_output_order",
)
def command_(client: Client, argv: list[bytes]) -> None:
    """COMMAND without a subcommand: all of them."""
    found = _commands(client)
    client.reply.array(len(found))
    for each in found:
        _write_info(client.reply, each)


@command("command|count", "", LOADING | STALE, summary="Returns a count of commands.", since="2.8.13")
def command_count(client: Client, argv: list[bytes]) -> None:
    """COMMAND COUNT."""
    client.reply.integer(len(_commands(client)))


@command(
    "command|info",
    "[command-name [command-name ...]]",
    LOADING | STALE,
    summary="Returns information about one, multiple or all commands.",
    since="2.8.13",
    complexity="O(N) where N is the number of commands to look up",
    tips="nondeterministic_output_order",
    history=(("7.0.0", "Allowed to be called with no argument to get info on all commands."),),
)
def command_info(client: Client, argv: list[bytes]) -> None:
    """COMMAND INFO."""
    found: list[Command | None]
    if len(argv) == 2:
        found = list(_commands(client))
    else:
        found = [_find(client, name) for name in argv[2:]]
    client.reply.array(len(found))
    for each in found:
        _write_info(client.reply, each)


def _pair(reply: Reply, name: bytes, value: str) -> None:
    reply.bulk(name)
    reply.bulk(value.encode())


def _write_arguments(reply: Reply, arguments: list[Argument]) -> None:
    reply.array(len(arguments))
    for argument in arguments:
        flags: list[bytes] = []
        if argument.optional:
            flags.append(b"optional")
        if argument.multiple:
            flags.append(b"multiple")
        if argument.multiple_token:
            flags.append(b"multiple_token")
        simple = argument.kind not in ("oneof", "block")
        fields = 3 + (argument.key_spec >= 0) + (argument.token is not None) + bool(flags)
        reply.map(fields + bool(argument.since) + bool(argument.deprecated_since))
        _pair(reply, b"name", argument.name)
        _pair(reply, b"type", argument.kind)
        if simple:
            _pair(reply, b"display_text", argument.shown)
        if argument.key_spec >= 0:
            reply.bulk(b"key_spec_index")
            reply.integer(argument.key_spec)
        if argument.token is not None:
            _pair(reply, b"token", argument.token)
        if argument.since:
            _pair(reply, b"since", argument.since)
        if argument.deprecated_since:
            _pair(reply, b"deprecated_since", argument.deprecated_since)
        if flags:
            reply.bulk(b"flags")
            reply.simple_set(flags)
        if not simple:
            reply.bulk(b"arguments")
            _write_arguments(reply, argument.members)


def _write_docs(reply: Reply, found: Command) -> None:
    spec = found.spec
    deprecated = spec.deprecated
    doc_flags: list[bytes] = []
    if deprecated:
        doc_flags.append(b"deprecated")
    if spec.internal:
        doc_flags.append(b"syscmd")
    subcommands = list(found.subcommands.values()) if found.subcommands is not None else []
    fields = 3 + bool(spec.complexity) + bool(doc_flags) + (2 if deprecated else 0)
    reply.map(fields + bool(spec.history) + bool(found.arguments) + bool(subcommands))
    _pair(reply, b"summary", spec.summary)
    _pair(reply, b"since", spec.since)
    _pair(reply, b"group", found.group)
    if spec.complexity:
        _pair(reply, b"complexity", spec.complexity)
    if doc_flags:
        reply.bulk(b"doc_flags")
        reply.simple_set(doc_flags)
    if deprecated:
        _pair(reply, b"deprecated_since", deprecated[0])
        _pair(reply, b"replaced_by", deprecated[1])
    if spec.history:
        reply.bulk(b"history")
        reply.set(len(spec.history))
        for version, change in spec.history:
            reply.bulks([version.encode(), change.encode()])
    if found.arguments:
        reply.bulk(b"arguments")
        _write_arguments(reply, found.arguments)
    if subcommands:
        reply.bulk(b"subcommands")
        reply.map(len(subcommands))
        for sub in subcommands:
            reply.bulk(sub.name)
            _write_docs(reply, sub)


@command(
    "command|docs",
    "[command-name [command-name ...]]",
    LOADING | STALE,
    summary="Returns documentary information about one, multiple or all commands.",
    since="7.0.0",
    complexity="O(N) where N is the number of commands to look up",
    tips="nondeterministic_output_order",
)
def command_docs(client: Client, argv: list[bytes]) -> None:
    """COMMAND DOCS."""
    if len(argv) == 2:
        found = _commands(client)
    else:
        found = [each for each in (_find(client, name) for name in argv[2:]) if each is not None]
    client.reply.map(len(found))
    for each in found:
        client.reply.bulk(each.name)
        _write_docs(client.reply, each)


@command(
    "command|list",
    "[FILTERBY <filterby: MODULE module-name | ACLCAT category | PATTERN pattern>]",
    LOADING | STALE,
    summary="Returns a list of command names.",
    since="7.0.0",
    complexity="O(N) where N is the total number of Redis commands",
    tips="nondeterministic_output_order",
)
def command_list(client: Client, argv: list[bytes]) -> None:
    """COMMAND LIST."""
    names: list[bytes] = []
    if len(argv) not in (2, 5) or (len(argv) == 5 and argv[2].upper() != b"FILTERBY"):
        raise CommandError(SYNTAX)
    kind = argv[3].upper() if len(argv) == 5 else b""
    if kind not in (b"", b"MODULE", b"ACLCAT", b"PATTERN"):
        raise CommandError(SYNTAX)
    for each in _commands(client):
        family = [each, *(each.subcommands.values() if each.subcommands is not None else ())]
        for member in family:
            if (
                not kind
                or (kind == b"PATTERN" and glob_match(argv[4].lower(), member.name))
                or (kind == b"ACLCAT" and "@" + argv[4].decode("latin-1").lower() in member.categories)
            ):
                names.append(member.name)
    client.reply.bulks(names)


def _write_keys(client: Client, request: list[bytes], with_flags: bool) -> None:
    found = client.instance.dispatcher.find_command(request)
    if found is None:
        raise CommandError(b"ERR Invalid command specified")
    assert isinstance(found, Command)
    size = len(request)
    if all("not_key" in spec.flags for spec in found.key_specs):
        raise CommandError(b"ERR The command has no key arguments")
    if (found.arity > 0 and size != found.arity) or size < -found.arity:
        raise CommandError(b"ERR Invalid number of arguments specified for command")
    keys: list[Key] | None = found.keys_of(request)
    if not keys:
        if not found.flags & NO_MANDATORY_KEYS:
            raise CommandError(b"ERR Invalid arguments specified for command")
        keys = []
    reply = client.reply
    reply.array(len(keys))
    for position, flags in keys:
        if with_flags:
            reply.array(2)
        reply.bulk(request[position])
        if with_flags:
            reply.simple_set([flag.encode() for flag in flags])


@command(
    "command|getkeys",
    "command [arg [arg ...]]",
    LOADING | STALE,
    summary="Extracts the key names from an arbitrary command.",
    since="2.8.13",
    complexity="O(N) where N is the number of arguments to the command",
)
def command_getkeys(client: Client, argv: list[bytes]) -> None:
    """COMMAND GETKEYS."""
    _write_keys(client, argv[2:], False)


@command(
    "command|getkeysandflags",
    "command [arg [arg ...]]",
    LOADING | STALE,
    summary="Extracts the key names and access flags for an arbitrary command.",
    since="7.0.0",
    complexity="O(N) where N is the number of arguments to the command",
)
def command_getkeysandflags(client: Client, argv: list[bytes]) -> None:
    """COMMAND GETKEYSANDFLAGS."""
    _write_keys(client, argv[2:], True)


@command(
    "command|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)
def command_help(client: Client, argv: list[bytes]) -> None:
    """COMMAND HELP."""
    client.reply.help(
        b"COMMAND",
        [
            b"(no subcommand)",
            b"    Return details about all Redis commands.",
            b"COUNT",
            b"    Return the total number of commands in this Redis server.",
            b"LIST",
            b"    Return a list of all commands in this Redis server.",
            b"INFO [<command-name> ...]",
            b"    Return details about multiple Redis commands.",
            b"    If no command names are given, documentation details for all",
            b"    commands are returned.",
            b"DOCS [<command-name> ...]",
            b"    Return documentation details about multiple Redis commands.",
            b"    If no command names are given, documentation details for all",
            b"    commands are returned.",
            b"GETKEYS <full-command>",
            b"    Return the keys from a full Redis command.",
            b"GETKEYSANDFLAGS <full-command>",
            b"    Return the keys and the access flags from a full Redis command.",
        ],
    )
