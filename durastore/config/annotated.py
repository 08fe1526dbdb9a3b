"""The annotated conf file, conf/durastore.conf, made from the table of directives."""

from __future__ import annotations

import textwrap
from typing import Any, Final

from durastore.config.kinds import Directive
from durastore.config.table import SECTIONS, Section

_WIDTH: Final = 100
_HEAD: Final = """\
# durastore.conf: every setting of durastore, with its default and what it does.
#
#     durastore /path/to/durastore.conf --port 6380
#
# A line is a name and one or more words; a word with blanks in it stands in "quotes", where \\n, \\t, \\" and
# \\xHH mean what they do in C, or in 'quotes'. Names and yes/no do not care for case. A line that begins with #
# is a comment. Sizes may carry a unit: 1k is 1000 bytes and 1kb is 1024; likewise m, mb, g, gb.
#
#     include /etc/durastore/conf.d/*.conf
#
# reads other files in this place; the last line of a setting wins. Settings on the command line come last.
# "Fixed at start" means that CONFIG SET cannot change it; "without effect" that the server takes the setting,
# as files and clients made for Redis have it, and does nothing with it.
#
# This file is made by scripts/make-conf from durastore/config/table.py.
"""


def render() -> str:
    """The text of conf/durastore.conf: every directive with its documentation and the value to ship."""
    return _HEAD + "".join(_render_section(section) for section in SECTIONS)


def _render_section(section: Section) -> str:
    rule = "#" * _WIDTH
    about = _comment(f"{section.title}: {section.about[0].lower()}{section.about[1:]}")
    parts = [f"\n{rule}\n{about}\n"]
    parts += [_render_directive(directive) for directive in section.directives]
    return "".join(parts)


def _render_directive(directive: Directive[Any]) -> str:
    comment = "\n".join(_comment(part) for part in (directive.doc, _describe(directive)))
    value = directive.default if directive.shipped is None else directive.shipped
    lines = [f"{directive.name} {words}\n" for words in _written(directive, value)]
    return f"\n{comment}\n" + ("".join(lines) or f'# {directive.name} ""\n')


def _comment(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False
    )


def _written(directive: Directive[Any], value: Any) -> list[str]:
    """What stands after the name on each line for ``value``; nothing when that is to have no line."""
    shown = directive.show(value)
    lines = [line.words for line in directive.lines(value)]
    return [words.decode() for words in lines or ([shown] if shown else [])]


def _describe(directive: Directive[Any]) -> str:
    """Unit, default, and when it can be set."""
    facts: list[str] = []
    if directive.unit:
        facts.append(f"Unit: {directive.unit}.")
    default = ", ".join(_written(directive, directive.default)) or "empty"
    facts.append(f"Default: {default}.")
    if directive.alias:
        facts.append(f"Also: {directive.alias}.")
    if directive.immutable:
        facts.append("Fixed at start.")
    if directive.protected:
        facts.append("Protected.")
    if not directive.effect:
        facts.append("Without effect.")
    return " ".join(facts)
