"""Connection commands (https://redis.io/commands/?group=connection); CLIENT is in ``clients.py``."""

from __future__ import annotations

from typing import Final

from durastore.commands.access import AUTH, DEFAULT
from durastore.commands.arguments import database_argument
from durastore.commands.client import Client
from durastore.commands.client_line import describe
from durastore.commands.errors import NOT_AN_INTEGER, CommandError, wrong_arity
from durastore.commands.monitor import stop_monitoring
from durastore.commands.spec import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, NOT_QUEUED, STALE, SUBSCRIBED, command
from durastore.commands.transactions import leave_transaction
from durastore.protocol.identity import REDIS_VERSION
from durastore.protocol.numbers import NotANumber, parse_int

_WRONG_PASSWORD: Final = b"WRONGPASS invalid username-password pair or user is disabled."


@command(
    "ping",
    "[message]",
    FAST | SUBSCRIBED,
    summary="Returns the server's liveliness response.",
    since="1.0.0",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def ping(client: Client, argv: list[bytes]) -> None:
    """PING."""
    if len(argv) > 2:
        raise CommandError(wrong_arity(b"ping"))
    if client.subscriptions is not None and client.reply.resp == 2:
        client.reply.bulks([b"pong", argv[1] if len(argv) == 2 else b""])
        return
    if len(argv) == 2:
        client.reply.bulk(argv[1])
    else:
        client.reply.raw(b"+PONG\r\n")


@command("echo", "message", FAST | LOADING | STALE, summary="Returns the given string.", since="1.0.0")
def echo(client: Client, argv: list[bytes]) -> None:
    """ECHO."""
    client.reply.bulk(argv[1])


@command("select", "index", LOADING | STALE | FAST, summary="Changes the selected database.", since="1.0.0")
def select(client: Client, argv: list[bytes]) -> None:
    """SELECT."""
    client.db = database_argument(client, argv[1])
    client.reply.ok()


def _authenticate(client: Client, argv: list[bytes], name: bytes, password: bytes) -> None:
    instance = client.instance
    user = instance.access.users.get(name)
    if user is None or not user.accepts(password):
        context = b"multi" if client.in_multi else b"toplevel"
        line = describe(client, int(instance.now))
        instance.access.note(AUTH, context, argv[0], name, line, instance.now)
        raise CommandError(_WRONG_PASSWORD)
    client.become(user)


@command(
    "auth",
    "[username@6.0.0] password",
    NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    summary="Authenticates the connection.",
    since="1.0.0",
    complexity="O(N) where N is the number of passwords defined for the user",
    history=(("6.0.0", "Added ACL style (username and password)."),),
)
def auth(client: Client, argv: list[bytes]) -> None:
    """AUTH."""
    if len(argv) > 3:
        raise CommandError(b"ERR syntax error")
    if len(argv) == 2:
        if client.instance.access.default.needs_no_password:
            raise CommandError(
                b"ERR AUTH <password> called without any password configured for the default user. Are you sure your "
                b"configuration is correct?"
            )
        _authenticate(client, argv, DEFAULT, argv[1])
    else:
        _authenticate(client, argv, argv[1], argv[2])
    client.reply.ok()


def valid_name(name: bytes) -> bool:
    """Whether a connection may have this name: printable ASCII without spaces."""
    return all(33 <= c <= 126 for c in name)


@command(
    "hello",
    "[arguments: protover [AUTH username password] [SETNAME clientname]]",
    NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    summary="Handshakes with the Redis server.",
    since="6.0.0",
    history=(
        (
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current "
            "connection's context.",
        ),
    ),
)
def hello(client: Client, argv: list[bytes]) -> None:
    """HELLO."""
    version = 0
    if len(argv) > 1:
        try:
            version = parse_int(argv[1])
        except NotANumber:
            raise CommandError(b"ERR Protocol version is not an integer or out of range") from None
        if version not in (2, 3):
            raise CommandError(b"NOPROTO unsupported protocol version")
    name: bytes | None = None
    credentials: tuple[bytes, bytes] | None = None
    i = 2
    while i < len(argv):
        word = argv[i].upper()
        if word == b"AUTH" and i + 2 < len(argv):
            credentials = (argv[i + 1], argv[i + 2])
            i += 3
        elif word == b"SETNAME" and i + 1 < len(argv):
            name = argv[i + 1]
            if not valid_name(name):
                raise CommandError(b"ERR Client names cannot contain spaces, newlines or special characters.")
            i += 2
        else:
            raise CommandError(b"ERR Syntax error in HELLO option '" + argv[i] + b"'")
    if credentials is not None:
        _authenticate(client, argv, credentials[0], credentials[1])
    if not client.authenticated:
        raise CommandError(
            b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
            b"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the "
            b"same time"
        )
    if name is not None:
        client.name = name
    if version:
        client.reply.resp = version
    reply = client.reply
    reply.map(7)
    reply.bulk(b"server")
    reply.bulk(b"redis")
    reply.bulk(b"version")
    reply.bulk(REDIS_VERSION.encode())
    reply.bulk(b"proto")
    reply.integer(reply.resp)
    reply.bulk(b"id")
    reply.integer(client.id)
    reply.bulk(b"mode")
    reply.bulk(b"standalone")
    reply.bulk(b"role")
    reply.bulk(b"master")
    reply.bulk(b"modules")
    reply.array(0)


@command(
    "quit",
    "",
    ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | NOT_QUEUED | SUBSCRIBED,
    summary="Closes the connection.",
    since="1.0.0",
    arity=-1,
    deprecated=("7.2.0", "just closing the connection"),
)
def quit_(client: Client, argv: list[bytes]) -> None:
    """QUIT."""
    client.closing = True
    client.reply.ok()


@command(
    "reset",
    "",
    NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | NOT_QUEUED | SUBSCRIBED,
    summary="Resets the connection.",
    since="6.2.0",
)
def reset(client: Client, argv: list[bytes]) -> None:
    """RESET: the connection is as it was when it was new."""
    leave_transaction(client)
    client.instance.channels.leave(client)
    client.instance.tracking.disable(client.id)
    stop_monitoring(client)
    client.db = client.instance.keyspace.databases[0]
    client.reply.resp = 2
    client.name = b""
    client.reply_off = False
    client.reply_skip = 0
    client.no_evict = False
    client.no_touch = False
    client.become_stranger()
    client.reply.raw(b"+RESET\r\n")


def integer_or(text: bytes, complaint: bytes = NOT_AN_INTEGER) -> int:
    """An integer argument with a complaint of its own."""
    try:
        return parse_int(text)
    except NotANumber:
        raise CommandError(complaint) from None
