"""How changes act on a subject's history: rings, pair memory, totals, link memory.

The store's scripts do the same to the same bytes; a contract test holds the two against each other.
"""

from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, counts_as_paid, day_of, plus

_HOUR_MS = 3_600_000
_POSTED = int(ExecutionStatus.POSTED)
_ROLE = 0xFF << 8


@compiled()
def push(room, start, count, most, record):
    """Put a record in front of a ring; return its new start and count.

    A ring lies in a larger room int64[n, 5], from `start` on, and moves towards its beginning, so
    that a push copies one record and not the whole ring.
    """
    if start == 0:
        start = room.shape[0] - count
        for i in range(count - 1, -1, -1):
            _copy(room, start + i, room, i)
    start -= 1
    for column in range(room.shape[1]):
        room[start, column] = record[column]
    return start, min(count + 1, most)


@compiled()
def _copy(into, to, source, at_row):
    """Copy one row; loops over few columns are faster than slices of arrays."""
    for column in range(into.shape[1]):
        into[to, column] = source[at_row, column]


@compiled()
def _make_room(rows, place, count):
    """Move the rows from `place` to `count` one down; the last one falls out of a full array."""
    for i in range(min(count, rows.shape[0] - 1), place, -1):
        _copy(rows, i, rows, i - 1)


@compiled()
def remember_report(room, start, count, most, record):
    """Put a REPORT in front of the ring, in place of one of its event and role; see `push`."""
    start, count = forget_report(room, start, count, record)
    return push(room, start, count, most, record)


@compiled()
def forget_report(room, start, count, record):
    """Take the report of a RETRACT's event and role out of the ring; return start and count."""
    for i in range(start, start + count):
        same_role = (room[i, at.REPORT_KIND] ^ record[at.REPORT_KIND]) & _ROLE == 0
        if room[i, at.EVENT_ID] == record[at.EVENT_ID] and same_role:
            # What lies before it moves up: as in the store, the order of the others stays.
            for later in range(i, start, -1):
                _copy(room, later, room, later - 1)
            return start + 1, count - 1
    return start, count


@compiled()
def set_status(ring, event_id, status):
    """Set the execution status of an event where the ring int64[:, 5] holds it."""
    for i in range(ring.shape[0]):
        if ring[i, at.EVENT_ID] == event_id:
            ring[i, at.FLAGS] = (ring[i, at.FLAGS] & ~(0xFF << 24)) | (status << 24)
            return


@compiled()
def remember_pair(pairs, count, record):
    """Take an EXECUTION_OUT into the pair memory int64[256, 4]; return the new count.

    A payment that becomes posted counts, one that ceases to be posted no longer does. The pair
    comes to the front; the one used longest ago falls out of a full memory.
    """
    status = record[at.EXECUTION_KIND] & 0xFF
    before = (record[at.EXECUTION_KIND] >> 8) & 0xFF
    if record[at.COUNTERPARTY] == 0 or (status == _POSTED) == (before == _POSTED):
        return count
    place = count
    for i in range(count):
        if pairs[i, at.PAIR_COUNTERPARTY] == record[at.COUNTERPARTY]:
            place = i
            break
    found = place < count
    time = record[at.TIME]
    first = min(time, pairs[place, at.PAIR_FIRST]) if found else time
    last = max(time, pairs[place, at.PAIR_LAST]) if found else time
    times = pairs[place, at.PAIR_TIMES] if found else 0
    times += 1 if status == _POSTED else -1
    if times <= 0:
        if found:
            for i in range(place, count - 1):
                _copy(pairs, i, pairs, i + 1)
            count -= 1
        return count
    _make_room(pairs, 0, place if found else count)
    if not found:
        count = min(count + 1, pairs.shape[0])
    pairs[0, at.PAIR_COUNTERPARTY] = record[at.COUNTERPARTY]
    pairs[0, at.PAIR_FIRST] = first
    pairs[0, at.PAIR_LAST] = last
    pairs[0, at.PAIR_TIMES] = times
    return count


