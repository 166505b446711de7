from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from pyveg.analysis.spatial.patches import LAWS, patch_laws
from pyveg.analysis.spatial.signals import (
    is_periodic,
    mean_spectrum,
    offset50,
    pooled_patches,
    spatial_indicators,
)
from pyveg.earth.network import Network
from pyveg.jobs.run import run_pipeline
from pyveg.runs.chips import Chips
from pyveg.runs.run import open_run

DATE = pd.Timestamp("2020-01-16")


def _chips(kind: str, count: int = 3) -> Chips:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(count):
        noise = rng.normal(size=(50, 50))
        if kind == "stripes":
            image = np.sin(2 * np.pi * 6 * np.indices((50, 50))[0] / 50) + 0.3 * noise
        else:
            image = gaussian_filter(noise, 2) if kind == "clumps" else noise
        images.append(0.3 + 0.1 * image / image.std())
    ndvi = np.stack(images)
    return Chips(DATE, ndvi, ndvi > np.median(ndvi), tuple(range(count)))


def _of(table: pd.DataFrame, name: str, null: str = "permutation") -> pd.DataFrame:
    return table[(table["indicator"] == name) & (table["null"] == null)]


def test_clumps_stand_out_from_permutations() -> None:
    table = spatial_indicators(_chips("clumps"), nulls=39)
    for name in ("morans_i", "variance", "density_ratio"):
        assert (_of(table, name)["z"] > 5).all()
        assert np.allclose(_of(table, name)["p"], 2 / 40)
    assert (_of(table, "offset50")["z"] < -5).all()
    assert table.loc[table["indicator"] != "wavelength", "valid"].all()
    assert not table.loc[table["indicator"] == "wavelength", "valid"].any()


def test_noise_does_not() -> None:
    table = spatial_indicators(_chips("noise", 8), nulls=39)
    known = table[table["null"] == "permutation"]
    assert known["z"].abs().max() < 5
    assert (known["p"] <= 0.05).mean() < 0.2


def test_generic_signals_are_not_valid_for_regular_patterns() -> None:
    chips = _chips("stripes")
    assert is_periodic(chips.ndvi)
    table = spatial_indicators(chips, nulls=3)
    assert not _of(table, "morans_i")["valid"].any()
    assert _of(table, "morans_i")["rule"].eq("not for periodic patterns").all()
    waves = table[table["indicator"] == "wavelength"]
    assert waves["valid"].all()
    np.testing.assert_allclose(waves["value"], 50 / 6)


def test_a_masked_chip_says_so() -> None:
    chips = _chips("clumps")
    chips.ndvi[1, :10] = np.nan
    table = spatial_indicators(chips, nulls=3)
    masked = table[table["chip"] == 1]
    assert masked["value"].isna().all()
    assert not masked["valid"].any()
    assert masked["rule"].eq("more than 10 % of the chip is masked").all()
    assert table.loc[table["chip"] != 1, "valid"].any()


