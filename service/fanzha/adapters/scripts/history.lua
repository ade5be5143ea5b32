-- Stands before each script that changes a history; `fanzha.features.history` does the same to arrays.
--
-- Every string that Lua makes is hashed to its last byte, which costs it as much time as 1,000 bytes of a
-- ring cost Redis otherwise. So a script reads a state once, changes it in as few new strings as it can, and
-- writes it once: functions here take and give strings, and add to `parts`, the fields that are written.

local NO_EPOCH = 'NOEPOCH the bucket has no epoch: Redis is new, was emptied, or is being rebuilt'

-- Adds a field to those that are written.
local function put(parts, name, value)
  parts[#parts + 1] = name
  parts[#parts + 1] = value
end

-- Returns the number that the next change of a subject gets. The bucket's epoch is a base that grows
-- whenever its Redis may have forgotten something, so that no number is given twice.
local function next_seq(held, epoch) return math.max(held, tonumber(epoch)) + 1 end

-- Writes the parts of a state that a change makes anew, under its next number, and journals the change: the
-- fields k, a, s, o, c, and those of `more`. `held` is the number before it; `p` names that where it is not
-- one less: what came between is no part of this state. Returns the id of the journal's entry.
local function change_state(subject, parts, held, epoch, journal, kind, token, order, change, more)
  held = tonumber(held or '0')
  local seq = next_seq(held, epoch)
  local text = string.format('%.0f', seq)
  redis.call('HSET', subject, 'seq', text, unpack(parts))
  local fields = {'k', kind, 'a', token, 's', text, 'o', order, 'c', change}
  if seq ~= held + 1 then put(fields, 'p', string.format('%.0f', held)) end
  for place = 1, #more do fields[#fields + 1] = more[place] end
  return redis.call('XADD', journal, '*', unpack(fields))
end

-- Returns the id of the newest entry in a journal, '0-0' when all were archived and trimmed: what was
-- journaled before is not newer.
local function newest_entry(journal)
  local rows = redis.call('XREVRANGE', journal, '+', '-', 'COUNT', 1)
  return rows[1] and rows[1][1] or '0-0'
end

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

-- Returns a ring of events with another one before them.
local function with_event(ring, event)
  if #ring > 47 * 40 then ring = string.sub(ring, 1, 47 * 40) end
  return event .. ring
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

-- Returns a count and a sum of money with one payment more or less, packed. Lua's numbers are doubles; sums
-- are added in two halves, and stay within 0 and 2^63 - 1.
local HALF, TOP = 4294967296, 2147483648
local function count_and_sum(count, low, high, low_more, high_more, effect)
  count = math.max(0, count + effect)
  low, high = low + effect * low_more, high + effect * high_more
  if low >= HALF then low, high = low - HALF, high + 1 end
  if low < 0 then low, high = low + HALF, high - 1 end
  if high < 0 then low, high = 0, 0 end
  if high >= TOP then low, high = HALF - 1, TOP - 1 end
  return struct.pack('<i8I4i4', count, low, high)
end

-- Adds payments to one period of the totals: 40 bytes each, the newest first, at most `most`.
local function add_to_period(packed, most, period, low, high, column, effect)
  local place, found, size = 1, false, #packed
  while place <= size do
    local there = struct.unpack('<i8', packed, place)
    if there <= period then
      found = there == period
      break
    end
    place = place + 40
  end
  local at = place + 8 * column
  if found then
    local count, low_held, high_held = struct.unpack('<i8I4i4', packed, at)
    return string.sub(packed, 1, at - 1) .. count_and_sum(count, low_held, high_held, low, high, effect)
      .. string.sub(packed, at + 16)
  end
  -- Nothing to take away from, or older than all that a full memory holds.
  if effect < 0 or place > (most - 1) * 40 + 1 then return packed end
  local others = string.rep('\0', 16)
  local row = struct.pack('<i8', period) .. (column == 1 and '' or others)
    .. count_and_sum(0, 0, 0, low, high, effect) .. (column == 1 and others or '')
  if size == most * 40 then packed = string.sub(packed, 1, (most - 1) * 40) end
  if place == 1 then return row .. packed end
  return string.sub(packed, 1, place - 1) .. row .. string.sub(packed, place)
end

-- Adds payments to the totals of their hour and day. `zone` is their offset from UTC and `amount` the place
-- of their amount, both in `change`; `column` is 1 for money out, 3 for money in.
local function add_to_totals(parts, hours, days, change, zone, amount, column, effect)
  if effect == 0 then return end
  local local_ms = struct.unpack('<i8', change, 9) + (zone - 64) * 900000
  local low, high = struct.unpack('<I4i4', change, amount)
  local hour, day = math.floor(local_ms / 3600000), math.floor(local_ms / 86400000)
  put(parts, 'hours', add_to_period(hours or '', 24, hour, low, high, column, effect))
  put(parts, 'days', add_to_period(days or '', 31, day, low, high, column, effect))
end

-- Remembers the links of an account, 16 bytes each, so that what becomes known of it reaches them.
local function remember_links(account, parts, tokens)
  if tokens == '' then return end
  local held = redis.call('HGET', account, 'links') or ''
  for from = 1, #tokens, 16 do
    local token = string.sub(tokens, from, from + 15)
    if not place_of(held, 16, token) then held = string.sub(token .. held, 1, 8 * 16) end
  end
  put(parts, 'links', held)
end

-- Adds to the fields of a journal's entry which links an account learned of, if any.
local function with_links(fields, tokens)
  if tokens ~= '' then put(fields, 'l', tokens) end
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
local function take_report(account, parts, kind, change)
  local reports = redis.call('HGET', account, 'reports') or ''
  local place = place_of_report(reports, change)
  if place then reports = string.sub(reports, 1, place - 1) .. string.sub(reports, place + 40) end
  if kind == 5 then reports = change .. string.sub(reports, 1, 15 * 40) end
  put(parts, 'reports', reports)
  return reports
end

-- Returns since when an account is known as a mule's after a REPORT or RETRACT of one, and keeps it: the
-- ring forgets older reports. 0 when none is left.
local function mule_since(account, parts, kind, change, reports)
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
  put(parts, 'mule', string.format('%.0f', since))
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
