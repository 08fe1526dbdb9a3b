-- The library cmsgpack: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md).
--
-- Arguments: the kernel, and functions that pack and unpack doubles (see binary.py).
local kernel, pack_double, unpack_double = ...
setfenv(1, kernel.environment)

local raise, bad_argument, check_string, check_number = kernel.raise, kernel.bad_argument, kernel.check_string, kernel.check_number
local floor, huge = kernel.math.floor, kernel.math.huge
local type, next, select, unpack = type, kernel.next, select, unpack
local byte, char, sub, rep = string.byte, string.char, string.sub, string.rep
local concat = table.concat

-- Deeper tables are packed as nil.
local DEEPEST = 16

-- Packing

local function big_endian(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

-- The two's complement of a negative integer of eight bytes; doubles do not have that many digits.
local function negative(value)
  local bytes, borrow = {}, 1
  value = -value
  for i = 8, 1, -1 do
    local digit = 255 - value % 256 + borrow
    borrow = digit > 255 and 1 or 0
    bytes[i] = char(digit % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

local function pack_integer(value)
  if value >= 0 then
    if value <= 127 then return char(value) end
    if value <= 0xff then return '\204' .. char(value) end
    if value <= 0xffff then return '\205' .. big_endian(value, 2) end
    if value <= 0xffffffff then return '\206' .. big_endian(value, 4) end
    return '\207' .. big_endian(value, 8)
  end
  if value >= -32 then return char(256 + value) end
  if value >= -128 then return '\208' .. char(256 + value) end
  if value >= -32768 then return '\209' .. big_endian(65536 + value, 2) end
  if value >= -2147483648 then return '\210' .. big_endian(4294967296 + value, 4) end
  return '\211' .. negative(value)
end

local function pack_number(value)
  if value % 1 == 0 and value >= -2 ^ 63 and value < 2 ^ 63 then return pack_integer(value) end
  return (pack_double(value))
end

local function pack_string(value)
  local size = #value
  if size < 32 then return char(160 + size) .. value end
  if size <= 0xff then return '\217' .. char(size) .. value end
  if size <= 0xffff then return '\218' .. big_endian(size, 2) .. value end
  return '\219' .. big_endian(size, 4) .. value
end

local function head(size, short, code)
  if size <= 15 then return char(short + size) end
  if size <= 0xffff then return char(code) .. big_endian(size, 2) end
  return char(code + 1) .. big_endian(size, 4)
end

local function is_array(value)
  local count, largest = 0, 0
  for key in next, value do
    if type(key) ~= 'number' or key <= 0 or key % 1 ~= 0 then return false end
    if key > largest then largest = key end
    count = count + 1
  end
  return largest == count
end

local append

local function append_table(value, out, depth)
  if is_array(value) then
    local size = #value
    out[#out + 1] = head(size, 0x90, 0xdc)
    for i = 1, size do append(value[i], out, depth + 1) end
    return
  end
  local place, count = #out + 1, 0
  out[place] = ''
  for key, each in next, value do
    append(key, out, depth + 1)
    append(each, out, depth + 1)
    count = count + 1
  end
  out[place] = head(count, 0x80, 0xde)
end

function append(value, out, depth)
  local kind = type(value)
  if kind == 'string' then
    out[#out + 1] = pack_string(value)
  elseif kind == 'number' then
    out[#out + 1] = pack_number(value)
  elseif kind == 'boolean' then
    out[#out + 1] = value and '\195' or '\194'
  elseif kind == 'table' and depth < DEEPEST then
    append_table(value, out, depth)
  else
    out[#out + 1] = '\192'
  end
end

-- Unpacking

local TRUNCATED, UNKNOWN = 'Missing bytes in input.', 'Bad data format in input.'

local function need(text, at, size)
  if at + size - 1 > #text then raise(TRUNCATED) end
end

local function unsigned(text, at, size)
  need(text, at, size)
  local value = 0
  for i = at, at + size - 1 do value = value * 256 + byte(text, i) end
  return value
end

local function signed(text, at, size)
  local value = unsigned(text, at, size)
  if byte(text, at) < 128 then return value end
  if size < 8 then return value - 256 ^ size end
  -- The complement, as 2^64 has more digits than a double.
  local inverted = 0
  for i = at, at + 7 do inverted = inverted * 256 + 255 - byte(text, i) end
  return -inverted - 1
end

local take

local function take_string(text, at, size)
  need(text, at, size)
  return sub(text, at, at + size - 1), at + size
end

local function take_array(text, at, count)
  local made = {}
  for i = 1, count do made[i], at = take(text, at) end
  return made, at
end

local function take_map(text, at, count)
  local made, key, value = {}, nil, nil
  for _ = 1, count do
    key, at = take(text, at)
    value, at = take(text, at)
    made[key] = value
  end
  return made, at
end

local function sized(read, size)
  return function(text, at)
    return read(text, at + size, unsigned(text, at, size))
  end
end

local function integer(read, size)
  return function(text, at)
    return read(text, at, size), at + size
  end
end

local function double(size)
  return function(text, at)
    need(text, at, size)
    return unpack_double(sub(text, at, at + size - 1)), at + size
  end
end

local READERS = {
  [0xc0] = function(_, at) return nil, at end,
  [0xc2] = function(_, at) return false, at end,
  [0xc3] = function(_, at) return true, at end,
  [0xca] = double(4), [0xcb] = double(8),
  [0xcc] = integer(unsigned, 1), [0xcd] = integer(unsigned, 2), [0xce] = integer(unsigned, 4), [0xcf] = integer(signed, 8),
  [0xd0] = integer(signed, 1), [0xd1] = integer(signed, 2), [0xd2] = integer(signed, 4), [0xd3] = integer(signed, 8),
  [0xd9] = sized(take_string, 1), [0xda] = sized(take_string, 2), [0xdb] = sized(take_string, 4),
  [0xdc] = sized(take_array, 2), [0xdd] = sized(take_array, 4),
  [0xde] = sized(take_map, 2), [0xdf] = sized(take_map, 4),
}

function take(text, at)
  local code = byte(text, at)
  if not code then raise(TRUNCATED) end
  at = at + 1
  if code < 0x80 then return code, at end
  if code >= 0xe0 then return code - 256, at end
  if code < 0x90 then return take_map(text, at, code - 0x80) end
  if code < 0xa0 then return take_array(text, at, code - 0x90) end
  if code < 0xc0 then return take_string(text, at, code - 0xa0) end
  local read = READERS[code]
  if not read then raise(UNKNOWN) end
  return read(text, at)
end

local function take_all(text, limit, offset)
  local whole = limit == 0 and offset == 0
  if offset < 0 or limit < 0 then
    raise('Invalid request to unpack with offset of ' .. offset .. ' and limit of ' .. #text .. '.')
  elseif offset > #text then
    raise('Start offset ' .. offset .. ' greater than input length ' .. #text .. '.')
  end
  if whole then limit = huge end
  local values, count, at = {}, 0, offset + 1
  while at <= #text and count < limit do
    count = count + 1
    values[count], at = take(text, at)
  end
  if whole then return unpack(values, 1, count) end
  return at > #text and -1 or at - 1, unpack(values, 1, count)
end

local function integer_argument(number, count, value, default)
  if value == nil and default then return default end
  value = check_number(number, count, value)
  return value < 0 and -floor(-value) or floor(value)
end

local cmsgpack = {}

function cmsgpack.pack(...)
  local count = select('#', ...)
  if count == 0 then bad_argument(0, 'MessagePack pack needs input.') end
  local out = {}
  for i = 1, count do append((select(i, ...)), out, 0) end
  return concat(out)
end

function cmsgpack.unpack(...)
  return take_all(check_string(1, select('#', ...), (...)), 0, 0)
end

function cmsgpack.unpack_one(...)
  local count, text, offset = select('#', ...), ...
  offset = integer_argument(2, count, offset, 0)
  return take_all(check_string(1, count, text), 1, offset)
end

function cmsgpack.unpack_limit(...)
  local count, text, limit, offset = select('#', ...), ...
  limit = integer_argument(2, count, limit)
  offset = integer_argument(3, count, offset, 0)
  return take_all(check_string(1, count, text), limit, offset)
end

cmsgpack._NAME, cmsgpack._VERSION = 'cmsgpack', 'lua-cmsgpack 0.4.0'
cmsgpack._COPYRIGHT = 'Copyright (C) 2012, Salvatore Sanfilippo'
cmsgpack._DESCRIPTION = 'MessagePack C implementation for Lua'

return cmsgpack
