"""Numbers as a little graph of text, with a label below each, as LATENCY GRAPH shows them."""

from __future__ import annotations

from typing import Final

# What stands at the top of a column, by how far it reaches into that row; below it the column is filled.
_TOPS: Final = "_o#"
_FILLED: Final = "|"
_COLUMNS: Final = 80
_ROWS: Final = 4


def draw(values: list[int], labels: list[str]) -> str:
    """The graph, as many blocks one below the other as it takes; labels are written downwards."""
    lowest, highest = min(values), max(values)
    steps = [_step(value - lowest, highest - lowest) for value in values]
    blocks = [
        _block(steps[start : start + _COLUMNS], labels[start : start + _COLUMNS])
        for start in range(0, len(values), _COLUMNS)
    ]
    return "\n".join(blocks)


def _step(value: int, span: int) -> int:
    """The height of a column, in parts of a row."""
    levels = len(_TOPS) * _ROWS
    return min(value * levels // max(span, 1), levels - 1)


def _block(steps: list[int], labels: list[str]) -> str:
    lines = ["".join(_cell(step - row * len(_TOPS)) for step in steps) for row in reversed(range(_ROWS))]
    lines.append(" " * len(steps))
    for i in range(max(len(label) for label in labels)):
        lines.append("".join(label[i] if i < len(label) else " " for label in labels))
    return "".join(line + "\n" for line in lines)


def _cell(height: int) -> str:
    """A column in one row, whose height is counted from the bottom of the row."""
    if height < 0:
        return " "
    return _TOPS[height] if height < len(_TOPS) else _FILLED
