"""Random requests to sorted sets get the same replies from durastore and from a real server."""

from __future__ import annotations

import random

import pytest

from support.resp import request
from support.servers import Server


def random_request(chance: random.Random) -> list[str]:
    key = chance.choice("abc")
    member = f"m{chance.randrange(60)}"
    score = chance.choice(["1", "2", "-3", "inf", "-inf", "0.5", str(chance.randrange(40)), repr(chance.random())])
    low, high = (chance.choice(["", "("]) + str(chance.randrange(-5, 45)) for _ in range(2))
    lex_low, lex_high = (chance.choice("[(") + f"m{chance.randrange(60)}" for _ in range(2))
    start, stop = str(chance.randrange(-70, 70)), str(chance.randrange(-70, 70))
    limit = ["LIMIT", str(chance.randrange(6)), str(chance.randrange(-1, 9))]
    sources = [str(count := chance.randrange(1, 4)), *chance.choices("abcd", k=count)]
    aggregate = ["AGGREGATE", chance.choice(["SUM", "MIN", "MAX"])]
    scores = chance.choice([[], ["WITHSCORES"]])
    add = ["ZADD", key, *chance.choice([[], [], [], ["NX"], ["XX", "CH"], ["GT", "CH"], ["LT"]]), score, member]
    return chance.choice(
        [
            *[add] * 14,
            ["ZADD", key, *(word for _ in range(30) for word in (score, f"m{chance.randrange(60)}"))],
            ["ZINCRBY", key, str(chance.randrange(-5, 9)), member],
            ["ZREM", key, member, f"m{chance.randrange(60)}"],
            ["ZSCORE", key, member],
            ["ZRANK", key, member],
            ["ZREVRANK", key, member],
            ["ZCARD", key],
            ["ZCOUNT", key, low, high],
            ["ZRANGE", key, start, stop, *scores, *chance.choice([[], ["REV"]])],
            ["ZRANGE", key, low, high, "BYSCORE", *scores, *chance.choice([[], ["REV"], limit])],
            ["ZREVRANGEBYSCORE", key, high, low, *scores, *chance.choice([[], limit])],
            ["ZREMRANGEBYRANK", key, start, str(int(start) + 3)],
            ["ZREMRANGEBYSCORE", key, low, "(" + low.strip("(") + ".9"],
            ["ZPOPMIN", key, "2"],
            ["ZPOPMAX", key],
            ["ZMPOP", "2", key, "a", "MAX", "COUNT", "2"],
            ["ZUNION", *sources, *aggregate, *scores],
            ["ZINTER", *sources, *scores],
            ["ZDIFF", *sources, *scores],
            ["ZINTERCARD", *sources],
            ["ZUNIONSTORE", "d", *sources, *aggregate],
            ["ZINTERSTORE", "d", *sources],
            ["ZDIFFSTORE", "d", *sources],
            ["ZRANGESTORE", "d", key, start, stop],
            # All scores of this one are the same.
            *[["ZADD", "lex", "0", member]] * 3,
            ["ZRANGEBYLEX", "lex", lex_low, lex_high, *chance.choice([[], limit])],
            ["ZREVRANGEBYLEX", "lex", lex_high, lex_low],
            ["ZLEXCOUNT", "lex", lex_low, "+"],
            ["ZREMRANGEBYLEX", "lex", lex_low, lex_low.replace("(", "[") + "z"],
            ["OBJECT", "ENCODING", key],
            ["DEBUG", "DIGEST-VALUE", "a", "b", "c", "d", "lex"],
        ]
    )


@pytest.mark.parametrize("entries", [128, 15, 0])
def test_random_requests(durastore: Server, valkey: Server, entries: int) -> None:
    chance = random.Random(entries)
    requests = [["CONFIG", "SET", "zset-max-listpack-entries", str(entries)]]
    requests += [random_request(chance) for _ in range(3000)]
    requests += [["CONFIG", "SET", "zset-max-listpack-entries", "128"]]
    ours, theirs = durastore.connect(3), valkey.connect(3)
    for first in range(0, len(requests), 500):
        data = b"".join(request(*words) for words in requests[first : first + 500])
        ours.send(data)
        theirs.send(data)
        for words in requests[first : first + 500]:
            assert ours.read() == theirs.read(), " ".join(words)
