-- What every script runs on: errors that tell the script's line, tables that cannot be modified, and the base library
-- as Redis leaves it.
--
-- Lua 5.1 knows no read-only tables, so what is protected is an empty table in front of the real one: reads go through
-- its metatable, writes fail there, and the functions that look behind metatables (rawget, next, pairs ...) know of it.
-- The functions of this package stand where Redis has C functions; ``error`` positions and names skip their frames.
--
-- Arguments: patch (see tail_calls.py) and interrupt (an error text where the script is to end, else nil).
local patch, interrupt = ...

local OURS = '@durastore'
local READONLY = 'Attempt to modify a readonly table'
-- How many instructions of the virtual machine pass between two calls of the hook.
local PERIOD = 100000

local getinfo, sethook = debug.getinfo, debug.sethook
local error, type, tostring, tonumber, select, next = error, type, tostring, tonumber, select, next
local pcall, xpcall, rawget, rawset, setmetatable, getmetatable = pcall, xpcall, rawget, rawset, setmetatable, getmetatable
local getfenv, setfenv, loadstring, collectgarbage, newproxy = getfenv, setfenv, loadstring, collectgarbage, newproxy
local byte, dump, concat, insert, foreach = string.byte, string.dump, table.concat, table.insert, table.foreach
local create, resume = coroutine.create, coroutine.resume

local kernel = {}
-- By protected table: what is in it, and what getmetatable tells of it.
local real, shown = {}, {}

-- Errors

-- The place in the script that called into this package, as luaL_where tells it.
local function position()
  local level = 2
  local info = getinfo(level, 'Sl')
  while info and (info.source == OURS or info.what == 'tail') do
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  if info and info.currentline > 0 then
    return info.short_src .. ':' .. info.currentline .. ': '
  end
  return ''
end

local function raise(message)
  error(position() .. message, 0)
end

-- By what name the script called the function of this package that is running.
local function called_as()
  local level = 2
  while true do
    local info = getinfo(level + 1, 'S')
    if not info or info.source ~= OURS then
      return getinfo(level, 'n').name or '?'
    end
    level = level + 1
  end
end

local function bad_argument(number, message, name)
  raise("bad argument #" .. number .. " to '" .. (name or called_as()) .. "' (" .. message .. ')')
end

local function expected(number, what, count, value)
  bad_argument(number, what .. ' expected, got ' .. (count < number and 'no value' or type(value)))
end

local function check_table(number, count, value)
  if type(value) ~= 'table' then expected(number, 'table', count, value) end
end

local function check_number(number, count, value)
  local converted = tonumber(value)
  if not converted then expected(number, 'number', count, value) end
  return converted
end

local function check_string(number, count, value)
  if type(value) == 'string' then return value end
  if type(value) == 'number' then return tostring(value) end
  expected(number, 'string', count, value)
end

kernel.raise, kernel.bad_argument, kernel.expected, kernel.rawget = raise, bad_argument, expected, rawget
kernel.next = next
kernel.check_number, kernel.check_string = check_number, check_string

-- Protection

local function refuse()
  raise(READONLY)
end

local function protect(contents, metatable_shown)
  local proxy = setmetatable({}, { __index = contents, __newindex = refuse })
  real[proxy] = contents
  shown[proxy] = metatable_shown
  return proxy
end
kernel.protect = protect

-- The globals that scripts see; ``globals`` is what this package may set.
local globals = {}
local function missing(_, name)
  if type(name) ~= 'string' and type(name) ~= 'number' then
    raise('Second argument to luaProtectedTableError must be a string or number')
  end
  raise("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'")
end
function kernel.set_missing(contents)
  setmetatable(contents, { __index = missing })
end
function kernel.protect_missing(contents)
  kernel.set_missing(contents)
  return protect(contents, protect({ __index = missing }))
end
kernel.set_missing(globals)
local view = { __index = globals, __newindex = refuse }
local environment = setmetatable({}, view)
real[environment], shown[environment] = globals, protect({ __index = missing })
kernel.globals, kernel.environment = globals, environment

-- Has scripts see other globals than these, until the next call.
function kernel.show(contents)
  view.__index = contents
  real[environment] = contents
end

-- From here on functions have the protected globals as their environment, and never those of plain Lua, which lupa
-- needs and scripts must not see.
local libraries = { string = string, table = table, math = math, coroutine = coroutine }
local base = _G
setfenv(1, environment)

-- The end of scripts that are to end

