from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
import pytest

from pyveg.analysis.data.columns import BREAKS, CHANGES, DROUGHT_RECOVERY, MEMORY
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.statement import Statement, make_statement
from pyveg.analysis.states import NOTHING, UNTESTED, metric_state, weather_word
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.rain import recovery_rates
from pyveg.analysis.temporal.verdict_power import VerdictPower
from pyveg.analysis.verdict import LEVELS, verdict
from pyveg.earth.metrics import installed
from pyveg.testing.analyses import made_analysis, made_series

EMPTY = pd.DataFrame()
RISING = {
    "first": 0.31, "last": 0.66, "change": 0.35, "change_low": 0.1, "change_high": 0.6, "t": 3.1,
    "p": 0.005, "q": 0.01, "variance_tau": 0.4, "noise": 1.1, "noise_low": 0.9, "noise_high": 1.3,
    "noise_p": 0.3, "noise_q": 0.4, "pairs": 100.0,
}  # fmt: skip
STEADY = RISING | {"p": 0.5, "q": 0.6}
WEATHER = {
    "weather": "rain and temperature",
    "weather_pairs": 99.0,
    "t_same": 3.0,
    "p_same": 0.005,
    "t_beside": 2.9,
    "p_beside": 0.01,
    "q_beside": 0.02,
    "p_difference": 0.4,
    "decides": "beside",
    "beside_first": 0.33,
    "beside_last": 0.61,
    "beside_low": 0.1,
    "beside_high": 0.5,
    "beside_variance_tau": 0.3,
    "weather_p": 0.001,
    "weather_form": "curved, in the same step",
    "weather_explained": 0.4,
}
LOST = {"p_beside": 0.5, "q_beside": 0.5}
UNRELATED = {"decides": "alone", "weather_p": 0.4}  # fmt: skip
BROKEN = {"date": pd.Timestamp("2022-03-16"), "step": 70, "kind": "step", "size": -0.08,
          "size_low": -0.1, "size_high": -0.06, "z": -7.0, "p": 0.005, "found": True}  # fmt: skip
WHOLE = BROKEN | {"p": 0.4, "found": False}


def _temporal(
    memory: dict[str, Any], broken: dict[str, Any], **others: tuple[dict[str, Any], dict[str, Any]]
) -> Temporal:
    """Tables of NDVI and of other metrics."""
    start = {"chip": -1, "chips": 4, "surrogates": 199, "seed": 0, "reason": ""}
    every = {"ndvi_mean": (memory, broken), **others}
    rows = [{**MEMORY.blank(), **start, **one, "metric": name} for name, (one, _) in every.items()]
    nothing = {one.name: 0 for one in BREAKS.columns if one.dtype in {"int64", "bool"}}
    breaks = [{**nothing, "chips": 4, **two, "metric": name} for name, (_, two) in every.items()]
    return Temporal(
        EMPTY, EMPTY, EMPTY, AnalysisSettings(), MEMORY.frame(rows), BREAKS.frame(breaks)
    )


def _power(share: float) -> VerdictPower:
    return VerdictPower(share, share - 0.1, share + 0.1, share, 10, 0.2, 1, 60, math.nan)


def _level(*given: Any, power: float | None = 0.3, **others: Any) -> str:
    found = None if power is None else _power(power)
    return verdict(_temporal(*given, **others), found, []).level


