-- Takes what the bank did with the money into the payer's state: status in the ring, pair memory.
-- KEYS: account, marker of the newest status, journal, outbox, epoch.
-- ARGV: change (40), status (one digit), record, payee token or '', marker's life ms, payer token, payer counterparty (8),
--       execution time ms, 1 when the decision is older than a marker lives.
-- Returns: {'same', '', newest entry} | {'changed', outbox id or '', id of its journal entry}.
local known = redis.call('MGET', KEYS[5], KEYS[2])
local epoch, marker = known[1], known[2]
if not epoch then return redis.error_reply(NO_EPOCH) end
local state = redis.call('HMGET', KEYS[1], 'seq', 'out', 'hours', 'days')
local ring = state[2] or ''
local event, status = string.sub(ARGV[1], 1, 8), tonumber(ARGV[2])
local place = place_of(ring, 40, event)
local before, executed = 0, ARGV[8]
if marker then
  before = tonumber(string.sub(marker, 1, 1))
  -- A report that comes late says nothing about what happened since.
  if tonumber(executed) < tonumber(string.sub(marker, 2)) then return {'same', '', newest_entry(KEYS[3])} end
elseif place then
  before = string.byte(ring, place + 35)
elseif ARGV[9] == '1' then
  return {'changed', '', redis.call('XADD', KEYS[3], '*', 'k', 'execution', 'a', ARGV[6], 'b', ARGV[3])}
end
if before == status then return {'same', '', newest_entry(KEYS[3])} end
redis.call('SET', KEYS[2], status .. executed, 'PX', ARGV[5])
local change = string.sub(ARGV[1], 1, 17) .. string.char(before) .. string.sub(ARGV[1], 19)
local parts = {}
if place then put(parts, 'out', with_status(ring, place, status)) end
add_to_totals(parts, state[3], state[4], change, string.byte(change, 20), 33, 1, effect_of_execution(change))
local payee = string.sub(change, 25, 32)
if payee ~= string.rep('\0', 8) and (status == 1) ~= (before == 1) then
  local pairs = redis.call('HGET', KEYS[1], 'pairs') or ''
  local first = string.sub(change, 9, 16)
  local last, times = first, 0
  local found = place_of(pairs, 32, payee)
  if found then
    local was_first, was_last, was_times = struct.unpack('<i8i8i8', pairs, found + 8)
    local time = struct.unpack('<i8', first)
    if was_first < time then first = string.sub(pairs, found + 8, found + 15) end
    if was_last > time then last = string.sub(pairs, found + 16, found + 23) end
    times = was_times
    pairs = string.sub(pairs, 1, found - 1) .. string.sub(pairs, found + 32)
  end
  times = times + (status == 1 and 1 or -1)
  if times > 0 then
    pairs = payee .. first .. last .. struct.pack('<i8', times) .. string.sub(pairs, 1, 255 * 32)
  end
  put(parts, 'pairs', pairs)
end
local entry = change_state(KEYS[1], parts, state[1], epoch, KEYS[3], 'execution', ARGV[6], 3, change,
  {'b', ARGV[3]})
local outbox = ''
if ARGV[4] ~= '' then
  local theirs = string.sub(change, 1, 24) .. ARGV[7] .. string.sub(change, 33)
  outbox = redis.call('XADD', KEYS[4], '*', 't', ARGV[4], 'o', 4, 'c', theirs)
end
return {'changed', outbox, entry}
