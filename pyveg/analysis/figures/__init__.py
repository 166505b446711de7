"""Figures of results: matplotlib Figures that are returned, never shown.

Each function takes an `Analysis` and gives a Figure, or None where there is nothing to show.
"""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.beside import others_beside
from pyveg.analysis.figures.indicators import (
    climate_panels,
    indicator_panels,
    sensitivity_surface,
)
from pyveg.analysis.figures.maps import chip_maps
from pyveg.analysis.figures.over_time import decomposition, season_cycle, series_bands
from pyveg.analysis.figures.response import correlations
from pyveg.analysis.figures.run_series import series_figure, series_png
from pyveg.analysis.figures.space import patch_weights, radial_spectra, spatial_signals
from pyveg.analysis.figures.style import Saved, figure_png, figure_svg, save_figure

__all__ = [
    "Saved",
    "all_figures",
    "chip_maps",
    "climate_panels",
    "correlations",
    "decomposition",
    "figure_png",
    "figure_svg",
    "indicator_panels",
    "indicators_of",
    "others_beside",
    "patch_weights",
    "radial_spectra",
    "save_figure",
    "season_cycle",
    "sensitivity_surface",
    "series_bands",
    "series_figure",
    "series_png",
    "spatial_signals",
]


def all_figures(analysis: Analysis) -> dict[str, Figure]:
    """Every figure that there is something to show in.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    dict of str to Figure
        By a name that can be a file's: "series", "beside", "season", "decomposition",
        "indicators_<metric>", "sensitivity", "correlations", "spatial", "spectrum", "patches",
        "climate", "maps".
    """
    made = {
        "series": series_bands(analysis),
        "beside": others_beside(analysis),
        "season": season_cycle(analysis),
        "decomposition": decomposition(analysis),
        **{indicators_of(one): indicator_panels(analysis, one) for one in analysis.metrics},
        "sensitivity": sensitivity_surface(analysis),
        "correlations": correlations(analysis),
        "spatial": spatial_signals(analysis),
        "spectrum": radial_spectra(analysis),
        "patches": patch_weights(analysis),
        "climate": climate_panels(analysis),
        "maps": chip_maps(analysis),
    }
    return {name: figure for name, figure in made.items() if figure is not None}


def indicators_of(metric: str) -> str:
    """Name of the figure of a metric's indicators."""
    return f"indicators_{re.sub(r'[^0-9A-Za-z_-]', '_', metric)}"
