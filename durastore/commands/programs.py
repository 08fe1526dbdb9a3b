"""What the commands of scripts and functions ask of the engine; ``durastore.engine.scripting`` implements it.

A script's flags are those of its first line (``#!lua flags=...``) or of ``redis.register_function``.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.commands.channels import Subscriber
from durastore.commands.errors import CommandError

NO_WRITES: Final = 1 << 0
ALLOW_OOM: Final = 1 << 1
ALLOW_STALE: Final = 1 << 2
NO_CLUSTER: Final = 1 << 3
CROSS_SLOT_KEYS: Final = 1 << 4
# A script of EVAL without a first line that tells flags: it may do all, and is judged command by command.
UNDECLARED: Final = 1 << 5

# The names of the flags, in the order in which FUNCTION LIST tells them.
FLAG_NAMES: Final = (
    (b"no-writes", NO_WRITES),
    (b"allow-oom", ALLOW_OOM),
    (b"allow-stale", ALLOW_STALE),
    (b"no-cluster", NO_CLUSTER),
    (b"allow-cross-slot-keys", CROSS_SLOT_KEYS),
)

BUSY_SCRIPT: Final = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION: Final = b"BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
UNAVAILABLE: Final = b"ERR Lua scripts are not available: the Python package lupa is not installed"


@final
class Function:
    """A registered function; ``call`` is the Lua function."""

    def __init__(self, name: bytes, description: bytes | None, flags: i64, call: object) -> None:
        self.name = name
        self.description = description
        self.flags: i64 = flags
        self.call = call


@final
class Library:
    """A library of functions, with its whole code."""

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        self.functions: dict[bytes, Function] = {}


@final
class Running:
    """The script or function that runs: its name, the request that called it, and for how many milliseconds by now."""

    def __init__(self, name: bytes, argv: list[bytes], milliseconds: int) -> None:
        self.name = name
        self.argv = argv
        self.milliseconds = milliseconds


@mypyc_attr(allow_interpreted_subclasses=False)
class Programs:
    """Scripts and functions of an engine; what is wrong is raised as CommandError.

    Clients are given as Subscribers, as this module must not know more of them.
    """

    def run_script(self, client: Subscriber, body: bytes, argv: list[bytes], keys: i64, read_only: bool) -> None:
        """EVAL: ``argv`` is the request, with its first so many words from the third on being keys."""
        raise CommandError(UNAVAILABLE)

    def run_digest(self, client: Subscriber, digest: bytes, argv: list[bytes], keys: i64, read_only: bool) -> None:
        """EVALSHA."""
        raise CommandError(UNAVAILABLE)

    def load_script(self, body: bytes) -> bytes:
        """Compiles and keeps a script; returns its SHA1."""
        raise CommandError(UNAVAILABLE)

    def has_script(self, digest: bytes) -> bool:
        """Whether the script is kept."""
        return False

    def forget_scripts(self) -> None:
        """SCRIPT FLUSH."""

    def kill(self, function: bool) -> None:
        """SCRIPT KILL and FUNCTION KILL."""
        raise CommandError(b"NOTBUSY No scripts in execution right now.")

    def busy(self) -> bytes | None:
        """The error for what has to wait until a slow script has ended."""
        return None

    def running(self, functions_only: bool) -> Running | None:
        """What runs; raises where that is a script and only functions are asked for."""
        return None

    def call_function(self, client: Subscriber, name: bytes, argv: list[bytes], read_only: bool) -> None:
        """FCALL."""
        raise CommandError(b"ERR Function not found")

    def libraries(self) -> list[Library]:
        """All libraries."""
        return []

    def load_library(self, code: bytes, replace: bool, unhurried: bool) -> bytes:
        """FUNCTION LOAD; returns the library's name.  What is ``unhurried`` may take any time."""
        raise CommandError(UNAVAILABLE)

    def delete_library(self, name: bytes) -> None:
        """FUNCTION DELETE."""
        raise CommandError(b"ERR Library not found")

    def forget_libraries(self) -> None:
        """FUNCTION FLUSH."""

    def restore_libraries(self, codes: list[bytes], flush: bool, replace: bool) -> None:
        """FUNCTION RESTORE: adds libraries, all or none."""
        raise CommandError(UNAVAILABLE)
