-- The library cjson (https://kyne.com.au/~mark/software/lua-cjson-manual.html), with the errors of its version 2.1.
local kernel = ...
setfenv(1, kernel.environment)

local raise, bad_argument, check_string, check_number = kernel.raise, kernel.bad_argument, kernel.check_string, kernel.check_number
local null, nan, rawget = kernel.null, kernel.nan, kernel.rawget
local floor, huge = kernel.math.floor, kernel.math.huge
local type, next, tonumber, select = type, kernel.next, tonumber, select
local byte, char, find, sub, gsub, format, lower = string.byte, string.char, string.find, string.sub, string.gsub, string.format, string.lower
local concat = table.concat

local INT_MAX = 2 ^ 31 - 1

-- Encoding

local ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\', ['/'] = '\\/', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n',
  ['\r'] = '\\r', ['\t'] = '\\t', ['\127'] = '\\u007f' }
for code = 0, 31 do
  local letter = char(code)
  ESCAPES[letter] = ESCAPES[letter] or format('\\u%04x', code)
end

local function quote(text)
  if find(text, '[%c"\\/\127]') then text = gsub(text, '[%c"\\/\127]', ESCAPES) end
  return '"' .. text .. '"'
end

local function refuse(value, reason)
  raise('Cannot serialise ' .. (value == null and 'userdata' or type(value)) .. ': ' .. reason)
end

local function number(config, value)
  if value ~= value or value == huge or value == -huge then
    local choice = config.encode_invalid_numbers
    if choice == 0 then refuse(value, 'must not be NaN or Inf') end
    if choice == 2 then return 'null' end
    if value ~= value then return 'nan' end
  end
  return format(config.number_format, value)
end

-- The length of an array, or -1 for what is an object.
local function array_length(config, value)
  local largest, count = 0, 0
  for key in next, value do
    if type(key) ~= 'number' or key < 1 or key % 1 ~= 0 then return -1 end
    if key > largest then largest = key end
    count = count + 1
  end
  local ratio = config.encode_sparse_ratio
  if ratio > 0 and largest > count * ratio and largest > config.encode_sparse_safe then
    if config.encode_sparse_convert == 0 then refuse(value, 'excessively sparse array') end
    return -1
  end
  return largest
end

local append

