"""The README's table of directives tells of every directive of Redis 7.2, and nothing that is not so."""

from __future__ import annotations

from durastore.config.table import BY_NAME
from support.readme_directives import in_readme, of_redis, reason, table


def test_every_directive_of_redis_is_taken_or_has_a_reason() -> None:
    assert [name for name in of_redis() if name.encode() not in BY_NAME and not reason(name)] == []


def test_the_readme_tells_them() -> None:
    """scripts/make-commands brings the README up to date."""
    assert in_readme() == table()
