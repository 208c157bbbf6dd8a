-- The arithmetic of reseller_kit/core/limits.py on the server: one call of this script is one batch of several calls.
--
-- KEYS[1]: what all names begin with. ARGV[1]: who asks. ARGV[2]: a MessagePack list of questions, each
-- {"take", {{kind, name, most, amount}, …}} or {"end", {{kind, name, amount, tokens}, …}, piece} or {"open", {{name, count}, …}}.
-- Answer: a MessagePack list, for each "take" {refused (0: none, else a position), wait, piece, {{used, empty_in}, …}}.
--
-- A window is a hash: u = used, o = the oldest piece that may be there, l = the latest, and each piece's amount by its number.
-- What is under way is a hash of counts by who asks; those of processes that stopped to say that they live are left out.

local PIECE, PIECES, CONCURRENCY_WAIT = 250000, 241, 1000000
local WINDOW_MS, OPEN_MS, LEASE = 60500, 7200000, 10000000

local space, owner = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local piece = math.floor(now / PIECE)
local owners = space .. 'owners'

local function forget(key)
  local state = redis.call('HMGET', key, 'u', 'o', 'l')
  if not state[1] then return 0, piece, 0 end
  local used, oldest, latest = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
  local keep = piece - PIECES + 1
  if oldest < keep then
    local gone = {}
    if keep - oldest <= 8 then
      for old = oldest, keep - 1 do
        local amount = redis.call('HGET', key, old)
        if amount then
          used = used - amount
          gone[#gone + 1] = old
        end
      end
    else
      local all = redis.call('HGETALL', key)
      for at = 1, #all, 2 do
        local old = tonumber(all[at])
        if old and old < keep then
          used = used - all[at + 1]
          gone[#gone + 1] = old
        end
      end
    end
    oldest = keep
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    redis.call('HSET', key, 'u', used, 'o', oldest)
  end
  return used, oldest, latest
end

local function add(key, amount)
  local used, oldest, latest = forget(key)
  if amount > 0 then latest = math.max(latest, piece) end
  redis.call('HSET', key, 'u', used + amount, 'o', oldest, 'l', latest)
  if amount > 0 then redis.call('HINCRBY', key, latest, amount) end
  redis.call('PEXPIRE', key, WINDOW_MS)
end

local function give_back(key, at, amount)
  local there = redis.call('HGET', key, at)
  if not there then return end
  local back = math.min(amount, tonumber(there))
  redis.call('HINCRBY', key, at, -back)
  redis.call('HINCRBY', key, 'u', -back)
end

local function free_in(key, over)
  local all, pieces = redis.call('HGETALL', key), {}
  for at = 1, #all, 2 do
    local number = tonumber(all[at])
    if number then pieces[#pieces + 1] = {number, tonumber(all[at + 1])} end
  end
  table.sort(pieces, function(one, other) return one[1] < other[1] end)
  for _, each in ipairs(pieces) do
    over = over - each[2]
    if over <= 0 then return math.max(1, (each[1] + PIECES) * PIECE - now) end
  end
  return 1
end

local function under_way(key)
  local all, count = redis.call('HGETALL', key), 0
  for at = 1, #all, 2 do
    local lives = all[at] == owner
    if not lives then
      local until_ = redis.call('ZSCORE', owners, all[at])
      lives = until_ and tonumber(until_) > now
    end
    if lives then count = count + all[at + 1] else redis.call('HDEL', key, all[at]) end
  end
  return count
end

local function leave(key, amount)
  local rest = (tonumber(redis.call('HGET', key, owner) or '0')) - amount
  if rest > 0 then redis.call('HSET', key, owner, rest) else redis.call('HDEL', key, owner) end
end

local function take(limits)
  local refused, longest, used, latest = 0, 0, {}, {}
  for index, limit in ipairs(limits) do
    local kind, key, most, amount = limit[1], space .. limit[2], limit[3], limit[4]
    local wait = 0
    if kind == 'c' then
      used[index] = under_way(key)
      if used[index] + amount > most then wait = CONCURRENCY_WAIT end
    else
      local oldest
      used[index], oldest, latest[index] = forget(key)
      local over = used[index] + amount - most
      if over > 0 then wait = free_in(key, over) end
    end
    if wait > longest then refused, longest = index, wait end
  end
  local fills = {}
  for index, limit in ipairs(limits) do
    local kind, key, amount = limit[1], space .. limit[2], limit[4]
    if refused == 0 then
      used[index] = used[index] + amount
      if kind == 'c' then
        redis.call('HINCRBY', key, owner, amount)
        redis.call('PEXPIRE', key, OPEN_MS)
      else
        add(key, amount)
        if amount > 0 then latest[index] = math.max(latest[index], piece) end
      end
    end
    local empty_in = 0
    if kind ~= 'c' and latest[index] > 0 then empty_in = math.max(0, (latest[index] + PIECES) * PIECE - now) end
    fills[index] = {used[index], empty_in}
  end
  return {refused, longest, piece, fills}
end

local answers = {}
redis.call('ZADD', owners, now + LEASE, owner)
for _, question in ipairs(cmsgpack.unpack(ARGV[2])) do
  local what, items = question[1], question[2]
  if what == 'take' then
    answers[#answers + 1] = take(items)
  elseif what == 'end' then
    for _, item in ipairs(items) do
      local kind, key, amount, tokens = item[1], space .. item[2], item[3], item[4]
      if kind == 'c' then
        leave(key, amount)
      elseif tokens < amount then
        give_back(key, question[3], amount - tokens)
      elseif tokens > amount then
        add(key, tokens - amount)
      end
    end
  else
    redis.call('ZREMRANGEBYSCORE', owners, '-inf', now)
    for _, item in ipairs(items) do
      if item[2] > 0 then
        redis.call('HSET', space .. item[1], owner, item[2])
        redis.call('PEXPIRE', space .. item[1], OPEN_MS)
      else
        redis.call('HDEL', space .. item[1], owner)
      end
    end
  end
end
return cmsgpack.pack(answers)
