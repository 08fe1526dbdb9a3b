"""Changes to data, by chance."""

from __future__ import annotations

import random


def mutate(data: bytes, others: list[bytes], pieces: list[bytes], chance: random.Random) -> bytes:
    """The data with one to four changes."""
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 4])):
        if not out:
            break
        at = chance.randrange(len(out))
        kind = chance.randrange(7)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at] = chance.randrange(256)
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            del out[at : at + chance.randrange(1, 40)]
        elif kind == 4:
            piece = chance.choice(pieces)
            out[at : at + chance.choice([0, len(piece)])] = piece
        elif kind == 5:
            other = chance.choice(others)
            begin = chance.randrange(len(other))
            out[at : at + chance.choice([0, 20])] = other[begin : begin + chance.randrange(1, 200)]
        else:
            stretch = out[at : at + chance.randrange(1, 100)]
            out[at:at] = stretch * chance.choice([1, 2, 50])
    return bytes(out)
