-- Redis's math.random: the 48 bit generator of drand48, the same numbers on every machine.
--
-- Arguments: the kernel and a function that tells whether a script runs.
local kernel, running = ...
setfenv(1, kernel.environment)

local raise, bad_argument, check_number = kernel.raise, kernel.bad_argument, kernel.check_number
local floor, select = kernel.math.floor, select

local HALF = 2 ^ 24
local LARGEST = 2 ^ 31 - 1
-- The state and the factor 0x5deece66d, each as two halves of 24 bits.
local high, low = 0x1234AB, 0xCD330E
local FACTOR_HIGH, FACTOR_LOW = 0x5DE, 0xECE66D

local function draw()
  local sum = low * FACTOR_LOW + 0xB
  high = (high * FACTOR_LOW + low * FACTOR_HIGH + floor(sum / HALF)) % HALF
  low = sum % HALF
  return floor((high * HALF + low) / 2 ^ 17)
end

local function integer(number, count, value)
  value = check_number(number, count, value)
  value = value < 0 and -floor(-value) or floor(value)
  value = value % 2 ^ 32
  return value >= 2 ^ 31 and value - 2 ^ 32 or value
end

local random = {}

function random.random(...)
  if not running() then raise('math.random can only be called inside a script invocation') end
  local drawn = (draw() % LARGEST) / LARGEST
  local count, first, second = select('#', ...), ...
  if count == 0 then return drawn end
  if count == 1 then
    local upper = integer(1, count, first)
    if upper < 1 then bad_argument(1, 'interval is empty') end
    return floor(drawn * upper) + 1
  end
  if count ~= 2 then raise('wrong number of arguments') end
  local lower, upper = integer(1, count, first), integer(2, count, second)
  if lower > upper then bad_argument(2, 'interval is empty') end
  return floor(drawn * (upper - lower + 1)) + lower
end

function random.randomseed(...)
  if not running() then raise('math.randomseed can only be called inside a script invocation') end
  local seed = integer(1, select('#', ...), (...)) % 2 ^ 32
  high = floor(seed / 2 ^ 8)
  low = seed % 2 ^ 8 * 2 ^ 16 + 0x330E
end

return random
