-- Applies a change that another subject's slot sent, once: money received, its execution, a report, a
-- link's sighting or taint.
-- KEYS: subject (account or link), marker of this message, marker of the event's receipt, journal,
--       outbox.
-- ARGV: change (40), kind of change, subject's token, life of markers ms, 1 to apply an execution even
--       when what has to come before it was never seen, tokens of the account's links that came with a
--       receipt.
-- Returns: 1 applied, 0 applied before or nothing new, -1 not yet: something has to come first.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local change, kind = ARGV[1], tonumber(ARGV[2])
local ring, place = '', nil
if kind == 2 or kind == 4 then ring = redis.call('HGET', KEYS[1], 'in') or '' end
if kind == 4 then
  place = place_of(ring, 40, string.sub(change, 1, 8))
  -- After the receipt, and after the execution that the payer's side saw before it: two workers may
  -- carry two executions of one event at once.
  local early = not place and redis.call('EXISTS', KEYS[3]) == 0
  if place then early = string.byte(ring, place + 35) ~= string.byte(change, 18) end
  if early and ARGV[5] ~= '1' then return -1 end
end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
if kind == 2 then
  redis.call('HSET', KEYS[1], 'in', change .. string.sub(ring, 1, 47 * 40))
  add_to_totals(KEYS[1], change, string.byte(change, 38), string.sub(change, 17, 24), 3,
    effect_of_event(change))
  redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
  remember_links(KEYS[1], ARGV[6])
elseif kind == 4 then
  if place then
    redis.call('HSET', KEYS[1], 'in', with_status(ring, place, string.byte(change, 17)))
  end
  add_to_totals(KEYS[1], change, string.byte(change, 20), string.sub(change, 33, 40), 3,
    effect_of_execution(change))
elseif kind == 5 then
  local reports = redis.call('HGET', KEYS[1], 'reports') or ''
  redis.call('HSET', KEYS[1], 'reports', change .. string.sub(reports, 1, 15 * 40))
  if string.byte(change, 18) == 2 then
    -- The account is a mule's: everything that it was seen with is tainted from when that was known.
    local links = redis.call('HGET', KEYS[1], 'links') or ''
    local taint = string.sub(change, 1, 16) .. string.sub(change, 33, 40)
      .. string.sub(ARGV[3], 1, 8) .. string.rep('\0', 8)
    for from = 1, #links, 16 do
      redis.call('XADD', KEYS[5], '*', 't', string.sub(links, from, from + 15), 'o', 7, 'c', taint)
    end
  end
else
  local seen = redis.call('HGET', KEYS[1], 'seen') or ''
  local at, since = place_of(seen, 24, string.sub(change, 25, 32)), string.sub(change, 17, 24)
  if at then
    -- Reports may arrive in any order; what counts is since when the first of them was known.
    local said, known = struct.unpack('<i8', since), struct.unpack('<i8', seen, at + 16)
    if said == 0 or (known ~= 0 and known <= said) then return 0 end
    seen = string.sub(seen, 1, at + 15) .. since .. string.sub(seen, at + 24)
  else
    if #seen == 32 * 24 then
      -- A crowd's link takes in mules alone, in place of the one that came last of those that are not.
      local none, from = string.rep('\0', 8), 1
      while from <= #seen and string.sub(seen, from + 16, from + 23) ~= none do from = from + 24 end
      if since == none or from > #seen then return 0 end
      seen = string.sub(seen, 1, from - 1) .. string.sub(seen, from + 24)
    end
    seen = string.sub(change, 25, 32) .. string.sub(change, 9, 16) .. since .. seen
  end
  redis.call('HSET', KEYS[1], 'seen', seen)
end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[4], '*', 'k', 'change', 'a', ARGV[3], 's', seq, 'o', kind, 'c', change)
return 1
