"""Generated scripts, played to durastore and to a real server: the replies agree, and so does the data in the end.

``DURASTORE_GENERATED`` is how many commands to play, ``DURASTORE_GENERATED_SEED`` where to begin. A script that shows a
difference is cut down to the fewest requests that still show one. ``scripts/generate`` plays more, and looks at the
files as well.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import durastore
from support.duel import Pair, compare_keys, play, shown, shrink
from support.generator import Generator, data_commands
from support.marathon import Marathon
from support.servers import Server

COMMANDS = int(os.environ.get("DURASTORE_GENERATED", "12000" if durastore.compiled() else "5000"))
SEED = int(os.environ.get("DURASTORE_GENERATED_SEED", "0"))
SCRIPT_SIZE = 200


@pytest.mark.parametrize("protocol", [2, 3])
def test_generated_scripts_have_the_same_effects(durastore: Server, valkey: Server, protocol: int) -> None:
    pair = Pair(durastore, valkey, protocol)
    for number in range(max(COMMANDS // 2 // SCRIPT_SIZE, 1)):
        seed = SEED * 1_000_000 + number * 10 + protocol
        script = Generator(seed, pair.knows).script(SCRIPT_SIZE)
        found = play(pair, script)
        if found is not None:
            shortest, found = shrink(pair, script, found)
            lines = "\n".join(shown(words) for words in shortest)
            pytest.fail(f"seed {seed}, RESP{protocol}:\n{lines}\n\n{found}", pytrace=False)


def test_keys_of_generated_requests_are_the_same(durastore: Server, valkey: Server) -> None:
    pair = Pair(durastore, valkey, 3)
    for number in range(max(COMMANDS // 10 // SCRIPT_SIZE, 1)):
        script = Generator(SEED * 1_000_000 + number * 10 + 5, pair.agrees_on).script(SCRIPT_SIZE)
        found = compare_keys(pair, script)
        assert found is None, str(found)


def test_every_data_command_is_generated() -> None:
    generator = Generator(SEED)
    made = {tuple(part.lower() for part in generator.request()[:2]) for _ in range(20_000)}
    names = {b"|".join(words) for words in made} | {words[0] for words in made}
    assert {command.name for command in data_commands()} <= names


def test_data_of_generated_scripts_come_back_from_files(tmp_path: Path) -> None:
    marathon = Marathon(tmp_path, {}, print)
    marathon.batch(SEED, 2 * SCRIPT_SIZE, 3)
    assert marathon.outcome.found == []
    assert marathon.outcome.compared > 0
