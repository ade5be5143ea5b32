-- Begins a new epoch of a bucket when another Redis process serves it than before: it may have forgotten
-- something. Changes nothing else, and nothing when it was done already.
-- KEYS: epoch, lineage, mark of a rebuild. ARGV: run id of the process, now in unix seconds, largest base known elsewhere.
-- While the bucket is rebuilt from the archive it gets none, so that nobody uses it in half.
-- Returns: {0 as before | 1 a new epoch | 2 the first one: the bucket was empty, its base}.
local held = redis.call('GET', KEYS[1])
if redis.call('EXISTS', KEYS[3]) == 1 then return {0, held or '0'} end
if held and redis.call('GET', KEYS[2]) == ARGV[1] then return {0, held} end
-- A second holds 2^20 numbers, and a clock that was set back must not give any of them again.
local base = math.max(tonumber(ARGV[2]) * 1048576, tonumber(held or '0') + 1048576, tonumber(ARGV[3]) + 1048576)
local text = string.format('%.0f', base)
redis.call('SET', KEYS[1], text)
redis.call('SET', KEYS[2], ARGV[1])
return {held and 1 or 2, text}
