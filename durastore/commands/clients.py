"""CLIENT: what a connection knows of itself and of the others (https://redis.io/commands/client/)."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.client_line import describe
from durastore.commands.connection import integer_or, valid_name
from durastore.commands.errors import SYNTAX, CommandError, unknown_subcommand_or_arity
from durastore.commands.spec import ADMIN, LOADING, NOSCRIPT, STALE, UNPAUSED, command
from durastore.commands.users import User
from durastore.protocol.numbers import INT64_MAX

_COMMON: Final = NOSCRIPT | LOADING | STALE
_BAD_NAME: Final = b"ERR Client names cannot contain spaces, newlines or special characters."
_NO_SUCH: Final = b"ERR No such client"


@command(
    "client",
    "",
    0,
    summary="A container for client connection commands.",
    since="2.4.0",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def client_(client: Client, argv: list[bytes]) -> None:
    """CLIENT, whose subcommands do the work."""


@command("client|id", "", _COMMON, summary="Returns the unique client ID of the connection.", since="5.0.0")
def client_id(client: Client, argv: list[bytes]) -> None:
    """CLIENT ID."""
    client.reply.integer(client.id)


@command("client|getname", "", _COMMON, summary="Returns the name of the connection.", since="2.6.9")
def client_getname(client: Client, argv: list[bytes]) -> None:
    """CLIENT GETNAME."""
    client.reply.bulk_or_null(client.name or None)


@command(
    "client|setname",
    "connection-name",
    _COMMON,
    summary="Sets the connection name.",
    since="2.6.9",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def client_setname(client: Client, argv: list[bytes]) -> None:
    """CLIENT SETNAME."""
    if not valid_name(argv[2]):
        raise CommandError(_BAD_NAME)
    client.name = argv[2]
    client.reply.ok()


@command(
    "client|setinfo",
    "<attr: LIB-NAME libname | LIB-VER libver>",
    _COMMON,
    summary="Sets information specific to the client or connection.",
    since="7.2.0",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def client_setinfo(client: Client, argv: list[bytes]) -> None:
    """CLIENT SETINFO."""
    option = argv[2].lower()
    if option not in (b"lib-name", b"lib-ver"):
        raise CommandError(b"ERR Unrecognized option '" + argv[2] + b"'")
    if not valid_name(argv[3]):
        raise CommandError(b"ERR " + option + b" cannot contain spaces, newlines or special characters.")
    if option == b"lib-name":
        client.lib_name = argv[3]
    else:
        client.lib_version = argv[3]
    client.reply.ok()


@command(
    "client|info",
    "",
    _COMMON,
    summary="Returns information about the connection.",
    since="6.2.0",
    tips="nondeterministic_output",
)
def client_info(client: Client, argv: list[bytes]) -> None:
    """CLIENT INFO."""
    client.reply.verbatim(describe(client, int(client.instance.now), argv) + b"\n")


_TYPES: Final = (b"normal", b"master", b"replica", b"slave", b"pubsub")


def _type_argument(word: bytes) -> bytes:
    kind = word.lower()
    if kind not in _TYPES:
        raise CommandError(b"ERR Unknown client type '" + word + b"'")
    return b"replica" if kind == b"slave" else kind


def _type_of(client: Client) -> bytes:
    return b"normal" if client.subscriptions is None else b"pubsub"


@command(
    "client|list",
    "[TYPE <client-type@5.0.0: NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id@6.2.0 [client-id ...]]",
    ADMIN | NOSCRIPT | LOADING | STALE,
    summary="Lists open connections.",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    tips="nondeterministic_output",
    history=(
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
    ),
)
def client_list(client: Client, argv: list[bytes]) -> None:
    """CLIENT LIST."""
    listed = client.instance.host.clients()
    if len(argv) == 4 and argv[2].upper() == b"TYPE":
        wanted_type = _type_argument(argv[3])
        listed = [each for each in listed if _type_of(each) == wanted_type]
    elif len(argv) > 3 and argv[2].upper() == b"ID":
        wanted = [integer_or(word, b"ERR Invalid client ID") for word in argv[3:]]
        by_id = {each.id: each for each in listed}
        listed = [by_id[number] for number in wanted if number in by_id]
    elif len(argv) > 2:
        raise CommandError(SYNTAX)
    now = int(client.instance.now)
    client.reply.verbatim(b"".join(describe(each, now, argv if each is client else None) + b"\n" for each in listed))


class _Filter:
    """What CLIENT KILL is to match."""

    def __init__(self) -> None:
        self.client_id = 0
        self.kind: bytes | None = None
        self.address: str | None = None
        self.local_address: str | None = None
        self.user: User | None = None
        self.skip_me = True
        self.max_age = 0

    def matches(self, client: Client, now: int) -> bool:
        """Whether a connection is meant."""
        return (
            (not self.client_id or client.id == self.client_id)
            and (self.kind is None or self.kind == _type_of(client))
            and (self.address is None or client.address == self.address)
            and (self.local_address is None or client.local_address == self.local_address)
            and (self.user is None or client.user is self.user)
            and (not self.max_age or (now - client.created) // 1000 >= self.max_age)
        )


def _kill_filter(argv: list[bytes], users: dict[bytes, User]) -> _Filter:
    found = _Filter()
    if len(argv) % 2:
        raise CommandError(SYNTAX)
    for i in range(2, len(argv), 2):
        word, value = argv[i].upper(), argv[i + 1]
        if word == b"ID":
            found.client_id = integer_or(value, b"ERR client-id should be greater than 0")
            if found.client_id < 1:
                raise CommandError(b"ERR client-id should be greater than 0")
        elif word == b"TYPE":
            found.kind = _type_argument(value)
        elif word == b"ADDR":
            found.address = value.decode("latin-1")
        elif word == b"LADDR":
            found.local_address = value.decode("latin-1")
        elif word == b"USER":
            found.user = users.get(value)
            if found.user is None:
                raise CommandError(b"ERR No such user '" + value + b"'")
        elif word == b"MAXAGE":
            found.max_age = integer_or(value, b"ERR maxage is not an integer or out of range")
            if found.max_age < 1:
                raise CommandError(b"ERR maxage should be greater than 0")
        elif word == b"SKIPME" and value.lower() in (b"yes", b"no"):
            found.skip_me = value.lower() == b"yes"
        else:
            raise CommandError(SYNTAX)
    return found


@command(
    "client|kill",
    "<filter: old-format=ip:port!2.8.12 | <new-format: [ID client-id@2.8.12] | [TYPE "
    "<client-type@2.8.12: NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>] | [USER username] | "
    "[ADDR addr=ip:port] | [LADDR laddr=ip:port@6.2.0] | [SKIPME <skipme: YES | NO>]> ...>",
    ADMIN | NOSCRIPT | LOADING | STALE,
    summary="Terminates open connections.",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    history=(
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
        ("6.2.0", "`LADDR` option."),
    ),
    arity=-3,
)
def client_kill(client: Client, argv: list[bytes]) -> None:
    """CLIENT KILL, by address (old form) or by filters."""
    host = client.instance.host
    if len(argv) == 3:
        for each in host.clients():
            if each.address == argv[2].decode("latin-1"):
                host.close(each)
                client.reply.ok()
                return
        raise CommandError(_NO_SUCH)
    wanted = _kill_filter(argv, client.instance.access.users)
    killed = 0
    now = int(client.instance.now)
    for each in host.clients():
        if wanted.matches(each, now) and not (wanted.skip_me and each is client):
            killed += 1
            host.close(each)
    client.reply.integer(killed)


def _on_off(word: bytes) -> bool:
    choice = word.lower()
    if choice not in (b"on", b"off"):
        raise CommandError(SYNTAX)
    return choice == b"on"


@command(
    "client|no-evict",
    "<enabled: ON | OFF>",
    ADMIN | NOSCRIPT | LOADING | STALE,
    summary="Sets the client eviction mode of the connection.",
    since="7.0.0",
)
def client_no_evict(client: Client, argv: list[bytes]) -> None:
    """CLIENT NO-EVICT."""
    client.no_evict = _on_off(argv[2])
    client.reply.ok()


@command(
    "client|no-touch",
    "<enabled: ON | OFF>",
    _COMMON,
    summary="Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
    since="7.2.0",
)
def client_no_touch(client: Client, argv: list[bytes]) -> None:
    """CLIENT NO-TOUCH."""
    client.no_touch = _on_off(argv[2])
    client.reply.ok()


@command(
    "client|reply",
    "<action: ON | OFF | SKIP>",
    _COMMON,
    summary="Instructs the server whether to reply to commands.",
    since="3.2.0",
)
def client_reply(client: Client, argv: list[bytes]) -> None:
    """CLIENT REPLY."""
    mode = argv[2].lower()
    if mode == b"on":
        client.reply_off = False
        client.reply_skip = 0
        client.reply.ok()
    elif mode == b"off":
        client.reply_off = True
    elif mode == b"skip":
        if not client.reply_off:
            client.reply_skip = 1
    else:
        raise CommandError(SYNTAX)


@command(
    "client|pause",
    "timeout [mode@6.2.0: WRITE | ALL]",
    ADMIN | NOSCRIPT | LOADING | STALE | UNPAUSED,
    summary="Suspends commands processing.",
    since="3.0.0",
    history=(("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option."),),
)
def client_pause(client: Client, argv: list[bytes]) -> None:
    """CLIENT PAUSE."""
    if len(argv) > 4:
        raise CommandError(unknown_subcommand_or_arity(b"client", argv[1]))
    writes_only = False
    if len(argv) == 4:
        mode = argv[3].lower()
        if mode not in (b"write", b"all"):
            raise CommandError(b"ERR CLIENT PAUSE mode must be WRITE or ALL")
        writes_only = mode == b"write"
    milliseconds = integer_or(argv[2], b"ERR timeout is not an integer or out of range")
    if milliseconds < 0:
        raise CommandError(b"ERR timeout is negative")
    if milliseconds > INT64_MAX - client.instance.now:
        raise CommandError(b"ERR timeout is out of range")
    client.instance.host.pause(int(client.instance.now) + milliseconds, writes_only)
    client.reply.ok()


@command(
    "client|unblock",
    "client-id [unblock-type: TIMEOUT | ERROR]",
    ADMIN | _COMMON,
    summary="Unblocks a client blocked by a blocking command from a different connection.",
    since="5.0.0",
    complexity="O(log N) where N is the number of client connections",
)
def client_unblock(client: Client, argv: list[bytes]) -> None:
    """CLIENT UNBLOCK.  A client that CLIENT PAUSE holds back is not one that waits."""
    error = False
    if len(argv) > 4:
        raise CommandError(unknown_subcommand_or_arity(b"client", argv[1]))
    if len(argv) == 4:
        reason = argv[3].lower()
        if reason not in (b"timeout", b"error"):
            raise CommandError(b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
        error = reason == b"error"
    number = integer_or(argv[2])
    client.reply.integer(1 if client.instance.dispatcher.unblock(number, error) else 0)


@command(
    "client|unpause",
    "",
    ADMIN | NOSCRIPT | LOADING | STALE | UNPAUSED,
    summary="Resumes processing commands from paused clients.",
    since="6.2.0",
    complexity="O(N) Where N is the number of paused clients",
)
def client_unpause(client: Client, argv: list[bytes]) -> None:
    """CLIENT UNPAUSE."""
    client.instance.host.pause(0, False)
    client.reply.ok()


@command(
    "client|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)
def client_help(client: Client, argv: list[bytes]) -> None:
    """CLIENT HELP."""
    client.reply.help(
        b"CLIENT",
        [
            b"CACHING (YES|NO)",
            b"    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
            b"GETREDIR",
            b"    Return the client ID we are redirecting to when tracking is enabled.",
            b"GETNAME",
            b"    Return the name of the current connection.",
            b"ID",
            b"    Return the ID of the current connection.",
            b"INFO",
            b"    Return information about the current client connection.",
            b"KILL <ip:port>",
            b"    Kill connection made from <ip:port>.",
            b"KILL <option> <value> [<option> <value> [...]]",
            b"    Kill connections. Options are:",
            b"    * ADDR (<ip:port>|<unixsocket>:0)",
            b"      Kill connections made from the specified address",
            b"    * LADDR (<ip:port>|<unixsocket>:0)",
            b"      Kill connections made to specified local address",
            b"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            b"      Kill connections by type.",
            b"    * USER <username>",
            b"      Kill connections authenticated by <username>.",
            b"    * SKIPME (YES|NO)",
            b"      Skip killing current connection (default: yes).",
            b"LIST [options ...]",
            b"    Return information about client connections. Options:",
            b"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            b"      Return clients of specified type.",
            b"UNPAUSE",
            b"    Stop the current client pause, resuming traffic.",
            b"PAUSE <timeout> [WRITE|ALL]",
            b"    Suspend all, or just write, clients for <timeout> milliseconds.",
            b"REPLY (ON|OFF|SKIP)",
            b"    Control the replies sent to the current connection.",
            b"SETNAME <name>",
            b"    Assign the name <name> to the current connection.",
            b"SETINFO <option> <value>",
            b"    Set client meta attr. Options are:",
            b"    * LIB-NAME: the client lib name.",
            b"    * LIB-VER: the client lib version.",
            b"UNBLOCK <clientid> [TIMEOUT|ERROR]",
            b"    Unblock the specified blocked client.",
            b"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
            b"         [OPTIN] [OPTOUT] [NOLOOP]",
            b"    Control server assisted client side caching.",
            b"TRACKINGINFO",
            b"    Report tracking status for the current connection.",
            b"NO-EVICT (ON|OFF)",
            b"    Protect current client connection from eviction.",
            b"NO-TOUCH (ON|OFF)",
            b"    Will not touch LRU/LFU stats when this mode is on.",
        ],
    )
