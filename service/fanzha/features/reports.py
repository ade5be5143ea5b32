"""Family `known_fraud`: confirmed fraud reports that name the accounts, as known at the time."""

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS


def report_features(side: str) -> tuple[Feature, ...]:
    """Return the features of one side, "payer" or "payee"."""
    unread = f"{side}'s history could not be read" + ("" if side == "payer" else ", or no payee")
    return (
        Feature(f"{side}_mule_reports", "known_fraud", "reports",
                f"Confirmed reports, known before, that name the {side}'s account as the receiving "
                "one, among the last 16 to arrive.", unread),
        Feature(f"{side}_mule_reports_30d", "known_fraud", "reports",
                "Those of them that became known in the last 30 days.", unread),
        Feature(f"{side}_victim_reports", "known_fraud", "reports",
                f"Confirmed reports, known before, that name the {side}'s account as the victim's, "
                "among the last 16 to arrive.", unread),
        Feature(f"{side}_days_since_report", "known_fraud", "days",
                "Days since a report of either kind last became known.", f"{unread}, or no report"),
    )  # fmt: skip


_MULE = int(at.ReportRole.MULE)
(MULE_REPORTS, MULE_REPORTS_30D, VICTIM_REPORTS, SINCE_REPORT) = range(
    len(report_features("payee"))
)


@compiled()
def compute(facts, reports, out):
    """Write one side's features: facts int64[:], reports int64[:, 5], known so far."""
    now = facts[f.TIME_MS]
    mule = mule_30d = 0
    victim = 0
    newest = -1
    for i in range(reports.shape[0]):
        if reports[i, at.REPORT_TIME] >= now:
            continue
        role = (reports[i, at.REPORT_KIND] >> 8) & 0xFF
        if role == _MULE:
            mule += 1
            if now - reports[i, at.REPORT_TIME] <= 30 * DAY_MS:
                mule_30d += 1
        else:
            victim += 1
        newest = max(newest, reports[i, at.REPORT_TIME])
    out[MULE_REPORTS] = mule
    out[MULE_REPORTS_30D] = mule_30d
    out[VICTIM_REPORTS] = victim
    if newest >= 0:
        out[SINCE_REPORT] = (now - newest) / DAY_MS
