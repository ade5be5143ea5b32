"""What all users of this process saw; written as JSON when the test ends."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from locust.stats import RequestStats


@dataclass(slots=True)
class Facts:
    """Counts of what users did and saw."""

    tasks: Counter[str] = field(default_factory=Counter)
    """Ended, by channel."""
    failed: Counter[str] = field(default_factory=Counter)
    """Given up, by status and cause."""
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By channel and word."""
    retries: int = 0
    repeated: int = 0
    contradicted: int = 0
    paid: int = 0
    given_up: int = 0
    """Prompts after which the customer did not go on."""
    held: int = 0
    """Payments paused or blocked, which did not leave."""
    executions: int = 0
    outcomes: int = 0

    def write(self, path: Path, stats: RequestStats) -> None:
        """Write everything, with locust's own figures named for what they are."""
        decisions: dict[str, dict[str, int]] = {}
        for (channel, word), count in sorted(self.decisions.items()):
            decisions.setdefault(channel, {})[word] = count
        tasks, failed = sum(self.tasks.values()), sum(self.failed.values())
        content = {
            "tasks": tasks,
            "by_channel": dict(self.tasks),
            "failed": failed,
            "causes": dict(self.failed.most_common(20)),
            "decisions": decisions,
            "retries": self.retries,
            "repeated": self.repeated,
            "contradicted": self.contradicted,
            "paid": self.paid,
            "given_up": self.given_up,
            "held": self.held,
            "executions": self.executions,
            "outcomes": self.outcomes,
            "closed_loop": [
                {
                    "name": name,
                    "calls": entry.num_requests,
                    "failed_tries": entry.num_failures,
                    "median_ms": entry.median_response_time,
                    "mean_ms": round(entry.avg_response_time, 2),
                }
                for (name, _), entry in sorted(stats.entries.items())
            ],
        }
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content), "utf-8")
        draft.replace(path)
