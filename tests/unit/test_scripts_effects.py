"""What scripts do beside replying: the journal, events, blocked clients, tracking, time, rights, and the sandbox."""

from __future__ import annotations

import pytest

from durastore.engine.engine import Engine
from durastore.engine.scripting.programs import LuaPrograms
from durastore.engine.session import Session, replay_session
from support.engines import Listener, engine, run, session
from support.resp import request

pytest.importorskip("lupa.lua51")


def evaluate(of: Session, script: str, *words: str | bytes | int) -> bytes:
    """EVAL; ``words`` are the number of keys, keys and arguments."""
    of.feed(request("EVAL", script, *(words or (0,))))
    return of.take_output()


def short_of_memory() -> Session:
    """A connection to an engine whose scripts may hold 64 MB together: to fill the usual gigabyte takes seconds."""
    client = session(engine())
    evaluate(client, "return 1")
    programs = client.engine.programs
    assert isinstance(programs, LuaPrograms)
    assert programs._interpreter is not None
    programs._interpreter.lua.set_max_memory(64 << 20)
    return client


def journal(of: Engine) -> list[bytes]:
    """What was journalled since the last call, each effect as one line."""
    data = of.journal.take()
    lines = []
    replayed = engine()
    parser = replay_session(replayed).parser
    parser.feed(data)
    while parser.next() == 1:
        lines.append(b" ".join(parser.argv))
    return lines


def test_effects_are_one_transaction() -> None:
    made = engine()
    client = session(made)
    assert evaluate(client, "redis.call('set', KEYS[1], 1) redis.call('incr', KEYS[1]) return 'done'", 1, "k") == (
        b"$4\r\ndone\r\n"
    )
    assert journal(made) == [b"MULTI", b"SELECT 0", b"set k 1", b"incr k", b"EXEC"]


def test_a_single_effect_needs_no_transaction_and_a_reading_script_none() -> None:
    made = engine()
    client = session(made)
    evaluate(client, "return redis.call('set', 'k', 1)")
    assert journal(made) == [b"SELECT 0", b"set k 1"]
    evaluate(client, "return redis.call('get', 'k')")
    assert journal(made) == []


def test_effects_come_behind_those_of_earlier_requests_of_the_same_input() -> None:
    made = engine()
    client = session(made)
    client.feed(
        request("SET", "a", 1)
        + request("EVAL", "redis.call('incr', 'a') redis.call('incr', 'a')", 0)
        + request("SET", "b", 1)
    )
    assert client.take_output() == b"+OK\r\n$-1\r\n+OK\r\n"
    assert journal(made) == [b"SELECT 0", b"SET a 1", b"MULTI", b"incr a", b"incr a", b"EXEC", b"SET b 1"]


def test_effects_are_deterministic_and_know_their_database() -> None:
    made = engine(now=5000)
    client = session(made)
    evaluate(client, "redis.call('set', 'k', 1, 'px', 100) redis.call('select', 3) redis.call('incrbyfloat', 'f', 0.5)")
    assert journal(made) == [
        b"MULTI",
        b"SELECT 0",
        b"SET k 1 PXAT 5100",
        b"SELECT 3",
        b"SET f 0.5 KEEPTTL",
        b"EXEC",
    ]
    assert run(client, b"dbsize") == b":1\r\n"


def test_a_failing_script_keeps_what_it_did() -> None:
    made = engine()
    client = session(made)
    assert evaluate(client, "redis.call('set', 'k', 1) redis.call('set', 'l', 2) error('x')").startswith(b"-ERR user_")
    assert journal(made) == [b"MULTI", b"SELECT 0", b"set k 1", b"set l 2", b"EXEC"]


def test_a_script_in_a_transaction_is_part_of_it() -> None:
    made = engine()
    client = session(made)
    run(client, b"multi", b"set a 1")
    evaluate(client, "redis.call('incr', 'a') redis.call('incr', 'a')")
    run(client, b"exec")
    assert journal(made) == [b"MULTI", b"SELECT 0", b"set a 1", b"incr a", b"incr a", b"EXEC"]


def test_effects_can_be_kept_from_the_journal() -> None:
    made = engine()
    client = session(made)
    evaluate(client, "redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1) redis.set_repl(redis.REPL_ALL) "
                     "redis.call('set', 'b', 1)")  # fmt: skip
    assert journal(made) == [b"SELECT 0", b"set b 1"]
    assert run(client, b"get a") == b"$1\r\n1\r\n"


def test_a_found_expired_key_is_journalled_with_the_effects() -> None:
    made = engine(now=1000)
    client = session(made)
    run(client, b"set k 1 pxat 2000")
    journal(made)
    made.begin_wake(3000)
    evaluate(client, "redis.call('get', 'k') redis.call('set', 'l', 1)")
    assert journal(made) == [b"MULTI", b"DEL k", b"set l 1", b"EXEC"]


