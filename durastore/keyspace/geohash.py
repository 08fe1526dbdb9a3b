"""Positions as 52-bit geohashes, which are scores of a sorted set; areas, as ranges of them; distances.

The world is divided again and again in halves, by latitude and longitude in turn; a hash of *step* n says in which of
2**n times 2**n cells a position is, the bits of the latitude in the even places.  Latitudes end where the web's maps do
(EPSG:3857).  Redis's arithmetic is followed operation by operation, as the last digits of what it replies depend on it.
"""

from __future__ import annotations

import math
from typing import Final, final

from mypy_extensions import i64

LONGITUDE_MAX: Final = 180.0
LATITUDE_MAX: Final = 85.05112878
# The step of a position's hash.
STEP_MAX: Final = 26
_EARTH_RADIUS: Final = 6372797.560856
_RADIANS: Final = math.pi / 180.0
# Half of the equator in the projection of the maps, in meters.
_MERCATOR_MAX: Final = 20037726.37
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
# Every second bit, from the lowest and from the second one, up to 62 bits.
_EVEN: Final = 0x1555555555555555
_ODD: Final = 0x2AAAAAAAAAAAAAAA
_TWO_63: Final = 9223372036854775808.0


def _spread(value: i64) -> i64:
    """The lower 32 bits, at the even places."""
    value = (value | value << 16) & 0x0000FFFF0000FFFF
    value = (value | value << 8) & 0x00FF00FF00FF00FF
    value = (value | value << 4) & 0x0F0F0F0F0F0F0F0F
    value = (value | value << 2) & 0x3333333333333333
    return (value | value << 1) & 0x5555555555555555


def _gather(value: i64) -> i64:
    """The bits at the even places."""
    value &= 0x5555555555555555
    value = (value | value >> 1) & 0x3333333333333333
    value = (value | value >> 2) & 0x0F0F0F0F0F0F0F0F
    value = (value | value >> 4) & 0x00FF00FF00FF00FF
    value = (value | value >> 8) & 0x0000FFFF0000FFFF
    return (value | value >> 16) & 0xFFFFFFFF


def _cells(step: i64) -> float:
    """2**step, for steps of at most 26."""
    return float(0x4000000 >> (STEP_MAX - step))


def _encoded(longitude: float, latitude: float, latitude_max: float, step: i64) -> i64:
    cells = _cells(step)
    row = (latitude + latitude_max) / (latitude_max + latitude_max) * cells
    column = (longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX) * cells
    return _spread(int(row)) | _spread(int(column)) << 1


def encode(longitude: float, latitude: float) -> i64:
    """The hash of a position."""
    return _encoded(longitude, latitude, LATITUDE_MAX, STEP_MAX)


def is_position(longitude: float, latitude: float) -> bool:
    """Whether there is a hash for it."""
    return -LONGITUDE_MAX <= longitude <= LONGITUDE_MAX and -LATITUDE_MAX <= latitude <= LATITUDE_MAX


def _bits(score: float) -> i64:
    """A score as 64 bits without a sign; what does not fit becomes what the conversion makes of it on x86."""
    if -_TWO_63 <= score < _TWO_63:
        return int(score)
    if _TWO_63 <= score < 2 * _TWO_63:
        return int(score - _TWO_63) - 0x7FFFFFFFFFFFFFFF - 1
    return 0 if score > 0 else -0x7FFFFFFFFFFFFFFF - 1


@final
class Area:
    """A cell, or any other stretch between two parallels and two meridians."""

    def __init__(self, west: float, south: float, east: float, north: float) -> None:
        self.west = west
        self.south = south
        self.east = east
        self.north = north


def _area(bits: i64, step: i64) -> Area:
    row = _gather(bits)
    column = _gather(bits >> 1)
    cells = _cells(step)
    height = LATITUDE_MAX + LATITUDE_MAX
    width = LONGITUDE_MAX + LONGITUDE_MAX
    return Area(
        -LONGITUDE_MAX + float(column) / cells * width,
        -LATITUDE_MAX + float(row) / cells * height,
        -LONGITUDE_MAX + float((column + 1) & 0xFFFFFFFF) / cells * width,
        -LATITUDE_MAX + float((row + 1) & 0xFFFFFFFF) / cells * height,
    )


def decode(score: float) -> tuple[float, float]:
    """The position that a hash stands for: longitude and latitude of the middle of its cell."""
    area = _area(_bits(score), STEP_MAX)
    longitude = (area.west + area.east) / 2
    latitude = (area.south + area.north) / 2
    return (
        max(min(longitude, LONGITUDE_MAX), -LONGITUDE_MAX),
        max(min(latitude, LATITUDE_MAX), -LATITUDE_MAX),
    )


def geohash_text(score: float) -> bytes:
    """The usual geohash of eleven letters, for which latitudes go up to 90 degrees; the last one says nothing."""
    longitude, latitude = decode(score)
    bits = _encoded(longitude, latitude, 90.0, STEP_MAX)
    letters = bytearray()
    shift: i64 = 47
    while shift > 0:
        letters.append(_ALPHABET[(bits >> shift) & 31])
        shift -= 5
    letters.append(_ALPHABET[0])
    return bytes(letters)


# Distances, in meters


def _latitude_distance(first: float, second: float) -> float:
    return _EARTH_RADIUS * abs(second * _RADIANS - first * _RADIANS)


