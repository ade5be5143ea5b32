-- Takes an outcome into the history; a confirmed fraud is reported on the accounts that it names.
-- KEYS: account, outcomes of the decision, journal, outbox.
-- ARGV: outcome id, record, payer's report (40) or '', payee token or '', payee's report or '',
--       life of the outcomes ms, payer token.
-- Returns: {'repeated'} | {'recorded', outbox id or ''}.
if redis.call('HSETNX', KEYS[2], ARGV[1], 1) == 0 then return {'repeated'} end
redis.call('PEXPIRE', KEYS[2], ARGV[6])
if ARGV[3] ~= '' then
  local reports = redis.call('HGET', KEYS[1], 'reports') or ''
  local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
  redis.call('HSET', KEYS[1], 'reports', ARGV[3] .. string.sub(reports, 1, 15 * 40))
  redis.call('XADD', KEYS[3], '*', 'k', 'outcome', 'a', ARGV[7], 's', seq, 'o', 5, 'c', ARGV[3], 'b', ARGV[2])
else
  redis.call('XADD', KEYS[3], '*', 'k', 'outcome', 'a', ARGV[7], 'b', ARGV[2])
end
local outbox = ''
if ARGV[4] ~= '' then
  outbox = redis.call('XADD', KEYS[4], '*', 't', ARGV[4], 'o', 5, 'c', ARGV[5])
end
return {'recorded', outbox}
