"""The README's table of commands tells of every command of Redis 7.2, and nothing that is not so."""

from __future__ import annotations

from support.readme_commands import REASONS, in_readme, of_durastore, of_redis, table


def test_every_command_of_redis_is_there() -> None:
    assert of_redis().keys() - of_durastore().keys() == set()
    assert [start for start in REASONS if not any(name.startswith(start) for name in of_redis())] == []


def test_commands_have_the_groups_of_redis() -> None:
    ours, theirs = of_durastore(), of_redis()
    assert {name: ours[name] for name in ours.keys() & theirs.keys()} == {
        name: theirs[name] for name in ours.keys() & theirs.keys()
    }


def test_the_readme_tells_them() -> None:
    """scripts/make-commands brings the README up to date."""
    assert in_readme() == table()
