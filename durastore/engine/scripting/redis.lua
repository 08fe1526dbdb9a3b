-- The table ``redis``, and replies both ways: what a command replied becomes a Lua value, what a script returns becomes
-- a reply in the caller's protocol.
--
-- Arguments: the kernel, and ``host``, the functions of runner.py.
local kernel, host = ...
setfenv(1, kernel.environment)

local guard, handler = kernel.guard, kernel.handler
local call, set_resp, set_repl, check_acl = host.call, host.set_resp, host.set_repl, host.check_acl
local log, sha1hex, format_double = host.log, host.sha1hex, host.format_double
local error, type, tostring, tonumber, select, next = error, type, tostring, tonumber, select, kernel.next
local rawget = kernel.rawget
local byte, find, sub, format, gsub, concat = string.byte, string.find, string.sub, string.format, string.gsub, table.concat

-- Replies of commands

local decode

local function decode_many(raw, at, count)
  local made = {}
  for i = 1, count do
    made[i], at = decode(raw, at)
  end
  return made, at
end

local function decode_line(raw, at)
  local stop = find(raw, '\r\n', at, true)
  return sub(raw, at + 1, stop - 1), stop + 2
end

local function failure(text, counted)
  local code, message = text:match('^([^ ]*) (.*)$')
  if not code then code, message = 'ERR', text end
  return { err = code .. ' ' .. message, ignore_error_stats_update = counted or nil }
end

