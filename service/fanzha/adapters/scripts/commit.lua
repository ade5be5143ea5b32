-- Records a decision if its request id is free: answer, change of the payer's state, journal, outbox.
-- KEYS: account, request, decision, journal, outbox, marker of this decision, epoch.
-- ARGV: now ms, window ms, memory ms, request digest (16 bytes), decision id (26), answer, change (40),
--       record, payee token or '', payee's change or '', prefix of decision keys, payer token,
--       tokens of links new to the payer's account, and to the payee's, '' or 1 when it is sent again, 2
--       when it is and its content is without a mark; then for each link that does not know its account:
--       token, SIGHTING (40).
-- The marker holds the id of the newest journal entry about this decision.
-- Returns: {'first', stored request, its answer} | {'again', that id} | {'recorded', that id, outbox ids ...}.
local known = redis.call('MGET', KEYS[7], KEYS[6], KEYS[2])
local epoch, held, request = known[1], known[2], known[3]
if not epoch then return redis.error_reply(NO_EPOCH) end
local again = ARGV[15]
local more = again == '' and {'b', ARGV[8]} or {'b', ARGV[8], 'r', '1'}
if held then
  -- Sent once more: only its content may be newer (another mark), and one without the mark never is.
  if again == '2' or redis.call('GET', KEYS[3]) == ARGV[6] then return {'again', held} end
  redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[2])
  held = redis.call('XADD', KEYS[4], '*', 'k', 'decision_update', 'a', ARGV[12], unpack(more))
  redis.call('SET', KEYS[6], held, 'PX', ARGV[3])
  return {'again', held}
end
local change = ARGV[7]
if again ~= '' then
  -- A worker may have lain longer than markers live: the ring still tells that this change was made.
  if place_of(redis.call('HGET', KEYS[1], 'out') or '', 40, string.sub(change, 1, 8)) then
    held = '0-1'
    if again == '1' then
      held = redis.call('XADD', KEYS[4], '*', 'k', 'decision_update', 'a', ARGV[12], unpack(more))
    end
    redis.call('SET', KEYS[6], held, 'PX', ARGV[3])
    return {'again', held}
  end
end
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
local state = redis.call('HMGET', KEYS[1], 'seq', 'out', 'hours', 'days')
local parts = {'out', with_event(state[2] or '', change)}
add_to_totals(parts, state[3], state[4], change, string.byte(change, 38), 17, 1, effect_of_event(change))
remember_links(KEYS[1], parts, ARGV[13])
local entry = change_state(KEYS[1], parts, state[1], epoch, KEYS[4], 'decision', ARGV[12], 1, change,
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
