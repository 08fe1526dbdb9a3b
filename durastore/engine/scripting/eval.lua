-- EVAL: scripts whose keys and arguments are globals.
--
-- Arguments: the kernel and what redis.lua returned.
local kernel, api = ...
setfenv(1, kernel.environment)

local globals, protect, run = kernel.globals, kernel.protect, api.run
local select = select
local redis = api.redis

-- The debugger is not there.
function redis.breakpoint()
  return false
end

function redis.debug() end

-- Effects are all that was ever replicated.
function redis.replicate_commands()
  return true
end

globals.redis = protect(redis)
globals.__redis__err__handler = kernel.handler
globals.KEYS, globals.ARGV = {}, {}

local eval = {}

-- Runs a script with so many keys before its arguments.
function eval.run(resp, script, count, ...)
  if count == 0 then
    globals.KEYS, globals.ARGV = {}, { ... }
  elseif count == select('#', ...) then
    globals.KEYS, globals.ARGV = { ... }, {}
  elseif count == 1 then
    local key = ...
    globals.KEYS, globals.ARGV = { key }, { select(2, ...) }
  else
    local keys, words = {}, { ... }
    for i = 1, count do keys[i] = words[i] end
    globals.KEYS, globals.ARGV = keys, { select(count + 1, ...) }
  end
  return run(resp, script)
end

-- The same for more words than fit on the stack.
function eval.run_with(resp, script, keys, arguments)
  globals.KEYS, globals.ARGV = keys, arguments
  return run(resp, script)
end

function eval.compile(code)
  return kernel.compile(code, '@user_script')
end

eval.arm = kernel.arm

return eval
