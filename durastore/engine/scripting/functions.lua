-- FUNCTION LOAD and FCALL: libraries that register functions, which get their keys and arguments as two tables.
--
-- Arguments: the kernel, what redis.lua returned, and the functions of runner.py.
local kernel, api, host = ...
setfenv(1, kernel.environment)

local globals, protect, run = kernel.globals, kernel.protect, api.run
local register, is_flag = host.register, host.is_flag
local error, type, tostring, select, next, lower = error, type, tostring, select, kernel.next, string.lower
local guard = kernel.guard

globals.redis = protect(api.redis)

-- What a library sees while it is loaded.
local loading = {}
local loading_redis = {}
for _, name in next, { 'log', 'LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING', 'REDIS_VERSION', 'REDIS_VERSION_NUM' } do
  loading_redis[name] = api.redis[name]
end

local function complain(text)
  error({ err = 'ERR ' .. text })
end

local function text_of(value)
  if type(value) == 'string' then return value end
  if type(value) == 'number' then return tostring(value) end
end

local function flags_of(value)
  if type(value) ~= 'table' then
    complain('flags argument to redis.register_function must be a table representing function flags')
  end
  local names = {}
  local i = 1
  while value[i] ~= nil do
    local name = text_of(value[i])
    name = name and lower(name)
    if not name or not is_flag(name) then complain('unknown flag given') end
    names[i] = name
    i = i + 1
  end
  return names
end

local function named(arguments)
  if type(arguments) ~= 'table' then
    complain('calling redis.register_function with a single argument is only applicable to Lua table (representing '
      .. 'named arguments).')
  end
  local name, description, callback, flags = nil, nil, nil, {}
  for key, value in next, arguments do
    key = text_of(key)
    if not key then complain('named argument key given to redis.register_function is not a string') end
    key = lower(key)
    if key == 'function_name' then
      name = text_of(value)
      if not name then complain('function_name argument given to redis.register_function must be a string') end
    elseif key == 'description' then
      description = text_of(value)
      if not description then complain('description argument given to redis.register_function must be a string') end
    elseif key == 'callback' then
      if type(value) ~= 'function' then
        complain('callback argument given to redis.register_function must be a function')
      end
      callback = value
    elseif key == 'flags' then
      flags = flags_of(value)
    else
      complain('unknown argument given to redis.register_function')
    end
  end
  if not name then complain('redis.register_function must get a function name argument') end
  if not callback then complain('redis.register_function must get a callback argument') end
  return name, callback, description, flags
end

function loading_redis.register_function(...)
  local count, name, callback = select('#', ...), ...
  if not host.loading() then complain('redis.register_function can only be called on FUNCTION LOAD command') end
  if count < 1 or count > 2 then complain('wrong number of arguments to redis.register_function') end
  local description, flags = nil, {}
  if count == 1 then
    name, callback, description, flags = named(name)
  else
    name = text_of(name)
    if not name then complain('first argument to redis.register_function must be a string') end
    if type(callback) ~= 'function' then complain('second argument to redis.register_function must be a function') end
  end
  local complaint = register(name, callback, description, flags)
  if complaint then complain(complaint) end
end

loading.redis = kernel.protect_missing(loading_redis)
kernel.set_missing(loading)

local functions = {}

-- Runs a library's code; returns true, or nil and what went wrong.
function functions.load(code)
  kernel.show(loading)
  local compiled, message = kernel.compile(code, '@user_function')
  if not compiled then
    kernel.show(globals)
    return nil, 'Error compiling function: ' .. message
  end
  local ok, raised = guard(compiled)
  kernel.show(globals)
  if ok then return true end
  local text = raised
  if type(raised) == 'table' then text = text_of(raised.err) or 'ERR unknown error' else text = 'ERR ' .. tostring(raised) end
  return nil, 'Error registering functions: ' .. text
end

local function call(resp, callback, keys, arguments)
  return run(resp, function()
    local result = callback(keys, arguments)
    return result
  end)
end

-- Calls a function with so many keys before its arguments.
function functions.run(resp, callback, count, ...)
  local keys, words = {}, { ... }
  for i = 1, count do keys[i] = words[i] end
  if count > 0 then words = { select(count + 1, ...) } end
  return call(resp, callback, keys, words)
end

-- The same for more words than fit on the stack.
functions.run_with = call
functions.arm = kernel.arm

return functions