@pytest.mark.parametrize(
    ("memory", "broken", "level"),
    [
        (RISING, WHOLE, "memory_rises"),
        (RISING | {"variance_tau": -0.1}, WHOLE, "clearer_view"),
        (RISING | {"q": 0.08}, WHOLE, "cannot_tell"),
        (RISING, BROKEN, "abrupt_change"),
        (STEADY, BROKEN, "abrupt_change"),
        (STEADY | {"noise_q": 0.01}, WHOLE, "spread_grows"),
        (RISING | {"noise_q": 0.01}, WHOLE, "memory_rises"),
        (STEADY, WHOLE, "cannot_tell"),
        (STEADY | {"p": math.nan, "q": math.nan, "reason": "12 values"}, WHOLE, "cannot_tell"),
        (RISING | WEATHER, WHOLE, "memory_rises"),
        (RISING | WEATHER | LOST, WHOLE, "cannot_tell"),
        (RISING | WEATHER | LOST | {"p_difference": 0.01}, WHOLE, "follows_weather"),
        (RISING | WEATHER | LOST | {"p_difference": 0.01, "noise_q": 0.01}, WHOLE,
         "follows_weather"),
        (RISING | WEATHER | LOST | UNRELATED, WHOLE, "memory_rises"),
        (STEADY | WEATHER, WHOLE, "memory_rises"),  # the weather hides it
        (STEADY | WEATHER | UNRELATED, WHOLE, "cannot_tell"),
        (STEADY | WEATHER | LOST, WHOLE, "cannot_tell"),
        (RISING | WEATHER | {"beside_variance_tau": -0.2}, WHOLE, "clearer_view"),
        (RISING | WEATHER | {"variance_tau": -0.2}, WHOLE, "memory_rises"),
    ],
)  # fmt: skip
def test_the_rules(memory: Any, broken: Any, level: str) -> None:
    assert _level(memory, broken) == level


def test_no_sign_needs_power() -> None:
    assert _level(STEADY, WHOLE, power=0.6) == "no_sign"
    assert _level(STEADY, WHOLE, power=0.49) == "cannot_tell"
    assert _level(STEADY, WHOLE, power=None) == "cannot_tell"
    untested = STEADY | {"p": math.nan, "q": math.nan}
    assert _level(untested, WHOLE, power=0.9) == "cannot_tell"


def test_variance_alone_is_no_sign() -> None:
    """Noise that doubles moves the variance; memory has its own p."""
    noisy = STEADY | {"variance_tau": 0.9, "noise": 2.0, "noise_p": 0.005, "noise_q": 0.01}
    said = verdict(_temporal(noisy, WHOLE), None, [])
    assert said.level == "spread_grows"
    assert "not" in said.headline
    assert "loss of resilience" in said.headline


def test_metrics_that_move_differently_are_each_named() -> None:
    said = verdict(_temporal(RISING, WHOLE, offset50=(STEADY, BROKEN)), None, [])
    assert said.level == "mixed"
    assert "network centrality changed abruptly" in said.headline
    assert "the memory of greenness (NDVI) rises" in said.headline
    alike = verdict(_temporal(RISING, WHOLE, offset50=(STEADY, WHOLE)), None, [])
    assert alike.level == "memory_rises"


def test_each_level_has_its_sentence() -> None:
    heads = set()
    for memory, broken in itertools.product(
        (RISING, STEADY, RISING | {"variance_tau": -0.1}, STEADY | {"noise_q": 0.01},
         RISING | WEATHER | LOST | {"p_difference": 0.01},
         RISING | WEATHER | LOST),
        (WHOLE, BROKEN),
    ):  # fmt: skip
        for power in (0.2, 0.8):
            said = verdict(_temporal(memory, broken), _power(power), ["A condition."])
            assert said.level in LEVELS
            assert said.headline.endswith(".")
            assert said.conditions[0] == "A condition."
            assert "simulated records of 10 years" in said.conditions[1]
            heads.add(said.headline)
    assert len(heads) == 8