-- Whether a script runs under ``kernel.guard``, and this function itself, which must come to its end.
local guarded, guard = false, nil

local function hook(event)
  local reason = interrupt()
  if not reason or not guarded then return end
  local info = getinfo(2, 'Sf')
  if info.source == OURS and (event == 'line' or info.func == guard or info.func == kernel.handler) then return end
  -- From now on each line: pcall must not save the script.
  sethook(hook, 'l')
  error({ err = reason })
end

-- xpcall, or pcall without a handler, in which the hook may end what runs.
function guard(call, handler)
  guarded = true
  local ok, result
  if handler then ok, result = xpcall(call, handler) else ok, result = pcall(call) end
  guarded = false
  return ok, result
end
kernel.guard = guard

function kernel.arm()
  sethook(hook, '', PERIOD)
end

-- Errors of a script as Redis's handler makes them of what was raised.
function kernel.handler(raised)
  local level = 2
  local info = getinfo(level, 'Sl')
  if info and info.what == 'C' then
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  while info and (info.source == OURS or info.what == 'tail') do
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  if type(raised) ~= 'table' then
    raised = { err = 'ERR ' .. tostring(raised) }
  end
  if info then
    raised.source = info.source
    raised.line = info.currentline
  end
  return raised
end

-- Compilation: source text only, and without tail calls to functions that may be ours, as these would take the
-- script's own frame off the stack.
function kernel.compile(code, name)
  if byte(code) == 27 then
    -- Precompiled code could do anything; with the blank before it, it is source code that makes no sense.
    code = ' ' .. code
  end
  local compiled, message = loadstring(code, name)
  if not compiled then return nil, message end
  local patched = patch(dump(compiled))
  if patched then compiled = loadstring(patched, name) end
  return setfenv(compiled, environment)
end
local compile = kernel.compile

-- The base library

local function results(ok, ...)
  if not ok then
    local raised = ...
    if type(raised) == 'table' then
      local message = raised.err
      if type(message) == 'string' or type(message) == 'number' then return false, message end
    end
  end
  return ok, ...
end

local replaced = {}

function replaced.pcall(...)
  if select('#', ...) == 0 then return false, 'attempt to call a boolean value' end
  return results(pcall(...))
end

function replaced.rawget(...)
  local t, key = ...
  check_table(1, select('#', ...), t)
  return rawget(real[t] or t, key)
end

function replaced.rawset(...)
  local t, key, value = ...
  check_table(1, select('#', ...), t)
  if real[t] then error(READONLY, 0) end
  return rawset(t, key, value)
end

local function next_protected(t, key)
  return next(real[t] or t, key)
end

function replaced.next(...)
  local t, key = ...
  check_table(1, select('#', ...), t)
  return next(real[t] or t, key)
end

function replaced.pairs(...)
  local t = ...
  if real[t] then return next_protected, t, nil end
  check_table(1, select('#', ...), t)
  return next, t, nil
end

-- What strtod reads as nan; 0/0 has the other sign.
kernel.nan = -(0 / 0)

local null = newproxy(true)
getmetatable(null).__tostring = function() return 'userdata: (nil)' end
kernel.null = null

local string_metatable

function replaced.getmetatable(...)
  local value = ...
  if real[value] then return shown[value] end
  if type(value) == 'string' then return string_metatable end
  if value == null then return nil end
  if select('#', ...) == 0 then bad_argument(1, 'value expected') end
  return getmetatable(value)
end

function replaced.setmetatable(...)
  local t, metatable = ...
  check_table(1, select('#', ...), t)
  if select('#', ...) < 2 or (metatable ~= nil and type(metatable) ~= 'table') then
    bad_argument(2, 'nil or table expected')
  end
  local present = getmetatable(t)
  if real[t] then error(READONLY, 0) end
  if type(present) == 'table' and rawget(present, '__metatable') then raise('cannot change a protected metatable') end
  return setmetatable(t, metatable)
end

local function is_ours(where)
  local info = getinfo(where, 'S')
  return info ~= nil and info.source == OURS
end

local function environment_of(call)
  if call == nil or getinfo(call, 'S').what == 'C' then return environment end
  return getfenv(call)
end

function replaced.getfenv(where)
  if where == nil then where = 1 end
  if type(where) == 'function' then
    return environment_of(where)
  end
  where = check_number(1, 1, where)
  if where < 0 then bad_argument(1, 'level must be non-negative') end
  if where == 0 then return environment end
  local info = getinfo(where + 1, 'f')
  if not info then bad_argument(1, 'invalid level') end
  return environment_of(info.func)
