"""Reads the syntax line of a command's declaration.

The notation is that of the command pages: ``[...]`` optional, ``a | b`` alternatives (in ``<...>`` where one is
required), ``x [x ...]`` repetition, capitals for literal words.  From it come the arity, the key positions (see
``durastore.commands.keyspecs``) and the argument tree of COMMAND DOCS, whose names and types it can tell in full:

- ``name:type`` gives the type that the name does not say, ``name=shown`` what the page shows in the name's place,
  ``name@6.2.0`` since when there is the argument, ``name!6.2.0`` since when it is deprecated; ``name#1`` says that the
  argument belongs to key specification 1; they may follow one another in this order.
- ``CH(change)`` is a literal word and the name of its argument.
- A word before a colon names a group: ``[condition: NX | XX]``, ``[limit@6.2.0: LIMIT offset count]``.
- A literal word belongs to the value or group behind it; in a group of just a literal word and several plain values, to
  the group.  In ``<...>`` a sequence without alternatives is one block.
- ``x ...`` repeats ``x`` with its literal word, as does ``[GET pattern [GET pattern ...]]``.
"""

from __future__ import annotations

from typing import Final, final

_TYPES: Final = {
    "client-id": "integer",
    "cluster-bus-port": "integer",
    "config-epoch": "integer",
    "count": "integer",
    "cursor": "integer",
    "db": "integer",
    "decrement": "integer",
    "destination": "key",
    "destination-db": "integer",
    "destkey": "key",
    "dst": "key",
    "end": "integer",
    "end-slot": "integer",
    "entries-added": "integer",
    "entries-read": "integer",
    "frequency": "integer",
    "get-pattern": "pattern",
    "by-pattern": "pattern",
    "height": "double",
    "increment": "integer",
    "index": "integer",
    "index1": "integer",
    "index2": "integer",
    "key": "key",
    "key1": "key",
    "key2": "key",
    "keys": "key",
    "latitude": "double",
    "limit": "integer",
    "longitude": "double",
    "milliseconds": "integer",
    "min-match-len": "integer",
    "ms": "integer",
    "newkey": "key",
    "num-matches": "integer",
    "numkeys": "integer",
    "numlocal": "integer",
    "numreplicas": "integer",
    "offset": "integer",
    "pattern": "pattern",
    "port": "integer",
    "protover": "integer",
    "radius": "double",
    "rank": "integer",
    "score": "double",
    "seconds": "integer",
    "slot": "integer",
    "source": "key",
    "sourcekey": "key",
    "src": "key",
    "start": "integer",
    "start-slot": "integer",
    "stop": "integer",
    "storedistkey": "key",
    "storekey": "key",
    "timeout": "integer",
    "ttl": "integer",
    "unix-time-milliseconds": "unix-time",
    "unix-time-seconds": "unix-time",
    "version": "integer",
    "weight": "integer",
    "width": "double",
}
_LITERAL: Final = "pure-token"
_SIGNS: Final = ("*", "$", "=", "~", '""')


