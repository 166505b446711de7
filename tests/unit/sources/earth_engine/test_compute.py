"""What requests cost, where it is asked."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pyveg.sources.earth_engine.compute import eecu_seconds
from pyveg.testing.earth_engine import Call, Fault, StandIn
from pyveg.testing.scenes import assert_same_scene


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (
            " EECU·s PeakMem Count  Description\n 0.5 47k 44 (plumbing)\n 1.25 1M 4 Algorithm x\n",
            1.75,
        ),
        ("\nEECU-s  Description\n  -  Loading\n\n 2 x", 2.0),
        ("EECU·s PeakMem Count  Description\n", 0.0),
        ("", None),
        ("None", None),
        ("{'compute': 3}", None),
    ],
)
def test_the_first_column_is_summed(profile: str, expected: float | None) -> None:
    assert eecu_seconds(profile) == expected


def test_the_cost_is_kept_with_the_date(sentinel2: Any, source: Any, request_of: Any) -> None:
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        scene = source(measure_compute=True).fetch(request_of())
        assert scene.record["eecu_seconds"] == 1.75
        assert (service.count("value"), service.count("pixels")) == (2, 1)
        again = source().fetch(request_of())
        assert_same_scene(again, scene)
        assert (service.count("value"), service.count("pixels")) == (2, 1)


def test_the_cost_of_tiles_is_summed(sentinel2: Any, source: Any, request_of: Any) -> None:
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        scene = source(measure_compute=True, max_request_bytes=4000).fetch(request_of())
    tiles = service.count("pixels")
    assert tiles > 1
    assert scene.record["eecu_seconds"] == 1.75 * tiles


def test_nobody_asks_unless_told_to(sentinel2: Any, source: Any, request_of: Any) -> None:
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        assert "eecu_seconds" not in source().fetch(request_of()).record
    assert service.count("value") == 1


def test_a_cost_that_is_not_told_fails_nothing(
    sentinel2: Any, source: Any, request_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def faults(call: Call, _: int) -> Fault | None:
        return Fault(400, "no such profile") if "getProfiles" in str(call.body) else None

    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000), faults=faults)
    with service.instead(), caplog.at_level(logging.WARNING):
        scene = source(measure_compute=True).fetch(request_of())
    assert "eecu_seconds" not in scene.record
    assert "the compute of a request is not known" in caplog.text
