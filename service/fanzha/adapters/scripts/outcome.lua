-- Takes an outcome, or the withdrawal of one, into the history of a decision; what no longer stands, or
-- stands anew, changes the reports of the accounts that it names.
-- KEYS: account, outcomes of the decision, journal, outbox, epoch.
-- ARGV: name of the record, record, its kind, life of the history ms, payer token, number of records
--       that the changes were made from, kind of the payer's change, the change (40) or '', payee token,
--       kind of the payee's change, the change (40) or ''; then those records: name, record. The store
--       may have forgotten them.
-- Returns: {'repeated', '', newest entry} | {'overtaken'}: another record came in between
--          | {'recorded', outbox id or '', id of its journal entry}.
local epoch = redis.call('GET', KEYS[5])
if not epoch then return redis.error_reply(NO_EPOCH) end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {'repeated', '', newest_entry(KEYS[3])} end
local held = redis.call('HLEN', KEYS[2])
if held == 0 then
  for place = 12, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1]) end
  held = (#ARGV - 11) / 2
end
if held ~= tonumber(ARGV[6]) then return {'overtaken'} end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local entry
if ARGV[8] ~= '' then
  local parts = {}
  take_report(KEYS[1], parts, tonumber(ARGV[7]), ARGV[8])
  entry = change_state(KEYS[1], parts, redis.call('HGET', KEYS[1], 'seq'), epoch, KEYS[3], ARGV[3], ARGV[5],
    ARGV[7], ARGV[8], {'b', ARGV[2]})
else
  entry = redis.call('XADD', KEYS[3], '*', 'k', ARGV[3], 'a', ARGV[5], 'b', ARGV[2])
end
local outbox = ''
if ARGV[11] ~= '' then
  outbox = redis.call('XADD', KEYS[4], '*', 't', ARGV[9], 'o', ARGV[10], 'c', ARGV[11])
end
return {'recorded', outbox, entry}
