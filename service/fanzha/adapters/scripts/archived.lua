-- Moves the archive's cursor of a bucket, never back, and trims what is archived; only as long as the
-- bucket is in the epoch in which the entries were read. After a failover other entries may lie there,
-- also earlier ones, if the new process's clock is behind: nobody has archived those.
-- KEYS: epoch, cursor, journal. ARGV: epoch or '', newest archived entry, the id after it.
-- Returns: 1, or 0 when nothing was done.
local function order(id)
  local ms, number = string.match(id, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(number) or 0
end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
local held = redis.call('GET', KEYS[2])
local ms, number = order(ARGV[2])
local held_ms, held_number = order(held or '0-0')
if not held or held_ms < ms or (held_ms == ms and held_number < number) then
  redis.call('SET', KEYS[2], ARGV[2])
end
redis.call('XTRIM', KEYS[3], 'MINID', ARGV[3])
return 1
