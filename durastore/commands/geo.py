"""Geospatial commands (https://redis.io/commands/?group=geo): sorted sets whose scores are positions."""

from __future__ import annotations

import math
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.sorted_sets import add_to_sorted_set, float_argument, sorted_set_to_read
from durastore.commands.spec import DENYOOM, READONLY, WRITE, command
from durastore.keyspace.geo_search import Point, nearest, search
from durastore.keyspace.geohash import Shape, decode, distance, encode, geohash_text, is_position
from durastore.keyspace.sorted_sets import SortedSet, build_sorted_set

_UNITS: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_NO_POSITION: Final = b"ERR could not decode requested zset member"

# How results are sorted.
_UNSORTED: Final = 0
_ASCENDING: Final = 1
_DESCENDING: Final = 2


def _position_argument(longitude_text: bytes, latitude_text: bytes) -> tuple[float, float]:
    longitude = float_argument(longitude_text)
    latitude = float_argument(latitude_text)
    if not is_position(longitude, latitude):
        raise CommandError(b"ERR invalid longitude,latitude pair %f,%f" % (longitude, latitude))
    return longitude, latitude


def _unit_argument(text: bytes) -> float:
    """A unit of length, in meters."""
    unit = _UNITS.get(text.upper())
    if unit is None:
        raise CommandError(b"ERR unsupported unit provided. please use M, KM, FT, MI")
    return unit


