-- Records a decision if its request id is free: answer, change of the payer's state, journal, outbox.
-- KEYS: account, request, decision, journal, outbox, marker of this decision, epoch.
-- ARGV: now ms, window ms, memory ms, request digest (16 bytes), decision id (26), answer, change (40),
--       record, payee token or '', payee's change or '', prefix of decision keys, payer token,
--       tokens of links new to the payer's account, and to the payee's, '' or 1 when it is sent again, 2
--       when it is and its content is without a mark; then for each link that does not know its account:
--       token, SIGHTING (40).
-- The marker holds the id of the newest journal entry about this decision.
-- Returns: {'first', stored request, its answer} | {'again', that id} | {'recorded', that id, outbox ids ...}.
if not has_epoch(KEYS[7]) then return redis.error_reply(NO_EPOCH) end
local more = {'b', ARGV[8]}
if ARGV[15] == '1' or ARGV[15] == '2' then more = {'b', ARGV[8], 'r', '1'} end
local held = redis.call('GET', KEYS[6])
if held then
  -- Sent once more: only its content may be newer (another mark), and one without the mark never is.
  if ARGV[15] == '2' or redis.call('GET', KEYS[3]) == ARGV[6] then return {'again', held} end
  redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[2])
  held = redis.call('XADD', KEYS[4], '*', 'k', 'decision_update', 'a', ARGV[12], unpack(more))
  redis.call('SET', KEYS[6], held, 'PX', ARGV[3])
  return {'again', held}
end
if ARGV[15] ~= '' then
  -- A worker may have lain longer than markers live: the ring still tells that this change was made.
  local ring = redis.call('HGET', KEYS[1], 'out') or ''
  for at = 1, #ring, 40 do
    if string.sub(ring, at, at + 7) == string.sub(ARGV[7], 1, 8) then
      held = '0-1'
      if ARGV[15] == '1' then
        held = redis.call('XADD', KEYS[4], '*', 'k', 'decision_update', 'a', ARGV[12], unpack(more))
      end
      redis.call('SET', KEYS[6], held, 'PX', ARGV[3])
      return {'again', held}
    end
  end
end
local request = redis.call('GET', KEYS[2])
if request then
  local id = string.sub(request, 17, 42)
  local at = tonumber(string.sub(request, 43))
  if tonumber(ARGV[1]) - at < tonumber(ARGV[2]) then
    local answer = redis.call('GET', ARGV[11] .. id)
    if answer then return {'first', request, answer} end
  end
end
redis.call('SET', KEYS[2], ARGV[4] .. ARGV[5] .. ARGV[1], 'PX', ARGV[3])
redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[2])
local ring = redis.call('HGET', KEYS[1], 'out') or ''
redis.call('HSET', KEYS[1], 'out', ARGV[7] .. string.sub(ring, 1, 47 * 40))
add_to_totals(KEYS[1], ARGV[7], string.byte(ARGV[7], 38), string.sub(ARGV[7], 17, 24), 1,
  effect_of_event(ARGV[7]))
remember_links(KEYS[1], ARGV[13])
local entry = journal_change(KEYS[4], KEYS[7], KEYS[1], 'decision', ARGV[12], 1, ARGV[7],
  with_links(more, ARGV[13]))
redis.call('SET', KEYS[6], entry, 'PX', ARGV[3])
local reply = {'recorded', entry}
if ARGV[9] ~= '' then
  reply[3] = redis.call('XADD', KEYS[5], '*', 't', ARGV[9], 'o', 2, 'c', ARGV[10], 'l', ARGV[14])
end
for place = 16, #ARGV, 2 do
  reply[#reply + 1] = redis.call('XADD', KEYS[5], '*', 't', ARGV[place], 'o', 6, 'c', ARGV[place + 1])
end
return reply
