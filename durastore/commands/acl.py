"""ACL: users and their rights (https://redis.io/commands/acl/)."""

from __future__ import annotations

import secrets
from typing import Final

from durastore.commands.access import AUTH, CHANNEL, COMMAND, DEFAULT, KEY, Refusal, lost_channels
from durastore.commands.arguments import integer_argument
from durastore.commands.channels import CHANNEL as BY_NAME
from durastore.commands.channels import PATTERN, SHARD
from durastore.commands.client import Client
from durastore.commands.errors import CommandError, unknown_subcommand_or_arity, wrong_arity
from durastore.commands.permissions import denial, explain_to_admin
from durastore.commands.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from durastore.commands.tablerow import Command, category_names
from durastore.commands.users import RuleError, Selector, User, channel_allowed, has_spaces

_COMMON: Final = NOSCRIPT | LOADING | STALE
_ADMIN: Final = ADMIN | NOSCRIPT | LOADING | STALE
_ALL_NODES: Final = "request_policy:all_nodes response_policy:all_succeeded"
_OF_USERS: Final = "O(N). Where N is the number of configured users."
# Of GENPASS.
_DEFAULT_BITS: Final = 256
_MOST_BITS: Final = 4096
# How many entries ACL LOG shows unless told.
_SHOWN: Final = 10
_REASONS: Final = {COMMAND: b"command", KEY: b"key", CHANNEL: b"channel", AUTH: b"auth"}