def test_a_break_says_when_and_how_much_and_nothing_of_memory() -> None:
    because = verdict(_temporal(RISING, BROKEN), _power(0.8), []).because
    assert because[0] == (
        "Greenness (NDVI) dropped abruptly in March 2022, by 0.080 (95 % confidence interval 0.060 "
        "to 0.100, p 0.005)."
    )
    assert "not judged" in because[1]
    assert len(because) == 2


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "not compared"),
        (WEATHER, "stays"),
        (WEATHER | {"p_same": 0.3}, "shows"),
        (WEATHER | UNRELATED, "no part"),
        (WEATHER | LOST, "unclear"),
        (WEATHER | LOST | {"p_difference": 0.02}, "follows"),
        (WEATHER | LOST | {"q": 0.2}, "neither"),
    ],
)
def test_the_weather_is_spoken_of_as_it_was_compared(more: dict[str, float], word: str) -> None:
    row = {**MEMORY.blank(), **RISING, "weather_reason": "there is no weather", **more}
    assert weather_word(row, 0.05) == word
    told = " ".join(verdict(_temporal(RISING | more | {"weather_reason": "no rain"}, WHOLE),
                            None, []).because)  # fmt: skip
    if word == "not compared":
        assert "Whether the weather explains it was not tested: no rain." in told
    else:
        assert ("99 pairs of steps" in told) == (word not in {"no part", "neither"})
        assert ("no part in greenness (NDVI) that could be found (p 0.40)" in told) == (
            word == "no part"
        )
        assert ("explain 40 % of what is new in each step" in told) == (word != "no part")
    assert ("it follows the weather" in told) == (word == "follows")
    assert ("cannot be told" in told) == (word == "unclear")
    assert ("rises, where rain and temperature are fitted beside it (AR(1) from 0.33 to 0.61"
            in told) == (word in {"stays", "shows"})  # fmt: skip


def test_a_metric_without_a_test_has_no_state() -> None:
    nothing = {**MEMORY.blank(), "reason": "12 values of 12 steps"}
    assert metric_state(nothing, {}, 0.05) == UNTESTED
    assert metric_state(STEADY, {}, 0.05) == NOTHING


def _changes(**known: Any) -> pd.DataFrame:
    row = {"metric": "ndvi_mean", "unit": "1", "first": 0.303, "last": 0.154, "slope": -0.0149,
           "slope_low": -0.017, "slope_high": -0.0128, "p": 0.005, "q": 0.01, "chips": 25,
           "chips_falling": 25, "chips_rising": 0}  # fmt: skip
    rain = {"metric": "total_precipitation", "unit": "mm / year", "first": 445.2, "last": 200.4,
            "slope": -24.5, "slope_low": -30.0, "slope_high": -19.0, "p": 0.005,
            "q": 0.01}  # fmt: skip
    return CHANGES.frame([row | known, rain])


def test_it_begins_with_what_happened() -> None:
    said = make_statement(_temporal(STEADY, BROKEN), _changes(), installed())
    assert said.happened[0] == (
        "Greenness (NDVI) fell from 0.303 in the first year to 0.154 in the last (-49 %), by "
        "0.015 per year (95 % confidence interval 0.0128 to 0.0170; p 0.005, corrected p 0.010). "
        "It falls in 25 of the 25 chips."
    )
    assert said.happened[1].startswith(
        "Rain fell from 445 mm a year in the first year to 200 mm a year in the last"
    )
    assert said.happened[2].startswith("Greenness (NDVI) dropped abruptly in March 2022")
    assert said.text.startswith(said.happened[0])
    assert Statement.from_record(said.record()) == said


def test_a_level_that_does_not_change_is_told_too() -> None:
    said = make_statement(_temporal(STEADY, WHOLE), _changes(p=0.3, q=0.3), installed())
    assert said.happened[0] == (
        "Greenness (NDVI) was 0.303 in the first year and 0.154 in the last (-49 %): no trend "
        "beyond chance (p 0.30). It falls in 25 of the 25 chips."
    )
    same = _changes(last=0.3031, p=0.9, q=0.9)
    said = make_statement(_temporal(STEADY, WHOLE), same, installed())
    assert said.happened[0].startswith("Greenness (NDVI) was 0.303 in the first year and 0.303 in")
    assert "%" not in said.happened[0]  # no change of -0 %
    weak = make_statement(_temporal(STEADY, WHOLE), _changes(q=0.06), installed())
    assert "corrected p 0.060). That may be chance among so many metrics." in weak.happened[0]
    lost = _changes(p=math.nan, q=math.nan, reason="19 values of 68 steps; a test needs 24")
    said = make_statement(_temporal(STEADY, WHOLE), lost, installed())
    assert said.happened[-1] == (
        "Not tested: trends of greenness (NDVI) (19 values of 68 steps; a test needs 24)."
    )