local function append_table(config, value, out, depth)
  if depth > config.encode_max_depth then raise('Cannot serialise, excessive nesting (' .. depth .. ')') end
  local length = array_length(config, value)
  if length > 0 then
    out[#out + 1] = '['
    for i = 1, length do
      if i > 1 then out[#out + 1] = ',' end
      append(config, rawget(value, i), out, depth)
    end
    out[#out + 1] = ']'
    return
  end
  out[#out + 1] = '{'
  local first = true
  for key, each in next, value do
    if first then first = false else out[#out + 1] = ',' end
    if type(key) == 'string' then
      out[#out + 1] = quote(key) .. ':'
    elseif type(key) == 'number' then
      out[#out + 1] = '"' .. number(config, key) .. '":'
    else
      refuse(key, 'table key must be a number or string')
    end
    append(config, each, out, depth)
  end
  out[#out + 1] = '}'
end

function append(config, value, out, depth)
  local kind = type(value)
  if kind == 'string' then
    out[#out + 1] = quote(value)
  elseif kind == 'number' then
    out[#out + 1] = number(config, value)
  elseif kind == 'table' then
    append_table(config, value, out, depth + 1)
  elseif kind == 'boolean' then
    out[#out + 1] = value and 'true' or 'false'
  elseif value == nil or value == null then
    out[#out + 1] = 'null'
  else
    refuse(value, 'type not supported')
  end
end

-- Decoding.  ``at`` is the place of the next character; what is expected there comes with it into the complaint.

local TOKENS = { ['{'] = 'T_OBJ_BEGIN', ['}'] = 'T_OBJ_END', ['['] = 'T_ARR_BEGIN', [']'] = 'T_ARR_END',
  [':'] = 'T_COLON', [','] = 'T_COMMA' }

local function complain(wanted, found, at)
  raise('Expected ' .. wanted .. ' but found ' .. found .. ' at character ' .. at)
end

local function hexadecimal(text, at)
  local digits = sub(text, at, at + 3)
  if not find(digits, '^%x%x%x%x$') then return nil end
  return tonumber(digits, 16)
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

-- The character of an escape \u.... at ``at`` and the place behind it, or nil.
local function unicode(text, at)
  local code = hexadecimal(text, at + 2)
  if not code then return nil end
  if code < 0xD800 or code > 0xDFFF then return utf8(code), at + 6 end
  if code >= 0xDC00 or sub(text, at + 6, at + 7) ~= '\\u' then return nil end
  local second = hexadecimal(text, at + 8)
  if not second or second < 0xDC00 or second > 0xDFFF then return nil end
  return utf8((code - 0xD800) * 1024 + second - 0xDC00 + 0x10000), at + 12
end

local UNESCAPED = { ['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', f = '\f', n = '\n', r = '\r', t = '\t' }

-- The string whose quote is at ``at``: itself and the place behind it, or nil, what is wrong, and where.
local function scan_string(text, at)
  local stop = find(text, '["\\%z]', at + 1)
  if stop and byte(text, stop) == 34 then return sub(text, at + 1, stop - 1), stop + 1 end
  local pieces, start = {}, at + 1
  while true do
    if not stop or byte(text, stop) == 0 then return nil, 'unexpected end of string', stop or #text + 1 end
    pieces[#pieces + 1] = sub(text, start, stop - 1)
    if byte(text, stop) == 34 then return concat(pieces), stop + 1 end
    local letter = sub(text, stop + 1, stop + 1)
    if letter == 'u' then
      local decoded, after = unicode(text, stop)
      if not decoded then return nil, 'invalid unicode escape code', stop end
      pieces[#pieces + 1], start = decoded, after
    else
      local plain = UNESCAPED[letter]
      if not plain then return nil, 'invalid escape code', stop end
      pieces[#pieces + 1], start = plain, stop + 2
    end
    stop = find(text, '["\\%z]', start)
  end
end

local function is_invalid_number(text, at)
  if byte(text, at) == 43 then return true end
  if byte(text, at) == 45 then at = at + 1 end
  if find(text, '^0[xX0-9]', at) then return true end
  local word = lower(sub(text, at, at + 2))
  return word == 'inf' or word == 'nan'
end

-- The number at ``at``, as strtod reads it, and the place behind it, or nil.
local function scan_number(text, at)
  local sign = 1
  local start = at
  if byte(text, at) == 45 then sign, start = -1, at + 1 elseif byte(text, at) == 43 then start = at + 1 end
  local word = lower(sub(text, start, start + 7))
  if word == 'infinity' then return sign * huge, start + 8 end
  if sub(word, 1, 3) == 'inf' then return sign * huge, start + 3 end
  if sub(word, 1, 3) == 'nan' then return sign == 1 and nan or -nan, start + 3 end
  local _, stop = find(text, '^0[xX]%x+', start)
  if stop then return sign * tonumber(sub(text, start, stop)), stop + 1 end
  _, stop = find(text, '^%d+%.?%d*', start)
  if not stop then _, stop = find(text, '^%.%d+', start) end
  if not stop then return nil end
  local _, exponent = find(text, '^[eE][+-]?%d+', stop + 1)
  stop = exponent or stop
  return sign * tonumber(sub(text, start, stop)), stop + 1
end

-- What stands at ``at``, for complaints; and where, as errors in a token have places of their own.
local function token(config, text, at)
  local letter = sub(text, at, at)
  if letter == '' or letter == '\0' then return 'T_END', at end
  if TOKENS[letter] then return TOKENS[letter], at end
  if letter == '"' then
    local value, problem, place = scan_string(text, at)
    if not value then return problem, place end
    return 'T_STRING', at
  end
  if find(letter, '[-%d]') then
    if not config.decode_invalid_numbers and is_invalid_number(text, at) then return 'invalid number', at end
    return scan_number(text, at) and 'T_NUMBER' or 'invalid number', at
  end
  if sub(text, at, at + 3) == 'true' or sub(text, at, at + 4) == 'false' then return 'T_BOOLEAN', at end
  if sub(text, at, at + 3) == 'null' then return 'T_NULL', at end
  if find(letter, '[iInN+]') and config.decode_invalid_numbers and is_invalid_number(text, at) then
    return scan_number(text, at) and 'T_NUMBER' or 'invalid number', at
  end
  return 'invalid token', at
end

local function unexpected(config, wanted, text, at)
  complain(wanted, token(config, text, at))
end

local function skip(text, at)
  local code = byte(text, at)
  if code == 32 or code == 10 or code == 13 or code == 9 then
    return find(text, '[^ \t\r\n]', at) or #text + 1
  end
  return at
end

local value_at

local function descend(config, depth, at)
  if depth > config.decode_max_depth then
    raise('Found too many nested data structures (' .. depth .. ') at character ' .. at - 1)
  end
end

local function object_at(config, text, at, depth)
  descend(config, depth, at)
  local made = {}
  at = skip(text, at)
  if byte(text, at) == 125 then return made, at + 1 end
  while true do
    if byte(text, at) ~= 34 then unexpected(config, 'object key string', text, at) end
    local key, after, place = scan_string(text, at)
    if not key then complain('object key string', after, place) end
    at = skip(text, after)
    if byte(text, at) ~= 58 then unexpected(config, 'colon', text, at) end
    made[key], at = value_at(config, text, skip(text, at + 1), depth)
    at = skip(text, at)
    local code = byte(text, at)
    if code == 125 then return made, at + 1 end
    if code ~= 44 then unexpected(config, 'comma or object end', text, at) end
    at = skip(text, at + 1)
  end
end

local function array_at(config, text, at, depth)
  descend(config, depth, at)
  local made = {}
  at = skip(text, at)
  if byte(text, at) == 93 then return made, at + 1 end
  local count = 0
  while true do
    count = count + 1
    made[count], at = value_at(config, text, at, depth)
    at = skip(text, at)
    local code = byte(text, at)
    if code == 93 then return made, at + 1 end
    if code ~= 44 then unexpected(config, 'comma or array end', text, at) end
    at = skip(text, at + 1)
  end
end

local function word_at(config, text, at)
  if sub(text, at, at + 3) == 'true' then return true, at + 4 end
  if sub(text, at, at + 4) == 'false' then return false, at + 5 end
  if sub(text, at, at + 3) == 'null' then return null, at + 4 end
  local letter = sub(text, at, at)
  if find(letter, '[iInN+]') and config.decode_invalid_numbers and is_invalid_number(text, at) then
    local value, after = scan_number(text, at)
    if value then return value, after end
  end
  unexpected(config, 'value', text, at)
end

function value_at(config, text, at, depth)
  local code = byte(text, at)
  if code == 34 then
    local value, after, place = scan_string(text, at)
    if not value then complain('value', after, place) end
    return value, after
  elseif code == 123 then
    return object_at(config, text, at + 1, depth + 1)
  elseif code == 91 then
    return array_at(config, text, at + 1, depth + 1)
  elseif code == 45 or (code and code >= 48 and code <= 57) then
    local value, after
    if config.decode_invalid_numbers or not is_invalid_number(text, at) then value, after = scan_number(text, at) end
    if not value then unexpected(config, 'value', text, at) end
    return value, after
  end
  return word_at(config, text, at)
end

-- Options

local function limit_arguments(most, count)
  if count > most then bad_argument(most + 1, 'found too many arguments') end
end

local function integer_option(config, name, number_of, value, least, most)
  if value ~= nil then
    value = check_number(number_of, number_of, value)
    value = value < 0 and -floor(-value) or floor(value)
    if value < least or value > most then
      bad_argument(1, format('expected integer between %d and %d', least, most))
    end
    config[name] = value
  end
  return config[name]
end

local SWITCH = { off = 0, on = 1 }
local INVALID_NUMBERS = { off = 0, on = 1, null = 2 }

local function choice_option(config, name, number_of, value, choices)
  if type(value) == 'boolean' then
    config[name] = value and 1 or 0
  elseif value ~= nil then
    value = check_string(number_of, number_of, value)
    if not choices[value] then bad_argument(number_of, "invalid option '" .. value .. "'") end
    config[name] = choices[value]
  end
  if config[name] == 2 then return 'null' end
  return config[name] == 1
end

local function set_format(config)
  config.number_format = '%.' .. config.encode_number_precision .. 'g'
end

local open

local function functions(config)
  local cjson = {}

  function cjson.encode(...)
    if select('#', ...) ~= 1 then bad_argument(1, 'expected 1 argument') end
    local value = ...
    local out = {}
    append(config, value, out, 0)
    return concat(out)
  end

  function cjson.decode(...)
    local count, text = select('#', ...), ...
    if count ~= 1 then bad_argument(1, 'expected 1 argument') end
    text = check_string(1, count, text)
    if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      raise('JSON parser does not support UTF-16 or UTF-32')
    end
    local value, at = value_at(config, text, skip(text, 1), 0)
    at = skip(text, at)
    if at <= #text and byte(text, at) ~= 0 then unexpected(config, 'the end', text, at) end
    return value
  end

  function cjson.encode_sparse_array(...)
    limit_arguments(3, select('#', ...))
    local convert, ratio, safe = ...
    convert = choice_option(config, 'encode_sparse_convert', 1, convert, SWITCH)
    ratio = integer_option(config, 'encode_sparse_ratio', 2, ratio, 0, INT_MAX)
    return convert, ratio, integer_option(config, 'encode_sparse_safe', 3, safe, 0, INT_MAX)
  end

  function cjson.encode_max_depth(...)
    limit_arguments(1, select('#', ...))
    local depth = integer_option(config, 'encode_max_depth', 1, (...), 1, INT_MAX)
    return depth
  end

  function cjson.decode_max_depth(...)
    limit_arguments(1, select('#', ...))
    local depth = integer_option(config, 'decode_max_depth', 1, (...), 1, INT_MAX)
    return depth
  end

  function cjson.encode_number_precision(...)
    limit_arguments(1, select('#', ...))
    local precision = integer_option(config, 'encode_number_precision', 1, (...), 1, 14)
    set_format(config)
    return precision
  end

  function cjson.encode_keep_buffer(...)
    limit_arguments(1, select('#', ...))
    local keep = choice_option(config, 'encode_keep_buffer', 1, (...), SWITCH)
    return keep
  end

  function cjson.encode_invalid_numbers(...)
    limit_arguments(1, select('#', ...))
    local choice = choice_option(config, 'encode_invalid_numbers', 1, (...), INVALID_NUMBERS)
    return choice
  end

  function cjson.decode_invalid_numbers(...)
    limit_arguments(1, select('#', ...))
    local accepted = choice_option(config, 'decode_invalid', 1, (...), SWITCH)
    config.decode_invalid_numbers = accepted
    return accepted
  end

  function cjson.new()
    return open()
  end

  cjson.null, cjson._NAME, cjson._VERSION = null, 'cjson', '2.1.0'
  return cjson
end

function open()
  local config = { encode_sparse_convert = 0, encode_sparse_ratio = 2, encode_sparse_safe = 10, encode_max_depth = 1000,
    decode_max_depth = 1000, encode_number_precision = 14, encode_keep_buffer = 1, encode_invalid_numbers = 0,
    decode_invalid = 1, decode_invalid_numbers = true }
  set_format(config)
  return functions(config)
end

return open()
