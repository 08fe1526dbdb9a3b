"""Reads the syntax line of a command's declaration.

The notation is that of the command pages: ``[...]`` optional, ``a | b`` alternatives (in ``<...>`` where they are
required), ``x [x ...]`` repetition, capitals for literal words.  From it come the arity, the key positions (see
``durastore.commands.keyspecs``) and the argument tree of COMMAND DOCS.  ``name:type`` gives a type that the name does
not say; ``name#1`` says that the argument belongs to key specification 1.
"""

from __future__ import annotations

from typing import Final, final

_TYPES: Final = {
    "key": "key",
    "newkey": "key",
    "source": "key",
    "destination": "key",
    "key1": "key",
    "key2": "key",
    "destkey": "key",
    "sourcekey": "key",
    "storekey": "key",
    "storedistkey": "key",
    "numkeys": "integer",
    "pattern": "pattern",
    "increment": "integer",
    "decrement": "integer",
    "seconds": "integer",
    "milliseconds": "integer",
    "ttl": "integer",
    "cursor": "integer",
    "count": "integer",
    "start": "integer",
    "end": "integer",
    "offset": "integer",
    "index": "integer",
    "db": "integer",
    "destination-db": "integer",
    "index1": "integer",
    "index2": "integer",
    "min-match-len": "integer",
    "frequency": "integer",
    "protover": "integer",
    "timeout": "integer",
    "client-id": "integer",
    "samples": "integer",
    "unix-time-seconds": "unix-time",
    "unix-time-milliseconds": "unix-time",
}


@final
class Argument:
    """One node of the tree: ``kind`` is a type of COMMAND DOCS (``oneof`` and ``block`` have members)."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.token = ""
        self.optional = False
        self.multiple = False
        self.members: list[Argument] = []
        self.key_spec = -1
        # A specification that the declaration gives this argument by its number; for what is a key only in effect.
        self.spec_mark = -1

    def least(self) -> int:
        """The fewest words that the argument takes."""
        if self.optional:
            return 0
        words = 1 if self.token and self.kind != "pure-token" else 0
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
class _Reader:
    def __init__(self, syntax: str) -> None:
        self.tokens = _tokens(syntax)
        self.pos = 0

    def sequence(self, closing: str) -> list[Argument]:
        """Arguments up to the closing mark; alternatives become one ``oneof``."""
        branches: list[list[Argument]] = [[]]
        while True:
            token = self.tokens[self.pos] if self.pos < len(self.tokens) else ""
            self.pos += 1
            if token == closing:
                break
            if token == "|":
                branches.append([])
            else:
                self._add(branches[-1], token)
        if len(branches) == 1:
            return branches[0]
        choice = Argument("", "oneof")
        choice.members = [_one(branch) for branch in branches]
        choice.name = _oneof_name(choice.members)
        return [choice]

    def _add(self, into: list[Argument], token: str) -> None:
        if token == "[":
            inner = self.sequence("]")
            if _repeats(into, inner):
                return
            argument = _one(inner)
            argument.optional = True
            into.append(argument)
        elif token == "<":
            into.append(_one(self.sequence(">")))
        elif token == "...":
            into[-1].multiple = True
        elif token.isupper() or token in ("*", "ID"):
            if self.pos < len(self.tokens) and self._is_value(self.tokens[self.pos]):
                value = _plain(self.tokens[self.pos])
                self.pos += 1
                value.token = token
                into.append(value)
            else:
                literal = Argument(token.lower(), "pure-token")
                literal.token = token
                into.append(literal)
        else:
            into.append(_plain(token))

    @staticmethod
    def _is_value(token: str) -> bool:
        return token not in ("[", "]", "<", ">", "|", "...") and not token.isupper()


def _plain(token: str) -> Argument:
    token, _, mark = token.partition("#")
    name, _, kind = token.partition(":")
    argument = Argument(name, kind or _TYPES.get(name, "string"))
    if mark:
        argument.spec_mark = int(mark)
    return argument


def _one(arguments: list[Argument]) -> Argument:
    """A sequence as one argument."""
    if len(arguments) == 1:
        return arguments[0]
    if len(arguments) == 2 and arguments[0].kind == "pure-token" and arguments[1].kind in ("oneof", "block"):
        arguments[1].token = arguments[0].token
        return arguments[1]
    block = Argument("-".join(argument.name for argument in arguments), "block")
    if arguments and arguments[0].kind == "pure-token":
        block.name = arguments[0].name
    block.members = arguments
    return block


def _oneof_name(members: list[Argument]) -> str:
    names = [member.name for member in members]
    if names == ["nx", "xx"] or names == ["nx", "xx", "gt", "lt"]:
        return "condition"
    if "seconds" in names or "ex" in names:
        return "expiration"
    if names == ["async", "sync"]:
        return "flush-type"
    return "-".join(names)


def _repeats(before: list[Argument], inner: list[Argument]) -> bool:
    """Folds ``x [x ...]`` and ``x y [x y ...]`` into one repeated argument."""
    if not inner or not inner[-1].multiple:
        return False
    size = len(inner)
    if len(before) < size or [a.name for a in before[-size:]] != [a.name for a in inner]:
        return False
    if size == 1:
        before[-1].multiple = True
        return True
    block = Argument("data", "block")
    block.members = before[-size:]
    block.multiple = True
    del before[-size:]
    before.append(block)
    return True


def parse_syntax(syntax: str) -> list[Argument]:
    """The arguments of a command, in order."""
    return _Reader(syntax).sequence("")


def derive_arity(arguments: list[Argument], words: int) -> int:
    """The arity as COMMAND INFO tells it; ``words`` is how many words the name has."""
    least = words + sum(argument.least() for argument in arguments)
    return least if all(argument.fixed() for argument in arguments) else -least