def distance(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Along the great circle between two positions, by the haversine formula."""
    first = longitude * _RADIANS
    second = other_longitude * _RADIANS
    v = math.sin((second - first) / 2)
    if v == 0.0:
        return _latitude_distance(latitude, other_latitude)
    low = latitude * _RADIANS
    high = other_latitude * _RADIANS
    u = math.sin((high - low) / 2)
    a = u * u + math.cos(low) * math.cos(high) * v * v
    return 2.0 * _EARTH_RADIUS * math.asin(math.sqrt(a))


# Searching


@final
class Shape:
    """A circle, or a box (``box``), around a position.  Lengths are in the unit that is ``conversion`` meters long."""

    def __init__(self) -> None:
        self.longitude = 0.0
        self.latitude = 0.0
        self.box = False
        self.conversion = 1.0
        self.radius = 0.0
        self.width = 0.0
        self.height = 0.0

    def distance_within(self, longitude: float, latitude: float) -> float:
        """The distance of a position from the middle in meters, or -1 where it is outside."""
        if self.box:
            if _latitude_distance(latitude, self.latitude) > self.height * self.conversion / 2:
                return -1.0
            if distance(longitude, latitude, self.longitude, latitude) > self.width * self.conversion / 2:
                return -1.0
            return distance(self.longitude, self.latitude, longitude, latitude)
        found = distance(self.longitude, self.latitude, longitude, latitude)
        return -1.0 if found > self.radius * self.conversion else found

    def _bounds(self) -> Area:
        if self.box:
            height = self.conversion * self.height / 2
            width = self.conversion * self.width / 2
        else:
            height = width = self.conversion * self.radius
        # Meridians draw nearer to each other away from the equator.
        up = height / _EARTH_RADIUS / _RADIANS
        edge = self.latitude - up if self.latitude < 0 else self.latitude + up
        # Of what reaches to infinity nothing is cut off.
        nearness = math.cos(edge * _RADIANS) if math.isfinite(edge) else math.nan
        across = width / _EARTH_RADIUS / nearness / _RADIANS
        return Area(self.longitude - across, self.latitude - up, self.longitude + across, self.latitude + up)

    def _step(self) -> i64:
        """The step at which cells are about as large as the shape."""
        if self.box:
            half_width = self.width / 2
            half_height = self.height / 2
            meters = math.sqrt(half_width * half_width + half_height * half_height)
        else:
            meters = self.radius
        meters *= self.conversion
        if meters == 0.0:
            return STEP_MAX
        step: i64 = 1
        while meters < _MERCATOR_MAX:
            meters *= 2
            step += 1
        # With this, most shapes are within the cell in the middle and its neighbours.
        step -= 2
        away = abs(self.latitude)
        if away > 66:
            step -= 1
            if away > 80:
                step -= 1
        return min(max(step, 1), STEP_MAX)

    def ranges(self) -> list[tuple[float, float]]:
        """The ranges of scores, from the first up to, and without, the second, that cover the shape.

        In the order in which Redis searches them: the cell in the middle, and its neighbours in the north, south, east,
        west, and at the corners.
        """
        bounds = self._bounds()
        step = self._step()
        bits = _encoded(self.longitude, self.latitude, LATITUDE_MAX, step)
        if step > 1 and _leaves_gaps(bits, step, bounds):
            step -= 1
            bits = _encoded(self.longitude, self.latitude, LATITUDE_MAX, step)
        north = south = east = west = True
        if step >= 2:
            area = _area(bits, step)
            south = area.south >= bounds.south
            north = area.north <= bounds.north
            west = area.west >= bounds.west
            east = area.east <= bounds.east
        cells: list[i64] = []
        if north:
            cells.append(_moved(bits, step, 0, 1))
        if south:
            cells.append(_moved(bits, step, 0, -1))
        if east:
            cells.append(_moved(bits, step, 1, 0))
        if west:
            cells.append(_moved(bits, step, -1, 0))
        if north and east:
            cells.append(_moved(bits, step, 1, 1))
        if north and west:
            cells.append(_moved(bits, step, -1, 1))
        if south and east:
            cells.append(_moved(bits, step, 1, -1))
        if south and west:
            cells.append(_moved(bits, step, -1, -1))
        shift: i64 = 2 * (STEP_MAX - step)
        found = [(float(bits << shift), float((bits + 1) << shift))]
        last: i64 = -1
        for cell in cells:
            # Where there are few cells, neighbours come twice in a row.
            if cell != last:
                found.append((float(cell << shift), float((cell + 1) << shift)))
            last = cell
        return found


def _leaves_gaps(bits: i64, step: i64, bounds: Area) -> bool:
    """Whether the bounds go beyond the neighbours of a cell."""
    return (
        _area(_moved(bits, step, 0, 1), step).north < bounds.north
        or _area(_moved(bits, step, 0, -1), step).south > bounds.south
        or _area(_moved(bits, step, 1, 0), step).east < bounds.east
        or _area(_moved(bits, step, -1, 0), step).west > bounds.west
    )


def _moved(bits: i64, step: i64, right: i64, up: i64) -> i64:
    """The neighbour of a cell, around the world where it ends."""
    shift: i64 = 62 - 2 * step
    even: i64 = _EVEN >> shift
    odd: i64 = _ODD >> shift
    if right:
        columns: i64 = bits & _ODD
        columns = columns + even + 1 if right > 0 else (columns | even) - even - 1
        bits = columns & odd | bits & _EVEN
    if up:
        rows: i64 = bits & _EVEN
        rows = rows + odd + 1 if up > 0 else (rows | odd) - odd - 1
        bits = rows & even | bits & _ODD
    return bits