def test_one_reason_is_told_once() -> None:
    few = "12 values of 12 steps; a test needs 24"
    lost = dict.fromkeys(("p", "q", "noise_p", "noise_q"), math.nan) | {"reason": few}
    one = (STEADY | lost, WHOLE | lost)
    changes = _changes(p=math.nan, q=math.nan, reason=few)
    said = make_statement(_temporal(*one, offset50=one), changes, installed())
    assert said.happened[-1] == (
        f"Not tested: trends of greenness (NDVI); abrupt changes of greenness (NDVI) and network "
        f"centrality ({few})."
    )
    assert said.resilience == (
        f"Not tested: the memory of greenness (NDVI) and network centrality ({few}).",
    )
    assert len([claim for claim in said.claims if claim.untested]) == 5


@pytest.mark.parametrize("months", [18, 30, 60, 120])
@pytest.mark.parametrize("weather", [True, False])
def test_every_claim_has_its_row(months: int, weather: bool) -> None:
    """No sentence of a test that was not made, however short the record is."""
    found = made_analysis(
        made_series(months=months, weather=weather, missing=(7, 8)),
        settings=AnalysisSettings(surrogates=19, indicators=("ar1", "variance")),
    )
    tables = found.tables()
    claims = found.statement.claims
    assert {one.topic for one in claims} >= {"level", "break", "memory"}
    for claim in claims:
        row = claim.row_of(tables)
        if claim.rests_on == ("reason",):
            assert row["reason"].rstrip(".") in claim.text
            assert claim.text.startswith("Not tested: ")
        else:
            assert math.isfinite(row[claim.rests_on[-1]]) or claim.rests_on == ("weather_reason",)
    assert set(found.verdict.because) <= {one.text for one in claims}
    if months == 18:
        assert found.verdict.level == "cannot_tell"
        assert found.verdict.headline.startswith("Memory could not be tested")


def test_a_claim_without_its_row_is_found_out() -> None:
    found = made_analysis(settings=AnalysisSettings(surrogates=19, indicators=("ar1",)))
    tables = {**found.tables(), "memory": MEMORY.frame()}
    claim = next(one for one in found.statement.claims if one.table == "memory")
    with pytest.raises(LookupError, match='0 rows of "memory"'):
        claim.row_of(tables)
    empty = found.temporal.memory.assign(p=math.nan)
    with pytest.raises(LookupError, match='"p" of "memory" is empty'):
        claim.row_of({**tables, "memory": empty})


def test_real_recoveries_stand_beside_memory() -> None:
    drops = DROUGHT_RECOVERY.frame(
        {"metric": "ndvi_mean", "chip": chip, "depth": 0.1, "rate": rate, "r2": 0.8, "fits": fits,
         "drought": True, "reason": ""}
        for chip, rate, fits in ((0, 2.0, True), (1, 3.0, True), (1, 5.0, True), (2, 9.0, False))
    )  # fmt: skip
    trends = pd.DataFrame({"metric": ["ndvi_mean"], "chip": -1, "memory": math.exp(-0.25)})
    rates = recovery_rates(drops, trends, 12.0)
    (row,) = rates.to_dict("records")
    assert (row["drops"], row["recovered"], row["droughts"], row["chips"]) == (4, 3, 4, 3)
    assert (row["rate"], row["rate_low"], row["rate_high"]) == (3.0, 2.5, 4.0)
    assert row["rate_ar1"] == pytest.approx(3.0)
    said = make_statement(_temporal(STEADY, WHOLE), _changes(), installed(), rates)
    assert (
        "After 3 large drops, greenness (NDVI) recovered at a median rate of 3.0 per year "
        "(quartiles 2.5 and 4.0). Its AR(1) of 0.78 corresponds to a rate of 3.0 per year after "
        "small disturbances."
    ) in said.resilience
    few = make_statement(_temporal(STEADY, WHOLE), _changes(), installed(),
                         recovery_rates(drops[1:3], trends, 12.0))  # fmt: skip
    assert not any("drops" in text for text in few.resilience)
    assert recovery_rates(DROUGHT_RECOVERY.frame(), trends, 12.0).empty
