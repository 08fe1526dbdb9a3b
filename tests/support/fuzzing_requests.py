"""Hostile requests: mutated protocol, and calls of ACL, CONFIG, EVAL and FUNCTION put together by chance."""

from __future__ import annotations

import random
from pathlib import Path

from durastore.commands.table import build_table
from durastore.config.table import DIRECTIVES
from support.disks import MemoryDisk
from support.inprocess import make_server, without_socket
from support.mutating import mutate
from support.resp import request

# They stop the server, or everything for a time, on purpose; or need one that runs, or time.
_NOT_PLAYED = {"pfselftest", "shutdown", "debug", "migrate", "save", "bgsave", "bgrewriteaof"}
_WORDS: list[bytes | str | int] = [
    "k", "l", "f", "v", 0, 1, -1, "9223372036854775807", "-9223372036854775809", "1.5", "nan", "inf", "*", "", "\0",
    b"\xff\xfe", "x" * 300, "(1", "[a", "+", "-", "-inf", "WITHSCORES", "COUNT", "LIMIT", "GET", "EX", "PX", "MATCH",
    "BY", "STORE", "FIELDS", "STREAMS", "GROUP", "g", "1-1", "$", ">", "MAXLEN", "~", "=", "RESP3", "SETNAME", "BYLEX",
]  # fmt: skip
_PIECES = [
    b"\r\n", b"\n", b"\r", b"*", b"$", b"*-1\r\n", b"$-1\r\n", b"*0\r\n", b"$0\r\n\r\n", b"*1048577\r\n",
    b"*2147483648\r\n", b"$536870913\r\n", b"$9223372036854775808\r\n", b"$+1\r\n", b"*1\r\n$4\r\nEXEC\r\n", b"\0",
    b"*1\r\n$5\r\nMULTI\r\n", b"'", b'"', b"set a \"\\x00\n", b"*3\r\n$5\r\nHELLO\r\n", b"%1\r\n", b":1\r\n",
    b"a" * 200,
]  # fmt: skip
_RULES = [
    "on", "off", "+@all", "-@all", "+get", "-get", "+config|get", "-config|get", "+select|0", "~*", "%R~a*", "%W~b*",
    "%RW~", "%X~a", "&*", "&a", ">p", "<p", "#x", "#" + "0" * 64, "!" + "0" * 64, "nopass", "resetpass", "reset",
    "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "(+get ~k)", "(", ")", "()",
    "clearselectors", "sanitize-payload", "skip-sanitize-payload", "+@nothing", "+acl|", "|", "+|x", "", "\0", "~\0",
    "+@", "%", "%R", "+debug|x|y",
]  # fmt: skip
_LUA = [
    "return", "1", "nil", "'x'", "{1,2,{3}}", "{ok='x'}", "{err='ERR x'}", "{double=1.5}", "{map={a=1}}", "{set={1}}",
    "redis.call('get','k')", "redis.pcall('nothing')", "redis.call('set','k',ARGV[1] or 'v')", "redis.setresp(3)",
    "redis.error_reply('x')", "redis.status_reply(KEYS[1])", "redis.sha1hex('')", "redis.log(3,'x')", "..", "+", "#",
    "cjson.encode({1,{a=2}})", "cjson.decode('[1,{\"a\":null}]')", "cjson.decode('{')", "cmsgpack.pack(1,'x',{})",
    "cmsgpack.unpack('\\255\\193')", "struct.pack('>I4s',1,'x')", "struct.unpack('i16','')", "bit.tohex(-1)",
    "string.rep('x',100000)", "string.format('%5s%d',1,2)", "tonumber('0x1p4')", "local a =", ";", "error({})",
    "pcall(error)", "setmetatable({},{__index=1})", "getmetatable('')", "loadstring('return 1')()", "a.b.c", "_G",
    "redis.acl_check_cmd('get','k')", "redis.set_repl(1)", "unpack({1,2})", "select('#')", "coroutine.wrap(error)()",
    "collectgarbage()", "tostring(redis)", "function() end", "do", "end", "if", "then", "(", ")", "--", "[[", "]]",
]  # fmt: skip


