-- Applies a change that another account's slot sent, once: money received, its execution, a report.
-- KEYS: account, marker of this message, marker of the event's receipt, journal.
-- ARGV: change (40), kind of change, account token, life of markers ms, 1 to apply an execution even
--       when its receipt was never seen.
-- Returns: 1 applied, 0 applied before, -1 not yet: the receipt has to come first.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local kind, event = tonumber(ARGV[2]), string.sub(ARGV[1], 1, 8)
if kind == 4 and ARGV[5] ~= '1' and redis.call('EXISTS', KEYS[3]) == 0 then return -1 end
if kind == 2 then
  local ring = redis.call('HGET', KEYS[1], 'in') or ''
  redis.call('HSET', KEYS[1], 'in', ARGV[1] .. string.sub(ring, 1, 47 * 40))
  redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
elseif kind == 4 then
  local ring, from = redis.call('HGET', KEYS[1], 'in') or '', 1
  while true do
    local at = string.find(ring, event, from, true)
    if not at then break end
    if (at - 1) % 40 == 0 then
      local status = string.sub(ARGV[1], 17, 17)
      ring = string.sub(ring, 1, at + 34) .. status .. string.sub(ring, at + 36)
      redis.call('HSET', KEYS[1], 'in', ring)
      break
    end
    from = at + 1
  end
else
  local reports = redis.call('HGET', KEYS[1], 'reports') or ''
  redis.call('HSET', KEYS[1], 'reports', ARGV[1] .. string.sub(reports, 1, 15 * 40))
end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[4], '*', 'k', 'change', 'a', ARGV[3], 's', seq, 'o', kind, 'c', ARGV[1])
return 1
