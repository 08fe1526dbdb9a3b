# ruff: noqa: E501
"""The libraries that scripts find, played in both protocols: each reply is what a redis-server 7.2.4 replied."""

from __future__ import annotations

import pytest

from support.recordings import assert_recorded_replies
from support.servers import Server

SCRIPTS = {
    "bit": r"""
        eval "return bit.band()" 0
        eval "return bit.band('x')" 0
        eval "return bit.band('12', 7)" 0
        eval "return {bit.band(0xff, 0x0f), bit.bor(1, 2, 4), bit.bxor(0xff, 0x0f), bit.bnot(0)}" 0
        eval "return {bit.tobit(0xffffffff), bit.tobit(2^40 + 5), bit.tobit(-1.5), bit.tobit(2.5), bit.tobit(3.5)}" 0
        eval "return {bit.lshift(1, 31), bit.lshift(1, 32), bit.rshift(-1, 28), bit.arshift(-256, 4), bit.rol(0x12345678, 12), bit.ror(0x12345678, 12)}" 0
        eval "return {bit.bswap(0x12345678), bit.bswap(0x78563412)}" 0
        eval "return {bit.tohex(1), bit.tohex(-1), bit.tohex(0xffff, 4), bit.tohex(0xff, -4), bit.tohex(65535, 2), bit.tohex(1, 0), bit.tohex(1, 99)}" 0
        eval "return bit.tohex('x')" 0
        eval "return {bit.band(2^31, 2^31), bit.bor(2^32 + 1, 0), bit.tobit(1e15)}" 0
        eval "bit.x = 1" 0
    """,
    "math": r"""
        eval "math.randomseed(0) return {math.random(1000000), math.random(1000000), math.random(1000000)}" 0
        eval "return {math.random(1000000), math.random(1000000), math.random(1000000)}" 0
        eval "math.randomseed(10) return {math.random(1000000), math.random(10, 20), tostring(math.random())}" 0
        eval "math.randomseed(-5) return {math.random(1000000), math.random(10, 20), tostring(math.random())}" 0
        eval "math.randomseed(12345678901) return {math.random(1000000), math.random(10, 20), tostring(math.random())}" 0
        eval "return math.random(0)" 0
        eval "return math.random(2, 1)" 0
        eval "return math.random('x')" 0
        eval "return math.random(1, 2, 3)" 0
        eval "return math.randomseed()" 0
        eval "return {math.floor(3.7), math.max(1, 5, 2), math.mod(7, 4), math.fmod(7, 4), tostring(math.pi), tostring(math.huge)}" 0
    """,
    "struct": r"""
        eval "return struct.pack('>I2', 258)" 0
        eval "return struct.pack('<i4', -2)" 0
        eval "return struct.pack('b', 300)" 0
        eval "return struct.pack('HhLlTfd', 1, 2, 3, 4, 5, 1.5, 2.5)" 0
        eval "return struct.pack('>HhLlTfd', 1, 2, 3, 4, 5, 1.5, 2.5)" 0
        eval "return struct.pack('s', 'hello')" 0
        eval "return struct.pack('c3', 'hello')" 0
        eval "return struct.pack('c0', 'hello')" 0
        eval "return struct.pack('c9', 'hello')" 0
        eval "return struct.pack('Bc0', 5, 'hello')" 0
        eval "return struct.pack('!4 b i4', 1, 2)" 0
        eval "return struct.pack('!8 b d', 1, 2)" 0
        eval "return struct.pack('bxxb', 1, 2)" 0
        eval "return struct.pack('i33', 1)" 0
        eval "return struct.pack('i16', -1)" 0
        eval "return struct.pack('I', 'x')" 0
        eval "return struct.pack('I')" 0
        eval "return struct.pack('z', 1)" 0
        eval "return struct.pack('!3i4', 1)" 0
        eval "return struct.pack()" 0
        eval "return struct.pack('!64b', 1)" 0
        eval "return {struct.unpack('>I2', '\x01\x02')}" 0
        eval "return {struct.unpack('<i4', '\xfe\xff\xff\xff')}" 0
        eval "return {struct.unpack('<I4', '\xfe\xff\xff\xff')}" 0
        eval "return {struct.unpack('s', 'hello\x00x')}" 0
        eval "return {struct.unpack('s', 'hello')}" 0
        eval "return {struct.unpack('Bc0', '\x03hello')}" 0
        eval "return {struct.unpack('c0', 'hello')}" 0
        eval "return {struct.unpack('c3', 'hello', 2)}" 0
        eval "return {struct.unpack('bb', 'a')}" 0
        eval "return {struct.unpack('b', 'abc', 3)}" 0
        eval "return {struct.unpack('b', 'abc', 4)}" 0
        eval "return {struct.unpack('b', 'abc', 0)}" 0
        eval "return {struct.unpack('b', 'abc', -1)}" 0
        eval "return {tostring(struct.unpack('>d', '?\xf8\x00\x00\x00\x00\x00\x00'))}" 0
        eval "return {tostring(struct.unpack('<f', '\x00\x00\xc0?'))}" 0
        eval "return {struct.unpack('>!4 b i4', struct.pack('>!4 b i4', 7, 100))}" 0
        eval "return struct.size('>I2i4d')" 0
        eval "return struct.size('!8bd')" 0
        eval "return struct.size('!bd')" 0
        eval "return struct.size('s')" 0
        eval "return struct.size('c0')" 0
        eval "return struct.size('c5x')" 0
        eval "return struct.size('y')" 0
        eval "return struct.size('c99999999999')" 0
        eval "return struct.size()" 0
        eval "struct.x = 1" 0
    """,
    "cjson": r"""
        eval "return cjson.encode({1,2,3})" 0
        eval "return cjson.encode({a=1})" 0
        eval "return cjson.encode({})" 0
        eval "return cjson.encode('a\"b\\\\c/d\n\t\x01\x7f\xff')" 0
        eval "return cjson.encode(nil)" 0
        eval "return cjson.encode(true)" 0
        eval "return cjson.encode(cjson.null)" 0
        eval "return cjson.encode({1,nil,3})" 0
        eval "return cjson.encode({[1]=1,[2]=2,[20]=3})" 0
        eval "return cjson.encode({[1]=1,[2]=2,[5]=3})" 0
        eval "return cjson.encode({[1000]=1})" 0
        eval "return cjson.encode({[0]=1})" 0
        eval "return cjson.encode({[1.5]=1})" 0
        eval "return cjson.encode({[-1]=1})" 0
        eval "return cjson.encode({[true]=1})" 0
        eval "return cjson.encode(function() end)" 0
        eval "return cjson.encode({function() end})" 0
        eval "return cjson.encode()" 0
        eval "return cjson.encode(1, 2)" 0
        eval "local f = cjson.encode return f()" 0
        eval "return cjson.encode(0/0)" 0
        eval "return cjson.encode(1/0)" 0
        eval "return cjson.encode({0.1, 1e15, 1e14, 123456789012345, 1234567890123456, 1e300, -0.5, 1/3})" 0
        eval "local t = {} for i = 1, 1001 do t = {t} end return cjson.encode(t)" 0
        eval "local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)" 0
        eval "return cjson.decode('[1,2,3]')" 0
        eval "return cjson.decode('{\"a\":1}').a" 0
        eval "return cjson.decode('{\"a\":{\"b\":[1,{\"c\":\"x\"}]}}').a.b[2].c" 0
        eval "return cjson.decode('\"a\\\\u00e9\\\\ud83d\\\\ude00\\\\n\\\\/\"')" 0
        eval "return cjson.decode('\"\\\\ud83d\"')" 0
        eval "return cjson.decode('\"\\\\x\"')" 0
        eval "return cjson.decode('\"abc')" 0
        eval "return cjson.decode('\"a\nb\"')" 0
        eval "return cjson.decode('[1,2')" 0
        eval "return cjson.decode('[1 2]')" 0
        eval "return cjson.decode('{1:2}')" 0
        eval "return cjson.decode('{\"a\" 2}')" 0
        eval "return cjson.decode('{\"a\":2')" 0
        eval "return cjson.decode('[1,]')" 0
        eval "return cjson.decode('')" 0
        eval "return cjson.decode('   ')" 0
        eval "return cjson.decode('nul')" 0
        eval "return cjson.decode('null') == cjson.null" 0
        eval "return cjson.decode('true')" 0
        eval "return cjson.decode('x')" 0
        eval "return cjson.decode('1 x')" 0
        eval "return cjson.decode('[1] 2')" 0
        eval "return cjson.decode('{} {}')" 0
        eval "return cjson.decode('-')" 0
        eval "return cjson.decode('.5')" 0
        eval "return tostring(cjson.decode('1.5e3'))" 0
        eval "return tostring(cjson.decode('-0x10'))" 0
        eval "return tostring(cjson.decode('0x10'))" 0
        eval "return tostring(cjson.decode('010'))" 0
        eval "return tostring(cjson.decode('nan'))" 0
        eval "return tostring(cjson.decode('inf'))" 0
        eval "return tostring(cjson.decode('-Infinity'))" 0
        eval "return tostring(cjson.decode('+1'))" 0
        eval "return tostring(cjson.decode('1e'))" 0
        eval "return tostring(cjson.decode('12345678901234567890'))" 0
        eval "return cjson.decode(5)" 0
        eval "return cjson.decode()" 0
        eval "return cjson.decode({})" 0
        eval "return cjson.decode('a\x00b')" 0
        eval "return cjson.decode('\"a\x00b\"')" 0
        eval "return cjson.decode(string.rep('[', 1001) .. string.rep(']', 1001))" 0
        eval "return #cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000))" 0
        eval "return {cjson.encode_sparse_array(), cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precision(), cjson.encode_keep_buffer(), cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers()}" 0
        eval "local c = cjson.new() c.encode_sparse_array(true) return c.encode({[1]=1,[20]=2})" 0
        eval "local c = cjson.new() c.encode_sparse_array(true, 2, 3) return c.encode({[1]=1,[4]=2})" 0
        eval "local c = cjson.new() c.encode_number_precision(3) return c.encode({1/3, 123456})" 0
        eval "local c = cjson.new() c.encode_invalid_numbers(true) return c.encode({0/0, 1/0, -1/0})" 0
        eval "local c = cjson.new() c.encode_invalid_numbers('null') return c.encode({0/0, 1/0})" 0
        eval "local c = cjson.new() c.encode_max_depth(2) return c.encode({{{1}}})" 0
        eval "local c = cjson.new() c.decode_max_depth(2) return c.decode('[[[1]]]')" 0
        eval "local c = cjson.new() c.decode_invalid_numbers(false) return c.decode('[nan]')" 0
        eval "local c = cjson.new() c.decode_invalid_numbers(false) return c.decode('[0x10]')" 0
        eval "local c = cjson.new() return c.encode_number_precision(0)" 0
        eval "local c = cjson.new() return c.encode_number_precision(17)" 0
        eval "local c = cjson.new() return c.encode_max_depth(0)" 0
        eval "local c = cjson.new() return c.encode_sparse_array(1)" 0
        eval "local c = cjson.new() return c.encode_keep_buffer('maybe')" 0
        eval "local c = cjson.new() return c.encode_keep_buffer(true, 1)" 0
        eval "local c = cjson.new() return c.encode_invalid_numbers('maybe')" 0
        eval "return {cjson._NAME, cjson._VERSION, type(cjson.null), tostring(cjson.null)}" 0
        eval "cjson.encode_number_precision(3) return cjson.encode(1/3)" 0
        eval "return cjson.encode(1/3)" 0
        eval "cjson.encode_number_precision(14) return cjson.encode(1/3)" 0
        eval "cjson.x = 1" 0
        eval "return cjson.encode({a={}, b='x'}) ~= nil" 0
        eval "return cjson.encode(setmetatable({1}, {__index={2}}))" 0
        eval "return cjson.encode({['']=1})" 0
        eval "return cjson.encode({a=cjson.null})" 0
        eval "return cjson.encode(cjson.decode('{\"a\":[]}'))" 0
        eval "return cjson.encode(cjson.decode('[null,1.5,\"x\",true,false]'))" 0
    """,
    "cmsgpack": r"""
        eval "return cmsgpack.pack(1)" 0
        eval "return cmsgpack.pack(-1)" 0
        eval "return cmsgpack.pack(-33, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296)" 0
        eval "return cmsgpack.pack(-32, -128, -129, -32768, -32769, -2147483648, -2147483649)" 0
        eval "return cmsgpack.pack(1.5, 0.1, 1e300, 2^53, 2^63, -2^63)" 0
        eval "return cmsgpack.pack(nil, true, false)" 0
        eval "return cmsgpack.pack('', 'abc', string.rep('x', 31), string.rep('x', 32), string.rep('x', 300))" 0
        eval "return #cmsgpack.pack(string.rep('x', 70000))" 0
        eval "return cmsgpack.pack({})" 0
        eval "return cmsgpack.pack({1,2,3})" 0
        eval "return cmsgpack.pack({a=1})" 0
        eval "return cmsgpack.pack({[1]=1,[3]=3})" 0
        eval "return cmsgpack.pack({1,2,nil,4})" 0
        eval "local t = {} for i = 1, 20 do t[i] = i end return cmsgpack.pack(t)" 0
        eval "local t = {} for i = 1, 70000 do t[i] = 1 end return #cmsgpack.pack(t)" 0
        eval "return cmsgpack.pack()" 0
        eval "return cmsgpack.pack(function() end)" 0
        eval "local t = {} for i = 1, 20 do t = {t} end return cmsgpack.pack(t)" 0
        eval "return cmsgpack.unpack('\x01')" 0
        eval "return {cmsgpack.unpack('\x01\x02\x03')}" 0
        eval "return cmsgpack.unpack('')" 0
        eval "return cmsgpack.unpack()" 0
        eval "return cmsgpack.unpack({})" 0
        eval "return cmsgpack.unpack('\xc1')" 0
        eval "return cmsgpack.unpack('\xa5ab')" 0
        eval "return cmsgpack.unpack('\x92\x01')" 0
        eval "return cmsgpack.unpack('\xdd\xff\xff\xff\xff')" 0
        eval "return {cmsgpack.unpack('\xc0\xc2\xc3')}" 0
        eval "return {cmsgpack.unpack('\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff')}" 0
        eval "return {cmsgpack.unpack('\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00')}" 0
        eval "return {tostring(cmsgpack.unpack('\xcb?\xf8\x00\x00\x00\x00\x00\x00')), tostring(cmsgpack.unpack('\xca?\xc0\x00\x00'))}" 0
        eval "return {tostring(cmsgpack.unpack('\xcf\xff\xff\xff\xff\xff\xff\xff\xff')), tostring(cmsgpack.unpack('\xd3\xff\xff\xff\xff\xff\xff\xff\xff'))}" 0
        eval "return cmsgpack.unpack('\x82\xa1a\x01\xa1b\x02').b" 0
        eval "return cmsgpack.unpack(cmsgpack.pack({a={1,2,{b='x'}}})).a[3].b" 0
        eval "return {cmsgpack.unpack('\xc4\x03abc\xc5\x00\x01x\xd9\x02hi')}" 0
        eval "return {cmsgpack.unpack_one('\x01\x02\x03')}" 0
        eval "return {cmsgpack.unpack_one('\x01\x02\x03', 1)}" 0
        eval "return {cmsgpack.unpack_one('\x01\x02\x03', 2)}" 0
        eval "return {cmsgpack.unpack_one('\x01\x02\x03', 3)}" 0
        eval "return {cmsgpack.unpack_one('\x01\x02\x03', 9)}" 0
        eval "return {cmsgpack.unpack_limit('\x01\x02\x03', 2)}" 0
        eval "return {cmsgpack.unpack_limit('\x01\x02\x03', 2, 1)}" 0
        eval "return {cmsgpack.unpack_limit('\x01\x02\x03', 0)}" 0
        eval "return {cmsgpack.unpack_limit('\x01\x02\x03', -1)}" 0
        eval "return {cmsgpack.unpack_limit('\x01\x02\x03')}" 0
        eval "return {cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION}" 0
        eval "cmsgpack.x = 1" 0
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", list(SCRIPTS))
def test_script(durastore: Server, name: str, protocol: int) -> None:
    assert_recorded_replies(durastore, "lua_libraries", name, SCRIPTS[name], protocol)