def test_the_same_seed_the_same_nulls() -> None:
    chips = _chips("clumps")
    one, two = (spatial_indicators(chips, nulls=5, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    alone = chips.only(np.array([1]))
    again = spatial_indicators(alone, nulls=5, seed=3)
    pd.testing.assert_frame_equal(
        one[one["chip"] == 1].reset_index(drop=True), again, check_dtype=False
    )


def test_no_chips_and_no_signal() -> None:
    chips = _chips("clumps")
    none = chips.only(np.array([], np.intp))
    assert len(spatial_indicators(none)) == 0
    assert mean_spectrum(none.ndvi) is None
    empty = replace(chips, vegetation=np.ones_like(chips.vegetation))
    table = spatial_indicators(empty, nulls=3)
    rows = table[table["indicator"] == "offset50"]
    assert rows["value"].isna().all()
    assert rows["rule"].eq("the chip has no signal pixels").all()


def test_offset50_of_the_network() -> None:
    assert offset50(np.ones((1, 50, 50), np.bool_), Network()).shape == (1,)
    from pyveg.kernels.centrality import feature_vector_metrics, feature_vectors

    masks = _chips("clumps").nodes
    expected = [feature_vector_metrics(one)["offset50"] for one in feature_vectors(masks)]
    assert offset50(masks, Network()).tolist() == expected


def _sizes(kind: str, count: int = 2000) -> Any:
    rng = np.random.default_rng(0)
    if kind == "power_law":
        return rng.zipf(2.2, count)
    if kind == "exponential":
        return rng.geometric(0.1, count)
    return np.maximum(1, np.rint(rng.lognormal(3.0, 0.5, count))).astype(int)


@pytest.mark.parametrize("kind", ["power_law", "exponential", "lognormal"])
def test_the_law_that_made_patches_is_found(kind: str) -> None:
    pytest.importorskip("powerlaw")
    table = patch_laws(_sizes(kind)).set_index("law")
    assert table["aic_weight"].sum() == pytest.approx(1)
    alike = {"power_law": {"power_law", "truncated_power_law"},
             "exponential": {"exponential", "truncated_power_law"}}  # fmt: skip
    assert table["aic"].idxmin() in alike.get(kind, {kind})
    if kind == "power_law":
        assert table.loc["power_law", "exponent"] == pytest.approx(2.2, abs=0.15)
        assert table.loc["power_law", "power_law_range"] > 0.7


@pytest.mark.parametrize("sizes", [[], [1] * 49, [7] * 80], ids=["none", "few", "one size"])
def test_patches_that_tell_nothing(sizes: list[int]) -> None:
    table = patch_laws(sizes)
    assert tuple(table["law"]) == LAWS
    assert table["aic"].isna().all()
    assert (table["reason"] != "").all()


NETWORKS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "vegetation": {"signal": "vegetation"},
    "8 neighbours": {"use_diagonal_neighbours": True},
    "40 quantiles": {"num_quantiles": 40},
    "5 chips": {"n_sub_images": 5},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_that_is_tested_is_the_one_that_was_measured(
    write_config: Any, name: str
) -> None:
    run_pipeline(write_config(special_config={
        "SimulatedSentinel2": {"spin_up": 200}, "NetworkCentralityCalculator": NETWORKS[name]
    }))  # fmt: skip
    (folder,) = write_config.runs()
    run = open_run(folder)
    dates = run.dates()
    assert dates == sorted(dates)
    first = next(run.chips())
    numbers = list(first.numbers)
    assert first.date == dates[0]
    assert first.ndvi.shape == first.nodes.shape == (len(numbers), 50, 50)
    table = run.results().chips
    table = table[(table["date"] == first.date) & table["offset50"].notna()].set_index("chip")
    assert list(table.index) == numbers
    np.testing.assert_allclose(first.nodes.mean(axis=(1, 2)), table["signal_cover"], atol=1e-6)
    np.testing.assert_allclose(offset50(first.nodes, first.network), table["offset50"])
    both = spatial_indicators(first, nulls=2, chain_nulls=3)
    for null in ("permutation", "binarisation"):
        rows = _of(both, "offset50", null).set_index("chip")
        np.testing.assert_allclose(rows["value"], table["offset50"])
        assert np.isfinite(rows["null_mean"]).all()
    seen = np.nanmean(first.ndvi, axis=(1, 2))
    np.testing.assert_allclose(seen, table["ndvi_mean"], atol=1e-4)
    assert pooled_patches(first).dtype == np.int64


def test_the_usual_network_is_that_of_the_module() -> None:
    """A default that changes in one place only would let them measure two networks."""
    from pyveg.modules.centrality import NetworkCentralityCalculatorSettings

    assert Network() == Network.of(vars(NetworkCentralityCalculatorSettings()))
    assert Network() == Network("bare_soil", use_diagonal_neighbours=False, num_quantiles=20)
