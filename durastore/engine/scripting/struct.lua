-- The library struct (http://www.inf.puc-rio.br/~roberto/struct/); binary.py does its work.
--
-- Arguments: the kernel, and what packs, unpacks and measures.
local kernel, pack, unpack, size = ...
setfenv(1, kernel.environment)

local check_string = kernel.check_string
local select = select

-- Complains about an argument: of another type than ``message`` says, or as it says; 0: about none in particular.
-- ``name`` is the function's where the call is no longer on the stack.
local function refuse(name, number, message, count, ...)
  if number == 0 then kernel.raise(message) end
  if message == 'number' or message == 'string' then
    -- The C library leaves a nil behind the arguments.
    kernel.expected(number, message, count + 1, (select(number, ...)))
  end
  kernel.bad_argument(number, message, name)
end

local function results(count, arguments, ok, ...)
  if not ok then
    local number, message = ...
    refuse('unpack', number, message, count, arguments[1], arguments[2], arguments[3])
  end
  return ...
end

local struct = {}

function struct.pack(...)
  local count = select('#', ...)
  local form = check_string(1, count, (...))
  local ok, made, message = pack(form, select(2, ...))
  if not ok then refuse(nil, made, message, count, ...) end
  return made
end

function struct.unpack(...)
  local count, form, data, place = select('#', ...), ...
  form = check_string(1, count, form)
  data = check_string(2, count, data)
  place = place == nil and 1 or kernel.check_number(3, count, place)
  return results(count, { form, data, place }, unpack(form, data, place))
end

function struct.size(...)
  local count = select('#', ...)
  local ok, made, message = size(check_string(1, count, (...)))
  if not ok then refuse(nil, made, message, count, ...) end
  return made
end

return struct
