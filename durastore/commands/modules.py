"""MODULE (https://redis.io/commands/module-list/): there are no modules, and none can be loaded."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import ADMIN, LOADING, NO_ASYNC_LOADING, NOSCRIPT, PROTECTED, STALE, command

_CHANGES: Final = ADMIN | NOSCRIPT | NO_ASYNC_LOADING | PROTECTED
_NOT_LOADED: Final = b"ERR Error loading the extension. Please check the server logs."


@command(
    "module",
    "",
    0,
    summary="A container for module commands.",
    since="4.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
)
def module(client: Client, argv: list[bytes]) -> None:
    """MODULE, whose subcommands do the work."""


@command(
    "module|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)
def module_help(client: Client, argv: list[bytes]) -> None:
    """MODULE HELP."""
    client.reply.help(
        b"MODULE",
        [
            b"LIST",
            b"    Return a list of loaded modules.",
            b"LOAD <path> [<arg> ...]",
            b"    Load a module library from <path>, passing to it any optional arguments.",
            b"LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
            b"    Load a module library from <path>, while passing it module configurations and optional arguments.",
            b"UNLOAD <name>",
            b"    Unload a module.",
        ],
    )


@command(
    "module|list",
    "",
    ADMIN | NOSCRIPT,
    summary="Returns all loaded modules.",
    since="4.0.0",
    complexity="O(N) where N is the number of loaded modules.",
    tips="nondeterministic_output_order",
)
def module_list(client: Client, argv: list[bytes]) -> None:
    """MODULE LIST."""
    client.reply.array(0)


@command("module|load", "path [arg [arg ...]]", _CHANGES, summary="Loads a module.", since="4.0.0")
def module_load(client: Client, argv: list[bytes]) -> None:
    """MODULE LOAD."""
    raise CommandError(_NOT_LOADED)


@command(
    "module|loadex",
    "path [configs: CONFIG name value] ... [ARGS args [args ...]]",
    _CHANGES,
    summary="Loads a module using extended parameters.",
    since="7.0.0",
)
def module_loadex(client: Client, argv: list[bytes]) -> None:
    """MODULE LOADEX."""
    raise CommandError(_NOT_LOADED)


@command("module|unload", "name", _CHANGES, summary="Unloads a module.", since="4.0.0")
def module_unload(client: Client, argv: list[bytes]) -> None:
    """MODULE UNLOAD."""
    raise CommandError(b"ERR Error unloading module: no such module with that name")