def _reply_distance(client: Client, value: float) -> None:
    """A distance with four digits behind the point."""
    # Rounds to even, as the processor does.
    scaled = round(value * 10000.0)
    client.reply.bulk(b"%d.%04d" % (scaled // 10000, scaled % 10000))


def _reply_position(client: Client, longitude: float, latitude: float) -> None:
    reply = client.reply
    reply.array(2)
    for value in (longitude, latitude):
        text = (b"%.17f" % value).rstrip(b"0").rstrip(b".")
        if text == b"-0":
            text = b"0"
        if reply.resp == 2:
            reply.bulk(text)
        else:
            reply.raw(b"," + text + b"\r\n")


@command(
    "geoadd",
    "key [condition@6.2.0: NX | XX] [CH(change)@6.2.0] longitude latitude member [longitude latitude member ...]",
    WRITE | DENYOOM,
    summary="Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
    since="3.2.0",
    complexity="O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    keys="RW update",
    history=(("6.2.0", "Added the `CH`, `NX` and `XX` options."),),
)
def geoadd(client: Client, argv: list[bytes]) -> None:
    """GEOADD: a ZADD with scores made of positions, and journalled as one."""
    size: i64 = len(argv)
    i: i64 = 2
    nx = xx = False
    while i < size:
        word = argv[i].upper()
        if word == b"NX":
            nx = True
        elif word == b"XX":
            xx = True
        elif word != b"CH":
            break
        i += 1
    if (size - i) % 3 or (nx and xx):
        raise CommandError(SYNTAX)
    request = [b"ZADD", *argv[1:i]]
    while i < size:
        longitude, latitude = _position_argument(argv[i], argv[i + 1])
        request.append(b"%d" % encode(longitude, latitude))
        request.append(argv[i + 2])
        i += 3
    before: i64 = client.instance.dirty
    add_to_sorted_set(client, request, 0)
    if client.instance.dirty > before:
        client.instance.propagate(request)


@command(
    "geopos",
    "key [member [member ...]]",
    READONLY,
    summary="Returns the longitude and latitude of members from a geospatial index.",
    since="3.2.0",
    complexity="O(1) for each member requested.",
    keys="RO access",
)
def geopos(client: Client, argv: list[bytes]) -> None:
    """GEOPOS."""
    held = sorted_set_to_read(client, argv[1])
    client.reply.array(len(argv) - 2)
    for member in argv[2:]:
        score = math.nan if held is None else held.find(member)
        if math.isnan(score):
            client.reply.null_array()
        else:
            longitude, latitude = decode(score)
            _reply_position(client, longitude, latitude)


@command(
    "geohash",
    "key [member [member ...]]",
    READONLY,
    summary="Returns members from a geospatial index as geohash strings.",
    since="3.2.0",
    complexity="O(1) for each member requested.",
    keys="RO access",
)
def geohash(client: Client, argv: list[bytes]) -> None:
    """GEOHASH."""
    held = sorted_set_to_read(client, argv[1])
    client.reply.array(len(argv) - 2)
    for member in argv[2:]:
        score = math.nan if held is None else held.find(member)
        if math.isnan(score):
            client.reply.null()
        else:
            client.reply.bulk(geohash_text(score))


@command(
    "geodist",
    "key member1 member2 [unit: M | KM | FT | MI]",
    READONLY,
    summary="Returns the distance between two members of a geospatial index.",
    since="3.2.0",
    keys="RO access",
)
def geodist(client: Client, argv: list[bytes]) -> None:
    """GEODIST."""
    size: i64 = len(argv)
    unit = 1.0
    if size == 5:
        unit = _unit_argument(argv[4])
    elif size > 5:
        raise CommandError(SYNTAX)
    held = sorted_set_to_read(client, argv[1])
    if held is not None:
        first = held.find(argv[2])
        second = held.find(argv[3])
        if not math.isnan(first) and not math.isnan(second):
            longitude, latitude = decode(first)
            other_longitude, other_latitude = decode(second)
            _reply_distance(client, distance(longitude, latitude, other_longitude, other_latitude) / unit)
            return
    client.reply.null()


# Searching


@final
class _Search:
    """A request of the GEORADIUS and GEOSEARCH families."""

    def __init__(self) -> None:
        self.shape = Shape()
        self.with_distance = False
        self.with_hash = False
        self.with_position = False
        self.any = False
        self.count: i64 = 0
        self.order: i64 = _UNSORTED
        self.store: bytes | None = None
        self.store_distance = False
        self.has_origin = False
        self.has_shape = False

    def circle(self, radius: bytes, unit: bytes) -> None:
        """A radius with its unit."""
        shape = self.shape
        shape.radius = float_argument(radius, b"ERR need numeric radius")
        if shape.radius < 0:
            raise CommandError(b"ERR radius cannot be negative")
        shape.conversion = _unit_argument(unit)

    def rectangle(self, width: bytes, height: bytes, unit: bytes) -> None:
        """A width and a height with their unit."""
        shape = self.shape
        shape.width = float_argument(width, b"ERR need numeric width")
        shape.height = float_argument(height, b"ERR need numeric height")
        if shape.height < 0 or shape.width < 0:
            raise CommandError(b"ERR height or width cannot be negative")
        shape.conversion = _unit_argument(unit)
        shape.box = True

    def around(self, longitude: bytes, latitude: bytes) -> None:
        """The position in the middle."""
        shape = self.shape
        shape.longitude, shape.latitude = _position_argument(longitude, latitude)

    def around_member(self, held: SortedSet, member: bytes) -> None:
        """A member in the middle."""
        score = held.find(member)
        if math.isnan(score):
            raise CommandError(_NO_POSITION)
        shape = self.shape
        shape.longitude, shape.latitude = decode(score)

    def option(self, argv: list[bytes], i: i64) -> i64:
        """An option that both families have; returns how many words it took, 0 where there is none."""
        word = argv[i].upper()
        if word == b"WITHDIST":
            self.with_distance = True
        elif word == b"WITHHASH":
            self.with_hash = True
        elif word == b"WITHCOORD":
            self.with_position = True
        elif word == b"ANY":
            self.any = True
        elif word == b"ASC":
            self.order = _ASCENDING
        elif word == b"DESC":
            self.order = _DESCENDING
        elif word == b"COUNT" and i + 1 < len(argv):
            self.count = integer_argument(argv[i + 1])
            if self.count <= 0:
                raise CommandError(b"ERR COUNT must be > 0")
            return 2
        else:
            return 0
        return 1

    def radius_options(self, argv: list[bytes], first: i64, may_store: bool) -> None:
        """The options of GEORADIUS and GEORADIUSBYMEMBER."""
        size: i64 = len(argv)
        i: i64 = first
        while i < size:
            took = self.option(argv, i)
            if took == 0:
                word = argv[i].upper()
                if (word != b"STORE" and word != b"STOREDIST") or i + 1 >= size or not may_store:
                    raise CommandError(SYNTAX)
                self.store = argv[i + 1]
                self.store_distance = word == b"STOREDIST"
                took = 2
            i += took
        self._check(b"STORE option in GEORADIUS")

    def search_options(self, argv: list[bytes], first: i64, held: SortedSet | None) -> None:
        """The options of GEOSEARCH and GEOSEARCHSTORE."""
        size: i64 = len(argv)
        i: i64 = first
        by_position = by_member = False
        while i < size:
            took = self.option(argv, i)
            if took == 0:
                word = argv[i].upper()
                left: i64 = size - i - 1
                if word == b"STOREDIST" and self.store is not None:
                    self.store_distance = True
                    took = 1
                elif word == b"FROMMEMBER" and left >= 1 and not by_position:
                    if held is not None:
                        self.around_member(held, argv[i + 1])
                    by_member = True
                    took = 2
                elif word == b"FROMLONLAT" and left >= 2 and not by_member:
                    self.around(argv[i + 1], argv[i + 2])
                    by_position = True
                    took = 3
                elif word == b"BYRADIUS" and left >= 2 and not self.shape.box:
                    self.circle(argv[i + 1], argv[i + 2])
                    self.has_shape = True
                    took = 3
                elif word == b"BYBOX" and left >= 3 and (self.shape.box or not self.has_shape):
                    self.rectangle(argv[i + 1], argv[i + 2], argv[i + 3])
                    self.has_shape = True
                    took = 4
                else:
                    raise CommandError(SYNTAX)
            i += took
        self.has_origin = by_position or by_member
        self._check(b"GEOSEARCHSTORE")

    def _check(self, what: bytes) -> None:
        if self.store is not None and (self.with_distance or self.with_hash or self.with_position):
            raise CommandError(b"ERR " + what + b" is not compatible with WITHDIST, WITHHASH and WITHCOORD options")

    def run(self, held: SortedSet) -> list[Point]:
        """What is found, in the order in which it is to be replied."""
        order = self.order
        if order == _UNSORTED:
            if self.count == 0 or self.any:
                return search(held, self.shape, self.count)
            # Which are the nearest ones can only be told when all are there.
            order = _ASCENDING
        found = search(held, self.shape, self.count if self.any else 0)
        return nearest(found, order == _DESCENDING, self.count or len(found))


def _finish(client: Client, query: _Search, held: SortedSet | None, event: bytes) -> None:
    """Runs a search, and replies with what it found or stores it."""
    if query.any and not query.count:
        raise CommandError(b"ERR the ANY argument requires COUNT argument")
    points = [] if held is None else query.run(held)
    if query.store is None:
        _reply_points(client, query, points)
    else:
        _store_points(client, query, query.store, points, event)


def _reply_points(client: Client, query: _Search, points: list[Point]) -> None:
    reply = client.reply
    reply.array(len(points))
    options: i64 = 0
    for given in (query.with_distance, query.with_hash, query.with_position):
        if given:
            options += 1
    for point in points:
        if options:
            reply.array(options + 1)
        reply.bulk(point.member)
        if query.with_distance:
            _reply_distance(client, point.meters / query.shape.conversion)
        if query.with_hash:
            reply.integer(int(point.score))
        if query.with_position:
            _reply_position(client, point.longitude, point.latitude)


def _store_points(client: Client, query: _Search, key: bytes, points: list[Point], event: bytes) -> None:
    chosen = {point.member: point for point in points}
    scores = vec[float]()
    for point in chosen.values():
        scores = append(scores, point.meters / query.shape.conversion if query.store_distance else point.score)
    if chosen:
        made = build_sorted_set(list(chosen), scores, client.instance.keyspace.limits)
        client.db.set(key, made, client.instance.now)
        client.notify(events.ZSET, event, key)
        client.instance.dirty += len(points)
    elif client.db.delete(key):
        client.notify(events.GENERIC, b"del", key)
        client.instance.dirty += 1
    client.reply.integer(len(points))


def _radius(client: Client, argv: list[bytes], may_store: bool) -> None:
    held = sorted_set_to_read(client, argv[1])
    query = _Search()
    query.around(argv[2], argv[3])
    query.circle(argv[4], argv[5])
    query.radius_options(argv, 6, may_store)
    _finish(client, query, held, b"georadiusstore")


def _radius_by_member(client: Client, argv: list[bytes], may_store: bool) -> None:
    held = sorted_set_to_read(client, argv[1])
    query = _Search()
    if held is not None:
        query.around_member(held, argv[2])
        query.circle(argv[3], argv[4])
    query.radius_options(argv, 5, may_store)
    _finish(client, query, held, b"georadiusstore")


def _search_command(client: Client, argv: list[bytes], store: bool) -> None:
    source: i64 = 2 if store else 1
    held = sorted_set_to_read(client, argv[source])
    query = _Search()
    if store:
        query.store = argv[1]
    query.search_options(argv, source + 1, held)
    if not query.has_origin:
        raise CommandError(b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + argv[0])
    if not query.has_shape:
        raise CommandError(b"ERR exactly one of BYRADIUS and BYBOX can be specified for " + argv[0])
    _finish(client, query, held, b"geosearchstore")


_RADIUS_COMPLEXITY: Final = (
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center "
    "and radius and M is the number of items inside the index."
)
_SEARCH_COMPLEXITY: Final = (
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as "
    "the filter and M is the number of items inside the shape"
)
_ANY: Final = ("6.2.0", "Added the `ANY` option for `COUNT`.")
_UPPERCASE: Final = ("7.0.0", "Added support for uppercase unit names.")


@command(
    "georadius",
    "key longitude latitude radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[count-block: COUNT count [ANY@6.2.0]] [order: ASC | DESC] "
    "[store: STORE storekey=key | STOREDIST storedistkey=key]",
    WRITE | DENYOOM,
    summary="Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.",
    since="3.2.0",
    complexity=_RADIUS_COMPLEXITY,
    keys="RO access;OW update",
    history=(_ANY, _UPPERCASE),
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
)
def georadius(client: Client, argv: list[bytes]) -> None:
    """GEORADIUS."""
    _radius(client, argv, True)


@command(
    "georadius_ro",
    "key longitude latitude radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[count-block: COUNT count [ANY@6.2.0]] [order: ASC | DESC]",
    READONLY,
    summary="Returns members from a geospatial index that are within a distance from a coordinate.",
    since="3.2.10",
    complexity=_RADIUS_COMPLEXITY,
    keys="RO access",
    history=(_ANY,),
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
)
def georadius_ro(client: Client, argv: list[bytes]) -> None:
    """GEORADIUS_RO."""
    _radius(client, argv, False)


@command(
    "georadiusbymember",
    "key member radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[count-block: COUNT count [ANY]] [order: ASC | DESC] "
    "[store: STORE storekey=key | STOREDIST storedistkey=key]",
    WRITE | DENYOOM,
    summary="Queries a geospatial index for members within a distance from a member, optionally stores the result.",
    since="3.2.0",
    complexity=_RADIUS_COMPLEXITY,
    keys="RO access;OW update",
    history=(_UPPERCASE,),
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"),
)
def georadiusbymember(client: Client, argv: list[bytes]) -> None:
    """GEORADIUSBYMEMBER."""
    _radius_by_member(client, argv, True)


@command(
    "georadiusbymember_ro",
    "key member radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[count-block: COUNT count [ANY]] [order: ASC | DESC]",
    READONLY,
    summary="Returns members from a geospatial index that are within a distance from a member.",
    since="3.2.10",
    complexity=_RADIUS_COMPLEXITY,
    keys="RO access",
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
)
def georadiusbymember_ro(client: Client, argv: list[bytes]) -> None:
    """GEORADIUSBYMEMBER_RO."""
    _radius_by_member(client, argv, False)


_FROM_AND_BY: Final = (
    "<from: FROMMEMBER member | <fromlonlat: FROMLONLAT longitude latitude>> "
    "<by: <circle: BYRADIUS radius <unit: M | KM | FT | MI>> | "
    "<box: BYBOX width height <unit: M | KM | FT | MI>>> [order: ASC | DESC] [count-block: COUNT count [ANY]]"
)


@command(
    "geosearch",
    "key " + _FROM_AND_BY + " [WITHCOORD] [WITHDIST] [WITHHASH]",
    READONLY,
    summary="Queries a geospatial index for members inside an area of a box or a circle.",
    since="6.2.0",
    complexity=_SEARCH_COMPLEXITY,
    keys="RO access",
    history=(_UPPERCASE,),
)
def geosearch(client: Client, argv: list[bytes]) -> None:
    """GEOSEARCH."""
    _search_command(client, argv, False)


@command(
    "geosearchstore",
    "destination source " + _FROM_AND_BY + " [STOREDIST]",
    WRITE | DENYOOM,
    summary="Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.",
    since="6.2.0",
    complexity=_SEARCH_COMPLEXITY,
    keys="OW update;RO access",
    history=(_UPPERCASE,),
)
def geosearchstore(client: Client, argv: list[bytes]) -> None:
    """GEOSEARCHSTORE."""
    _search_command(client, argv, True)