@compiled()
def pair_of(pairs, count, counterparty):
    """Return the record of a counterparty, int64[4], or int64[0] when there is none."""
    for i in range(count):
        if pairs[i, at.PAIR_COUNTERPARTY] == counterparty:
            return pairs[i]
    return pairs[0, :0]


@compiled()
def effect_of_event(record):
    """Return what an ATTEMPT or RECEIVE adds to the totals: 1 when it counts as paid, else 0."""
    flags = record[at.FLAGS]
    return 1 if counts_as_paid((flags >> 24) & 0xFF, (flags >> 16) & 0xFF) else 0


@compiled()
def effect_of_execution(record):
    """Return what an EXECUTION does to the totals: 1, 0 or -1 payments."""
    kind = record[at.EXECUTION_KIND]
    decision = (kind >> 16) & 0xFF
    after = counts_as_paid(kind & 0xFF, decision)
    before = counts_as_paid((kind >> 8) & 0xFF, decision)
    return (1 if after else 0) - (1 if before else 0)


@compiled()
def add_to_totals(hours, hour_count, days, day_count, zone, time, amount, column, effect):
    """Add payments to the totals of their hour and day; return the new counts of both.

    Args:
        hours: int64[24, 5] that holds `hour_count` periods.
        hour_count: see above.
        days: int64[31, 5] that holds `day_count` periods.
        day_count: see above.
        zone: the record's zone byte.
        time: event time, ms.
        amount: minor units of one payment.
        column: OUT_COUNT or IN_COUNT.
        effect: 1, 0 or -1 payments.

    """
    if effect == 0:
        return hour_count, day_count
    offset_s = (zone - 64) * 900
    hour = (time + offset_s * 1000) // _HOUR_MS
    hour_count = _add_to_period(hours, hour_count, hour, amount, column, effect)
    day_count = _add_to_period(days, day_count, day_of(time, offset_s), amount, column, effect)
    return hour_count, day_count


@compiled()
def _add_to_period(periods, count, period, amount, column, effect):
    place = 0
    while place < count and periods[place, at.PERIOD] > period:
        place += 1
    if place == count or periods[place, at.PERIOD] != period:
        # Nothing to take away from, or older than all that a full memory holds.
        if effect < 0 or place == periods.shape[0]:
            return count
        _make_room(periods, place, count)
        count = min(count + 1, periods.shape[0])
        periods[place, :] = 0
        periods[place, at.PERIOD] = period
    if effect > 0:
        periods[place, column] += 1
        periods[place, column + 1] = plus(periods[place, column + 1], amount)
    else:
        periods[place, column] = max(0, periods[place, column] - 1)
        periods[place, column + 1] = max(0, periods[place, column + 1] - amount)
    return count


@compiled()
def remember_link(seen, count, record):
    """Take a SIGHTING or TAINT into a link memory int64[32, 3]; return the new count.

    A full memory takes in accounts known as mules' alone: a link that a crowd shares would
    otherwise forget, and learn again, all the time.
    """
    since = record[at.MULE_SINCE]
    for i in range(count):
        if seen[i, at.LINK_ACCOUNT] == record[at.COUNTERPARTY]:
            before = seen[i, at.LINK_MULE_SINCE]
            if since > 0 and (before == 0 or since < before):
                seen[i, at.LINK_MULE_SINCE] = since
            return count
    place = count
    if count == seen.shape[0]:
        place = 0
        while place < count and seen[place, at.LINK_MULE_SINCE] > 0:
            place += 1
        if since == 0 or place == count:
            return count
    _make_room(seen, 0, place)
    seen[0, at.LINK_ACCOUNT] = record[at.COUNTERPARTY]
    seen[0, at.LINK_FIRST] = record[at.TIME]
    seen[0, at.LINK_MULE_SINCE] = since
    return max(count, place + 1)


@compiled()
def clear_link(seen, count, record):
    """Take a CLEAR into a link memory int64[32, 3]."""
    for i in range(count):
        if seen[i, at.LINK_ACCOUNT] == record[at.COUNTERPARTY]:
            seen[i, at.LINK_MULE_SINCE] = record[at.MULE_SINCE]
            return