@command(
    "acl",
    "",
    0,
    summary="A container for Access List Control commands.",
    since="6.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def acl(client: Client, argv: list[bytes]) -> None:
    """ACL, whose subcommands do the work."""


def _at_most(argv: list[bytes], words: int) -> None:
    """For optional arguments: Redis takes one too many for an unknown form of the command."""
    if len(argv) > words:
        raise CommandError(unknown_subcommand_or_arity(b"acl", argv[1]))


# Users


def update_rights(client: Client) -> None:
    """To be called when users have changed: whatever their connections have cached is brought up to date."""
    for each in client.instance.host.clients():
        each.update_rights()


def _disconnect(client: Client) -> None:
    """Cuts off who lost the right to be here: it is nobody from now on."""
    client.user = client.instance.access.default
    client.authenticated = False
    client.instance.host.close(client)


def _listens_to_more(client: Client, kept: dict[bytes, None]) -> bool:
    """Whether a connection has subscribed to what these patterns do not allow."""
    own = client.subscriptions
    if own is None:
        return False
    return any(
        not channel_allowed(kept, name, kind == PATTERN) for kind in (PATTERN, BY_NAME, SHARD) for name in own[kind]
    )


@command(
    "acl|setuser",
    "username [rule [rule ...]]",
    _ADMIN,
    summary="Creates and modifies an ACL user and its rules.",
    since="6.0.0",
    complexity="O(N). Where N is the number of rules provided.",
    tips=_ALL_NODES,
    history=(
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
    ),
)
def acl_setuser(client: Client, argv: list[bytes]) -> None:
    """ACL SETUSER: all rules are taken, or none."""
    name = argv[2]
    if has_spaces(name):
        raise CommandError(b"ERR Usernames can't contain spaces or null characters")
    access = client.instance.access
    try:
        new = access.changed(name, argv[3:])
    except RuleError as error:
        raise CommandError(b"ERR " + error.text) from None
    old = access.users.get(name)
    if old is not None:
        kept = lost_channels(old, new)
        if kept is not None:
            for each in client.instance.host.clients():
                if each.user is old and _listens_to_more(each, kept):
                    _disconnect(each)
    access.put(new)
    update_rights(client)
    client.reply.ok()


@command(
    "acl|deluser",
    "username [username ...]",
    _ADMIN,
    summary="Deletes ACL users, and terminates their connections.",
    since="6.0.0",
    complexity="O(1) amortized time considering the typical user.",
    tips=_ALL_NODES,
)
def acl_deluser(client: Client, argv: list[bytes]) -> None:
    """ACL DELUSER."""
    if DEFAULT in argv[2:]:
        raise CommandError(b"ERR The 'default' user cannot be removed")
    users = client.instance.access.users
    gone = [user for user in [users.pop(name, None) for name in argv[2:]] if user is not None]
    disconnect_users(client, gone)
    client.reply.integer(len(gone))


def disconnect_users(client: Client, gone: list[User]) -> None:
    """Cuts off all connections of users that are no more."""
    for each in client.instance.host.clients():
        if each.user in gone:
            _disconnect(each)
    update_rights(client)


@command(
    "acl|getuser",
    "username",
    _ADMIN,
    summary="Lists the ACL rules of a user.",
    since="6.0.0",
    complexity="O(N). Where N is the number of password, command and pattern rules that the user has.",
    history=(
        ("6.2.0", "Added Pub/Sub channel patterns."),
        (
            "7.0.0",
            "Added selectors and changed the format of key and channel patterns from a list to their rule "
            "representation.",
        ),
    ),
)
def acl_getuser(client: Client, argv: list[bytes]) -> None:
    """ACL GETUSER."""
    reply = client.reply
    user = client.instance.access.users.get(argv[2])
    if user is None:
        reply.null()
        return
    reply.map(6)
    reply.bulk(b"flags")
    flags = user.flags()
    reply.set(len(flags))
    for flag in flags:
        reply.bulk(flag)
    reply.bulk(b"passwords")
    reply.bulks(user.passwords)
    _write_selector(client, user.selectors[0])
    reply.bulk(b"selectors")
    reply.array(len(user.selectors) - 1)
    for selector in user.selectors[1:]:
        reply.map(3)
        _write_selector(client, selector)


def _write_selector(client: Client, selector: Selector) -> None:
    for name, rules in (
        (b"commands", selector.describe_commands()),
        (b"keys", selector.describe_keys()),
        (b"channels", selector.describe_channels()),
    ):
        client.reply.bulk(name)
        client.reply.bulk(rules)


@command(
    "acl|list",
    "",
    _ADMIN,
    summary="Dumps the effective rules in ACL file format.",
    since="6.0.0",
    complexity=_OF_USERS,
)
def acl_list(client: Client, argv: list[bytes]) -> None:
    """ACL LIST."""
    client.reply.bulks(client.instance.access.describe())


@command("acl|users", "", _ADMIN, summary="Lists all ACL users.", since="6.0.0", complexity=_OF_USERS)
def acl_users(client: Client, argv: list[bytes]) -> None:
    """ACL USERS."""
    client.reply.bulks(sorted(client.instance.access.users))


@command(
    "acl|whoami",
    "",
    _COMMON,
    summary="Returns the authenticated username of the current connection.",
    since="6.0.0",
)
def acl_whoami(client: Client, argv: list[bytes]) -> None:
    """ACL WHOAMI."""
    client.reply.bulk(client.user.name)


@command(
    "acl|load",
    "",
    _ADMIN,
    summary="Reloads the rules from the configured ACL file.",
    since="6.0.0",
    complexity=_OF_USERS,
)
def acl_load(client: Client, argv: list[bytes]) -> None:
    """ACL LOAD: all of the file is taken, or nothing; connections of users other than the default one are closed."""
    access = client.instance.access
    before = [user for name, user in access.users.items() if name != DEFAULT]
    client.instance.host.load_users()
    disconnect_users(client, before)
    client.reply.ok()


@command(
    "acl|save",
    "",
    _ADMIN,
    summary="Saves the effective ACL rules in the configured ACL file.",
    since="6.0.0",
    complexity=_OF_USERS,
    tips=_ALL_NODES,
)
def acl_save(client: Client, argv: list[bytes]) -> None:
    """ACL SAVE."""
    client.instance.host.save_users()
    client.reply.ok()


# What there is, and what was refused


@command(
    "acl|cat",
    "[category]",
    _COMMON,
    summary="Lists the ACL categories, or the commands inside a category.",
    since="6.0.0",
    complexity="O(1) since the categories and commands are a fixed set.",
)
def acl_cat(client: Client, argv: list[bytes]) -> None:
    """ACL CAT."""
    _at_most(argv, 3)
    if len(argv) == 2:
        client.reply.bulks(category_names())
        return
    members = client.instance.access.catalogue.categories.get(argv[2].lower())
    if members is None:
        raise CommandError(b"ERR Unknown category '" + argv[2][:128] + b"'")
    client.reply.bulks([member.name for member in members])


@command(
    "acl|dryrun",
    "username command [arg [arg ...]]",
    _ADMIN,
    summary="Simulates the execution of a command by a user, without executing the command.",
    since="7.0.0",
    complexity="O(1).",
)
def acl_dryrun(client: Client, argv: list[bytes]) -> None:
    """ACL DRYRUN."""
    user = client.instance.access.users.get(argv[2])
    if user is None:
        raise CommandError(b"ERR User '" + argv[2] + b"' not found")
    request = argv[3:]
    found = client.instance.dispatcher.find_command(request)
    if found is None:
        raise CommandError(b"ERR Command '" + request[0] + b"' not found")
    assert isinstance(found, Command)
    if (found.arity > 0 and len(request) != found.arity) or len(request) < -found.arity:
        raise CommandError(wrong_arity(found.name))
    denied = denial(user, found, request)
    if denied is None:
        client.reply.ok()
    else:
        client.reply.bulk(explain_to_admin(denied, user, found, request))


@command(
    "acl|genpass",
    "[bits:integer]",
    _COMMON,
    summary="Generates a pseudorandom, secure password that can be used to identify ACL users.",
    since="6.0.0",
)
def acl_genpass(client: Client, argv: list[bytes]) -> None:
    """ACL GENPASS: as many hexadecimal digits as it takes for the bits."""
    _at_most(argv, 3)
    bits = integer_argument(argv[2]) if len(argv) > 2 else _DEFAULT_BITS
    if not 0 < bits <= _MOST_BITS:
        raise CommandError(
            b"ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to "
            + str(_MOST_BITS).encode()
        )
    client.reply.bulk(secrets.token_hex(_MOST_BITS // 8)[: (int(bits) + 3) // 4].encode())


@command(
    "acl|log",
    "[operation: count | RESET]",
    _ADMIN,
    summary="Lists recent security events generated due to ACL rules.",
    since="6.0.0",
    complexity="O(N) with N being the number of entries shown.",
    history=(("7.2.0", "Added entry ID, timestamp created, and timestamp last updated."),),
)
def acl_log(client: Client, argv: list[bytes]) -> None:
    """ACL LOG: the newest entries first."""
    _at_most(argv, 3)
    access = client.instance.access
    if len(argv) > 2 and argv[2].lower() == b"reset":
        access.log = []
        client.reply.ok()
        return
    count = integer_argument(argv[2]) if len(argv) > 2 else _SHOWN
    shown = access.log[: max(int(count), 0)]
    client.reply.array(len(shown))
    for entry in shown:
        _write_refusal(client, entry)


def _write_refusal(client: Client, entry: Refusal) -> None:
    reply = client.reply
    reply.map(10)
    reply.bulk(b"count")
    reply.integer(entry.count)
    for name, text in (
        (b"reason", _REASONS[entry.reason]),
        (b"context", entry.context),
        (b"object", entry.subject),
        (b"username", entry.user),
    ):
        reply.bulk(name)
        reply.bulk(text)
    reply.bulk(b"age-seconds")
    reply.double(int(client.instance.now - entry.updated) / 1000)
    reply.bulk(b"client-info")
    reply.bulk(entry.client)
    reply.bulk(b"entry-id")
    reply.integer(entry.number)
    reply.bulk(b"timestamp-created")
    reply.integer(entry.created)
    reply.bulk(b"timestamp-last-updated")
    reply.integer(entry.updated)


@command(
    "acl|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="6.0.0"
)
def acl_help(client: Client, argv: list[bytes]) -> None:
    """ACL HELP."""
    client.reply.help(
        b"ACL",
        [
            b"CAT [<category>]",
            b"    List all commands that belong to <category>, or all command categories",
            b"    when no category is specified.",
            b"DELUSER <username> [<username> ...]",
            b"    Delete a list of users.",
            b"DRYRUN <username> <command> [<arg> ...]",
            b"    Returns whether the user can execute the given command without executing the command.",
            b"GETUSER <username>",
            b"    Get the user's details.",
            b"GENPASS [<bits>]",
            b"    Generate a secure 256-bit user password. The optional `bits` argument can",
            b"    be used to specify a different size.",
            b"LIST",
            b"    Show users details in config file format.",
            b"LOAD",
            b"    Reload users from the ACL file.",
            b"LOG [<count> | RESET]",
            b"    Show the ACL log entries.",
            b"SAVE",
            b"    Save the current config to the ACL file.",
            b"SETUSER <username> <attribute> [<attribute> ...]",
            b"    Create or modify a user with the specified attributes.",
            b"USERS",
            b"    List all the registered usernames.",
            b"WHOAMI",
            b"    Return the current connection username.",
        ],
    )
