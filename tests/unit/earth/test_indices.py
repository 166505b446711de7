from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np
import pytest
import spyndex

from pyveg.core.errors import ConfigError, MissingPackageError, UnknownNameError
from pyveg.earth.indices import IndexSettings, _usable, bands_of, settled
from pyveg.kernels import formulas

BANDS = {"RGB_bands": ("B4", "B3", "B2"), "NIR_band": "B8"}
LETTERS = ["A", "B", "G", "G1", "N", "N2", "R", "RE1", "RE2", "RE3", "S1", "S2", "Y", "T", "T1"]


def _settled(**given: Any) -> IndexSettings:
    return settled(IndexSettings(**{**BANDS, **given}), "here")


OPTICAL = [
    name
    for name, about in spyndex.indices.items()
    if _usable(about.bands)
    and {*about.bands} <= {*LETTERS, *spyndex.constants, *(b for b in about.bands if b[0] == "k")}
    and not any(str(one).startswith("lambda") for one in about.bands)
]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", OPTICAL)
def test_every_index_is_that_of_spyndex(name: str) -> None:
    dice = np.random.default_rng(3)
    values = {letter: dice.uniform(0.02, 0.6, (6, 6)) for letter in LETTERS}
    wanted = spyndex.indices[name].bands
    given: dict[str, Any] = {one: values[one] for one in wanted if one in values}
    given |= {one: spyndex.constants[one].default for one in wanted if one in spyndex.constants}
    for kernel in (one for one in wanted if len(one) == 3 and one[0] == "k"):
        a, b = values[kernel[1]], values[kernel[2]]
        same = kernel[1] == kernel[2]
        rbf = 1.0 if same else spyndex.computeKernel("RBF", a=a, b=b, sigma=(a + b) / 2)
        given[kernel] = rbf
    expected = np.asarray(spyndex.computeIndex(name, given), float)
    formula = "" if name == "NDVI" else _settled(index=name).index_formula
    formula = formula or _settled().index_formula
    found = formulas.evaluate(formula, {one: values[one] for one in formulas.names_in(formula)})
    expected = np.where(np.isfinite(expected), expected, np.nan)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_most_indices_are_there() -> None:
    assert len(OPTICAL) > 200
    assert {"NDVI", "MSAVI", "EVI2", "EVI", "kNDVI", "SAVI", "NDMI", "NIRv"} <= {*OPTICAL}


def test_kndvi_is_that_of_its_paper() -> None:
    dice = np.random.default_rng(5)
    values = {"N": dice.uniform(0.1, 0.6, 9), "R": dice.uniform(0.02, 0.3, 9)}
    ndvi = (values["N"] - values["R"]) / (values["N"] + values["R"])
    found = formulas.evaluate(_settled(index="kNDVI").index_formula, values)
    assert found == pytest.approx(np.tanh(ndvi**2))


def test_constants_are_those_of_spyndex_unless_given() -> None:
    assert _settled(index="SAVI").index_formula == "(1.0 + 1.0) * (N - R) / (N + R + 1.0)"
    half = _settled(index="SAVI", index_constants={"L": 0.5})
    assert half.index_formula == "(1.0 + 0.5) * (N - R) / (N + R + 0.5)"
    assert "SAVI = (1.0 + 0.5)" in half.told


def test_a_formula_of_ones_own_has_letters_of_its_own() -> None:
    own = _settled(
        index="Dry", index_formula="(edge - R) / (edge + w)", index_bands={"edge": "B5"},
        index_constants={"w": 0.25},
    )  # fmt: skip
    assert own.index_formula == "(edge - R) / (edge + 0.25)"
    assert bands_of(own, "here") == {"edge": "B5", "R": "B4"}
    # What was settled once stays so.
    assert settled(own, "here") == own


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"index": "MSAWI"}, 'unknown index "MSAWI"; did you mean "MSAVI"'),
        ({"index": "my index"}, "is no name"),
        ({"index": "../x"}, "is no name"),
        ({"index": "Mine", "index_formula": "N -"}, 'formula "N -" of Mine is none'),
        ({"index": "Mine", "index_formula": "open(N)"}, 'there is no function "open"'),
        ({"index_formula": "N - R"}, "give your index a name of its own"),
        ({"index": "ndvi", "index_formula": "N - R"}, "give your index a name of its own"),
        ({"index": "MSAVI", "index_range": (1.0, 0.0)}, "is empty"),
        ({"index_range": (0.0, 1.0)}, "given for NDVI"),
        ({"index": "SAVI", "index_constants": {"L": "half"}}, "is no number"),
    ],
)
def test_an_index_that_cannot_be(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        _settled(**given)
    assert caught.value.wrong.startswith("here: ")
    assert caught.value.cure


def test_a_band_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match='needs "S1", and no band is named for it') as caught:
        bands_of(_settled(index="NDMI"), "here")
    assert 'index_bands = {"S1": "B11"}' in caught.value.cure


def test_spyndex_is_needed_for_its_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "spyndex":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.delitem(sys.modules, "spyndex", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert _settled().index == "NDVI"
    assert _settled(index="Mine", index_formula="N - R").index_formula == "N - R"
    with pytest.raises(MissingPackageError, match=r"pip install '\.\[indices\]'"):
        _settled(index="MSAVI")


def test_unknown_names_list_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match='did you mean "EVI2"'):
        _settled(index="EVI_2")
