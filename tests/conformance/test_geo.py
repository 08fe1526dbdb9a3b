"""Geospatial commands: every reply is the same as a real server's, byte for byte."""

from __future__ import annotations

import random

import pytest

from support.resp import request
from support.scripts import assert_same_replies
from support.servers import Server

SICILY = "13.361389 38.115556 Palermo 15.087269 37.502669 Catania"
# A grid around the world, with its poles, the date line and the equator.
WORLD = " ".join(
    f"{longitude} {latitude} w{longitude}/{latitude}"
    for longitude in (-180, -179.9, -120, -60, -0.1, 0, 0.1, 60, 120, 179.9, 180)
    for latitude in (-85.05, -80.1, -66.5, -30, -0.1, 0, 0.1, 30, 66.5, 80.1, 85.05)
)

SCRIPTS = {
    "endless": f"""
        geoadd g {SICILY} -122 37 far
        georadius_ro g 15 37 inf km
        geosearch g fromlonlat 15 37 byradius inf km
        geosearch g fromlonlat 15 37 bybox inf 10 km
        geosearch g fromlonlat 15 37 bybox 10 inf km
        geosearch g fromlonlat 15 37 bybox 1e308 1e308 km
        geosearch g fromlonlat 15 37 byradius 1e300 km
        geosearch g fromlonlat 15 37 byradius nan km
    """,
    "geoadd": f"""
        geoadd g {SICILY}
        geoadd g {SICILY}
        geoadd g ch 13.4 38.1 Palermo 1 2 x
        geoadd g nx 1 1 Palermo 3 3 y
        geoadd g xx 1 1 Palermo 3 3 z
        geoadd g XX CH 2 2 Palermo
        geoadd g nx xx 1 1 a
        geoadd g nx ch 1 1
        geoadd g 1 1
        geoadd g 1 1 a 2
        geoadd g 200 10 a
        geoadd g 10 86 a
        geoadd g -180.000001 0 a
        geoadd g 1 1 a 10 100 b
        geoadd g x 1 a
        geoadd g 1 x a
        geoadd g nan 1 a
        geoadd g inf 1 a
        geoadd g gt 1 1 a
        geoadd g incr 1 1 a
        geoadd nosuch xx 1 1 a
        exists nosuch
        geoadd g 180 85.05112878 corner -180 -85.05112878 other 0 0 zero
        zrange g 0 -1 withscores
        geopos g corner other zero Palermo nosuch
        set s 1
        geoadd s 1 1 a
        geoadd s 1 100 a
        geoadd g nx ch xx 1 1 a
        geoadd g
    """,
    "positions": f"""
        geoadd g {SICILY}
        geopos g Palermo nosuch Catania
        geopos g
        geopos nosuch a b
        geohash g Palermo nosuch Catania
        geohash g
        geohash nosuch a
        geodist g Palermo Catania
        geodist g Palermo Catania m
        geodist g Palermo Catania KM
        geodist g Palermo Catania mi
        geodist g Palermo Catania ft
        geodist g Palermo Catania parsec
        geodist g Palermo Catania m x
        geodist g Palermo nosuch
        geodist g nosuch Palermo
        geodist nosuch a b
        geodist nosuch a b parsec
        geodist g Palermo Palermo
        geodist g Palermo
        set s 1
        geopos s a
        geohash s a
        geodist s a b
        zadd odd -1 minus 0.5 half 1e18 large inf big -inf small 1e19 larger 3e19 largest -1e19 smallest 9e15 o
        geopos odd minus half large big small larger largest smallest o
        geohash odd minus half large big small larger largest smallest o
        geodist odd minus half
    """,
    "georadius": f"""
        geoadd g {SICILY}
        georadius g 15 37 200 km
        georadius g 15 37 200 km asc
        georadius g 15 37 200 km desc
        georadius g 15 37 200 km withdist
        georadius g 15 37 200 km withcoord
        georadius g 15 37 200 km withhash
        georadius g 15 37 200 km withdist withcoord withhash asc
        georadius g 15 37 200 km count 1
        georadius g 15 37 200 km count 1 desc
        georadius g 15 37 200 km count 1 any
        georadius g 15 37 200 km any
        georadius g 15 37 200 km count 0
        georadius g 15 37 200 km count -1
        georadius g 15 37 200 km count x
        georadius g 15 37 200 km count
        georadius g 15 37 200 km foo
        georadius g 15 37 100000 ft withdist
        georadius g 15 37 100 mi withdist
        georadius g 15 37 0 m
        georadius g 15 37 -1 m
        georadius g 15 37 x m
        georadius g 15 37 1 parsec
        georadius g 15 100 1 m
        georadius g x 37 1 m
        georadius nosuch 15 37 200 km
        georadius nosuch 15 37 -1 km
        georadius nosuch 15 37 200 km store d
        georadius g 15 37 200 km store d
        zrange d 0 -1 withscores
        georadius g 15 37 200 km storedist d
        zrange d 0 -1 withscores
        georadius g 15 37 200 km count 1 storedist d store e
        exists e
        zrange e 0 -1 withscores
        georadius g 15 37 200 km store d withdist
        georadius g 15 37 200 km storedist d withcoord withhash
        georadius g 15 37 200 km store
        georadius g 15 37 1 m store d
        exists d
        georadius_ro g 15 37 200 km withdist asc
        georadius_ro g 15 37 200 km store d
        georadius_ro g 15 37 200 km storedist d
        set s 1
        georadius s 15 37 200 km
        georadius s 15 100 200 km
        georadius g 15 37 200 km store s
        type s
        georadius g 15 37 200
    """,
    "georadiusbymember": f"""
        geoadd g {SICILY} 13.583333 37.316667 Agrigento
        georadiusbymember g Agrigento 100 km
        georadiusbymember g Agrigento 100 km withdist withhash withcoord desc
        georadiusbymember g Agrigento 200 km count 2 any
        georadiusbymember g nosuch 100 km
        georadiusbymember g nosuch x km
        georadiusbymember g Agrigento x km
        georadiusbymember g Agrigento 1 parsec
        georadiusbymember g Agrigento -1 m
        georadiusbymember nosuch a 100 km
        georadiusbymember nosuch a x parsec
        georadiusbymember nosuch a 100 km foo
        georadiusbymember nosuch a 100 km any
        georadiusbymember nosuch a 100 km store d
        georadiusbymember g Agrigento 200 km storedist d
        zrange d 0 -1 withscores
        georadiusbymember g Agrigento 200 km store g
        zrange g 0 -1 withscores
        georadiusbymember_ro g Agrigento 100 km
        georadiusbymember_ro g Agrigento 100 km store d
        set s 1
        georadiusbymember s Agrigento 100 km
        georadiusbymember g Agrigento 100
    """,
    "geosearch": f"""
        geoadd g {SICILY} 12.758489 38.788135 edge1 17.241510 38.788135 edge2
        geosearch g fromlonlat 15 37 byradius 200 km asc
        geosearch g fromlonlat 15 37 bybox 400 400 km asc withcoord withdist withhash
        geosearch g fromlonlat 15 37 bybox 400 400 km desc count 3
        geosearch g frommember Palermo byradius 200 km withdist
        geosearch g frommember Palermo bybox 10 10 m
        geosearch g frommember nosuch byradius 200 km
        geosearch g frommember Palermo fromlonlat 15 37 byradius 200 km
        geosearch g fromlonlat 15 37 frommember Palermo byradius 200 km
        geosearch g frommember Palermo frommember Catania byradius 1 km
        geosearch g fromlonlat 1 1 fromlonlat 15 37 byradius 200 km asc
        geosearch g fromlonlat 15 37 byradius 200 km bybox 400 400 km
        geosearch g fromlonlat 15 37 bybox 400 400 km byradius 200 km
        geosearch g fromlonlat 15 37 bybox 1 1 km bybox 400 400 km asc
        geosearch g fromlonlat 15 37 byradius 1 km byradius 200 km asc
        geosearch g byradius 200 km asc count 1 any
        geosearch g fromlonlat 15 37 asc count 1 any
        GeoSearch g fromlonlat 15 37 asc count 1 any
        geosearch g fromlonlat 15 37 byradius 200 km any
        geosearch g fromlonlat 15 37 byradius 200 km count 2 any
        geosearch g fromlonlat 15 37 byradius 200 km count 0
        geosearch g fromlonlat 15 37 byradius 200 km storedist
        geosearch g fromlonlat 15 37 byradius 200 km store d
        geosearch g fromlonlat 15 37 byradius -1 km
        geosearch g fromlonlat 15 37 byradius x km
        geosearch g fromlonlat 15 37 bybox x 1 km
        geosearch g fromlonlat 15 37 bybox 1 x km
        geosearch g fromlonlat 15 37 bybox 1 -1 km
        geosearch g fromlonlat 15 37 bybox -1 1 parsec
        geosearch g fromlonlat 15 37 bybox 1 1 parsec
        geosearch g fromlonlat 15 97 bybox 1 1 km
        geosearch g fromlonlat 15 37 bybox 1 1
        geosearch nosuch fromlonlat 15 37 byradius 200 km
        geosearch nosuch frommember a byradius 200 km
        geosearch nosuch frommember a
        geosearch nosuch frommember a byradius x km
        geosearchstore d g fromlonlat 15 37 byradius 200 km
        zrange d 0 -1 withscores
        geosearchstore d g fromlonlat 15 37 bybox 400 400 km storedist
        zrange d 0 -1 withscores
        geosearchstore d g fromlonlat 15 37 bybox 400 400 km count 2 asc storedist
        zrange d 0 -1 withscores
        geosearchstore d g fromlonlat 15 37 bybox 400 400 km withdist
        geosearchstore d g fromlonlat 15 37 bybox 400 400 km withhash withcoord
        geosearchstore d g bybox 400 400 km asc asc asc
        geosearchstore d g fromlonlat 15 37 asc asc asc
        geosearchstore d nosuch fromlonlat 15 37 byradius 200 km
        exists d
        set s 1
        geosearch s fromlonlat 15 37 byradius 200 km
        geosearchstore s g fromlonlat 15 37 byradius 200 km
        type s
        geosearch g fromlonlat 15
    """,
    "around the world": f"""
        geoadd w {WORLD}
        georadius w 0 0 1 m
        georadius w 0 0 20 km
        georadius w 179.95 0 20 km
        georadius w -179.95 0.05 50 km withdist
        georadius w 0 85 1000 km
        georadius w 0 -85 1000 km
        georadius w 0 80.2 100 km
        georadius w 30 66.4 3000 km
        georadius w 0 0 4000 km
        georadius w 0 0 5000 km
        georadius w 100 0 8000 km
        georadius w 100 20 12000 km
        georadius w 0 0 20000 km
        georadius w 0 0 21000 km
        georadius w 0 0 1000000 km count 3
        georadius w 0 0 5000 km count 4 any
        geosearch w fromlonlat 0 0 bybox 100 100 km
        geosearch w fromlonlat 0 0 bybox 10000 100 km
        geosearch w fromlonlat 0 0 bybox 100 10000 km
        geosearch w fromlonlat 179.9 66.5 bybox 5000 5000 km
        geosearch w fromlonlat -60 -80 bybox 3000 3000 km withdist
        geosearch w fromlonlat 0 0 bybox 40000 40000 km count 5 desc
        geosearch w fromlonlat 60 30 bybox 0 0 m
        geosearchstore d w fromlonlat 0 0 byradius 7000 km storedist
        zrange d 0 -1 withscores
        geohash w w180/85.05 w-180/-85.05 w0/0 w-0.1/-0.1
    """,
    "declarations": """
        command getkeys georadius g 1 1 1 m store d
        command getkeysandflags georadius g 1 1 1 m storedist d
        command getkeysandflags georadius g 1 1 1 m
        command getkeysandflags geosearchstore d g fromlonlat 1 1 byradius 1 m
    """,
}

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
_NO_MEMBER = b"-ERR member nosuch does not exist\r\n"
_NO_POSITION = b"-ERR could not decode requested zset member\r\n"


