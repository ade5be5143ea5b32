"""Family `calendar`: the bank's local time."""

from fanzha.features import facts as f
from fanzha.features.compiled import compiled, day_of
from fanzha.features.feature import Feature

FEATURES = (
    Feature("hour", "calendar", "hours", "Local time of day in whole minutes ÷ 60.", "never"),
    Feature("weekday", "calendar", "code", "Local day of the week, Monday 0.", "never"),
    Feature("month_day", "calendar", "days", "Local day of the month, 1 to 31.", "never"),
)

(HOUR, WEEKDAY, MONTH_DAY) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    day = day_of(facts[f.TIME_MS], facts[f.UTC_OFFSET_S])
    local_ms = facts[f.TIME_MS] + facts[f.UTC_OFFSET_S] * 1000
    # Whole minutes: float32 would round the last milliseconds of a day to 24.
    out[HOUR] = (local_ms - day * 86_400_000) // 60_000 / 60
    # 1970-01-01 was a Thursday.
    out[WEEKDAY] = (day + 3) % 7
    out[MONTH_DAY] = _month_day(day)


@compiled()
def _month_day(day):
    """Return the day of the month of a day since 1970-01-01, in the proleptic Gregorian calendar.

    Counts in years that begin in March, so that the leap day is the last of its year (H. Hinnant,
    chrono-Compatible Low-Level Date Algorithms, civil_from_days).
    """
    since_era = (day + 719_468) % 146_097
    leaps = since_era // 1_460 - since_era // 36_524 + since_era // 146_096
    year = (since_era - leaps) // 365
    year_day = since_era - (365 * year + year // 4 - year // 100)
    month = (5 * year_day + 2) // 153
    return year_day - (153 * month + 2) // 5 + 1
