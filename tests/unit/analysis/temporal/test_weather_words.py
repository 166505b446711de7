"""What is said of the weather, from rain of every kind to the sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis import statement
from pyveg.analysis.data.series import tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import states_of, weather_word
from pyveg.analysis.temporal.indicators import Temporal, temporal_indicators
from pyveg.analysis.temporal.response import find_response, read_weather

QUICK = AnalysisSettings(surrogates=59, chip_surrogates=59, indicators=("ar1",))
N = 240
LABELS = {"level": "greenness", "total_precipitation": "rain"}


def _record(seed: int, answer: str, memory: float, last: float) -> tuple[Any, Any]:
    """A chip whose memory goes from one value to another, and rain whose own memory rises."""
    rng = np.random.default_rng(seed)
    rain, values = np.zeros(N), np.zeros(N)
    for t in range(1, N):
        phi = 0.85 * t / N
        rain[t] = phi * rain[t - 1] + np.sqrt(1 - phi**2) * rng.normal()
    pushed = {"line": rain, "threshold": 1.7 * np.maximum(rain - 0.3, 0), "none": 0 * rain}[answer]
    for t in range(1, N):
        own = memory + (last - memory) * t / N
        values[t] = own * values[t - 1] + pushed[t] + 0.4 * rng.normal()
    return values, rain + 10


def _found(values: Any, rain: Any) -> Temporal:
    dates = [pd.Timestamp("2001-01-16") + pd.DateOffset(months=k) for k in range(N)]
    rows = pd.DataFrame({"date": dates, "collection": "S2", "chip": 0, "level": values})
    told = None
    if rain is not None:
        told = pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": rain})
    series = tidy(rows, told, time_per_point="1m")
    return temporal_indicators(series, ["level"], QUICK)


def _told(kind: str, rain: Any) -> Any:
    """The part of the rain that the record tells."""
    known = None if kind == "absent" else rain.copy()
    if kind == "constant":
        known[:] = 5.0
    elif kind in {"10 %", "40 %"}:
        known[: N - N * int(kind[:2]) // 100] = np.nan
    return known


CASES = {
    "linear": ("100 %", "line", 0.4, 0.4),
    "by a threshold": ("100 %", "threshold", 0.4, 0.4),
    "memory .85": ("100 %", "line", 0.85, 0.85),
    "true rise": ("100 %", "line", 0.2, 0.9),
    "unrelated": ("100 %", "none", 0.5, 0.5),
    "known for 10 %": ("10 %", "line", 0.4, 0.4),
    "known for 40 %": ("40 %", "line", 0.4, 0.4),
    "constant": ("constant", "line", 0.4, 0.4),
    "absent": ("absent", "line", 0.4, 0.4),
}
FOLLOWS = {"follows", "neither", "unclear"}
WORDS = {"linear": FOLLOWS, "by a threshold": FOLLOWS, "memory .85": FOLLOWS,
         "true rise": {"stays", "shows"}, "unrelated": {"no part"}}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_words_promise_what_was_controlled(case: str) -> None:
    """Of three records at most one is told otherwise: each test errs in one of twenty."""
    told, answer, memory, last = CASES[case]
    words, states = [], []
    for seed in range(3):
        values, rain = _record(seed, answer, memory, last)
        found = _found(values, _told(told, rain))
        row = found.memory.query("metric == 'level' and chip == -1").to_dict("records")[0]
        words.append(weather_word(row, QUICK.alpha))
        states.append(states_of(found)["level"])
        _check_sentences(found, words[-1], states[-1])
        assert (row["weather_reason"] != "") == (words[-1] == "not compared")
    expected = WORDS.get(case, {"not compared"})
    assert sum(word in expected for word in words) >= (2 if case in WORDS else 3)
    if case == "true rise":
        assert states.count("memory_rises") >= 2
    elif expected == FOLLOWS:
        assert states.count("memory_rises") <= 1


def _check_sentences(found: Temporal, word: str, state: str) -> None:
    """No sentence tells more than was compared."""
    text = " ".join(claim.text for claim in statement.tested_claims(found, LABELS))
    if word == "not compared":
        assert "explain" not in text.replace("explains it was not tested", "")
        assert state not in {"follows_weather", "weather_or_memory"}
    elif state == "memory_rises" and word != "no part":
        assert "where rain is fitted beside it" in text
    assert ("it follows the weather" in text) == (state == "follows_weather")


def test_the_form_of_the_answer_is_found() -> None:
    values, rain = _record(1, "threshold", 0.4, 0.4)
    dates = [pd.Timestamp("2001-01-16") + pd.DateOffset(months=k) for k in range(N)]
    rows = pd.DataFrame({"date": dates, "collection": "S2", "chip": 0, "level": values})
    told = pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": rain})
    series = tidy(rows, told, time_per_point="1m")
    response = find_response(values - values.mean(), read_weather(series, QUICK))
    assert response.form.startswith("bent at the 6")
    assert response.form.endswith("in the same step")
    assert response.explained > 0.6
    assert response.p < 1e-6


def test_unrelated_rain_has_a_part_in_one_of_twenty() -> None:
    p = []
    for seed in range(20):
        values, _ = _record(seed, "none", 0.85, 0.85)
        _, rain = _record(seed + 1000, "none", 0.5, 0.5)
        dates = [pd.Timestamp("2001-01-16") + pd.DateOffset(months=k) for k in range(N)]
        rows = pd.DataFrame({"date": dates, "collection": "S2", "chip": 0, "level": values})
        told = pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": rain})
        weather = read_weather(tidy(rows, told, time_per_point="1m"), QUICK)
        p.append(find_response(values - values.mean(), weather).p)
    assert (np.array(p) <= 0.05).mean() <= 0.2
    assert np.median(p) > 0.25