def test_functions_are_journalled_as_code() -> None:
    made = engine()
    client = session(made)
    code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('incr', keys[1]) end)"
    client.feed(request("FUNCTION", "LOAD", code) + request("FCALL", "f", 1, "n"))
    assert client.take_output() == b"$3\r\nlib\r\n:1\r\n"
    assert journal(made) == [b"SELECT 0", b"FUNCTION LOAD " + code.encode(), b"incr n"]
    assert made.instance.keyspace.functions == [code.encode()]


def test_events_and_blocked_clients_come_after_the_script() -> None:
    made = engine()
    client, waiting = session(made), session(made, 2)
    listener = Listener(made)
    run(waiting, b"blpop l 0")
    reply = evaluate(client, "redis.call('rpush', 'l', 'a', 'b') return redis.call('llen', 'l')")
    assert reply == b":2\r\n"
    assert waiting.take_output() == b"*2\r\n$1\r\nl\r\n$1\r\na\r\n"
    assert listener.told() == "rpush:l lpop:l"


def test_who_tracks_is_told_of_what_its_scripts_read() -> None:
    made = engine()
    client, other = session(made), session(made, 2)
    run(client, b"hello 3", b"client tracking on")
    evaluate(client, "return redis.call('get', KEYS[1])", 1, "k")
    run(other, b"set k 1")
    assert client.take_output() == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
    client.feed(request("EVAL_RO", "return 1", 1, "k"))
    run(other, b"set k 1")
    assert client.take_output() == b":1\r\n"


def test_a_watched_key_that_a_script_changes_breaks_the_transaction() -> None:
    made = engine()
    client, other = session(made), session(made, 2)
    run(client, b"watch k", b"multi", b"get k")
    evaluate(other, "redis.call('set', 'k', 1)")
    assert run(client, b"exec") == b"*-1\r\n"


def test_writes_that_are_refused_are_refused_in_scripts() -> None:
    made = engine()
    client = session(made)
    made.write_refusal = b"MISCONF no"
    made.update_guard()
    assert evaluate(client, "return redis.call('get', 'a')") == b"$-1\r\n"
    assert evaluate(client, "return redis.pcall('set', 'a', 1)") == b"-MISCONF no\r\n"
    assert evaluate(client, "#!lua\nreturn 1") == b"-MISCONF no\r\n"
    assert evaluate(client, "#!lua flags=no-writes\nreturn 1") == b":1\r\n"


def test_users_rules_hold_in_scripts() -> None:
    made = engine()
    admin, client = session(made), session(made, 2)
    run(admin, b"acl setuser bob on nopass +@all -set ~x*")
    run(client, b"auth bob x")
    assert evaluate(client, "return redis.pcall('set', 'x', 1)") == (
        b"-ERR ACL failure in script: User bob has no permissions to run the 'set' command\r\n"
    )
    assert evaluate(client, "return redis.pcall('get', 'y')") == (
        b"-ERR ACL failure in script: No permissions to access a key\r\n"
    )
    assert evaluate(client, "return {redis.acl_check_cmd('set', 'x', 1), redis.acl_check_cmd('get', 'x')}") == (
        b"*2\r\n$-1\r\n:1\r\n"
    )


def test_sort_in_a_script_leads_no_further_than_the_users_keys() -> None:
    made = engine()
    admin, client = session(made), session(made, 2)
    run(admin, b"acl setuser bob on nopass +@all ~x*", b"rpush x 2 1", b"set w1 2", b"set w2 1")
    by = "return redis.pcall('sort', 'x', 'by', 'w*', 'get', 'w*')"
    assert evaluate(admin, by) == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
    run(client, b"auth bob x")
    assert evaluate(client, by) == b"-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n"
    assert evaluate(client, "return redis.pcall('sort', 'x', 'get', '#')") == (
        b"-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n"
    )
    assert evaluate(client, "return redis.pcall('sort', 'x')") == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
    assert evaluate(admin, by) == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"


def test_the_acl_log_tells_of_scripts() -> None:
    made = engine()
    admin, client = session(made), session(made, 2)
    run(admin, b"acl setuser bob on nopass +@all -set ~x*")
    run(client, b"auth bob x")
    evaluate(client, "return redis.pcall('set', 'x', 1)")
    entry = run(admin, b"acl log")
    assert b"$7\r\ncontext\r\n$3\r\nlua\r\n$6\r\nobject\r\n$3\r\nset\r\n" in entry
    assert b" cmd=eval " in entry


def test_random_numbers_begin_as_in_redis() -> None:
    reply = evaluate(session(engine()), "return {math.random(1000000), math.random(1000000), math.random(1000000)}")
    assert reply == b"*3\r\n:396465\r\n:840486\r\n:353337\r\n"


def test_many_arguments() -> None:
    client = session(engine())
    words = [str(i) for i in range(20000)]
    assert evaluate(client, "return {#KEYS, KEYS[10000], #ARGV, ARGV[10000]}", 10000, *words) == (
        b"*4\r\n:10000\r\n$4\r\n9999\r\n:10000\r\n$5\r\n19999\r\n"
    )