class Requests:
    """Pipelines of every command with words by chance, mutated, in pieces of any size; in RESP2 and RESP3."""

    def __init__(self) -> None:
        self._names = [name.decode() if isinstance(name, bytes) else name for name in build_table()]
        self._names = sorted(name for name in self._names if name.lower() not in _NOT_PLAYED)
        self._server = make_server(Path("/"), MemoryDisk())

    def case(self, chance: random.Random) -> bytes:
        lines = [self._line(chance) for _ in range(chance.randrange(1, 12))]
        return mutate(b"".join(lines), lines, _PIECES, chance)

    def _line(self, chance: random.Random) -> bytes:
        words = [chance.choice(self._names), *(chance.choice(_WORDS) for _ in range(chance.randrange(7)))]
        return request(*words)

    def run(self, data: bytes) -> None:
        chance = random.Random(data)
        client = without_socket(self._server)
        if chance.random() < 0.5:
            client.feed(request("HELLO", 3))
        while data:
            size = chance.choice([1, 7, 100, len(data)])
            client.feed(data[:size])
            client.take_output()
            data = data[size:]
        client.disconnect()
        play(self._server, "FLUSHALL")


class Calls:
    """ACL, CONFIG GET and SET of what a server that does not listen can set, EVAL and FUNCTION LOAD."""

    def __init__(self) -> None:
        self._server = make_server(Path("/"), MemoryDisk())
        self._names = [
            directive.name
            for directive in DIRECTIVES
            if not directive.immutable and not directive.protected and directive.name not in ("port", "bind", "logfile")
            and not directive.name.startswith(("tls-", "http", "append", "save", "log-"))
        ]  # fmt: skip

    def case(self, chance: random.Random) -> bytes:
        return request(*getattr(self, chance.choice(["_acl", "_acl", "_config", "_eval", "_eval"]))(chance))

    def _acl(self, chance: random.Random) -> list[bytes | str | int]:
        rules = [chance.choice(_RULES) for _ in range(chance.randrange(6))]
        verbs = ["SETUSER", "SETUSER", "SETUSER", "DRYRUN", "GETUSER", "DELUSER", "CAT", "LOG", "GENPASS", "LIST"]
        return ["ACL", chance.choice(verbs), *([f"u{chance.randrange(9)}"] if chance.random() < 0.9 else []), *rules]

    def _config(self, chance: random.Random) -> list[bytes | str | int]:
        if chance.random() < 0.3:
            return ["CONFIG", "GET", *(chance.choice([*self._names, "*a*", "[", "\\"]) for _ in range(3))]
        values: list[bytes | str | int] = [*_WORDS, "yes", "no", "1gb", "-1", "1%", "AKE", "allkeys-lru", "3600 1"]
        pairs = [(chance.choice(self._names), chance.choice(values)) for _ in range(chance.randrange(1, 3))]
        return ["CONFIG", "SET", *(word for pair in pairs for word in pair)]

    def _eval(self, chance: random.Random) -> list[bytes | str | int]:
        code = " ".join(chance.choice(_LUA) for _ in range(chance.randrange(1, 7)))
        if chance.random() < 0.2:
            head = chance.choice(["#!lua name=a\n", "#!lua\n", "#!lua flags=no-writes\n", "#!x\n", "#!lua name=\n"])
            return ["FUNCTION", "LOAD", "REPLACE", head + f"redis.register_function('f', function() return {code} end)"]
        words = [chance.choice(_WORDS) for _ in range(chance.randrange(3))]
        numkeys = chance.choice([0, 1, len(words), -1, "x"])
        return [chance.choice(["EVAL", "EVAL_RO"]), chance.choice(["return ", ""]) + code, numkeys, *words]

    def run(self, data: bytes) -> None:
        reply = play(self._server, data)
        assert reply, "no reply"
        assert not reply.startswith(b"-ERR internal"), reply


def play(server: object, what: bytes | str) -> bytes:
    """One request on a connection of its own; the reply."""
    client = without_socket(server)  # type: ignore[arg-type]
    client.feed(what if isinstance(what, bytes) else request(what))
    reply = client.take_output()
    client.disconnect()
    return reply
