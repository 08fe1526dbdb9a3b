"""The settings of one server: reads, CONFIG GET, CONFIG SET and the way to CONFIG REWRITE."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

from durastore.config import rewriting
from durastore.config.grammar import glob_match, is_glob
from durastore.config.kinds import ConfigError, Directive, Line
from durastore.config.table import BY_NAME, DIR, DIRECTIVES, ENABLE_PROTECTED_CONFIGS

T = TypeVar("T")

_LOADING: Final = "LOADING Redis is loading the dataset in memory"


class Stated(NamedTuple):
    """The words of a line behind its name, and where it stands, for those who tell what is wrong with it."""

    words: list[bytes]
    source: str
    line: int
    text: str


class Config:
    """The values of all directives; ``config[PORT]`` is typed by the directive.

    An object, not a module: several servers can live in one process. ``file`` is the absolute path of the conf file
    that the server was started with, or ``None``.
    """

    def __init__(self) -> None:
        self.file: str | None = None
        # Lines that are no directives: users with their rules, and commands with their other names.
        self.users: list[Stated] = []
        self.renames: list[Stated] = []
        self._values: dict[str, Any] = {directive.name: directive.initial() for directive in DIRECTIVES}
        self._listeners: dict[str, list[Callable[[Any], None]]] = {}

    def __getitem__(self, directive: Directive[T]) -> T:
        return cast(T, self._values[directive.name])

    def resolve(self, path: str) -> str:
        """``path`` as an absolute one: a relative path starts at the ``dir`` of now, for nothing ever calls chdir."""
        return os.path.join(self[DIR], path)

    def on_change(self, directive: Directive[T], apply: Callable[[T], None]) -> None:
        """Have ``apply(value)`` called when CONFIG SET changes ``directive``, before the reply.

        ``apply`` may refuse by raising :class:`ConfigError` with the reason, leaving things as they were; the whole
        CONFIG SET is then rolled back, and functions that had taken their new value are called with the old one.
        """
        self._listeners.setdefault(directive.name, []).append(apply)

    def load(self, name: bytes, words: Sequence[bytes], appending: bool) -> None:
        """Take one line of the start-up configuration; nobody is told. Raises :class:`ConfigError` with the reason."""
        directive = BY_NAME[name]
        self._values[directive.name] = directive.parse(words, self[directive], appending)

    def get(self, patterns: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """The (name, value) pairs of CONFIG GET, aliases included, each name once.

        A plain name is answered under the spelling that was asked for. https://redis.io/commands/config-get/
        """
        found: dict[bytes, tuple[bytes, Directive[Any]]] = {}
        for pattern in patterns:
            if is_glob(pattern):
                for name, directive in BY_NAME.items():
                    if name not in found and glob_match(pattern, name, ignore_case=True):
                        found[name] = (name, directive)
            else:
                plain = BY_NAME.get(pattern.lower())
                if plain is not None:
                    found.setdefault(pattern.lower(), (pattern, plain))
        return [(name, directive.show(self[directive])) for name, directive in found.values()]

    def is_sensitive(self, name: bytes) -> bool:
        """Whether the directive of this name must not show in logs."""
        directive = BY_NAME.get(name.lower())
        return directive is not None and directive.sensitive

    def set(self, pairs: Sequence[tuple[bytes, bytes]], *, local: bool = False, loading: bool = False) -> None:
        """Change directives all together or not at all: CONFIG SET. https://redis.io/commands/config-set/

        ``local`` says that the client came over loopback or a Unix socket, ``loading`` that the data is still being
        read. Raises :class:`ConfigError` with the whole error reply.
        """
        chosen = self._choose(pairs, local, loading)
        old = dict(self._values)
        for name, directive, value in chosen:
            # A value is one argument here, so words are what single spaces separate, without quotes.
            words = ([] if value == b"" else value.split(b" ")) if directive.several else [value]
            try:
                self._values[directive.name] = directive.parse(words, self[directive], appending=False)
            except ConfigError as error:
                self._values = old
                raise _refused(name, str(error)) from error
        self._apply(old, chosen)

    def _choose(
        self, pairs: Sequence[tuple[bytes, bytes]], local: bool, loading: bool
    ) -> list[tuple[bytes, Directive[Any], bytes]]:
        """The directives that ``pairs`` name, once it is sure that all of them may be set."""
        allowed = self[ENABLE_PROTECTED_CONFIGS]
        unprotected = allowed == "yes" or (allowed == "local" and local)
        chosen: dict[bytes, tuple[bytes, Directive[Any], bytes]] = {}
        for spelling, value in pairs:
            name = spelling.lower()
            directive = BY_NAME.get(name)
            if directive is None:
                raise ConfigError(
                    f"ERR Unknown option or number of arguments for CONFIG SET - '{_printable(spelling)}'"
                )
            if directive.immutable:
                raise _refused(spelling, "can't set immutable config")
            if directive.protected and not unprotected:
                raise _refused(spelling, "can't set protected config")
            if directive.denied_while_loading and loading:
                raise ConfigError(_LOADING)
            if name in chosen:
                raise _refused(spelling, "duplicate parameter")
            chosen[name] = (name, directive, value)
        return list(chosen.values())

    def _apply(self, old: dict[str, Any], chosen: Sequence[tuple[bytes, Directive[Any], bytes]]) -> None:
        """Tell the listeners of what differs from ``old``; when one refuses, go back to ``old`` and tell the others."""
        applied: list[tuple[Callable[[Any], None], Any]] = []
        for name, directive in self._changed(old, chosen):
            for listener in self._listeners.get(directive.name, ()):
                try:
                    listener(self._values[directive.name])
                except Exception as error:
                    self._values = old
                    for earlier, value in reversed(applied):
                        earlier(value)
                    if isinstance(error, ConfigError):
                        raise _refused(name, str(error)) from error
                    raise
                applied.append((listener, old[directive.name]))

    def _changed(
        self, old: dict[str, Any], chosen: Sequence[tuple[bytes, Directive[Any], bytes]]
    ) -> list[tuple[bytes, Directive[Any]]]:
        """The chosen directives whose value differs from ``old``, or may mean something else by now.

        One chosen by its name and its alias is there once.
        """
        changed = {
            directive.name: (name, directive)
            for name, directive, _ in chosen
            if directive.volatile or self._values[directive.name] != old[directive.name]
        }
        return list(changed.values())

    def rewrite(self, users: Sequence[bytes] = ()) -> None:
        """Bring the conf file up to date: CONFIG REWRITE. https://redis.io/commands/config-rewrite/

        ``users`` are the users that it is to have, each as the words behind ``user``.

        Blocks until the new file is on disk. Raises :class:`ConfigError` with the whole error reply.
        """
        if self.file is None:
            raise ConfigError("ERR The server is running without a config file")
        lines = {directive.name: directive.lines(self[directive]) for directive in DIRECTIVES}
        lines["user"] = [Line(words, True) for words in users]
        try:
            rewriting.rewrite_file(self.file, lines)
        except OSError as error:
            raise ConfigError(f"ERR Rewriting config file: {error.strerror or error}") from error


def _printable(word: bytes) -> str:
    """``word`` as it may stand in an error reply, which is one line."""
    return word.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


def _refused(name: bytes, reason: str) -> ConfigError:
    return ConfigError(f"ERR CONFIG SET failed (possibly related to argument '{_printable(name)}') - {reason}")
