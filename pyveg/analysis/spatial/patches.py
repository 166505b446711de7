"""The distribution of patch sizes, and which law it follows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import PATCH_LAWS
from pyveg.core.errors import MissingPackageError

LAWS = ("power_law", "truncated_power_law", "lognormal", "exponential")
_PARAMETERS = {"power_law": 1, "truncated_power_law": 2, "lognormal": 2, "exponential": 1}
LEAST_PATCHES = 50


def patch_laws(sizes: NDArray[Any] | Sequence[int], part: str = "") -> pd.DataFrame:
    """Fit laws to patch sizes by maximum likelihood (package `powerlaw`) and compare them.

    Parameters
    ----------
    sizes : sequence of int
        Pixels of each patch, pooled over chips or of a whole image. Patches that the edge cuts
        should not be among them (`pyveg.kernels.spatial.patch_sizes(..., whole_only=True)`).
    part : str
        Of the record, as the column of that name has it.

    Returns
    -------
    DataFrame
        One row per law with its `aic` and Akaike weight, all for sizes from the smallest one on.
        The power law's row also has its `exponent`, the `xmin` from which it fits best (smallest
        Kolmogorov-Smirnov distance) and the `power_law_range`, (log max - log xmin) / (log max -
        log min). `reason` says why there is nothing: fewer than 50 patches, or all of one size.

    Raises
    ------
    MissingPackageError
        If `powerlaw` is not installed.

    Notes
    -----
    Clauset et al. 2009, 10.1137/070710111; Alstott et al. 2014, 10.1371/journal.pone.0085777. As
    conditions get worse models go from a power law over a truncated one to an exponential (Kefi et
    al. 2011, 10.1111/j.1461-0248.2010.01553.x). Not for periodic patterns, whose patches have one
    size.
    """
    patches = np.asarray(sizes, dtype=np.int64)
    patches = patches[patches > 0]
    return PATCH_LAWS.frame({**row, "part": part} for row in _laws(patches))


def _laws(patches: NDArray[np.int64]) -> list[dict[str, Any]]:
    """A row for each law."""
    reason = ""
    if patches.size < LEAST_PATCHES:
        reason = f"{patches.size} whole patches are too few; {LEAST_PATCHES} are needed"
    elif patches.min() == patches.max():
        reason = "all patches have one size"
    if reason:
        return [{"law": law, "patches": patches.size, "reason": reason} for law in LAWS]
    if find_spec("powerlaw") is None:
        raise MissingPackageError("the fit of patch sizes", "pyveg[analysis]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of its own future names
        return _fitted(patches)


def _fitted(sizes: NDArray[np.int64]) -> list[dict[str, Any]]:
    import powerlaw

    whole = powerlaw.Fit(sizes, discrete=True, xmin=int(sizes.min()), verbose=False)
    rows: list[dict[str, Any]] = []
    for law in LAWS:
        fitted = getattr(whole, law)
        likelihood = float(np.sum(fitted.loglikelihoods(whole.data)))
        aic = 2 * _PARAMETERS[law] - 2 * likelihood if math.isfinite(likelihood) else math.nan
        rows.append(
            {"law": law, "patches": sizes.size, "log_likelihood": likelihood, "aic": aic,
             "reason": "" if math.isfinite(aic) else "the fit did not succeed"}
        )  # fmt: skip
    best = np.nanmin([row["aic"] for row in rows])
    weights = [math.exp(-0.5 * (row["aic"] - best)) for row in rows]
    total = float(np.nansum(weights))
    for row, weight in zip(rows, weights, strict=True):
        row["aic_weight"] = weight / total
    tail = powerlaw.Fit(sizes, discrete=True, verbose=False)
    xmin, largest = float(tail.xmin), math.log(sizes.max())
    rows[0] |= {
        "exponent": float(tail.power_law.alpha),
        "xmin": xmin,
        "power_law_range": (largest - math.log(xmin)) / (largest - math.log(sizes.min())),
    }
    return rows
