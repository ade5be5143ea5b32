"""Family `calendar`: the bank's local time."""

from fanzha.features import facts as f
from fanzha.features.compiled import compiled, day_of
from fanzha.features.feature import Feature

FEATURES = (
    Feature("hour", "calendar", "hours", "Local time of day, 0 to below 24.", "never"),
    Feature("weekday", "calendar", "code", "Local day of the week, Monday 0.", "never"),
)

(HOUR, WEEKDAY) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    day = day_of(facts[f.TIME_MS], facts[f.UTC_OFFSET_S])
    local_ms = facts[f.TIME_MS] + facts[f.UTC_OFFSET_S] * 1000
    out[HOUR] = (local_ms - day * 86_400_000) / 3_600_000
    # 1970-01-01 was a Thursday.
    out[WEEKDAY] = (day + 3) % 7
