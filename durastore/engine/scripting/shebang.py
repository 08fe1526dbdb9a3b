"""The first line of scripts and libraries: ``#!lua flags=no-writes`` and ``#!lua name=library``."""

from __future__ import annotations

from mypy_extensions import i64

from durastore.commands.errors import CommandError
from durastore.commands.programs import FLAG_NAMES, UNDECLARED
from durastore.protocol.parser import split_line


def flag_of(name: bytes) -> i64:
    """The flag of this name, or 0."""
    for known, flag in FLAG_NAMES:
        if known == name:
            return flag
    return 0


def script_flags(body: bytes) -> tuple[i64, bytes]:
    """The flags of a script, and what of it is to be compiled; raises CommandError."""
    if not body.startswith(b"#!"):
        return UNDECLARED, body
    line, newline, rest = body.partition(b"\n")
    if not newline:
        raise CommandError(b"ERR Invalid script shebang")
    parts = split_line(line)
    if not parts:
        raise CommandError(b"ERR Invalid engine in script shebang")
    if parts[0] != b"#!lua":
        raise CommandError(b"ERR Unexpected engine in script shebang: " + parts[0])
    flags: i64 = 0
    for part in parts[1:]:
        if not part.startswith(b"flags="):
            raise CommandError(b"ERR Unknown lua shebang option: " + part)
        names = part[6:]
        for name in names.split(b",") if names else ():
            flag = flag_of(name)
            if not flag:
                raise CommandError(b"ERR Unexpected flag in script shebang: " + name)
            flags |= flag
    return flags, newline + rest


def library_name(code: bytes) -> tuple[bytes, bytes]:
    """The name of a library, and what of its code is to be compiled; raises CommandError."""
    if not code.startswith(b"#!"):
        raise CommandError(b"ERR Missing library metadata")
    line, newline, rest = code.partition(b"\n")
    words = split_line(line) if newline else None
    if not words:
        raise CommandError(b"ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise CommandError(b"ERR Invalid metadata value given: " + word)
        if name is not None:
            raise CommandError(b"ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise CommandError(b"ERR Library name was not given")
    if not valid_name(name):
        raise CommandError(
            b"ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
            b"character long"
        )
    if words[0][2:].lower() != b"lua":
        raise CommandError(b"ERR Engine '" + words[0][2:] + b"' not found")
    return name, newline + rest


def valid_name(name: bytes) -> bool:
    """Whether a library or a function may be called so."""
    return bool(name) and name.replace(b"_", b"a").isalnum()