end

function replaced.setfenv(...)
  local where, table = ...
  check_table(2, select('#', ...), table)
  if type(where) == 'function' then
    if is_ours(where) or getinfo(where, 'S').what == 'C' then
      raise("'setfenv' cannot change environment of given object")
    end
    return setfenv(where, table)
  end
  where = check_number(1, select('#', ...), where)
  if where == 0 then error(READONLY, 0) end
  local info = getinfo(where + 1, 'Sf')
  if where < 0 or not info then bad_argument(1, 'invalid level') end
  if info.source == OURS or info.what == 'C' or not info.func then
    raise("'setfenv' cannot change environment of given object")
  end
  return setfenv(info.func, table)
end

function replaced.loadstring(...)
  local code, name = ...
  code = check_string(1, select('#', ...), code)
  if name ~= nil then name = check_string(2, select('#', ...), name) end
  return compile(code, name or code)
end

function replaced.load(...)
  local read, name = ...
  if type(read) ~= 'function' then expected(1, 'function', select('#', ...), read) end
  if name ~= nil then name = check_string(2, select('#', ...), name) end
  local pieces = {}
  while true do
    local piece = read()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
  end
  return compile(concat(pieces), name or '=(load)')
end

-- The collector is shared by all scripts: they may run it, but not switch it off.
local allowed = { collect = true, count = true, step = true }
function replaced.collectgarbage(option, argument)
  option = option == nil and 'collect' or check_string(1, 1, option)
  if allowed[option] then return collectgarbage(option, tonumber(argument) or 0) end
  if option ~= 'stop' and option ~= 'restart' and option ~= 'setpause' and option ~= 'setstepmul' then
    bad_argument(1, "invalid option '" .. option .. "'")
  end
  return 0
end

local replaced_table = {}

function replaced_table.insert(...)
  local t, place = ...
  local count = select('#', ...)
  check_table(1, count, t)
  if real[t] then error(READONLY, 0) end
  if count == 3 then
    check_number(2, count, place)
  elseif count ~= 2 then
    raise("wrong number of arguments to 'insert'")
  end
  return insert(...)
end

function replaced_table.foreach(...)
  local t, call = ...
  check_table(1, select('#', ...), t)
  if type(call) ~= 'function' then expected(2, 'function', select('#', ...), call) end
  return foreach(real[t] or t, call)
end

-- Coroutines are interrupted as well.

local replaced_coroutine = {}

local function new_thread(call, count)
  if type(call) ~= 'function' or getinfo(call, 'S').what == 'C' then
    bad_argument(1, 'Lua function expected')
  end
  local thread = create(call)
  sethook(thread, hook, '', PERIOD)
  return thread
end

function replaced_coroutine.create(...)
  return (new_thread(..., select('#', ...)))
end

local function resumed(ok, ...)
  if ok then return ... end
  local raised = ...
  if type(raised) == 'string' or type(raised) == 'number' then raised = position() .. raised end
  error(raised, 0)
end

function replaced_coroutine.wrap(...)
  local thread = new_thread(..., select('#', ...))
  return function(...)
    return resumed(resume(thread, ...))
  end
end

-- What scripts see of the base library

local function copy(names, from, replacements)
  local made = {}
  for i = 1, #names do
    local name = names[i]
    made[name] = replacements[name] or from[name]
  end
  return made
end

local NAMES = {
  'xpcall', 'tostring', 'getfenv', 'setmetatable', 'next', 'assert', 'tonumber', 'rawequal', 'collectgarbage',
  'getmetatable', 'rawset', 'pcall', 'type', 'select', 'unpack', 'gcinfo', 'pairs', 'rawget', 'loadstring', 'ipairs',
  '_VERSION', 'setfenv', 'load', 'error', 'newproxy',
}
for name, value in next, copy(NAMES, base, replaced) do globals[name] = value end
globals._G = environment

local function all(from, replacements)
  local made = {}
  for name, value in next, from do made[name] = replacements[name] or value end
  return made
end

globals.string = protect(libraries.string)
string_metatable = protect({ __index = globals.string })
globals.table = protect(all(libraries.table, replaced_table))
globals.coroutine = protect(all(libraries.coroutine, replaced_coroutine))
kernel.math = all(libraries.math, {})

return kernel