local decoders = {
  [43] = function(raw, at) -- +
    local text, after = decode_line(raw, at)
    return { ok = text }, after
  end,
  [45] = function(raw, at) -- -
    local text, after = decode_line(raw, at)
    return failure(text, true), after
  end,
  [33] = function(raw, at) -- !, an error that has not been counted yet
    local text, after = decode_line(raw, at)
    return failure(text), after
  end,
  [42] = function(raw, at) -- *
    local count, after = decode_line(raw, at)
    count = tonumber(count)
    if count < 0 then return false, after end
    return decode_many(raw, after, count)
  end,
  [37] = function(raw, at) -- %
    local count, after = decode_line(raw, at)
    local made, key, value = {}, nil, nil
    for _ = 1, tonumber(count) do
      key, after = decode(raw, after)
      value, after = decode(raw, after)
      made[key] = value
    end
    return { map = made }, after
  end,
  [126] = function(raw, at) -- ~
    local count, after = decode_line(raw, at)
    local made, member = {}, nil
    for _ = 1, tonumber(count) do
      member, after = decode(raw, after)
      made[member] = true
    end
    return { set = made }, after
  end,
  [95] = function(_, at) return nil, at + 3 end, -- _
  [35] = function(raw, at) return byte(raw, at + 1) == 116, at + 4 end, -- #
  [44] = function(raw, at) -- ,
    local text, after = decode_line(raw, at)
    local value = tonumber(text)
    if text == 'inf' then value = 1 / 0 elseif text == '-inf' then value = -1 / 0 end
    return { double = value or kernel.nan }, after
  end,
  [40] = function(raw, at) -- (
    local text, after = decode_line(raw, at)
    return { big_number = text }, after
  end,
  [61] = function(raw, at) -- =
    local size, after = decode_line(raw, at)
    size = tonumber(size)
    local text = sub(raw, after + 4, after + size - 1)
    return { verbatim_string = { string = text, format = sub(raw, after, after + 2) } }, after + size + 2
  end,
}

function decode(raw, at)
  local kind = byte(raw, at)
  if kind == 36 then -- $
    local stop = find(raw, '\r\n', at, true)
    local size = tonumber(sub(raw, at + 1, stop - 1))
    if size < 0 then return false, stop + 2 end
    return sub(raw, stop + 2, stop + 1 + size), stop + size + 4
  end
  if kind == 58 then -- :
    local stop = find(raw, '\r\n', at, true)
    return tonumber(sub(raw, at + 1, stop - 1)), stop + 2
  end
  return decoders[kind](raw, at)
end

-- Replies of scripts

-- How deep a reply may be: Redis's Lua has no room for more on its stack.
local DEEPEST = 7995
local TOO_DEEP = '-ERR reached lua stack limit\r\n'

local encode

local function line(text)
  return (gsub(text, '[\r\n]', ' '))
end

local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end

local function encode_array(value, out, state, depth)
  local head = #out + 1
  out[head] = ''
  local count = 0
  while true do
    local element = rawget(value, count + 1)
    if element == nil then break end
    encode(element, out, state, depth + 1)
    count = count + 1
  end
  out[head] = '*' .. count .. '\r\n'
end

local function encode_map(value, out, state, depth)
  local head = #out + 1
  out[head] = ''
  local count = 0
  for key, each in next, value do
    encode(key, out, state, depth + 4)
    encode(each, out, state, depth + 3)
    count = count + 1
  end
  out[head] = state.resp == 2 and '*' .. count * 2 .. '\r\n' or '%' .. count .. '\r\n'
end

local function encode_set(value, out, state, depth)
  local head = #out + 1
  out[head] = ''
  local count = 0
  for key in next, value do
    encode(key, out, state, depth + 3)
    count = count + 1
  end
  out[head] = (state.resp == 2 and '*' or '~') .. count .. '\r\n'
end

local function encode_special(value, out, state, depth)
  local err = rawget(value, 'err')
  if type(err) == 'string' then
    out[#out + 1] = '-' .. line(err) .. '\r\n'
    return true
  end
  local ok = rawget(value, 'ok')
  if type(ok) == 'string' then
    -- Like a C string, it ends at its first zero.
    out[#out + 1] = '+' .. line(ok:match('^[^%z]*')) .. '\r\n'
    return true
  end
  local double = rawget(value, 'double')
  if type(double) == 'number' then
    local text = format_double(double)
    out[#out + 1] = state.resp == 2 and bulk(text) or ',' .. text .. '\r\n'
    return true
  end
  local big = rawget(value, 'big_number')
  if type(big) == 'string' then
    out[#out + 1] = state.resp == 2 and bulk(line(big)) or '(' .. line(big) .. '\r\n'
    return true
  end
  local verbatim = rawget(value, 'verbatim_string')
  if type(verbatim) == 'table' then
    local form, text = rawget(verbatim, 'format'), rawget(verbatim, 'string')
    if type(form) == 'string' and type(text) == 'string' then
      if state.resp == 2 then
        out[#out + 1] = bulk(text)
      else
        form = sub(form .. '   ', 1, 3)
        out[#out + 1] = '=' .. #text + 4 .. '\r\n' .. form .. ':' .. text .. '\r\n'
      end
      return true
    end
  end
  local map = rawget(value, 'map')
  if type(map) == 'table' then
    encode_map(map, out, state, depth)
    return true
  end
  local set = rawget(value, 'set')
  if type(set) == 'table' then
    encode_set(set, out, state, depth)
    return true
  end
  return false
end

function encode(value, out, state, depth)
  local kind = type(value)
  if depth > DEEPEST then
    out[#out + 1] = TOO_DEEP
  elseif kind == 'string' then
    out[#out + 1] = bulk(value)
  elseif kind == 'number' then
    out[#out + 1] = format(':%d\r\n', value)
  elseif kind == 'table' then
    if not encode_special(value, out, state, depth) then encode_array(value, out, state, depth) end
  elseif kind == 'boolean' then
    if state.script_resp == 2 then
      out[#out + 1] = value and ':1\r\n' or state.null
    else
      out[#out + 1] = state.resp == 2 and (value and ':1\r\n' or ':0\r\n') or (value and '#t\r\n' or '#f\r\n')
    end
  else
    out[#out + 1] = state.null
  end
end

local state = { resp = 2, script_resp = 2, null = '$-1\r\n' }

-- Runs a script; returns its reply and, where that is an error, whether the error has been counted and what to append.
local function run(resp, script)
  state.resp, state.script_resp = resp, 2
  state.null = resp == 2 and '$-1\r\n' or '_\r\n'
  local ok, result = guard(script, handler)
  if ok then
    local kind = type(result)
    if kind == 'string' then return '$' .. #result .. '\r\n' .. result .. '\r\n' end
    if kind == 'number' then return format(':%d\r\n', result) end
    local out = {}
    encode(result, out, state, 1)
    if kind == 'table' and type(rawget(result, 'err')) == 'string' then
      return out[1], rawget(result, 'ignore_error_stats_update') == true
    end
    return concat(out)
  end
  if type(result) ~= 'table' then
    return nil, type(result) == 'string' and result or 'execution failure'
  end
  local text, where = result.err, ''
  if type(text) ~= 'string' and type(text) ~= 'number' then text = 'ERR unknown error' end
  if result.source and result.line then where = result.source .. ':' .. result.line end
  return '-' .. text, result.ignore_error_stats_update == true, where
end

-- The functions of the table

local function plain_error(text)
  return { err = 'ERR ' .. text }
end

local function reply_of(count, ...)
  if count == 0 then return plain_error('Please specify at least one argument for this redis lib call') end
  return (decode(call(...), 1))
end

local redis = {}

function redis.call(...)
  if select('#', ...) == 0 then error(reply_of(0)) end
  local raw = call(...)
  local kind = byte(raw)
  local reply = decode(raw, 1)
  if kind == 45 or kind == 33 then error(reply) end
  return reply
end

function redis.pcall(...)
  local reply = reply_of(select('#', ...), ...)
  return reply
end

function redis.error_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then return plain_error('wrong number or type of arguments') end
  text = text:match('^[^%z]*')
  if byte(text) == 45 then text = sub(text, 2) end
  local made = failure(text)
  made.err = made.err:gsub('[\r\n]+$', '')
  return made
end

function redis.status_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then return plain_error('wrong number or type of arguments') end
  return { ok = text }
end

function redis.sha1hex(...)
  local text = ...
  if select('#', ...) ~= 1 then error(plain_error('wrong number of arguments')) end
  if type(text) == 'number' then text = tostring(text) end
  return (sha1hex(type(text) == 'string' and text or ''))
end

function redis.setresp(...)
  if not host.running() then error(plain_error('redis.setresp can only be called inside a script invocation')) end
  if select('#', ...) ~= 1 then error(plain_error('redis.setresp() requires one argument.')) end
  local resp = tonumber((...)) or 0
  resp = resp - resp % 1
  if resp ~= 2 and resp ~= 3 then error(plain_error('RESP version must be 2 or 3.')) end
  set_resp(resp)
  state.script_resp = resp
end

function redis.set_repl(...)
  if not host.running() then error(plain_error('redis.set_repl can only be called inside a script invocation')) end
  if select('#', ...) ~= 1 then error(plain_error('redis.set_repl() requires one argument.')) end
  local flags = tonumber((...)) or 0
  flags = flags - flags % 1
  if flags < 0 or flags > 3 then
    error(plain_error('Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.'))
  end
  set_repl(flags)
end

function redis.acl_check_cmd(...)
  if select('#', ...) == 0 then
    error(plain_error('Please specify at least one argument for this redis lib call'))
  end
  local allowed, complaint = check_acl(...)
  if complaint then error(plain_error(complaint)) end
  return allowed
end

function redis.log(...)
  local count, level = select('#', ...), ...
  if count < 2 then error(plain_error('redis.log() requires two arguments or more.')) end
  level = tonumber(level)
  if not level then error(plain_error('First argument must be a number (log level).')) end
  level = level - level % 1
  if level < 0 or level > 3 then error(plain_error('Invalid debug level.')) end
  local words = {}
  for i = 2, count do
    local word = select(i, ...)
    if type(word) == 'string' or type(word) == 'number' then words[#words + 1] = tostring(word) end
  end
  log(level, concat(words, ' '))
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3
redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = host.version, host.version_number

return { redis = redis, run = run, state = state }
