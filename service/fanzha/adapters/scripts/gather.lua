-- Reads everything that one account's slot knows about a transfer.
-- KEYS: account, list, epoch, request (payer only). ARGV: counterparty (8 bytes or ''), prefix of decision keys.
-- Returns: seq, ring out, ring in, pair (payer only), reports, hours (payer only), days, list entries
--          (flat), stored request, its answer.
-- Without an epoch Redis has lost what it held, or is being rebuilt: it does not know the account yet.
if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply(NO_EPOCH) end
local held = redis.call('HMGET', KEYS[1], 'seq', 'out', 'in', 'reports', 'days')
local hours, pair = '', ''
if KEYS[4] then
  local own = redis.call('HMGET', KEYS[1], 'hours', 'pairs')
  hours = own[1] or ''
  local at = own[2] and ARGV[1] ~= '' and place_of(own[2], 32, ARGV[1])
  if at then pair = string.sub(own[2], at, at + 31) end
end
local request, answer = '', ''
if KEYS[4] then
  request = redis.call('GET', KEYS[4]) or ''
  if request ~= '' then
    answer = redis.call('GET', ARGV[2] .. string.sub(request, 17, 42)) or ''
  end
end
return {
  held[1] or '0', held[2] or '', held[3] or '', pair, held[4] or '', hours, held[5] or '',
  redis.call('HGETALL', KEYS[2]), request, answer,
}
