# ruff: noqa: E501
"""Scripts in Lua, played in both protocols: each reply is what a redis-server 7.2.4 replied.

Valkey words most errors in its own way, so that Redis's replies are kept in a file; ``scripts/record-replies`` makes it.
"""

from __future__ import annotations

import pytest

from support.recordings import assert_recorded_replies
from support.servers import Server

SCRIPTS = {
    "errors": r"""
        eval "return {pcall(redis.call,'nosuch')}" 0
        eval "redis.call('nosuch')" 0
        eval "redis.call()" 0
        eval "redis.call({})" 0
        eval "redis.call('get')" 0
        eval "return redis.call('get')" 0
        eval "return redis.pcall('multi')" 0
        eval "redis.call('multi')" 0
        eval "error('boo')" 0
        eval "error('boo',0)" 0
        eval "error('boo',2)" 0
        eval "error({err='My boo'})" 0
        eval "error({err='My boo',x=1})" 0
        eval "error()" 0
        eval "error(nil)" 0
        eval "error(42)" 0
        eval "return {err='x'}" 0
        eval "return {err='x y'}" 0
        eval "return {err='a\r\nb'}" 0
        eval "return {ok='a\r\nb'}" 0
        eval "return redis.error_reply('x y')" 0
        eval "return redis.error_reply('-x y')" 0
        eval "return redis.error_reply('x')" 0
        eval "return redis.error_reply('')" 0
        eval "return redis.error_reply(1)" 0
        eval "return redis.error_reply()" 0
        eval "return redis.error_reply('a','b')" 0
        eval "return redis.status_reply('fine')" 0
        eval "return redis.status_reply()" 0
        eval "return redis.status_reply(3)" 0
        eval "return foo(" 0
        eval "return 'a" 0
        eval "\n\n  foo bar" 0
        eval "local t = {} t.x.y = 1" 0
        eval "local t = {}\n\n return t.x.y" 0
        eval "return 1 + {}" 0
        eval "return 'a' < 1" 0
        eval "return #nil" 0
        eval "local a = nil; a()" 0
        eval "return string.rep()" 0
        eval "return ('x'):rep({})" 0
        eval "\n\n\nredis.call('lpush','l',1) redis.call('incr','l')" 0
        eval "return redis.pcall('incr','l')" 0
        eval "return redis.call('incr','l')" 0
        eval "return {redis.pcall('incr','l').err}" 0
        eval "local t = redis.pcall('incr','l') t.err = 'OTHER text' return t" 0
        eval "local f = loadstring('return redis.call(\"nosuch\")') return f()" 0
        eval "local function f() redis.call('nosuch') end f()" 0
        eval "local function f()\n redis.call('nosuch') end\n f()" 0
        eval "local ok, e = pcall(function() error({err='a b',x=1}) end) return {tostring(ok), e}" 0
        eval "local ok, e = pcall(function() error('a b') end) return {tostring(ok), e}" 0
        eval "local ok, e = pcall(function() error() end) return {tostring(ok), tostring(e)}" 0
        eval "local ok, e = xpcall(function() redis.call('nosuch') end, function(e) return e.err end) return {tostring(ok), e}" 0
        eval "local ok, e = pcall(function() redis.call('incr', 'l') end) return {tostring(ok), e}" 0
        eval "return redis.call('echo', true)" 0
        eval "return redis.call('echo', nil)" 0
        eval "return redis.call('echo', {})" 0
        eval "return redis.call('client', 'nosuch')" 0
        eval "return redis.call('config', 'get', 'x')" 0
        eval "return redis.call('eval', 'return 1', 0)" 0
        eval "return redis.call('subscribe', 'x')" 0
        eval "return tostring(nosuch)" 0
        eval "nosuch = 1" 0
        eval "return redis.nosuch" 0
        eval "redis.x = 1" 0
        eval "string.x = 1" 0
        eval "rawset(redis, 'a', 1)" 0
        eval "rawset(_G, 'a', 1)" 0
        eval "table.insert(redis, 1)" 0
        eval "table.insert(_G, 1)" 0
        eval "setmetatable(redis, {})" 0
        eval "setmetatable(_G, {})" 0
        eval "getmetatable(_G).__index = 1" 0
        eval "KEYS = 1" 0
        eval "KEYS[1] = 'x' return KEYS[1]" 0
        eval "ARGV = {}" 0
        eval "_G.redis = 1" 0
        eval "_G._G = 1" 0
        eval "redis.call = function() end" 0
        eval "table.setn(redis, 1)" 0
        eval "return {loadstring('return zz(')}" 0
        eval "return {pcall(loadstring('return zz'))}" 0
        eval "return tostring(loadstring('x = 1')())" 0
        eval "return {loadstring(string.dump(function() return 1 end))}" 0
        eval "local s = '' for k in pairs(redis) do s = s .. 'x' end return #s" 0
        eval "return {type(_G), type(redis), type(redis.call), type(string), type(KEYS), type(cjson.null)}" 0
        eval "return {tostring(rawget(_G, 'nosuch')), type(rawget(_G, 'redis')), type(rawget(redis, 'call'))}" 0
        eval "return {tostring(print), 1}" 0
        eval "return tostring(os)" 0
        eval "return tostring(io)" 0
        eval "return tostring(require)" 0
        eval "return tostring(dofile)" 0
        eval "return tostring(debug)" 0
        eval "return tostring(package)" 0
        eval "return tostring(module)" 0
        eval "return tostring(python)" 0
        eval "return {_VERSION, type(getfenv), type(setfenv), type(newproxy), type(gcinfo), type(collectgarbage)}" 0
        eval "return getfenv() == _G" 0
        eval "return _G._G == _G" 0
        eval "local f = function() return x end setfenv(f, {x=5}) return f()" 0
        eval "return tostring(getmetatable(redis))" 0
        eval "return getmetatable('').__index == string" 0
        eval "return {('x'):upper(), ('abc'):len()}" 0
        eval "return select('#', next(redis))" 0
        eval "return tostring(setmetatable({}, {__tostring=function() return 'me' end}))" 0
        eval "return {unpack({1,2,3})}" 0
        eval "return tostring(1e15)" 0
        eval "return tostring(12345678901234567890)" 0
        eval "return {tostring(0/0), tostring(1/0), tostring(-1/0), tostring(0.1)}" 0
        eval "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return {x, y, coroutine.status(co)}" 0
        eval "local co = coroutine.wrap(function() error('in co') end) co()" 0
        eval "local co = coroutine.wrap(function() redis.call('nosuch') end) co()" 0
        eval "local r = {coroutine.resume(coroutine.create(function() redis.call('set', 'co', 1) return redis.call('get', 'co') end))} return r" 0
        eval "return pairs(nil)" 0
        eval "return next(nil)" 0
        eval "return ipairs()" 0
        eval "return table.insert(nil, 1)" 0
        eval "return table.insert({}, 1, 2, 3)" 0
        eval "return table.concat({1,2,{}})" 0
        eval "return table.concat({1,2,3}, ',')" 0
        eval "local t = {3,1,2} table.sort(t) return t" 0
        eval "local t = {3,1,2} table.remove(t) table.insert(t, 9) table.insert(t, 1, 8) return t" 0
        eval "return rawset({}, nil, 1)" 0
        eval "return setmetatable(1, {})" 0
        eval "return setmetatable({}, 1)" 0
        eval "return string.format('%d %s %q %5.2f', 3, 'x', 'a\"b', 1.5)" 0
        eval "return string.format('%d', 'x')" 0
        eval "return assert(false, 'no way')" 0
        eval "return assert(false)" 0
        eval "return assert(nil, {err='E x'})" 0
        eval "return tostring()" 0
        eval "return pcall()" 0
        eval "return {pcall(pcall)}" 0
        eval "return xpcall(1)" 0
        eval "local function f(n) if n == 0 then return 'end' end return f(n - 1) end return f(100000)" 0
    """,
    "arguments": r"""
        eval
        eval "return 1"
        eval "return 1" x
        eval "return 1" 2
        eval "return 1" 2 a
        eval "return 1" -1
        eval "return 1" 1.5
        evalsha abc 0
        evalsha ffffffffffffffffffffffffffffffffffffffff 0
        evalsha ffffffffffffffffffffffffffffffffffffffff x
        evalsha ffffffffffffffffffffffffffffffffffffffff 5
        evalsha_ro abc 0
        eval "return {KEYS, ARGV}" 2 a b c d
        eval "return {#KEYS, #ARGV}" 0
        eval "return KEYS[3]" 2 a b c d
        eval "return redis.sha1hex()" 0
        eval "return redis.sha1hex('')" 0
        eval "return redis.sha1hex('a\x00b')" 0
        eval "return redis.sha1hex(12)" 0
        eval "return redis.sha1hex('a', 'b')" 0
        eval "return redis.setresp()" 0
        eval "return redis.setresp(4)" 0
        eval "return redis.setresp('x')" 0
        eval "return redis.log(1)" 0
        eval "return redis.log('x','y')" 0
        eval "return redis.log(9,'y')" 0
        eval "return redis.log(-1,'y')" 0
        eval "return redis.log(redis.LOG_DEBUG, 'hello', 'you', 3)" 0
        eval "return redis.log('1', 'hello')" 0
        eval "return redis.set_repl()" 0
        eval "return redis.set_repl(9)" 0
        eval "return redis.set_repl(redis.REPL_ALL)" 0
        eval "return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}" 0
        eval "return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}" 0
        eval "return {type(redis.REDIS_VERSION), type(redis.REDIS_VERSION_NUM)}" 0
        eval "return redis.breakpoint()" 0
        eval "return redis.debug('a', 1)" 0
        eval "return redis.replicate_commands()" 0
        eval "return redis.acl_check_cmd('nosuch')" 0
        eval "return redis.acl_check_cmd('get', 'a')" 0
        eval "return redis.acl_check_cmd()" 0
        eval "return redis.acl_check_cmd({})" 0
        eval "return redis.acl_check_cmd('config|get', 'a')" 0
        eval "return redis.acl_check_cmd('config', 'get')" 0
        script
        script load
        script load "return 7"
        script load "return foo("
        script load "return 1" x
        script exists
        script exists 4ca238f611c9d0ae4e9a75a5dbac22aedc1e7b86 FFFF
        script exists a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0
        evalsha 4ca238f611c9d0ae4e9a75a5dbac22aedc1e7b86 0
        script flush x
        script flush sync x
        script flush sync
        script flush async
        script flush
        script exists 4ca238f611c9d0ae4e9a75a5dbac22aedc1e7b86
        script kill
        script kill x
        script debug
        script debug x
        script debug no
        script nosuch
        script help
        script help x
        command getkeys eval "return 1" 2 a b c
        command getkeys evalsha x 0
        command getkeys eval "return 1" x
        command getkeysandflags eval_ro x 1 a
        object help
    """,
    "shebang": r"""
        eval "#!lua flags=nosuch\nreturn 1" 0
        eval "#!lua name=x\nreturn 1" 0
        eval "#!nolua\nreturn 1" 0
        eval "#!\nreturn 1" 0
        eval "#! lua\nreturn 1" 0
        eval "#!lua\nreturn 1" 0
        eval "#!lua" 0
        eval "#!lua flags=no-writes" 0
        eval "#!lua flags=no-writes\nreturn redis.call('set','a',1)" 0
        eval "#!lua flags=no-writes\nreturn redis.pcall('set','a',1)" 0
        eval "#!lua flags=no-writes,allow-stale,allow-oom,no-cluster,allow-cross-slot-keys\nreturn redis.call('get','a')" 0
        eval "#!lua flags=NO-WRITES\nreturn 1" 0
        eval "#!lua flags=\nreturn 1" 0
        eval "#!lua flags=no-writes flags=allow-oom\nreturn redis.call('set', 'a', 1)" 0
        eval "#!lua  flags=no-writes\nreturn 1" 0
        eval "#!lua\n\nerror('x')" 0
        eval_ro "#!lua\nreturn 1" 0
        eval_ro "#!lua flags=no-writes\nreturn 1" 0
        eval_ro "return redis.call('set','a',1)" 0
        eval_ro "return redis.pcall('set','a',1)" 0
        eval_ro "return redis.call('get','a')" 1 a
        eval_ro "return redis.call('publish','a', 'b')" 1 a
        eval_ro "return redis.call('pfcount','a')" 1 a
        script load "#!lua flags=nosuch\nreturn 1"
        script load "#!lua flags=no-writes\nreturn redis.call('set', 'x', 1)"
        evalsha 4c0b1fd6cba0fd3cf9da5bd2b0b0b3ec2ee4ba56 0
    """,
    "conversion": r"""
        eval "return 3.99" 0
        eval "return -3.99" 0
        eval "return '3.99'" 0
        eval "return 1e300" 0
        eval "return -1e300" 0
        eval "return 2^53" 0
        eval "return 2^63" 0
        eval "return -2^63" 0
        eval "return 0/0" 0
        eval "return true" 0
        eval "return false" 0
        eval "return nil" 0
        eval "return" 0
        eval "" 0
        eval "return {}" 0
        eval "return {1,2.9,'a',true,false,nil,5}" 0
        eval "return {1,2,{3,'Hello World!'},{}}" 0
        eval "return {ok='fine'}" 0
        eval "return {ok=1}" 0
        eval "return {err=1}" 0
        eval "return {ok='a', err='b c'}" 0
        eval "return {[1]='x', foo='bar'}" 0
        eval "return {double=3.5}" 0
        eval "return {double=3}" 0
        eval "return {double=1e300}" 0
        eval "return {double=0.1}" 0
        eval "return {double=1/0}" 0
        eval "return {double=-1/0}" 0
        eval "return {double='x'}" 0
        eval "return {map={a=1}}" 0
        eval "return {map={a={1,2}}}" 0
        eval "return {map={}}" 0
        eval "return {map=1}" 0
        eval "return {set={a=true}}" 0
        eval "return {set={}}" 0
        eval "return {set=1}" 0
        eval "return {big_number='123456789012345678901234567890'}" 0
        eval "return {big_number='1\r\n2'}" 0
        eval "return {big_number=1}" 0
        eval "return {verbatim_string={format='txt',string='hello'}}" 0
        eval "return {verbatim_string={format='txt'}}" 0
        eval "return {verbatim_string={string='x'}}" 0
        eval "return {verbatim_string=1}" 0
        eval "return {{ok='fine'},{err='E x'},{double=1.5},{map={a=1}}}" 0
        eval "redis.setresp(3) return true" 0
        eval "redis.setresp(3) return false" 0
        eval "redis.setresp(3) return {true, false}" 0
        eval "redis.setresp(3) return nil" 0
        eval "return function() end" 0
        eval "return cjson.null" 0
        eval "return coroutine.create(function() end)" 0
        eval "return setmetatable({},{__index=function() return 1 end})" 0
        eval "local t = setmetatable({1,2}, {__index = function(t, k) if k == 'ok' then return 'no' end end}) return t" 0
        set s abc
        eval "return redis.call('set','a','b')" 0
        eval "return redis.call('set','a','b').ok" 0
        eval "return redis.call('get','a')" 0
        eval "return redis.call('get','nosuch')" 0
        eval "return tostring(redis.call('get','nosuch'))" 0
        eval "redis.setresp(3) return tostring(redis.call('get','nosuch'))" 0
        eval "return redis.call('incr','n')" 0
        eval "return type(redis.call('incr','n'))" 0
        eval "return redis.call('incrbyfloat','f', 1.5)" 0
        eval "return redis.call('incrbyfloat','f', 10)" 0
        eval "return redis.call('hset','h','a',1)" 0
        eval "return redis.call('hgetall','h')" 0
        eval "redis.setresp(3) return redis.call('hgetall','h')" 0
        eval "redis.setresp(3) return redis.call('hgetall','h').map.a" 0
        eval "return redis.call('sadd','set','a')" 0
        eval "return redis.call('smembers','set')" 0
        eval "redis.setresp(3) return redis.call('smembers','set')" 0
        eval "redis.setresp(3) return tostring(redis.call('smembers','set').set.a)" 0
        eval "return redis.call('zadd','z',1.5,'a')" 0
        eval "return redis.call('zscore','z','a')" 0
        eval "redis.setresp(3) return redis.call('zscore','z','a')" 0
        eval "redis.setresp(3) return redis.call('zscore','z','a').double * 2" 0
        eval "return redis.call('zrange','z',0,-1,'withscores')" 0
        eval "redis.setresp(3) return redis.call('zrange','z',0,-1,'withscores')" 0
        eval "redis.setresp(3) return redis.call('zscore','z','nosuch')" 0
        eval "redis.setresp(3) return redis.call('debug','protocol','verbatim')" 0
        eval "return redis.call('lpop','nosuch')" 0
        eval "return redis.call('lpop','nosuch', 1)" 0
        eval "return redis.call('mget','a','nosuch','s')" 0
        eval "redis.setresp(3) return redis.call('mget','a','nosuch','s')" 0
        eval "return #redis.call('mget','a','nosuch','s')" 0
        eval "return redis.call('exists','a') == 1" 0
        eval "return redis.call('type','a')" 0
        eval "return redis.call('type','a').ok" 0
        eval "return redis.call('ping')" 0
        eval "return redis.call('PING', 'x')" 0
        eval "return redis.call('blpop','nosuch', 0)" 0
        eval "return redis.call('brpoplpush','nosuch', 'x', 0)" 0
        eval "return redis.call('bzpopmin','nosuch', 0)" 0
        eval "return redis.call('xread','block', 0, 'streams', 'nosuch', '$')" 0
        eval "return redis.call('wait', 1, 0)" 0
        eval "return redis.call('geoadd','g', 13.361389, 38.115556, 'p')" 0
        eval "return redis.call('geopos','g','p','q')" 0
        eval "return redis.call('echo', 3.0000000000000004)" 0
        eval "return redis.call('echo', 1e300)" 0
        eval "return redis.call('echo', 1e15)" 0
        eval "return redis.call('echo', 123456789012345678)" 0
        eval "return redis.call('echo', 2^62)" 0
        eval "return redis.call('echo', 2^63)" 0
        eval "return redis.call('echo', -2^63)" 0
        eval "return redis.call('echo', 0.1)" 0
        eval "return redis.call('echo', 1e-7)" 0
        eval "return redis.call('echo', 1e21)" 0
        eval "return redis.call('echo', 1.5e-10)" 0
        eval "return redis.call('echo', 100000000)" 0
        eval "return redis.call('echo', -5)" 0
        eval "return redis.call('echo', 1/0)" 0
        eval "return redis.call('echo', 'a\x00b')" 0
        eval "return {redis.call('select', 3), redis.call('set', 'in3', 1), redis.call('dbsize')}" 0
        exists in3
        eval "redis.call('set', 'e', 1, 'px', 1) local n = 0 while redis.call('exists', 'e') == 1 and n < 100000 do n = n + 1 end return n" 0
        multi
        eval "return redis.call('incr', 'n')" 0
        eval "return redis.call('blpop', 'nosuch', 0)" 0
        eval "return redis.call('nosuch')" 0
        exec
        get n
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", list(SCRIPTS))
def test_script(durastore: Server, name: str, protocol: int) -> None:
    assert_recorded_replies(durastore, "scripting", name, SCRIPTS[name], protocol)
