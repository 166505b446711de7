"""Does the answer hang on a setting? Tau and p over window and bandwidth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import SENSITIVITY
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import measure, prepare_chips, stream, window_steps

WINDOWS = (0.25, 0.375, 0.5, 0.625, 0.75)
BANDWIDTHS = (0.2, 0.35, 0.5, 0.75, 1.0)


def sensitivity(
    series: Series,
    metric: str,
    settings: AnalysisSettings | None = None,
    *,
    windows: Sequence[float] = WINDOWS,
    bandwidths: Sequence[float] = BANDWIDTHS,
    surrogates: int = 199,
    max_chips: int = 16,
) -> pd.DataFrame:
    """Test the site with every pair of a window and a bandwidth.

    Parameters
    ----------
    series : Series
    metric : str
    settings : AnalysisSettings, optional
        What stays the same.
    windows, bandwidths : sequence of float
        Shares of the record.
    surrogates : int
        For each setting.
    max_chips : int
        Chips that the site's median is made of here; where there are more, some evenly over them.

    Returns
    -------
    DataFrame
        A row per indicator, window and bandwidth: `tau` and `p` of the site, and `reason` where
        there are none. Report the share of settings with small p and the median
        (`summarise_sensitivity`), never the best cell.
    """
    settings = settings or AnalysisSettings()
    matrix = series.matrix(metric)
    rows: list[dict[str, Any]] = []
    if series.axis is None or not matrix.size:
        return SENSITIVITY.frame()
    picked = np.unique(np.linspace(0, len(matrix) - 1, min(max_chips, len(matrix))).round())
    matrix = matrix[picked.astype(np.intp)]
    for bandwidth in bandwidths:
        here = replace(settings, bandwidth=bandwidth, surrogates=surrogates)
        chips = prepare_chips(matrix, series.axis.period, here)
        usable = [chip.ready for chip in chips if chip.ready]
        reason = "" if usable else chips[0].reason
        lengths = [window_steps(matrix.shape[1], share) for share in windows]
        seed = stream(settings.seed, "sensitivity", series.collection, metric)
        tested = measure(usable, lengths, here, seed)
        for place, share in enumerate(windows):
            for kind, name in enumerate(here.indicators):
                tau = p = math.nan
                if tested:
                    tau = float(tested[place].site_taus[kind])
                    p = p_value(tau, tested[place].null_site_taus[:, kind], DIRECTIONS[name])
                why = reason or ("too few windows have a value of it" if math.isnan(tau) else "")
                values = (metric, name, share, bandwidth, tau, p, len(usable), why)
                rows.append(dict(zip(SENSITIVITY.names, values, strict=True)))
    return SENSITIVITY.frame(rows)


def summarise_sensitivity(table: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Per indicator: settings tested, the share of them with p <= alpha, median tau and p."""
    known = table[table["p"].notna()]
    groups = known.groupby(["metric", "indicator"], sort=False)
    summary = pd.DataFrame(
        {
            "settings": groups.size(),
            "share_below_alpha": groups["p"].agg(lambda p: float((p <= alpha).mean())),
            "median_tau": groups["tau"].median(),
            "median_p": groups["p"].median(),
        }
    )
    return summary.reset_index()
