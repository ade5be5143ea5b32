"""Times of a column: shortcuts read what the reader of single cells reads; zones by their rules."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanzha.mapping.cells import CellError, moment_reader
from fanzha.mapping.layouts import layouts_of, read_layout
from fanzha.mapping.sources import TimeSource
from fanzha.mapping.times import ABSENT, Times, read_times
from fanzha.mapping.zones import zone_rules

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
FORMS = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y年%m月%d日 %H:%M", "%d/%m/%Y", "iso")


def times_of(*cells: object, **source: Any) -> Times:
    return read_times(pa.array(cells), TimeSource(column="t", **source))


@pytest.mark.parametrize("zone", ZONES)
@given(seconds=st.lists(st.integers(631_238_400, 4_102_358_400), min_size=1, max_size=50))
def test_local_times_become_utc_as_python_reads_them(zone: str, seconds: list[int]) -> None:
    rules = zone_rules(zone)
    utc = np.array(seconds, np.int64) * 1000
    zone_info = ZoneInfo(zone)

    offsets = rules.offsets_at(utc)
    found = rules.from_local(utc)

    for place, second in enumerate(seconds):
        there = datetime.fromtimestamp(second, zone_info).utcoffset()
        assert there is not None
        assert offsets[place] == there.total_seconds() * 1000
        naive = datetime.fromtimestamp(second, ZoneInfo("UTC")).replace(tzinfo=zone_info)
        assert found.ms[place] == naive.timestamp() * 1000


def test_times_that_the_clock_showed_twice_or_never_are_counted() -> None:
    times = times_of(
        "2026-10-25 01:59:59", "2026-10-25 02:30:00", "2026-10-25 03:00:00",
        "2026-03-29 01:59:59", "2026-03-29 02:30:00", "2026-03-29 03:00:00",
        format="%Y-%m-%d %H:%M:%S", zone="Europe/Berlin",
    )  # fmt: skip

    assert times.ambiguous.tolist() == [False, True, False, False, False, False]
    assert times.skipped.tolist() == [False, False, False, False, True, False]
    assert np.diff(times.ms[:3]).tolist() == [1_801_000, 5_400_000]


@pytest.mark.parametrize("form", FORMS)
@given(
    texts=st.lists(
        st.one_of(
            st.text("0123456789-:/ T年月日.", max_size=21),
            st.datetimes(datetime(1990, 1, 2), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - local
                lambda time: time.strftime("%Y-%m-%d %H:%M:%S")
            ),
        ),
        max_size=20,
    )
)
def test_a_layout_reads_what_the_single_reader_reads(form: str, texts: list[str]) -> None:
    read = moment_reader(TimeSource(column="t", format=form, zone="UTC"))
    for layout in layouts_of(form):
        ms, fits = read_layout(pa.array(texts, pa.string()), layout)
        for place in np.flatnonzero(fits):
            assert read(texts[place]) == (ms[place], True)


@pytest.mark.parametrize("form", FORMS)
def test_a_layout_takes_the_texts_of_its_form(form: str) -> None:
    pattern = "%Y-%m-%dT%H:%M:%S" if form == "iso" else form
    text = datetime(2026, 2, 28, 23, 59, 58).strftime(pattern)  # noqa: DTZ001 - local

    assert any(
        read_layout(pa.array([text, None]), layout)[1].tolist() == [True, False]
        for layout in layouts_of(form)
    )


def test_several_formats_are_tried_in_order() -> None:
    times = times_of(
        "2026-11-22 13:05:09", "20261122130509", "2026/1/2 3:4:5", None,
        format=["%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y/%m/%d %H:%M:%S"], zone="Asia/Shanghai",
    )  # fmt: skip

    assert times.ms[0] == times.ms[1] == 1_795_323_909_000
    assert times.ms[2] == 1_767_294_245_000
    assert times.ms[3] == ABSENT
    assert str(times.faults[3]) == "is missing"


def test_a_second_format_is_named_with_its_remedy() -> None:
    times = times_of(
        "2026-11-22 13:05:09", "2026/11/22 13:05:09", format="%Y-%m-%d %H:%M:%S", zone="UTC"
    )

    error = times.faults[1]
    assert isinstance(error, CellError)
    assert error.kind == "of a second form %Y/%m/%d %H:%M:%S"
    assert 'write format: ["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S"]' in str(error)


def test_hours_are_counted_from_a_start() -> None:
    times = times_of(1, 25, format="hours_since", start="2026-01-05T00:00:00", zone="Asia/Shanghai")

    assert (times.ms - 1_767_542_400_000).tolist() == [3_600_000, 25 * 3_600_000]


@pytest.mark.parametrize(
    "formats", [[], ["epoch_s", "iso"], ["iso", 5], ["%Y-%m-%d", "yyyy"], {"a": 1}]
)
def test_a_list_holds_patterns_and_iso_only(formats: Any) -> None:
    with pytest.raises(ValueError, match="must be one of epoch_s"):
        TimeSource(column="t", format=formats, zone="UTC")
