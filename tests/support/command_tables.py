"""What COMMAND INFO and COMMAND DOCS tell, brought into one flat form per command, so that servers can be compared."""

from __future__ import annotations

from typing import Any

from support.redis72 import REDIS_72
from support.resp import Connection

# Of what came after this version nothing is compared.
LAST = (7, 2, 9)

# Commands of durastore that came after: those on the expiry of hash fields, of which Redis 8 and Valkey 9 tell
# different things, and which complain in different words.
YOUNGER = frozenset(
    (
        "hexpire",
        "hexpireat",
        "hexpiretime",
        "hgetdel",
        "hgetex",
        "hpersist",
        "hpexpire",
        "hpexpireat",
        "hpexpiretime",
        "hpttl",
        "hsetex",
        "httl",
    )
)

Facts = dict[str, Any]


def command_facts(connection: Connection) -> dict[str, Facts]:
    """The facts of all commands and subcommands of a server that is asked in RESP2.

    What was added to a command after Redis 7.2 is left out.
    """
    facts: dict[str, Facts] = {}
    for info in connection.value("COMMAND"):
        _add_info(facts, info)
    docs = connection.value("COMMAND", "DOCS")
    for name, doc in zip(docs[::2], docs[1::2], strict=True):
        _add_docs(facts, name.decode(), doc)
    return facts


def redis72_facts(connection: Connection) -> dict[str, Facts]:
    """The facts of Redis 7.2, from a Valkey and what is known to differ there."""
    facts = command_facts(connection)
    for (name, field), value in REDIS_72.items():
        facts[name][field] = value
    return facts


def _add_info(facts: dict[str, Facts], info: list[Any]) -> None:
    name, arity, flags, first, last, step, categories, tips, specs, subcommands = info
    facts[name.decode()] = {
        "arity": arity,
        "flags": " ".join(flags),
        "range": f"{first} {last} {step}",
        "categories": " ".join(categories),
        "tips": " ".join(tip.decode() for tip in tips),
        "key specs": "; ".join(_spec(_map(spec)) for spec in specs),
    }
    for subcommand in subcommands:
        _add_info(facts, subcommand)


def _map(flat: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _spec(spec: dict[str, Any]) -> str:
    steps = []
    for name in ("begin_search", "find_keys"):
        step = _map(spec[name])
        values = step["spec"]
        steps.append(" ".join(_text(word) for word in [step["type"], *values]))
    note = f" ({_text(spec['notes'])})" if "notes" in spec else ""
    return f"{' '.join(spec['flags'])} | {' | '.join(steps)}{note}"


def _text(word: bytes | int | str) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


def _add_docs(facts: dict[str, Facts], name: str, flat: list[Any]) -> None:
    doc = _map(flat)
    fact = facts[name]
    for field in ("summary", "since", "group", "complexity", "deprecated_since", "replaced_by"):
        fact[field] = _text(doc.get(field, b""))
    fact["doc_flags"] = " ".join(doc.get("doc_flags", []))
    history = [change for change in doc.get("history", []) if not after_redis72(change[0])]
    fact["history"] = "; ".join(f"{version.decode()} {change.decode()}" for version, change in history)
    fact["arguments"] = _arguments(doc.get("arguments", []))
    subcommands = doc.get("subcommands", [])
    for subname, subdoc in zip(subcommands[::2], subcommands[1::2], strict=True):
        _add_docs(facts, subname.decode(), subdoc)


def after_redis72(version: bytes | str) -> bool:
    """Whether something came after Redis 7.2."""
    return tuple(int(part) for part in _text(version).split(".")) > LAST


def _arguments(arguments: list[list[Any]]) -> str:
    return " ".join(text for text in map(_argument, arguments) if text)


def _argument(flat: list[Any]) -> str:
    """An argument as ``name:type=shown/TOKEN#keyspec@since!deprecated``, ? optional, * multiple, + with its token."""
    node = _map(flat)
    if after_redis72(node.get("since", b"0")):
        return ""
    text = f"{_text(node['name'])}:{_text(node['type'])}"
    for field, sign in (
        ("display_text", "="),
        ("token", "/"),
        ("key_spec_index", "#"),
        ("since", "@"),
        ("deprecated_since", "!"),
    ):
        if field in node and (field, node[field]) != ("display_text", node["name"]):
            text += sign + _text(node[field])
    flags = node.get("flags", [])
    text += "".join(
        sign for flag, sign in (("optional", "?"), ("multiple", "*"), ("multiple_token", "+")) if flag in flags
    )
    return text + (f"({_arguments(node['arguments'])})" if "arguments" in node else "")
