"""Built-in places of known fate: each gets the statement that it deserves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyveg import analyse, load_pipeline, run_pipeline
from pyveg.analysis.analyse import Analysis
from pyveg.analysis.statement import Claim

FATES = ("demo", "demo_stable", "demo_collapsing", "demo_cleared", "demo_new_sensor")
CONFIGS = Path(__file__).parents[2] / "pyveg" / "configs"


@pytest.mark.parametrize("name", FATES)
def test_each_place_can_be_planned(name: str) -> None:
    pipeline = load_pipeline(CONFIGS / f"{name}.py")
    assert pipeline.name == name
    assert pipeline.plan().graph


class Place:
    """A place with its fate, and what is said of it."""

    def __init__(self, name: str, folder: Path) -> None:
        pipeline = load_pipeline(CONFIGS / f"{name}.py", analysis=False,
                                 output_location=str(folder / name))  # fmt: skip
        report = run_pipeline(pipeline)
        assert report.exit_code == 0
        self.analysis: Analysis = analyse(report.url)
        self.level = self.analysis.verdict.level
        for claim in self.analysis.statement.claims:
            claim.row_of(self.analysis.tables())

    def claims(self, topic: str, metric: str) -> list[Claim]:
        claims = self.analysis.statement.claims
        return [one for one in claims if one.topic == topic and one.row["metric"] == metric]

    def told(self, topic: str, metric: str) -> str:
        return " ".join(one.text for one in self.claims(topic, metric))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("fates")
    return lambda name: Place(name, folder)


VEGETATION = ("ndvi_mean", "cover")
RAIN = "total_precipitation"


@pytest.mark.slow
def test_a_drying_place_loses_what_it_loses(place: Any) -> None:
    """18 mm of rain less every year from 2018 on: -33 % at the end."""
    found = place("demo")
    assert "Rain fell from" in found.told("weather", RAIN)
    for metric in VEGETATION:
        assert " fell from " in found.told("level", metric)
    assert "falls in 9 of the 9 chips" in found.told("level", "ndvi_mean")


@pytest.mark.slow
def test_a_stable_place_has_no_news(place: Any) -> None:
    found = place("demo_stable")
    for metric in VEGETATION:
        assert "no trend beyond chance" in found.told("level", metric)
        assert "abruptly" not in found.told("break", metric)
    assert "no trend beyond chance" in found.told("weather", RAIN)
    assert found.level in {"cannot_tell", "no_sign"}


@pytest.mark.slow
def test_a_collapsing_place_loses_nearly_all(place: Any) -> None:
    """After eight years nothing grows: NDVI ends at that of bare soil, 0.13."""
    found = place("demo_collapsing")
    row = found.claims("level", "ndvi_mean")[0].row_of(found.analysis.tables())
    assert row["first"] > 0.25
    assert row["last"] < 0.15
    said = found.told("level", "ndvi_mean") + found.told("break", "ndvi_mean")
    assert " fell from " in said or "dropped abruptly" in said
    assert "Rain fell from" in found.told("weather", RAIN)
    assert found.level not in {"no_sign", "follows_weather"}


@pytest.mark.slow
def test_a_clearing_is_named_with_its_month(place: Any) -> None:
    """98 % of the plants are cut on the first of September 2021, and grow again."""
    found = place("demo_cleared")
    assert "dropped abruptly in September 2021" in found.told("break", "ndvi_mean")
    assert "no trend beyond chance" in found.told("weather", RAIN)
    assert found.level == "abrupt_change"


@pytest.mark.slow
def test_another_sensor_is_no_loss_of_resilience(place: Any) -> None:
    """Each band of a scene is off by 6 % from 2021 on: the spread of NDVI grows, nothing else."""
    found = place("demo_new_sensor")
    assert found.level == "spread_grows"
    assert "The noise of greenness (NDVI) grows" in found.told("spread", "ndvi_mean")
    assert "no trend beyond chance" in found.told("level", "ndvi_mean")
    assert "another sensor" in found.analysis.verdict.headline
