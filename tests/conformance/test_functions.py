# ruff: noqa: E501
"""Functions, played in both protocols: each reply is what a redis-server 7.2.4 replied (see ``test_scripting``)."""

from __future__ import annotations

import pytest

from support.recordings import assert_recorded_replies
from support.resp import parse
from support.servers import Server

SCRIPTS = {
    "loading": r"""
        function load replace "#!lua name=lib\nlocal n = '' for k,v in pairs(_G) do n=n..' '..k end error(n)"
        function load replace "#!lua name=lib\nredis.call('get','x')"
        function load replace "#!lua name=lib\nreturn string.rep('x',3)"
        function load replace "#!lua name=lib\nx = 1"
        function load replace "#!lua name=lib\nreturn y"
        function load replace "#!lua name=lib\nredis.x = 1"
        function load replace "#!lua name=lib\nredis.register_function()"
        function load replace "#!lua name=lib\nredis.register_function(1)"
        function load replace "#!lua name=lib\nredis.register_function(1,2)"
        function load replace "#!lua name=lib\nredis.register_function({})"
        function load replace "#!lua name=lib\nredis.register_function('a',1)"
        function load replace "#!lua name=lib\nredis.register_function('a b',function() end)"
        function load replace "#!lua name=lib\nredis.register_function('a',function() end) redis.register_function('a',function() end)"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,flags={'nope'}}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,flags={1}}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,flags=1}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,foo=1}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,[1]=1}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,[true]=1}"
        function load replace "#!lua name=lib\nredis.register_function{function_name=1,callback=function() end}"
        function load replace "#!lua name=lib\nredis.register_function{function_name={},callback=function() end}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=1}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a',callback=function() end,description={}}"
        function load replace "#!lua name=lib\nredis.register_function{callback=function() end}"
        function load replace "#!lua name=lib\nredis.register_function{function_name='a'}"
        function load replace "#!lua name=lib\nlocal x = math.random()"
        function load replace "#!lua name=lib\nlocal x = redis.log(1,'x')"
        function load replace "#!lua name=lib\nlocal x = redis.REDIS_VERSION error(x)"
        function load replace "#!lua name=lib\nlocal x = redis.LOG_DEBUG error(x)"
        function load replace "#!lua name=lib\nlocal x = cjson.encode(1) error(x)"
        function load replace "#!lua name=lib\nlocal x = pcall(error)"
        function load replace "#!lua name=lib\nerror({err='x'})"
        function load replace "#!lua name=lib\nerror('a b')"
        function load replace "#!lua name=lib\nfoo("
        function load replace "#!lua name=lib\n"
        function load replace "#!lua name=lib\nredis.register_function('f', function(keys, args) return {keys, args} end) redis.register_function{function_name='g', callback=function(keys,args) return redis.call('set',keys[1],args[1]) end, flags={'no-writes'}, description='a desc'} redis.register_function('h', function() return KEYS end) redis.register_function('i', function() local s='' for k in pairs(_G) do s=s..' '..k end return s end) redis.register_function('j', function() return redis.register_function end) redis.register_function('k',function() x=1 end) redis.register_function('m',function() return redis.breakpoint end) redis.register_function('n',function() return redis.call('set','a',1) end) redis.register_function('o',function() redis.call('nosuch') end) redis.register_function('p',function() error('x') end) redis.register_function('q',function() return tostring(getmetatable(_G)) end) redis.register_function('r',function() return {math.random(100),redis.pcall('nosuch')} end)"
        fcall f 1 k1 a b
        fcall g 1 k1 a b
        fcall h 1 k1 a b
        fcall j 1 k1 a b
        fcall k 1 k1 a b
        fcall m 1 k1 a b
        fcall n 1 k1 a b
        fcall o 1 k1 a b
        fcall p 1 k1 a b
        fcall_ro f 0
        fcall_ro g 0
        fcall nosuch 0
        fcall f x
        fcall f 5
        fcall f -1
        fcall f
        function list libraryname x*
        function list libraryname
        function list foo
        function load foo
        function load #!lua
        function load "#!lua\nx"
        function load "#!lua name=a name=b\nx"
        function load "#!lua foo=a\nx"
        function load "#!js name=a\nx"
        function load "#!LUA name=a\nx"
        function load "#!lua name=a-b\nx"
        function load "#!lua name=\nx"
        function load "#!lua name=lib\nredis.register_function('zz',function() end)"
        function load "#!lua name=lib2\nredis.register_function('f',function() end)"
        function load "#!lua name=lib2"
        function load foo "#!lua name=lib2"
        function load replace
        function load
        function restore abc
        function restore abc foo
        function restore abc flush x
        function flush x
        function flush sync x
        function delete nosuch
        function stats
        function dump
        function kill
        function foo
        function
        function help
        function flush
        function dump
        function stats
        function list
    """,
    "libraries": r"""
        function load "#!lua name=one\nredis.register_function{function_name='f', callback=function(keys, args) return redis.call('set', keys[1], args[1]) end, description='sets'}"
        function list
        function list withcode
        function list libraryname ON*
        function list libraryname on* withcode
        function list libraryname nosuch
        function list withcode withcode
        function stats
        fcall f 1 k v
        get k
        fcall_ro f 1 k v
        function load replace "#!lua name=one\nredis.register_function{function_name='f', callback=function(keys, args) return redis.call('get', keys[1]) end, flags={'no-writes', 'ALLOW-OOM'}}"
        function list
        fcall f 1 k
        fcall_ro f 1 k
        fcall F 1 k
        function load replace "#!lua name=one\nerror('x')"
        function load replace "#!lua name=one\nredis.register_function('g', function() return 1 end)"
        fcall f 0
        fcall g 0
        function load "#!lua name=two\nredis.register_function('g', function() return 2 end)"
        function load "#!lua name=two\nlocal n = 0\nredis.register_function('count', function() n = n + 1 return n end)"
        fcall count 0
        fcall count 0
        function delete one
        fcall g 0
        function dump
        function delete two
        function restore "\xf5\xc3@V@b\x1f#!lua name=two\nlocal n = 0\nredis" flush
        function restore "" flush
        fcall count 0
        multi
        function load "#!lua name=tx\nredis.register_function('tx', function() return {redis.call('incr', 'txn'), redis.call('incr', 'txn')} end)"
        fcall tx 0
        exec
        get txn
        eval "return redis.call('fcall', 'tx', 0)" 0
        eval "return redis.call('function', 'list')" 0
        function flush sync
        function flush async
        function list
        command getkeys fcall f 2 a b c
        command getkeys fcall_ro f 0
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", list(SCRIPTS))
def test_functions(durastore: Server, name: str, protocol: int) -> None:
    assert_recorded_replies(durastore, "functions", name, SCRIPTS[name], protocol)


CODE = "#!lua name=crossing\nredis.register_function('cross', function(keys, args) return args[1] end)"


def test_a_dump_moves_both_ways(durastore: Server, valkey: Server) -> None:
    for giver, taker in ((durastore, valkey), (valkey, durastore)):
        giver.call("FUNCTION", "LOAD", "REPLACE", CODE)
        dump = giver.call("FUNCTION", "DUMP")
        assert isinstance(dump, bytes)
        giver.call("FUNCTION", "FLUSH")
        assert parse(taker.connect().call("FUNCTION", "RESTORE", dump, "FLUSH")) == "OK"
        assert taker.call("FCALL", "cross", 0, "hello") == b"hello"
        taker.call("FUNCTION", "FLUSH")
