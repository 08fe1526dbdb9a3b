"""The kinds of directives: how a value of each is read, shown by CONFIG GET and written back by CONFIG REWRITE.

A directive is a declaration and holds no value: values live in a :class:`~durastore.config.config.Config`. The error
texts are those of redis-server 7.2, as clients see them in the reply to CONFIG SET.
"""

# Overriding methods have their description in Directive and Integer.

from __future__ import annotations

import math
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, NoReturn, TypeVar

from durastore.config.grammar import (
    INT64_MAX,
    UINT64_MAX,
    format_memory,
    parse_c_integer,
    parse_integer,
    parse_memory,
    parse_octal,
    quote,
)

T = TypeVar("T")

INT_MAX: Final = (1 << 31) - 1
INT_MIN: Final = -(1 << 31)
UINT_MAX: Final = (1 << 32) - 1
MOST_ADDRESSES: Final = 16


class ConfigError(Exception):
    """A value or a change that cannot be taken; the text says why.

    :meth:`Config.set <durastore.config.config.Config.set>` and ``rewrite`` raise it with the whole error reply, code
    included, without the leading ``-``. Parsers and the functions registered with ``on_change`` raise it with the
    reason alone.
    """


class Line(NamedTuple):
    """One line that CONFIG REWRITE writes for a directive: the words after its name, already quoted where needed."""

    words: bytes
    forced: bool
    """Written even when the file has no line of this directive yet."""


class Directive(ABC, Generic[T]):
    """One setting: its name, default, rules and documentation.

    ``unit`` and ``doc`` are for people and end up in the annotated conf file. ``effect`` is false for a directive that
    is accepted, kept and shown so that files and clients made for Redis work, but changes nothing in this server.
    ``immutable`` ones are set at start only; ``protected`` ones need ``enable-protected-configs``; ``sensitive`` ones
    must not show in logs; ``denied_while_loading`` ones cannot be set before the data is loaded. ``shipped`` is the
    value in the annotated conf file where it is not the default.
    """

    several: bool = False
    """Whether one line takes more than one word."""
    volatile: bool = False
    """Whether CONFIG SET tells of it even where the value stays."""

    __slots__ = (
        "alias", "default", "denied_while_loading", "doc", "effect", "immutable", "name", "protected", "sensitive",
        "shipped", "unit",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        default: T,
        doc: str,
        *,
        alias: str = "",
        unit: str = "",
        effect: bool = True,
        immutable: bool = False,
        protected: bool = False,
        sensitive: bool = False,
        denied_while_loading: bool = False,
        shipped: T | None = None,
    ) -> None:
        self.name = name
        self.default = default
        self.doc = doc
        self.alias = alias
        self.unit = unit
        self.effect = effect
        self.immutable = immutable
        self.protected = protected
        self.sensitive = sensitive
        self.denied_while_loading = denied_while_loading
        self.shipped = shipped

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def initial(self) -> T:
        """The value a new ``Config`` starts with."""
        return self.default

    @abstractmethod
    def parse(self, words: Sequence[bytes], current: T, appending: bool) -> T:
        """The value that ``words`` stand for.

        ``current`` is the value that is replaced; ``appending`` is true for a line that is not the first of this
        directive while the start-up configuration is read. Raises :class:`ConfigError` with the reason.
        """

    @abstractmethod
    def show(self, value: T) -> bytes:
        """The value as CONFIG GET replies it; :meth:`parse` reads it back."""

    def lines(self, value: T) -> list[Line]:
        """The lines that CONFIG REWRITE writes for ``value``; none takes the directive out of the file."""
        return [Line(self.show(value), value != self.default)]