def test_a_reply_is_as_deep_as_in_redis() -> None:
    client = session(engine())
    end = b"-ERR reached lua stack limit\r\n"
    assert evaluate(client, "local t = {} t[1] = t return t") == b"*1\r\n" * 7995 + end
    assert evaluate(client, "local t = {set={}} t.set[t] = true return t") == b"*1\r\n" * 2665 + end
    assert (
        evaluate(client, "local t = {map={}} t.map.a = t return t") == b"*2\r\n$1\r\na\r\n" * 2664 + b"*2\r\n" + end * 2
    )


def test_a_slow_script_is_ended_and_others_hear_that_the_server_is_busy() -> None:
    made = engine()
    client, other = session(made), session(made, 2)
    clock = iter(range(0, 1 << 62, 10_000_000_000))
    made.stopwatch = lambda: next(clock)
    heard = []

    def serve() -> None:
        heard.append(run(other, b"get x", b"function kill", b"script kill", b"ping"))

    made.programs.runner.while_busy = serve
    reply = evaluate(client, "while true do pcall(function() while true do end end) end")
    busy = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
    assert heard == [busy * 2 + b"+OK\r\n" + busy]
    assert reply.startswith(b"-ERR Script killed by user with SCRIPT KILL... script: ")
    assert run(other, b"ping") == b"+PONG\r\n"
    assert evaluate(client, "return 1") == b":1\r\n"


def test_a_slow_script_that_wrote_is_not_ended_and_what_it_did_is_seen_when_it_has_ended() -> None:
    made = engine()
    client, other, waiting = session(made), session(made, 2), session(made, 3)
    clock = iter(range(0, 1 << 62, 10_000_000_000))
    made.stopwatch = lambda: next(clock)
    run(waiting, b"blpop l 0")
    heard = []

    def serve() -> None:
        heard.append(run(other, b"script kill") + waiting.take_output())
        assert made.journal.take() == b""

    made.programs.runner.while_busy = serve
    evaluate(client, "redis.call('set', 'a', 1) redis.call('rpush', 'l', 1) for i = 1, 300000 do end")
    assert heard
    assert all(each.startswith(b"-UNKILLABLE Sorry the script already executed write commands") for each in heard)
    assert waiting.take_output() == b"*2\r\n$1\r\nl\r\n$1\r\n1\r\n"
    assert journal(made) == [b"MULTI", b"SELECT 0", b"set a 1", b"rpush l 1", b"EXEC", b"LPOP l"]


def test_nothing_of_a_script_is_journalled_that_the_end_of_the_server_ends() -> None:
    made = engine()
    client = session(made)
    clock = iter(range(0, 1 << 62, 10_000_000_000))
    made.stopwatch = lambda: next(clock)
    made.programs.runner.while_busy = made.programs.runner.abandon
    run(client, b"set before 1")
    evaluate(client, "redis.call('set', 'a', 1) redis.call('set', 'b', 1) while true do end")
    assert journal(made) == [b"SELECT 0", b"set before 1"]


def test_a_script_without_end_of_memory_hears_so() -> None:
    client = short_of_memory()
    reply = evaluate(client, "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000000) .. i end")
    assert b"not enough memory" in reply
    assert evaluate(client, "return 1") == b":1\r\n"


ESCAPES = [
    "return tostring(getfenv(redis.call) == _G)",
    "return tostring(getfenv(getmetatable) == _G)",
    "return tostring(getfenv(0) == _G)",
    "return tostring(getfenv(pcall) == _G)",
    "local f, t = pairs(_G) return tostring(t == _G)",
]


@pytest.mark.parametrize("script", ESCAPES)
def test_scripts_see_only_the_protected_globals(script: str) -> None:
    assert evaluate(session(engine()), script) == b"$4\r\ntrue\r\n"


REFUSED = [
    "setfenv(0, {})",
    "setfenv(redis.call, {})",
    "setfenv(pcall, {})",
    "getmetatable('').__index = nil",
    "local f, t = pairs(redis) t.x = 1",
    "rawset(string, 'x', 1)",
    "table.insert(cjson, 1)",
    "getmetatable(_G).__index = nil",
    "return loadstring('\\27Lua')()",
    "return load(function() return '\\27Lua' end)()",
    "for k, v in pairs(_G) do if type(v) == 'userdata' then error(k) end end error('none')",
]


@pytest.mark.parametrize("script", REFUSED)
def test_what_scripts_must_not_do_is_an_error_and_leaves_nothing_behind(script: str) -> None:
    client = short_of_memory()
    assert evaluate(client, script).startswith(b"-ERR ")
    assert evaluate(client, "return redis.call('ping')") == b"+PONG\r\n"
    assert evaluate(client, "return ('x'):upper()") == b"$1\r\nX\r\n"


def test_a_script_cannot_switch_the_collector_off() -> None:
    client = short_of_memory()
    assert evaluate(client, "return collectgarbage('stop')") == b":0\r\n"
    assert evaluate(client, "for i = 1, 100 do local s = string.rep('x', 1000000) .. i end return 1") == b":1\r\n"
