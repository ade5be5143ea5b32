"""Family `known_fraud`: confirmed fraud reports that name the accounts, as known at the time."""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid
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
        Feature(f"{side}_mule_reports_7d", "known_fraud", "reports",
                f"Confirmed reports that name the {side}'s account as the receiving one and became "
                "known in the last 7 days, among the last 16 to arrive.", unread),
        Feature(f"{side}_days_since_first_mule_report_30d", "known_fraud", "days",
                f"Days since the first report of the last 30 days that names the {side}'s account "
                "as the receiving one became known.", f"{unread}, or no such report"),
        Feature(f"{side}_in_reported_share_7d", "known_fraud", "ratio",
                "Of the payments received 7 to 14 days ago, which had time to be reported: share "
                "that is known as fraud.", f"{unread}, or nothing received then"),
        Feature(f"{side}_in_reported_share_30d", "known_fraud", "ratio",
                "The same of the payments received 7 to 37 days ago, as far as the ring reaches.",
                f"{unread}, or nothing received then"),
        Feature(f"{side}_in_unreported_since", "known_fraud", "events",
                "Payments in the ring received more than 7 days ago and after the last one that is "
                "known as fraud.",
                f"{unread}, or no report names the account as the receiving one"),
        Feature(f"{side}_in_reported_run", "known_fraud", "events",
                "Of the same payments: length of the row of frauds, one directly after another, "
                "that ends with the last one known as fraud.",
                f"{unread}, or no report names the account as the receiving one"),
    )  # fmt: skip


_MULE = int(at.ReportRole.MULE)
(
    MULE_REPORTS,
    MULE_REPORTS_30D,
    VICTIM_REPORTS,
    SINCE_REPORT,
    MULE_REPORTS_7D,
    SINCE_FIRST_30D,
    REPORTED_SHARE_7D,
    REPORTED_SHARE_30D,
    UNREPORTED_SINCE,
    REPORTED_RUN,
) = range(len(report_features("payee")))


@compiled()
def compute(facts, in_ring, reports, out):
    """Write one side's features: facts int64[:], ring of money in and reports int64[:, 5]."""
    now = facts[f.TIME_MS]
    mule = mule_30d = mule_7d = 0
    victim = 0
    newest = last_happened = np.int64(-1)
    first_30d = now
    for i in range(reports.shape[0]):
        if reports[i, at.REPORT_TIME] >= now:
            continue
        role = (reports[i, at.REPORT_KIND] >> 8) & 0xFF
        if role == _MULE:
            mule += 1
            last_happened = max(last_happened, reports[i, at.TIME])
            age = now - reports[i, at.REPORT_TIME]
            if age <= 30 * DAY_MS:
                mule_30d += 1
                first_30d = min(first_30d, reports[i, at.REPORT_TIME])
            if age <= 7 * DAY_MS:
                mule_7d += 1
        else:
            victim += 1
        newest = max(newest, reports[i, at.REPORT_TIME])
    out[MULE_REPORTS] = mule
    out[MULE_REPORTS_30D] = mule_30d
    out[VICTIM_REPORTS] = victim
    if newest >= 0:
        out[SINCE_REPORT] = (now - newest) / DAY_MS
    out[MULE_REPORTS_7D] = mule_7d
    if mule_30d > 0:
        out[SINCE_FIRST_30D] = (now - first_30d) / DAY_MS
    _of_receipts(now, in_ring, reports, last_happened, out)


@compiled()
def _of_receipts(now, in_ring, reports, last_happened, out):
    """Write what became of the money received; `last_happened` is of a mule's reports, or -1."""
    received_7d = received_30d = reported_7d = reported_30d = 0
    unreported_since = run = 0
    in_run = True
    for i in range(in_ring.shape[0]):
        time = in_ring[i, at.TIME]
        age = now - time
        if age <= 7 * DAY_MS or not is_paid(in_ring[i, at.FLAGS]):
            continue
        if time > last_happened:
            unreported_since += 1
        # Most accounts have no reports: nothing is searched for them.
        reported = (
            1 if last_happened >= 0 and _is_reported(reports, in_ring[i, at.EVENT_ID], now) else 0
        )
        if in_run:
            run += reported
            in_run = reported == 1 or run == 0
        if age > 37 * DAY_MS:
            continue
        received_30d += 1
        reported_30d += reported
        if age <= 14 * DAY_MS:
            received_7d += 1
            reported_7d += reported
    if received_7d > 0:
        out[REPORTED_SHARE_7D] = reported_7d / received_7d
    if received_30d > 0:
        out[REPORTED_SHARE_30D] = reported_30d / received_30d
    if last_happened >= 0:
        out[UNREPORTED_SINCE] = unreported_since
        out[REPORTED_RUN] = run


@compiled()
def _is_reported(reports, event_id, now):
    for i in range(reports.shape[0]):
        if (
            reports[i, at.EVENT_ID] == event_id
            and reports[i, at.REPORT_TIME] < now
            and (reports[i, at.REPORT_KIND] >> 8) & 0xFF == _MULE
        ):
            return True
    return False
