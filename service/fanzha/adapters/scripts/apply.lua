-- Applies a change that another subject's slot sent, once: money received, its execution, a report or
-- its retraction, a link's sighting, taint or clearing.
-- KEYS: subject (account or link), marker of this message, marker of the event's receipt, journal,
--       outbox, epoch.
-- ARGV: change (40), kind of change, subject's token, life of markers ms, 1 to apply an execution, a
--       report or a retraction even when what has to come before it was never seen, tokens of the
--       account's links that came with a receipt.
-- Returns: 1 applied, 0 applied before or nothing new, -1 not yet: something has to come first.
local known = redis.call('MGET', KEYS[6], KEYS[2], KEYS[3])
local epoch, received = known[1], known[3]
if not epoch then return redis.error_reply(NO_EPOCH) end
if known[2] then return 0 end
local change, kind = ARGV[1], tonumber(ARGV[2])
local event, parts = string.sub(change, 1, 8), {}
local learned = kind == 2 and ARGV[6] or ''
local seq
if kind == 2 then
  -- The payer's side may have been lost and have sent its decision a second time.
  if received then return 0 end
  local state = redis.call('HMGET', KEYS[1], 'seq', 'in', 'hours', 'days')
  local ring = state[2] or ''
  if place_of(ring, 40, event) then return 0 end
  -- The marker of the receipt is the message's own as well.
  redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
  seq = state[1]
  put(parts, 'in', with_event(ring, change))
  add_to_totals(parts, state[3], state[4], change, string.byte(change, 38), 17, 3, effect_of_event(change))
  remember_links(KEYS[1], parts, learned)
elseif kind == 4 then
  local state = redis.call('HMGET', KEYS[1], 'seq', 'in', 'hours', 'days')
  local ring = state[2] or ''
  local place = place_of(ring, 40, event)
  -- After the receipt, and after the execution that the payer's side saw before it: two workers may
  -- carry two executions of one event at once.
  local early = not place and not received
  if place then early = string.byte(ring, place + 35) ~= string.byte(change, 18) end
  if early and ARGV[5] ~= '1' then return -1 end
  -- Carried once more after the payer's side was lost: it would be counted twice.
  if early and place and string.byte(ring, place + 35) == string.byte(change, 17) then return 0 end
  redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
  seq = state[1]
  if place then put(parts, 'in', with_status(ring, place, string.byte(change, 17))) end
  add_to_totals(parts, state[3], state[4], change, string.byte(change, 20), 33, 3, effect_of_execution(change))
elseif kind == 5 or kind == 8 then
  if ARGV[5] ~= '1' then
    -- A report that was taken back and stands anew: two workers may carry what belongs to one event at once.
    local held = place_of_report(redis.call('HGET', KEYS[1], 'reports') or '', change) ~= nil
    if held == (kind == 5) then return -1 end
  end
  redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
  local reports = take_report(KEYS[1], parts, kind, change)
  seq = redis.call('HGET', KEYS[1], 'seq')
  if string.byte(change, 18) == 2 then
    -- What the account was seen with learns since when it is known as a mule's, or that it is none.
    local since = mule_since(KEYS[1], parts, kind, change, reports)
    local links = redis.call('HGET', KEYS[1], 'links') or ''
    local news = string.sub(change, 1, 16) .. struct.pack('<i8', since)
      .. string.sub(ARGV[3], 1, 8) .. struct.pack('<i8', next_seq(tonumber(seq or '0'), epoch))
    for from = 1, #links, 16 do
      redis.call('XADD', KEYS[5], '*', 't', string.sub(links, from, from + 15),
        'o', kind == 5 and 7 or 9, 'c', news)
    end
  end
else
  redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
  local state = redis.call('HMGET', KEYS[1], 'seq', 'seen')
  local seen = state[2] or ''
  local account = string.sub(change, 25, 32)
  if not is_newest(KEYS[1], kind, account, struct.unpack('<i8', change, 33)) then
    -- Made from a state of the account that is out of date: a sighting still counts as one.
    if kind ~= 6 then return 0 end
    change = string.sub(change, 1, 16) .. string.rep('\0', 8) .. string.sub(change, 25)
  end
  local at, since = place_of(seen, 24, account), string.sub(change, 17, 24)
  if at then
    local said, held = struct.unpack('<i8', since), struct.unpack('<i8', seen, at + 16)
    -- A taint that is newer than what the link knows, and later, overtook the clearing before it.
    if kind == 7 and struct.unpack('<i8', change, 33) > 0 and held > 0 and said > held then kind = 9 end
    -- Reports may arrive in any order; what counts is since when the first of them was known.
    if kind == 9 then
      if said == held then return 0 end
    elseif said == 0 or (held ~= 0 and held <= said) then
      return 0
    end
    seen = string.sub(seen, 1, at + 15) .. since .. string.sub(seen, at + 24)
  elseif kind == 9 then
    return 0
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
  seq = state[1]
  put(parts, 'seen', seen)
end
change_state(KEYS[1], parts, seq, epoch, KEYS[4], 'change', ARGV[3], kind, change, with_links({}, learned))
return 1