def _no_shape(name: bytes, polygon: bool) -> bytes:
    shapes = b"BYRADIUS, BYBOX and BYPOLYGON" if polygon else b"BYRADIUS and BYBOX"
    return b"-ERR exactly one of " + shapes + b" can be specified for " + name + b"\r\n"


REDIS_ANSWERS = {
    ("georadiusbymember", "georadiusbymember g nosuch 100 km", _NO_MEMBER): _NO_POSITION,
    ("georadiusbymember", "georadiusbymember g nosuch x km", _NO_MEMBER): _NO_POSITION,
    ("geosearch", "geosearch g frommember nosuch byradius 200 km", _NO_MEMBER): _NO_POSITION,
    **{
        ("geosearch", line, _no_shape(line.split()[0].encode(), True)): _no_shape(line.split()[0].encode(), False)
        for line in (
            "geosearch g fromlonlat 15 37 asc count 1 any",
            "GeoSearch g fromlonlat 15 37 asc count 1 any",
            "geosearchstore d g fromlonlat 15 37 asc asc asc",
        )
    },
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)


def random_request(chance: random.Random) -> list[str]:
    key = chance.choice("ab")
    # Some are crowded, others are anywhere.
    spread = chance.choice([0.01, 1.0, 20.0, 180.0])
    longitude = f"{max(min(chance.choice([0, 13, -179.9, 179.9]) + chance.uniform(-spread, spread), 180), -180):.6f}"
    latitude = f"{max(min(chance.choice([0, 38, -70, 85]) + chance.uniform(-spread, spread), 85), -85):.6f}"
    member = f"m{chance.randrange(300)}"
    length = f"{10 ** chance.uniform(0, 7):.3f}"
    other = f"{10 ** chance.uniform(0, 7):.3f}"
    unit = chance.choice(["m", "m", "km", "ft", "mi"])
    count = ["COUNT", str(chance.randrange(1, 6)), *chance.choice([[], ["ANY"]])]
    extras = [*chance.choice([[], count]), *chance.choice([[], ["ASC"], ["DESC"]])]
    shown = chance.choice([[], ["WITHDIST"], ["WITHCOORD", "WITHHASH", "WITHDIST"]])
    origin = chance.choice([["FROMLONLAT", longitude, latitude], ["FROMMEMBER", member]])
    by = chance.choice([["BYRADIUS", length, unit], ["BYBOX", length, other, unit]])
    return chance.choice(
        [
            *[["GEOADD", key, longitude, latitude, member]] * 5,
            ["ZREM", key, member],
            ["GEOPOS", key, member],
            ["GEOHASH", key, member],
            ["GEODIST", key, member, f"m{chance.randrange(300)}", unit],
            ["GEORADIUS", key, longitude, latitude, length, unit, *extras, *shown],
            ["GEORADIUSBYMEMBER", key, member, length, unit, *extras, *shown],
            *[["GEOSEARCH", key, *origin, *by, *extras, *shown]] * 3,
            ["GEOSEARCHSTORE", "d", key, *origin, *by, *extras, *chance.choice([[], ["STOREDIST"]])],
            ["DEBUG", "DIGEST-VALUE", "a", "b", "d"],
        ]
    )


def test_random_requests(durastore: Server, valkey: Server) -> None:
    chance = random.Random(1)
    requests = [random_request(chance) for _ in range(3000)]
    ours, theirs = durastore.connect(3), valkey.connect(3)
    for first in range(0, len(requests), 500):
        data = b"".join(request(*words) for words in requests[first : first + 500])
        ours.send(data)
        theirs.send(data)
        for words in requests[first : first + 500]:
            wanted = theirs.read()
            assert ours.read() == (_NO_POSITION if b"does not exist" in wanted else wanted), " ".join(words)
