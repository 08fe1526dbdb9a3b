-- The library bit: operations on 32 bit numbers (https://bitop.luajit.org/api.html).
local kernel = ...
setfenv(1, kernel.environment)

local check_number = kernel.check_number
local floor, select, format, sub = kernel.math.floor, select, string.format, string.sub

local WORD, SIGN = 2 ^ 32, 2 ^ 31
-- Adding and taking away this rounds to the nearest integer, and halves to the even one.
local ROUND = 2 ^ 52 + 2 ^ 51

local AND = {}
for a = 0, 15 do
  for b = 0, 15 do
    local both, weight, x, y = 0, 1, a, b
    while x > 0 and y > 0 do
      if x % 2 == 1 and y % 2 == 1 then both = both + weight end
      x, y, weight = floor(x / 2), floor(y / 2), weight * 2
    end
    AND[a * 16 + b] = both
  end
end

local function bits(number, count, value)
  value = check_number(number, count, value)
  return (value + ROUND - ROUND) % WORD
end

local function signed(value)
  return value >= SIGN and value - WORD or value
end

local function both(a, b)
  local made, weight = 0, 1
  while a > 0 and b > 0 do
    local x, y = a % 16, b % 16
    made = made + AND[x * 16 + y] * weight
    a, b, weight = (a - x) / 16, (b - y) / 16, weight * 16
  end
  return made
end

local function shift_left(value, by)
  return value % 2 ^ (32 - by) * 2 ^ by
end

local function shift_right(value, by)
  return floor(value / 2 ^ by)
end

local bit = {}

function bit.tobit(...)
  return signed(bits(1, select('#', ...), (...)))
end

function bit.bnot(...)
  return signed(WORD - 1 - bits(1, select('#', ...), (...)))
end

local function fold(combine)
  return function(...)
    local count = select('#', ...)
    local made = bits(1, count, (...))
    for i = 2, count do made = combine(made, bits(i, count, (select(i, ...)))) end
    return signed(made)
  end
end

bit.band = fold(both)
bit.bor = fold(function(a, b) return a + b - both(a, b) end)
bit.bxor = fold(function(a, b) return a + b - 2 * both(a, b) end)

local function shift(combine)
  return function(...)
    local count, value, by = select('#', ...), ...
    value, by = bits(1, count, value), bits(2, count, by) % 32
    return signed(combine(value, by))
  end
end

bit.lshift = shift(shift_left)
bit.rshift = shift(shift_right)
bit.arshift = shift(function(value, by) return shift_right(signed(value), by) % WORD end)
bit.rol = shift(function(value, by) return shift_left(value, by) + shift_right(value, 32 - by) end)
bit.ror = shift(function(value, by) return shift_right(value, by) + shift_left(value, 32 - by) end)

function bit.bswap(...)
  local value, made = bits(1, select('#', ...), (...)), 0
  for _ = 1, 4 do
    made = made * 256 + value % 256
    value = floor(value / 256)
  end
  return signed(made)
end

function bit.tohex(...)
  local count, value, digits = select('#', ...), ...
  value = bits(1, count, value)
  digits = count < 2 and 8 or signed(bits(2, count, digits))
  local form = '%08x'
  if digits < 0 then digits, form = -digits, '%08X' end
  if digits > 8 then digits = 8 end
  return sub(format(form, value), 9 - digits)
end

return bit
