"""All figures for one weighting of the accounts: the data as they are, or one draw of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha_training.evaluation.cases import Cases, Ints
from fanzha_training.evaluation.groups import Groups
from fanzha_training.evaluation.sample import Floats, Sample
from fanzha_training.metrics import room_of, weight_at


@dataclass(frozen=True, slots=True)
class Catch:
    """What alerts reach of the frauds, in order of their cases; float64 (thresholds, frauds)."""

    alerted: Floats
    saved: Floats
    """1 from the first alerted transfer of the case on: all of it would have been stopped there."""
    stopped: Floats
    """Chance of having been stopped by then, where an alert stops only with the stop rate."""


def catch_of(cases: Cases, alerted: npt.NDArray[np.bool_], stop_rate: float) -> Catch:
    """Return what alerts reach.

    Args:
        cases: the cases.
        alerted: whether each fraud is alerted, (thresholds, frauds) in the order of the cases.
        stop_rate: chance that one alert stops the victim, each on its own.

    """
    so_far = cases.alerts_so_far(alerted)
    return Catch(
        alerted.astype(np.float64),
        (so_far > 0).astype(np.float64),
        1 - (1 - stop_rate) ** so_far.astype(np.float64),
    )


@dataclass(frozen=True, slots=True)
class Draw:
    """The sample with each account counted some number of times."""

    fraud: Floats
    """How often each fraud counts, in the order of the cases."""
    legitimate: Floats
    """How much each transfer of the sample counts as a legitimate one; 0 for fraud."""
    false: Floats
    """Legitimate transfers among the first n, for n from 0 to all."""
    false_money: Floats
    hits: Floats
    """Frauds among the first n of the frauds by margin, for n from 0 to all."""
    fraud_rows: Ints
    """Where the frauds stand in the sample, rising."""
    weight: float
    """How many legitimate transfers each one stands for."""

    @property
    def transfers(self) -> float:
        """Number of transfers, at the true base rate."""
        return float(self.hits[-1] + self.false[-1])

    def hits_within(self, count: Ints) -> Floats:
        """Return the number of frauds among the first `count` transfers."""
        return self.hits[np.searchsorted(self.fraud_rows, count)]


def draw_of(sample: Sample, times: Floats) -> Draw:
    """Return the sample with each account counted as often as `times`, float64 (accounts,), says.

    Legitimate transfers are weighted within each draw, so that fraud always has its true share.
    """
    each = times[sample.account]
    hits = _running(each[sample.fraud_rows])
    fraud = each[sample.cases.row]
    legitimate = each
    legitimate[sample.fraud_rows] = 0
    false = _running(legitimate)
    weight = weight_at(hits[-1], false[-1], sample.base_rate) if false[-1] else 1.0
    if weight != 1:
        legitimate *= weight
        false *= weight
    return Draw(
        fraud=fraud,
        legitimate=legitimate,
        false=false,
        false_money=_running(legitimate * sample.amount),
        hits=hits,
        fraud_rows=sample.fraud_rows,
        weight=weight,
    )


def _running(values: Floats) -> Floats:
    sums = np.empty(len(values) + 1)
    sums[0] = 0
    np.cumsum(values, out=sums[1:])
    return sums


def prefixes_within(sample: Sample, draw: Draw, budgets: tuple[float, ...]) -> Ints:
    """Return how many transfers each budget alerts, int64 (budgets,): never more than it allows."""
    return np.array([_prefix(sample, draw, room_of(x, draw.transfers)) for x in budgets], np.int64)


def _prefix(sample: Sample, draw: Draw, room: float) -> int:
    ends = sample.tie_ends
    low, high = 0, len(ends)  # ends[:low] fit, ends[high:] do not
    while low < high:
        middle = (low + high) // 2
        end = ends[middle]
        if draw.false[end] + float(draw.hits_within(end)) <= room:
            low = middle + 1
        else:
            high = middle
    return int(ends[low - 1]) if low else 0


def alerted_frauds(sample: Sample, prefix: Ints) -> npt.NDArray[np.bool_]:
    """Return whether each fraud is among the first `prefix`, (thresholds, frauds) by case."""
    return sample.cases.row < prefix[:, None]


def rates(
    sample: Sample, draw: Draw, catch: Catch, groups: Groups, false: tuple[Floats, Floats]
) -> dict[str, Floats]:
    """Return the figures, each float64 (thresholds, groups); NaN where nothing is there to count.

    Args:
        sample: the transfers.
        draw: how often they count.
        catch: what the alerts reach.
        groups: which frauds and cases belong to which group.
        false: number and money of false alerts, each (thresholds, groups).

    """
    amount = sample.amount[sample.cases.row] * draw.fraud
    ends = sample.cases.ends * draw.fraud
    true, true_money = catch.alerted * draw.fraud, catch.alerted * amount
    of_transfer, of_case = groups.of_transfer, groups.of_case
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "recall": true @ of_transfer / (draw.fraud @ of_transfer),
            "value_detection_rate": true_money @ of_transfer / (amount @ of_transfer),
            "case_recall": (catch.saved * ends) @ of_case / (ends @ of_case),
            "money_saved": (catch.saved * amount) @ of_case / (amount @ of_case),
            "money_saved_expected": (catch.stopped * amount) @ of_case / (amount @ of_case),
            "false_per_true": false[0] / (true @ of_transfer),
            "false_per_true_money": false[1] / (true_money @ of_transfer),
        }


def average_precision(sample: Sample, draw: Draw) -> float:
    """Return the mean, over all frauds, of the precision at the threshold that just reaches each.

    As `sklearn.metrics.average_precision_score`.
    """
    precision, _ = _precision_recall(sample, draw)
    found = np.diff(draw.hits)
    return float((precision * found).sum() / draw.hits[-1])


def precision_at(sample: Sample, draw: Draw, recall: Floats) -> Floats:
    """Return the precision at the highest threshold that reaches each recall, above 0 to 1."""
    precision, reached = _precision_recall(sample, draw)
    place = np.searchsorted(reached, recall - 1e-12)
    return precision[np.minimum(place, len(precision) - 1)]


def _precision_recall(sample: Sample, draw: Draw) -> tuple[Floats, Floats]:
    ends = sample.tie_ends[np.searchsorted(sample.tie_ends, draw.fraud_rows + 1)]
    hits = draw.hits_within(ends)
    alerts = hits + draw.false[ends]
    precision = np.divide(hits, alerts, out=np.ones_like(hits), where=alerts > 0)
    return precision, hits / draw.hits[-1]


def observed_rates(draw: Draw, cuts: Ints) -> Floats:
    """Return the share of fraud between each two cuts, which are prefix lengths, from 0 to all."""
    hits = np.diff(draw.hits_within(cuts))
    transfers = hits + np.diff(draw.false[cuts])
    rate: Floats = np.divide(hits, transfers, out=np.full(len(hits), np.nan), where=transfers > 0)
    return rate
