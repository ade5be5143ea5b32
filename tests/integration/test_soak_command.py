"""`python -m fanzha_loadtest.soak --fast`: everything that a soak does, in seconds."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_soak_finds_every_record_in_the_archive(tmp_path: Path) -> None:
    report = tmp_path / "soak.html"

    done = subprocess.run(
        [sys.executable, "-m", "fanzha_loadtest.soak", "--fast", "--report", report],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["exit"] == "passed"
    assert all(said["promises"].values())
    for kind in ("decision", "execution", "outcome"):
        record = said["records"][kind]
        assert record["told"] == record["archived"] == said["archive_rows"][kind] > 0
        assert record["missing"] == record["doubled"] == record["untold"] == 0
    assert said["records"]["decision"]["told"] > 200
    # Slopes of a run of seconds are shown, and judged by nobody.
    assert said["slopes"]["service_rss_bytes"]["level"] > 2**26
    assert not any("flat" in promise for promise in said["promises"])
    assert report.read_text("utf-8").count("data:image/png;base64,") == 6
