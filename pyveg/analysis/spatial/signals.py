"""Spatial signals of the chips of a date, each with a null and the rule of when not to use it.

What a pattern is comes first. Where the chips' mean radial spectrum has a clear peak the
vegetation has a regular pattern, which may let it evade a tipping point (Bastiaansen et al. 2020,
10.1111/ele.13430): its wavelength is reported, and the generic signals are marked as not valid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import SPATIAL_TESTS
from pyveg.analysis.temporal.surrogate_tests import stream
from pyveg.earth.chips import SIZE
from pyveg.earth.metrics import OFFSET50
from pyveg.earth.network import Network, nodes
from pyveg.kernels import images, spatial, spectrum
from pyveg.kernels.centrality import feature_vectors
from pyveg.runs.chips import Chips

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 5
"""Pixels along the side of the blocks whose means give variance and skewness."""
LEAST_VALID = spectrum.LEAST_KNOWN
MEASURES: Mapping[str, Callable[[Values], float]] = {
    "morans_i": spatial.morans_i,
    "variance": lambda image: spatial.spatial_moments(image, BLOCK)[0],
    "skewness": lambda image: spatial.spatial_moments(image, BLOCK)[1],
    "density_ratio": lambda image: spectrum.density_ratio(spectrum.radial_spectrum(image)),
}
"""Signals of the NDVI of one chip (N, N)."""
_NOT_PERIODIC = "not for periodic patterns"
RULES = {
    "morans_i": _NOT_PERIODIC,
    "variance": _NOT_PERIODIC,
    "skewness": _NOT_PERIODIC,
    "density_ratio": "not for periodic patterns: a wavelength makes the ratio meaningless",
    "wavelength": "for periodic patterns only",
    OFFSET50: "mostly tells the cover: read z beside it",
    "patch_mean": "not for periodic patterns; patches cut by the edge are left out",
}


def spatial_indicators(
    chips: Chips,
    *,
    nulls: int = 99,
    chain_nulls: int = 0,
    seed: int = 0,
    only: Container[str] = RULES,
) -> pd.DataFrame:
    """Spatial signals of each chip of a date.

    Parameters
    ----------
    chips : Chips
    nulls : int
        Random permutations of each chip; 0 for none.
    chain_nulls : int
        Random images with the spectrum of the whole image, sent through the same binarisation, for
        a second null of offset50; 0 for none. They need `chips.image`.
    seed : int
    only : container of str
        Signals to measure.

    Returns
    -------
    DataFrame
        A row per chip and signal, and for offset50 one per null:

        - "morans_i": of NDVI, side neighbours; null "permutation".
        - "variance", "skewness": of the means of 5 x 5 blocks; null "permutation".
        - "density_ratio": lowest over highest fifth of wavenumbers; null "permutation".
        - "wavelength": of the spectrum's peak, pixels; NaN where there is none.
        - "patch_mean": mean size of the patches of vegetation, pixels; null "permutation" (equal
          cover).
        - "offset50" of the run's own network: null "permutation" (equal cover) and
          "binarisation".

        `z` is (value - null_mean) / null_sd, `p` the two-sided share of nulls as far out, and
        `valid` whether the signal may be used for this date, by its `rule`. A chip with more than
        a tenth of its pixels masked has no rows' numbers, and says so in `rule`.
    """
    if not len(chips.ndvi):
        return SPATIAL_TESTS.frame()
    usable = np.isfinite(chips.ndvi).mean(axis=(1, 2)) >= LEAST_VALID
    periodic = is_periodic(chips.ndvi[usable])
    rows: list[dict[str, Any]] = []
    for place, number in enumerate(chips.numbers):
        rng = np.random.Generator(np.random.Philox(stream(seed, chips.date, number)))
        common = {"date": chips.date, "chip": number}
        if usable[place]:
            of_chip = _of_chip(chips, place, nulls, rng, only)
        else:
            share = 100 * (1 - LEAST_VALID)
            of_chip = [
                {"indicator": name, "rule": f"more than {share:.0f} % of the chip is masked"}
                for name in RULES
                if name in only
            ]
        for row in of_chip:
            row.setdefault("rule", RULES[row["indicator"]])
            row["valid"] = usable[place] and _may_use(row["indicator"], periodic)
            rows.append({**common, **row})
    if chain_nulls and chips.image is not None:
        rows += _binarisation_null(chips, usable, chain_nulls, seed)
    return SPATIAL_TESTS.frame(rows)


def is_periodic(ndvi: Values) -> bool:
    """Whether chips (n, N, N) have a regular pattern, by the mean of their radial spectra."""
    mean = mean_spectrum(ndvi)
    return mean is not None and spectrum.is_periodic(mean)


def mean_spectrum(ndvi: Values) -> spectrum.RadialSpectrum | None:
    """Mean radial spectrum of chips (n, N, N); None where none can be used."""
    powers = spectrum.radial_powers(ndvi)
    known = powers[np.isfinite(powers).all(axis=1)]
    if not len(known):
        return None
    return spectrum.RadialSpectrum(np.arange(1.0, powers.shape[1] + 1), known.mean(axis=0))


def offset50(masks: Mask, network: Network) -> Values:
    """offset50 of each mask (n, H, W), by the settings of a run's network.

    V - E of all nodes less that of their best half: the last element of the feature vector less
    the one at half of its length, as `pyveg.kernels.centrality.feature_vector_metrics` has it.
    """
    vectors = feature_vectors(
        masks, num_quantiles=network.num_quantiles, diagonal=network.use_diagonal_neighbours
    )
    differences: Values = vectors[:, -1] - vectors[:, network.num_quantiles // 2]
    return differences


def pooled_patches(chips: Chips) -> NDArray[np.int64]:
    """Sizes of all whole patches of vegetation, of all chips, pixels."""
    sizes = [_patches(one, mask) for one, mask in zip(chips.ndvi, chips.vegetation, strict=True)]
    return np.sort(np.concatenate(sizes)) if sizes else np.empty(0, np.int64)


def _of_chip(
    chips: Chips, place: int, nulls: int, rng: np.random.Generator, only: Container[str]
) -> list[dict[str, Any]]:
    """Rows of one chip."""
    ndvi, plants, network = chips.ndvi[place], chips.vegetation[place], chips.network
    made = [spatial.permuted(ndvi, rng) for _ in range(nulls)]
    rows = [
        _row(name, measure(ndvi), [measure(image) for image in made])
        for name, measure in MEASURES.items()
        if name in only
    ]
    if "wavelength" in only:
        wave = spectrum.wavelength(spectrum.radial_spectrum(ndvi), ndvi.shape[0])
        rows.append({"indicator": "wavelength", "value": wave, "null": ""})
    permuted = [_permuted_mask(plants, np.isfinite(ndvi), rng) for _ in range(nulls)]
    if "patch_mean" in only:
        sizes = [_mean_patch(ndvi, one) for one in permuted]
        rows.append(_row("patch_mean", _mean_patch(ndvi, plants), sizes))
    if OFFSET50 not in only:
        return rows
    masks = network.nodes_of(np.stack([plants, *permuted]))
    if not masks[0].any():
        rows.append({"indicator": OFFSET50, "null": "", "rule": "the chip has no signal pixels"})
        return rows
    values = offset50(masks, network)
    rows.append(_row(OFFSET50, float(values[0]), values[1:].tolist()))
    return rows


def _row(name: str, value: float, null: list[float], kind: str = "permutation") -> dict[str, Any]:
    """A value beside its nulls."""
    known = np.array([one for one in null if math.isfinite(one)])
    row: dict[str, Any] = {"indicator": name, "value": value, "null": kind if len(null) else ""}
    if known.size < 2 or not math.isfinite(value):
        return row
    mean, spread = float(known.mean()), float(known.std(ddof=1))
    out = 1 + min(np.count_nonzero(known >= value), np.count_nonzero(known <= value))
    z = (value - mean) / spread if spread > 0 else math.nan
    p = min(1.0, 2.0 * out / (1 + known.size))
    return row | {"null_mean": mean, "null_sd": spread, "z": z, "p": p}


def _may_use(name: str, periodic: bool) -> bool:
    if name == OFFSET50:
        return True
    return periodic if name == "wavelength" else not periodic


def _permuted_mask(vegetation: Mask, valid: Mask, rng: np.random.Generator) -> Mask:
    """The same cover, elsewhere; masked pixels stay what they were."""
    out = vegetation.copy()
    out[valid] = rng.permutation(vegetation[valid])
    return out


def _patches(ndvi: Values, vegetation: Mask) -> NDArray[np.int64]:
    return spatial.patch_sizes(vegetation, np.isfinite(ndvi), whole_only=True)


def _mean_patch(ndvi: Values, vegetation: Mask) -> float:
    sizes = _patches(ndvi, vegetation)
    return float(sizes.mean()) if sizes.size else math.nan


def _binarisation_null(chips: Chips, usable: Mask, nulls: int, seed: int) -> list[dict[str, Any]]:
    """offset50 against featureless images that went through the same binarisation."""
    image = cast(Values, chips.image)
    rng = np.random.Generator(np.random.Philox(stream(seed, chips.date, "binarisation")))
    numbers = np.array(chips.numbers, dtype=np.intp)
    null = np.empty((nulls, len(numbers)))
    for row in range(nulls):
        made = spatial.random_phases(image, rng)
        picture = images.bwndvi(images.index_grey(made, chips.limits))
        masks = nodes(images.cut_chips(picture, SIZE)[numbers], chips.network.signal)
        null[row] = offset50(masks, chips.network)
    values = offset50(chips.nodes, chips.network)
    return [
        {
            "date": chips.date,
            "chip": number,
            **_row(OFFSET50, float(values[place]), null[:, place].tolist(), "binarisation"),
            "valid": bool(usable[place]),
            "rule": RULES[OFFSET50],
        }
        for place, number in enumerate(chips.numbers)
        if chips.nodes[place].any()
    ]
