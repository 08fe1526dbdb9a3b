"""The configuration a server starts with: conf file, standard input and command line, in this order."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import Final, Protocol

from durastore.config.config import Config, Stated
from durastore.config.grammar import is_glob, quote, split_words
from durastore.config.kinds import ConfigError
from durastore.config.table import BY_NAME, DIR

STDIN: Final = "standard input"
COMMAND_LINE: Final = "the command line"
DEEPEST_INCLUDE: Final = 16

_BLANK: Final = b" \t\r\n"
# Once directives of Redis; it still takes them, with one word after the name, and does nothing.
_RETIRED: Final = frozenset((b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"))


class Readable(Protocol):
    """What :func:`load_arguments` needs of a standard input."""

    def read(self) -> str:
        """All of the text that is left."""


class ConfigFileError(Exception):
    """A start-up configuration that cannot be used.

    ``source`` names the file (or says that it was standard input or the command line), ``line`` counts from 1 and is
    0 when the source as a whole is at fault, ``text`` is the line and ``reason`` what is wrong with it.
    """

    def __init__(self, source: str, line: int, text: str, reason: str) -> None:
        super().__init__(reason)
        self.source = source
        self.line = line
        self.text = text
        self.reason = reason

    def __str__(self) -> str:
        if not self.line:
            return f"Reading the configuration from {self.source}\n{self.reason}"
        return f"Reading the configuration file, at line {self.line} of {self.source}\n>>> '{self.text}'\n{self.reason}"


def load_arguments(argv: Sequence[str], stdin: Readable) -> Config:
    """The configuration that a command line (without the program's name) asks for.

    ``[conf-file] [-] [--directive word ...]...``: the file comes first, ``-`` reads more from ``stdin`` and may stand
    first or last, and directives on the command line come after both, whatever the order. ``--port 6380`` may also
    be one argument. Raises :class:`ConfigFileError`.
    """
    config = Config()
    loader = _Loader(config)
    arguments = list(argv)
    if arguments and not arguments[0].startswith("-"):
        config.file = os.path.abspath(arguments.pop(0))
        loader.load_file(config.file)
    reads_stdin = False
    for place in (0, -1):
        if arguments and arguments[place] == "-":
            reads_stdin = True
            arguments.pop(place)
    if reads_stdin:
        loader.load_text(STDIN, os.fsencode(stdin.read()))
    loader.load_text(COMMAND_LINE, b"\n".join(command_line_to_conf(arguments)))
    return config


def command_line_to_conf(arguments: Sequence[str]) -> list[bytes]:
    """The conf lines that ``--directive word ...`` arguments stand for.

    The words of a directive run to the next ``--name``, but the first may itself begin with ``--``. ``--save`` with no
    word stands for ``save ""``, as scripts write it for an empty list.
    """
    lines: list[bytes] = []
    needs_word = False
    for place, argument in enumerate(arguments):
        word = os.fsencode(argument)
        if needs_word or not word.startswith(b"--"):
            lines[-1:] = [(lines[-1] + b" " if lines else b"") + quote(word)]
            needs_word = False
            continue
        line = word[2:]
        needs_word = len(split_words(line) or ()) == 1
        following = arguments[place + 1 : place + 2]
        if needs_word and line.lower() == b"save" and (not following or following[0].startswith("--")):
            line += b' ""'
            needs_word = False
        lines.append(line)
    return lines


class _Loader:
    """Reads sources into one ``Config``; knows which directives were already met, as ``save`` lines add up."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._met: set[bytes] = set()

    def load_file(self, path: str, depth: int = 0) -> None:
        try:
            with open(path, "rb") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise ConfigFileError(path, 0, "", f"can't open config file '{path}': {reason}") from error
        self.load_text(path, text, depth)

    def load_text(self, source: str, text: bytes, depth: int = 0) -> None:
        """Take every line of ``text``; ``depth`` counts the includes that led here."""
        for number, line in enumerate(text.split(b"\n"), start=1):
            line = line.strip(_BLANK)
            if not line or line.startswith(b"#"):
                continue
            try:
                self._load_line(line, depth, source, number)
            except ConfigError as error:
                raise ConfigFileError(source, number, line.decode("utf-8", "replace"), str(error)) from error

    def _load_line(self, line: bytes, depth: int, source: str, number: int) -> None:
        words = split_words(line)
        if words is None:
            raise ConfigError("Unbalanced quotes in configuration line")
        if not words:
            return
        name = words.pop(0).lower()
        directive = BY_NAME.get(name)
        if directive is not None:
            if not directive.several and len(words) != 1:
                raise ConfigError("wrong number of arguments")
            if directive.several and len(words) == 1 and words[0]:
                # All the words may come as one, as in --save "3600 1 300 100".
                unpacked = split_words(words[0])
                if unpacked is None:
                    raise ConfigError("Unbalanced quotes in configuration line")
                words = unpacked
            self._config.load(name, words, appending=name in self._met)
            self._met.add(name)
        elif name in (b"user", b"rename-command"):
            if (name == b"user" and not words) or (name != b"user" and len(words) != 2):
                raise ConfigError("Bad directive or wrong number of arguments")
            stated = Stated(words, source, number, line.decode("utf-8", "replace"))
            (self._config.users if name == b"user" else self._config.renames).append(stated)
        elif name == b"include" and len(words) == 1:
            self._include(os.fsdecode(words[0]), depth + 1)
        elif name not in _RETIRED or len(words) != 1:
            raise ConfigError("Bad directive or wrong number of arguments")

    def _include(self, pattern: str, depth: int) -> None:
        """Load the file that an include line names, or all that its glob matches, which may be none."""
        if depth > DEEPEST_INCLUDE:
            raise ConfigError(f"include files nested more than {DEEPEST_INCLUDE} deep")
        folder = self._config[DIR]
        names = sorted(glob.glob(pattern, root_dir=folder)) if is_glob(os.fsencode(pattern)) else [pattern]
        for path in (os.path.join(folder, name) for name in names):
            if not os.path.exists(path):
                raise ConfigError(f"can't open config file '{path}': No such file or directory")
            self.load_file(path, depth)
