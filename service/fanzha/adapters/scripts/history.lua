-- Stands before each script that changes a history; `fanzha.features.history` does the same to arrays.

-- Returns the number that the next change of a subject gets, and the number before it. The bucket's epoch is
-- a base that grows whenever its Redis may have forgotten something, so that no number is given twice.
local function next_seq(subject, epoch)
  local held = tonumber(redis.call('HGET', subject, 'seq') or '0')
  return math.max(held, tonumber(redis.call('GET', epoch))) + 1, held
end

-- Journals a change of a subject under its next number: the fields k, a, s, o, c, and those of `more`. `p`
-- is the number before where that is not one less: what came between is no part of this state. Returns
-- the id of the journal's entry.
local function journal_change(journal, epoch, subject, kind, token, order, change, more)
  local seq, held = next_seq(subject, epoch)
  local text = string.format('%.0f', seq)
  redis.call('HSET', subject, 'seq', text)
  local fields = {'k', kind, 'a', token, 's', text, 'o', order, 'c', change}
  if seq ~= held + 1 then
    fields[#fields + 1] = 'p'
    fields[#fields + 1] = string.format('%.0f', held)
  end
  for place = 1, #more do fields[#fields + 1] = more[place] end
  return redis.call('XADD', journal, '*', unpack(fields))
end

-- Returns the id of the newest entry in a journal, '0-0' when all were archived and trimmed: what was
-- journaled before is not newer.
local function newest_entry(journal)
  local rows = redis.call('XREVRANGE', journal, '+', '-', 'COUNT', 1)
  return rows[1] and rows[1][1] or '0-0'
end

-- Says whether the bucket has an epoch; a script changes nothing without one.
local function has_epoch(epoch) return redis.call('EXISTS', epoch) == 1 end
local NO_EPOCH = 'NOEPOCH the bucket has no epoch: Redis is new, was emptied, or is being rebuilt'

-- Returns where a record of `width` bytes begins that begins with `key`, or nil.
local function place_of(packed, width, key)
  local from = 1
  while true do
    local at = string.find(packed, key, from, true)
    if not at then return nil end
    if (at - 1) % width == 0 then return at end
    from = at + 1
  end
end

-- Writes an execution status into the event that begins at `place` of a ring.
local function with_status(ring, place, status)
  return string.sub(ring, 1, place + 34) .. string.char(status) .. string.sub(ring, place + 36)
end

local function counts_as_paid(status, decision)
  return status == 1 or (status == 0 and decision <= 2)
end

-- What an ATTEMPT or RECEIVE adds to the totals, in payments.
local function effect_of_event(change)
  return counts_as_paid(string.byte(change, 36), string.byte(change, 35)) and 1 or 0
end

-- What an EXECUTION does to the totals, in payments.
local function effect_of_execution(change)
  local status, before, decision = string.byte(change, 17, 19)
  local after = counts_as_paid(status, decision) and 1 or 0
  return after - (counts_as_paid(before, decision) and 1 or 0)
end

-- Lua's numbers are doubles; sums of money are added in two halves, and stay within 0 and 2^63 - 1.
local HALF, TOP = 4294967296, 2147483648
local function sum_of(sum, amount, effect)
  local low, high = struct.unpack('<I4i4', sum)
  local low_more, high_more = struct.unpack('<I4i4', amount)
  low, high = low + effect * low_more, high + effect * high_more
  if low >= HALF then low, high = low - HALF, high + 1 end
  if low < 0 then low, high = low + HALF, high - 1 end
  if high < 0 then return string.rep('\0', 8) end
  if high >= TOP then return '\255\255\255\255\255\255\255\127' end
  return struct.pack('<I4i4', low, high)
end

-- Adds payments to one period of the totals: 40 bytes each, the newest first, at most `most`.
local function add_to_period(packed, most, period, amount, column, effect)
  local place, found = 1, false
  while place <= #packed do
    local there = struct.unpack('<i8', packed, place)
    if there <= period then
      found = there == period
      break
    end
    place = place + 40
  end
  local row
  if found then
    row = string.sub(packed, place, place + 39)
  else
    -- Nothing to take away from, or older than all that a full memory holds.
    if effect < 0 or place > (most - 1) * 40 + 1 then return packed end
    row = struct.pack('<i8', period) .. string.rep('\0', 32)
  end
  local at = 1 + 8 * column
  local count = math.max(0, struct.unpack('<i8', row, at) + effect)
  local sum = sum_of(string.sub(row, at + 8, at + 15), amount, effect)
  row = string.sub(row, 1, at - 1) .. struct.pack('<i8', count) .. sum .. string.sub(row, at + 16)
  local rest = string.sub(packed, found and place + 40 or place)
  return string.sub(string.sub(packed, 1, place - 1) .. row .. rest, 1, most * 40)
end

-- Adds payments to the totals of their hour and day. `column` is 1 for money out, 3 for money in.
local function add_to_totals(account, change, zone, amount, column, effect)
  if effect == 0 then return end
  local held = redis.call('HMGET', account, 'hours', 'days')
  local local_ms = struct.unpack('<i8', change, 9) + (zone - 64) * 900000
  local hour, day = math.floor(local_ms / 3600000), math.floor(local_ms / 86400000)
  redis.call('HSET', account,
    'hours', add_to_period(held[1] or '', 24, hour, amount, column, effect),
    'days', add_to_period(held[2] or '', 31, day, amount, column, effect))
end

-- Remembers the links of an account, 16 bytes each, so that what becomes known of it reaches them.
local function remember_links(account, tokens)
  if tokens == '' then return end
  local held = redis.call('HGET', account, 'links') or ''
  for from = 1, #tokens, 16 do
    local token = string.sub(tokens, from, from + 15)
    if not place_of(held, 16, token) then held = string.sub(token .. held, 1, 8 * 16) end
  end
  redis.call('HSET', account, 'links', held)
end

-- Adds to the fields of a journal's entry which links an account learned of, if any.
local function with_links(fields, tokens)
  if tokens ~= '' then
    fields[#fields + 1] = 'l'
    fields[#fields + 1] = tokens
  end
  return fields
end

-- Returns where the ring of reports holds the one of a change's event and role, or nil.
local function place_of_report(reports, change)
  local from = 1
  while from <= #reports do
    local same_event = string.sub(reports, from, from + 7) == string.sub(change, 1, 8)
    if same_event and string.byte(reports, from + 17) == string.byte(change, 18) then return from end
    from = from + 40
  end
  return nil
end

-- Takes a REPORT (5) or RETRACT (8) into the ring of reports: one for each event and role.
local function take_report(account, kind, change)
  local reports = redis.call('HGET', account, 'reports') or ''
  local place = place_of_report(reports, change)
  if place then reports = string.sub(reports, 1, place - 1) .. string.sub(reports, place + 40) end
  if kind == 5 then reports = change .. string.sub(reports, 1, 15 * 40) end
  redis.call('HSET', account, 'reports', reports)
  return reports
end

-- Returns since when an account is known as a mule's after a REPORT or RETRACT of one, and keeps it: the
-- ring forgets older reports. 0 when none is left.
local function mule_since(account, kind, change, reports)
  local since = 0
  if kind == 5 then
    since = struct.unpack('<i8', change, 33)
    local known = tonumber(redis.call('HGET', account, 'mule') or '0')
    if known > 0 and known < since then since = known end
  else
    for from = 1, #reports, 40 do
      local known = struct.unpack('<i8', reports, from + 32)
      if string.byte(reports, from + 17) == 2 and (since == 0 or known < since) then since = known end
    end
  end
  redis.call('HSET', account, 'mule', string.format('%.0f', since))
  return since
end

-- Says whether news of an account were made from a state at least as new as the last that a link got.
-- Sightings read such a state; taints and clearings are remembered.
local function is_newest(link, kind, account, seq)
  local last = tonumber(redis.call('HGET', link, 'v' .. account) or '0')
  if seq < last and seq > 0 then return false end
  if kind ~= 6 and seq > last then
    redis.call('HSET', link, 'v' .. account, string.format('%.0f', seq))
  end
  return true
end