class YesNo(Directive[bool]):
    """``yes`` or ``no``."""

    def parse(self, words: Sequence[bytes], current: bool, appending: bool) -> bool:
        word = words[0].lower()
        if word not in (b"yes", b"no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word == b"yes"

    def show(self, value: bool) -> bytes:
        return b"yes" if value else b"no"


class Choice(Directive[str]):
    """One word of a fixed list."""

    __slots__ = ("choices",)

    def __init__(
        self,
        name: str,
        default: str,
        doc: str,
        choices: tuple[str, ...],
        *,
        immutable: bool = False,
        effect: bool = True,
        shipped: str | None = None,
    ) -> None:
        super().__init__(name, default, doc, immutable=immutable, effect=effect, shipped=shipped)
        self.choices = choices

    def parse(self, words: Sequence[bytes], current: str, appending: bool) -> str:
        word = os.fsdecode(words[0]).lower()
        if word not in self.choices:
            raise ConfigError("argument(s) must be one of the following: " + ", ".join(self.choices))
        return word

    def show(self, value: str) -> bytes:
        return value.encode()


class Choices(Directive[tuple[str, ...]]):
    """Words of a fixed list, kept in its order; the first of the list stands for none of the others."""

    several = True

    __slots__ = ("check", "choices")

    def __init__(
        self, name: str, doc: str, choices: tuple[str, ...], check: Callable[[tuple[str, ...]], str | None]
    ) -> None:
        super().__init__(name, (), doc)
        self.choices = choices
        self.check = check

    def parse(self, words: Sequence[bytes], current: tuple[str, ...], appending: bool) -> tuple[str, ...]:
        chosen = {os.fsdecode(word).lower() for word in words}
        if not chosen or not chosen <= set(self.choices):
            raise ConfigError("argument(s) must be one of the following: " + ", ".join(self.choices))
        value = tuple(word for word in self.choices[1:] if word in chosen)
        reason = self.check(value)
        if reason is not None:
            raise ConfigError(reason)
        return value

    def show(self, value: tuple[str, ...]) -> bytes:
        return " ".join(value or self.choices[:1]).encode()


class Integer(Directive[int]):
    """A whole number between ``low`` and ``high``; outside ``clamp``, but within these, it is pulled to its border."""

    __slots__ = ("clamp", "high", "low")

    def __init__(
        self,
        name: str,
        default: int,
        doc: str,
        *,
        low: int = 0,
        high: int = INT_MAX,
        clamp: tuple[int, int] | None = None,
        alias: str = "",
        unit: str = "",
        effect: bool = True,
        immutable: bool = False,
    ) -> None:
        super().__init__(name, default, doc, alias=alias, unit=unit, effect=effect, immutable=immutable)
        self.low = low
        self.high = high
        self.clamp = clamp if clamp is not None else (low, high)

    def read(self, word: bytes) -> int:
        """The number that ``word`` spells. Raises :class:`ConfigError`."""
        number = parse_integer(word)
        if number is None:
            raise ConfigError("argument couldn't be parsed into an integer")
        return number

    def parse(self, words: Sequence[bytes], current: int, appending: bool) -> int:
        number = self.read(words[0])
        if not self.low <= number <= self.high:
            raise ConfigError(f"argument must be between {self.spell(self.low)} and {self.spell(self.high)} inclusive")
        return max(self.clamp[0], min(self.clamp[1], number))

    def spell(self, number: int) -> str:
        """``number`` in the base that this directive is written in."""
        return str(number)

    def show(self, value: int) -> bytes:
        return self.spell(value).encode()


class Octal(Integer):
    """A file mode, written in octal."""

    def read(self, word: bytes) -> int:
        number = parse_octal(word)
        if number is None:
            raise ConfigError("argument couldn't be parsed as an octal number")
        return number

    def spell(self, number: int) -> str:
        return f"{number:o}"


class Memory(Integer):
    """A number of bytes, which may be written with a unit (1k is 1000, 1kb is 1024, and so on)."""

    def read(self, word: bytes) -> int:
        number = parse_memory(word)
        if number is None:
            raise ConfigError("argument must be a memory value")
        return number

    def lines(self, value: int) -> list[Line]:
        return [Line(format_memory(value), value != self.default)]


class MemoryOrPercent(Memory):
    """A number of bytes, or a share in percent, which is kept as a negative number."""

    def read(self, word: bytes) -> int:
        number = parse_integer(word[:-1]) if word.endswith(b"%") else parse_memory(word)
        if number is None or number < 0:
            raise ConfigError("argument must be a memory or percent value")
        return -number if word.endswith(b"%") else number

    def parse(self, words: Sequence[bytes], current: int, appending: bool) -> int:
        number = self.read(words[0])
        if number >= 0:
            return super().parse(words, current, appending)
        if number < -100:
            raise ConfigError("percentage argument must be less or equal to 100")
        return number

    def show(self, value: int) -> bytes:
        return b"%d%%" % -value if value < 0 else super().show(value)

    def lines(self, value: int) -> list[Line]:
        return [Line(self.show(value), True)] if value < 0 else super().lines(value)


class Text(Directive[str]):
    """A string; bytes that are not UTF-8 survive as :func:`os.fsdecode` keeps them.

    ``check`` returns what is wrong with a value, or nothing.
    """

    __slots__ = ("check",)

    def __init__(
        self,
        name: str,
        default: str,
        doc: str,
        *,
        check: Callable[[str], str | None] | None = None,
        immutable: bool = False,
        protected: bool = False,
        effect: bool = True,
    ) -> None:
        super().__init__(name, default, doc, immutable=immutable, protected=protected, effect=effect)
        self.check = check

    def parse(self, words: Sequence[bytes], current: str, appending: bool) -> str:
        value = os.fsdecode(words[0])
        reason = self.check(value) if self.check is not None else None
        if reason is not None:
            raise ConfigError(reason)
        return value

    def show(self, value: str) -> bytes:
        return os.fsencode(value)

    def lines(self, value: str) -> list[Line]:
        if not value and not self.default:
            return []
        return [Line(quote(self.show(value)), value != self.default)]


class Secret(Directive[bytes]):
    """A string of any bytes that must not show in logs."""

    def __init__(self, name: str, doc: str, *, effect: bool = True) -> None:
        super().__init__(name, b"", doc, sensitive=True, effect=effect)

    def parse(self, words: Sequence[bytes], current: bytes, appending: bool) -> bytes:
        return words[0]

    def show(self, value: bytes) -> bytes:
        return value

    def lines(self, value: bytes) -> list[Line]:
        return [Line(quote(value), True)] if value else []


class Directory(Directive[str]):
    """An existing folder, kept as an absolute path; a relative one starts at the current value, as after a chdir."""

    def initial(self) -> str:
        return os.getcwd()

    def parse(self, words: Sequence[bytes], current: str, appending: bool) -> str:
        path = os.path.realpath(os.path.join(current, os.fsdecode(words[0]))) if words[0] else ""
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as error:
            raise ConfigError((isinstance(error, OSError) and error.strerror) or str(error)) from error
        if not stat.S_ISDIR(mode):
            raise ConfigError("Not a directory")
        if not os.access(path, os.X_OK):
            raise ConfigError("Permission denied")
        return path

    def show(self, value: str) -> bytes:
        return os.fsencode(value)

    def lines(self, value: str) -> list[Line]:
        return [Line(quote(self.show(value)), True)]


class Bind(Directive[tuple[str, ...]]):
    """Addresses to listen on; ``-`` before one makes it optional; none at all turns TCP off."""

    several = True

    def parse(self, words: Sequence[bytes], current: tuple[str, ...], appending: bool) -> tuple[str, ...]:
        if len(words) > MOST_ADDRESSES:
            raise ConfigError("Too many bind addresses specified.")
        if list(words) == [b""]:
            return ()
        return tuple(os.fsdecode(word) for word in words)

    def show(self, value: tuple[str, ...]) -> bytes:
        return os.fsencode(" ".join(value))

    def lines(self, value: tuple[str, ...]) -> list[Line]:
        if value == self.default:
            return []
        return [Line(self.show(value) or b'""', True)]


class SavePoint(NamedTuple):
    """Save when at least ``changes`` writes came in and the last snapshot is ``seconds`` old."""

    seconds: int
    changes: int


class Save(Directive[tuple[SavePoint, ...]]):
    """Pairs of seconds and changes; further lines of a file add to those of the first, an empty one clears them."""

    several = True

    def parse(self, words: Sequence[bytes], current: tuple[SavePoint, ...], appending: bool) -> tuple[SavePoint, ...]:
        if not words or list(words) == [b""]:
            return ()
        if len(words) % 2:
            self._refuse()
        points: list[SavePoint] = []
        for seconds_word, changes_word in zip(words[::2], words[1::2], strict=True):
            seconds, changes = parse_c_integer(seconds_word), parse_c_integer(changes_word)
            if seconds is None or changes is None or seconds < 1 or changes < 0:
                self._refuse()
            points.append(SavePoint(seconds, changes))
        return (*(current if appending else ()), *points)

    @staticmethod
    def _refuse() -> NoReturn:
        raise ConfigError("Invalid save parameters")

    def show(self, value: tuple[SavePoint, ...]) -> bytes:
        return b" ".join(b"%d %d" % point for point in value)

    def lines(self, value: tuple[SavePoint, ...]) -> list[Line]:
        return [Line(b"%d %d" % point, True) for point in value] or [Line(b'""', True)]


class OutputLimit(NamedTuple):
    """When a client that does not read its replies is cut off: at ``hard`` bytes, or over ``soft`` for ``seconds``.

    0 is no limit.
    """

    hard: int
    soft: int
    seconds: int


class OutputLimits(NamedTuple):
    """The output buffer limit of each class of clients."""

    normal: OutputLimit
    replica: OutputLimit
    pubsub: OutputLimit


class ClientOutputLimits(Directive[OutputLimits]):
    """``<class> <hard> <soft> <seconds>`` groups; a class that is not mentioned keeps its limit."""

    several = True

    def parse(self, words: Sequence[bytes], current: OutputLimits, appending: bool) -> OutputLimits:
        if len(words) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits = list(current)
        for at in range(0, len(words), 4):
            kind, *numbers = words[at : at + 4]
            name = kind.lower()
            if name not in (b"normal", b"slave", b"replica", b"pubsub"):
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            hard, soft, seconds = parse_memory(numbers[0]), parse_memory(numbers[1]), parse_c_integer(numbers[2])
            if hard is None or soft is None or seconds is None or not 0 <= seconds <= INT_MAX:
                raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            field = "replica" if name == b"slave" else name.decode()
            limits[OutputLimits._fields.index(field)] = OutputLimit(hard, soft, seconds)
        return OutputLimits(*limits)

    def show(self, value: OutputLimits) -> bytes:
        names = (b"normal", b"slave", b"pubsub")
        return b" ".join(b"%s %d %d %d" % (name, *limit) for name, limit in zip(names, value, strict=True))

    def lines(self, value: OutputLimits) -> list[Line]:
        return [
            Line(
                b"%s %s %s %d" % (name.encode(), format_memory(limit.hard), format_memory(limit.soft), limit.seconds),
                limit != usual,
            )
            for name, limit, usual in zip(OutputLimits._fields, value, self.default, strict=True)
        ]


class EventClasses(Directive[str]):
    """Classes of keyspace events, one letter each; the value has each letter once and ``A`` spelled out."""

    all_types: Final = "g$lshzxetd"
    order: Final = all_types + "KEmn"

    def parse(self, words: Sequence[bytes], current: str, appending: bool) -> str:
        letters = set(words[0].decode("latin-1"))
        if "A" in letters:
            letters = (letters - {"A"}) | set(self.all_types)
        if not letters <= set(self.order):
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return "".join(letter for letter in self.order if letter in letters)

    def show(self, value: str) -> bytes:
        return self._spell(value, keep_new=False)

    def _spell(self, value: str, keep_new: bool) -> bytes:
        """Redis's spelling, which has no ``n`` beside ``A``; a file must keep it, so there it can be asked for."""
        every_type = set(self.all_types) <= set(value)
        types = "A" if every_type else "".join(letter for letter in self.all_types if letter in value)
        new = "n" if "n" in value and (keep_new or not every_type) else ""
        # Redis writes n with the types, before K, E and m.
        return (types + new + "".join(letter for letter in "KEm" if letter in value)).encode()

    def lines(self, value: str) -> list[Line]:
        return [Line(quote(self._spell(value, keep_new=True)), bool(value))]


class Integers(Directive[tuple[int, ...]]):
    """As many whole numbers as the default has, each between ``low`` and ``high``."""

    several = True

    __slots__ = ("high", "low")

    def __init__(
        self, name: str, default: tuple[int, ...], doc: str, *, low: int, high: int, effect: bool = True
    ) -> None:
        super().__init__(name, default, doc, effect=effect)
        self.low = low
        self.high = high

    def parse(self, words: Sequence[bytes], current: tuple[int, ...], appending: bool) -> tuple[int, ...]:
        if len(words) != len(self.default):
            raise ConfigError("wrong number of arguments")
        numbers = [parse_c_integer(word) for word in words]
        if any(number is None or not self.low <= number <= self.high for number in numbers):
            raise ConfigError(f"Invalid {self.name}, elements must be between {self.low} and {self.high}.")
        return tuple(number for number in numbers if number is not None)

    def show(self, value: tuple[int, ...]) -> bytes:
        return b" ".join(b"%d" % number for number in value)


class Percentiles(Directive[tuple[float, ...]]):
    """Numbers from 0 to 100, as many as one likes."""

    several = True

    __slots__ = ()

    def parse(self, words: Sequence[bytes], current: tuple[float, ...], appending: bool) -> tuple[float, ...]:
        if list(words) == [b""]:
            return ()
        try:
            numbers = tuple(float(word) for word in words)
        except ValueError:
            numbers = (math.nan,)
        if any(math.isnan(number) for number in numbers):
            raise ConfigError(f"Invalid {self.name} parameters")
        if any(not 0 <= number <= 100 for number in numbers):
            raise ConfigError(f"{self.name} parameters should sit between [0.0,100.0]")
        return numbers

    def show(self, value: tuple[float, ...]) -> bytes:
        return " ".join(f"{number:.10g}" for number in value).encode()


def no_path(name: str, empty_allowed: bool, what: str) -> Callable[[str], str | None]:
    """A check that a value is a bare name, with ``what`` it names ("filename"), for the directive ``name``."""

    def check(value: str) -> str | None:
        if not value and not empty_allowed:
            return f"{name} can't be empty"
        if "/" in value or "\\" in value:
            return f"{name} can't be a path, just a {what}"
        return None

    return check


__all__ = [
    "INT64_MAX", "INT_MAX", "INT_MIN", "UINT64_MAX", "UINT_MAX", "Bind", "Choice", "Choices", "ClientOutputLimits",
    "ConfigError", "Directive", "Directory", "EventClasses", "Integer", "Integers", "Line", "Memory", "Octal",
    "OutputLimit", "OutputLimits", "Percentiles", "Save", "SavePoint", "Secret", "Text", "YesNo", "no_path",
]  # fmt: skip
