"""The policy's thresholds: from how many points on a decision is due, by channel and segment."""

from pathlib import Path

from fanzha.domain.vocabulary import DecisionKind
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha_training.drift.score_checks import Lines


def load_lines(policy: Path | None) -> Lines:
    """Read the thresholds of a policy file, of the one that comes with the service without it.

    Raises:
        FileRefusedError: the file has faults; names all of them.

    """
    thresholds = load_policy(policy or DEFAULT_POLICY).thresholds
    return {
        DecisionKind.CONFIRM: {group: each.confirm_points for group, each in thresholds.items()},
        DecisionKind.PAUSE: {group: each.pause_points for group, each in thresholds.items()},
    }
