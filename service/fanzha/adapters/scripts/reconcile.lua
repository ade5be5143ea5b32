-- Keeps a second answer to a request that another decision holds, and settles which of them stands.
-- KEYS: request, decision, marker of the second decision, journal, epoch, reconciliation of the decision
--       that holds the request, and of the second one.
-- ARGV: id of the decision that holds the request, window ms, memory ms, answer of the second, its record,
--       payer token, which of both ids stands and whether they differ ('1' or '0'), record of the
--       reconciliation, or '' when the two attempts had different bodies, 1 when the second one stands, its id.
-- Returns: {'again', entry} | {'moved'}: another decision holds the request by now | {'kept', entry}.
if redis.call('EXISTS', KEYS[5]) == 0 then return redis.error_reply(NO_EPOCH) end
local held = redis.call('GET', KEYS[3])
if held then return {'again', held} end
local request = redis.call('GET', KEYS[1])
if not request or string.sub(request, 17, 42) ~= ARGV[1] then return {'moved'} end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[2])
local entry = redis.call('XADD', KEYS[4], '*', 'k', 'conflict', 'a', ARGV[6], 'b', ARGV[5], 'r', '1')
if ARGV[8] ~= '' then
  entry = redis.call('XADD', KEYS[4], '*', 'k', 'reconciliation', 'a', ARGV[6], 'b', ARGV[8])
  redis.call('SET', KEYS[6], ARGV[7], 'PX', ARGV[3])
  redis.call('SET', KEYS[7], ARGV[7], 'PX', ARGV[3])
  if ARGV[9] == '1' then
    redis.call('SET', KEYS[1], string.sub(request, 1, 16) .. ARGV[10] .. string.sub(request, 43), 'PX', ARGV[3])
  end
end
redis.call('SET', KEYS[3], entry, 'PX', ARGV[3])
return {'kept', entry}