@final
class Argument:
    """One node of the tree: ``kind`` is a type of COMMAND DOCS (``oneof`` and ``block`` have members)."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.shown = name
        self.token: str | None = None
        self.since = ""
        self.deprecated_since = ""
        self.optional = False
        self.multiple = False
        # The literal word is repeated as well.
        self.multiple_token = False
        self.members: list[Argument] = []
        self.key_spec = -1
        # The specification that the declaration gives it by its number.
        self.spec_mark = -1

    def least(self) -> int:
        """The fewest words that the argument takes."""
        if self.optional:
            return 0
        words = 1 if self.token is not None and self.kind != _LITERAL else 0
        if self.kind == "oneof":
            return words + min(member.least() for member in self.members)
        if self.kind == "block":
            return words + sum(member.least() for member in self.members)
        return words + 1

    def fixed(self) -> bool:
        """Whether it always takes the same number of words."""
        if self.optional or self.multiple:
            return False
        if self.kind == "oneof":
            return len({member.least() for member in self.members}) == 1 and all(m.fixed() for m in self.members)
        return all(member.fixed() for member in self.members)


def _tokens(syntax: str) -> list[str]:
    for mark in "[]<>|":
        syntax = syntax.replace(mark, f" {mark} ")
    return syntax.split()


@final
class _Group:
    """What stands between brackets: its label, and its alternatives."""

    def __init__(self) -> None:
        self.label: Argument | None = None
        self.branches: list[list[Argument]] = [[]]

    def argument(self) -> Argument:
        """The group as one argument."""
        if len(self.branches) > 1:
            choice = self.label or Argument("", "oneof")
            choice.kind = "oneof"
            choice.members = [_one(branch) for branch in self.branches]
            choice.name = choice.name or "-".join(member.name for member in choice.members)
            return choice
        return _one(self.branches[0], self.label)


@final
class _Reader:
    def __init__(self, syntax: str) -> None:
        self.tokens = _tokens(syntax)
        self.pos = 0

    def group(self, closing: str) -> _Group:
        """What stands up to the closing mark."""
        found = _Group()
        while True:
            token = self.tokens[self.pos] if self.pos < len(self.tokens) else ""
            self.pos += 1
            if token == closing:
                return found
            if token == "|":
                found.branches.append([])
            elif token.endswith(":") and len(token) > 1:
                found.label = _word(token[:-1])
                found.label.kind = "block"
            else:
                self._add(found.branches[-1], token)

    def _add(self, into: list[Argument], token: str) -> None:
        if token == "[":
            inner = self.group("]")
            if len(inner.branches) == 1 and _repeats(into, inner.branches[0]):
                return
            argument = inner.argument()
            argument.optional = True
            into.append(argument)
        elif token == "<":
            into.append(self.group(">").argument())
        elif token == "...":
            into[-1].multiple = True
            into[-1].multiple_token = into[-1].token is not None
        elif _is_literal(token):
            # A literal word with a name or a date of its own is an argument for itself.
            if "(" not in token and "@" not in token and self._value_follows():
                following = self.tokens[self.pos]
                self.pos += 1
                self._add(into, following)
                into[-1].token = token
            else:
                into.append(_word(token))
        else:
            into.append(_word(token))

    def _value_follows(self) -> bool:
        """Whether the literal word before belongs to a value: a plain one, or a required group."""
        if self.pos >= len(self.tokens):
            return False
        token = self.tokens[self.pos]
        return token == "<" or (token not in ("[", "]", ">", "|", "...") and not _is_literal(token))


def _is_literal(token: str) -> bool:
    text = token.partition("@")[0].partition("(")[0]
    return text.isupper() or text in _SIGNS


def _word(text: str) -> Argument:
    """One word with what is marked on it."""
    text, _, mark = text.partition("#")
    text, _, deprecated = text.partition("!")
    text, _, since = text.partition("@")
    if _is_literal(text):
        token, _, name = text.partition("(")
        argument = Argument(name.removesuffix(")") or token.lower(), _LITERAL)
        argument.token = "" if token == '""' else token
    else:
        text, _, shown = text.partition("=")
        name, _, kind = text.partition(":")
        argument = Argument(name, kind or _TYPES.get(name, "string"))
        argument.shown = shown or name
    argument.since = since
    argument.deprecated_since = deprecated
    if mark:
        argument.spec_mark = int(mark)
    return argument


def _one(arguments: list[Argument], label: Argument | None = None) -> Argument:
    """A sequence as one argument."""
    first = arguments[0]
    if len(arguments) == 1 and label is None:
        return first
    block = label or Argument("", "block")
    block.members = arguments
    plain = not any(each.members or each.optional or each.multiple or each.kind == _LITERAL for each in arguments)
    if first.token is not None and first.kind != _LITERAL and plain and not any(a.token for a in arguments[1:]):
        block.token = first.token
        first.token = None
        block.name = block.name or (block.token or "").lower()
    block.name = block.name or "-".join(argument.name for argument in arguments)
    return block


def _repeats(before: list[Argument], inner: list[Argument]) -> bool:
    """Folds ``x [x ...]`` and ``x y [x y ...]`` into one repeated argument."""
    if not inner or not inner[-1].multiple:
        return False
    size = len(inner)
    if len(before) < size or [a.name for a in before[-size:]] != [a.name for a in inner]:
        return False
    if size == 1:
        before[-1].multiple = True
        before[-1].multiple_token = inner[0].token is not None
        return True
    block = Argument("data", "block")
    block.members = before[-size:]
    block.multiple = True
    del before[-size:]
    before.append(block)
    return True


def parse_syntax(syntax: str) -> list[Argument]:
    """The arguments of a command, in order."""
    return _Reader(syntax).group("").branches[0] if syntax else []


def derive_arity(arguments: list[Argument], words: int) -> int:
    """The arity as COMMAND INFO tells it; ``words`` is how many words the name has."""
    least = words + sum(argument.least() for argument in arguments)
    return least if all(argument.fixed() for argument in arguments) else -least
