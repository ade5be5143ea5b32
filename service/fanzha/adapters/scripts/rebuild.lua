-- Begins, goes on with, and ends the rebuilding of a bucket from the archive.
-- KEYS: epoch, lineage, mark, journal, outbox, cursor of the archive.
-- ARGV: 'begin', base | 'note', id of the journal's entry, its body, cursor or '' | 'end'.
-- The mark holds the base of the rebuilt states; with a '+' before it when all of them are there.
-- Returns: begin: the mark, or '' when the bucket holds something already; else 1, or 0 without a mark.
local mark = redis.call('GET', KEYS[3])
if ARGV[1] == 'begin' then
  if mark then return mark end
  if redis.call('EXISTS', KEYS[4], KEYS[5], KEYS[6]) > 0 then return '' end
  -- Nothing was changed under the epoch that a worker may have begun here; none may be from now on.
  local base = math.max(tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[1]) or '0') + 1048576)
  local text = string.format('%.0f', base)
  redis.call('SET', KEYS[3], text)
  redis.call('DEL', KEYS[1], KEYS[2])
  return text
end
if not mark then return 0 end
if ARGV[1] == 'note' then
  if string.sub(mark, 1, 1) == '+' then return 1 end
  -- Ids go on above those that are archived, whatever this Redis's clock says.
  redis.call('XADD', KEYS[4], ARGV[2], 'k', 'state_rebuild', 'b', ARGV[3])
  if ARGV[4] ~= '' then redis.call('SET', KEYS[6], ARGV[4]) end
  redis.call('SET', KEYS[3], '+' .. mark)
else
  redis.call('SET', KEYS[1], string.sub(mark, 2))
  redis.call('SET', KEYS[2], 'rebuilt')
  redis.call('DEL', KEYS[3])
end
return 1
