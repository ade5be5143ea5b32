"""Profiles are read strictly: all faults at once, where they stand."""

from pathlib import Path

import pytest

from fanzha_loadtest.profile.read import PROFILES, ProfileError, find_profile, read_profile

GOOD = """
about: One phase.
phases: [{name: one, seconds: 10, rate: 20, rate_end: 40}]
pass: {p99_ms_max: 50}
"""
MANY = """
about: Faults everywhere.
bank: {acounts: 3, skew: 9.0}
channels: {mobile: 0.5}
repeats: "0.1"
phases:
  - {name: One Phase, seconds: 0, rate: 1}
  - {name: two, secnds: 3}
pass:
  p50_ms_max: -1.0
  median: 3
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "profile.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize("file", sorted(PROFILES.glob("*.yaml")), ids=lambda file: file.stem)
def test_profiles_that_come_along_are_good(file: Path) -> None:
    profile = read_profile(file)

    assert profile.has_users
    assert profile.pass_lines.given
    assert find_profile(file.stem) == file


def test_a_rate_goes_evenly_to_its_end(tmp_path: Path) -> None:
    (phase,) = read_profile(write(tmp_path, GOOD)).phases

    assert [phase.rate_at(second) for second in (0, 5, 10, 11)] == [20, 30, 40, 40]
    assert phase.mean_rate == 30


def test_all_faults_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    file = write(tmp_path, MANY)

    with pytest.raises(ProfileError) as refusal:
        read_profile(file)

    told = str(refusal.value).splitlines()
    assert [line.removeprefix(f"{file}:").split(": ", 1)[0] for line in told] == [
        "3:8", "3:20", "4:1", "5:1", "7:6", "7:23", "8:5", "8:17", "10:3", "11:3",
    ]  # fmt: skip
    assert "bank.acounts is not a known key; did you mean accounts?" in told[0]
    assert "add up to 1" in told[2]
    assert "phases.1.seconds is missing" in told[6]
    assert "pass.median is not a known key" in told[9]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: one", "name: one, counts: false"), "no phase counts"),
        (("rate: 20, rate_end: 40", "rate: 0"), "nothing would be sent"),
        (("rate: 20,", ""), "begin above 0"),
        (("{p99_ms_max: 50}", "{users_tasks_min: 1}"), "need a phase with users"),
        (("rate_end: 40", "pass: {users_tasks_min: 1}"), "counted over all"),
        (("}]", "}, {name: one, seconds: 1}]"), "two phases have one name"),
        (("about", "pass: {}\nabout"), "pass is there twice"),
        (("about:", "about: ["), "is not YAML"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    assert change[0] in GOOD

    with pytest.raises(ProfileError, match=said):
        read_profile(write(tmp_path, GOOD.replace(*change)))


def test_a_profile_that_is_not_there_says_which_are() -> None:
    with pytest.raises(ProfileError, match=r"nowhere\.yaml: cannot be read .*fraud-wave.*smoke"):
        read_profile(find_profile("nowhere"))
