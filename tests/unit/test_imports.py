"""The design's import direction: a room imports only the rooms above it in this table."""

from __future__ import annotations

import ast
from pathlib import Path

import durastore

ROOMS = {
    "protocol": set(),
    "keyspace": set(),
    "config": set(),
    "commands": {"keyspace", "protocol"},
    "engine": {"commands", "keyspace", "protocol"},
    "persistence": {"engine", "keyspace", "protocol"},
    "server": {"persistence", "engine", "commands", "keyspace", "protocol", "config"},
    "cli": {"server", "persistence", "engine", "commands", "keyspace", "protocol", "config"},
}
# What only the rooms at the border of the process may use.
OUTSIDE = {"trio", "socket", "select", "time", "threading", "subprocess", "asyncio", "os"}
INSIDE = {"protocol", "keyspace", "commands", "engine"}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_rooms_import_only_what_lies_above_them() -> None:
    package = Path(durastore.__file__).parent
    wrong = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        if len(parts) == 1:
            continue
        room = parts[0]
        for name in imported(path):
            words = name.split(".")
            if words[0] == "durastore" and len(words) > 1:
                if words[1] in ROOMS and words[1] != room and words[1] not in ROOMS[room]:
                    wrong.append(f"{'/'.join(parts)} imports {name}")
            elif room in INSIDE and words[0] in OUTSIDE:
                wrong.append(f"{'/'.join(parts)} imports {name}")
    assert not wrong, "\n".join(wrong)
