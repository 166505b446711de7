"""Colours of figures: those that metrics declare, and a palette for those that declare none."""

from __future__ import annotations

from collections.abc import Mapping

from pyveg.earth.metrics import Metric

PURPLE, BLUE, RED = "#AA4499", "#4477AA", "#CC3311"
"""Of Paul Tol's palettes, which colour-blind readers tell apart."""
PALETTE = ("#882255", "#332288", "#44AA99", "#999933", "#CC6677", "#88CCEE", "#DDCC77")
"""For metrics without a colour: the rest of his muted palette, dark ones first."""


def colours_of(shown: Mapping[str, Metric]) -> dict[str, str]:
    """A colour for each of the metrics that figures show together.

    Parameters
    ----------
    shown : mapping of str to Metric
        Those that are shown, by their columns, in order.

    Returns
    -------
    dict of str to str
        By column: the colour that the metric declares, or else the next of `PALETTE` that none of
        the others has. More of them than the palette has colours begin it again.
    """
    taken = {metric.colour.upper() for metric in shown.values()}
    free = [colour for colour in PALETTE if colour not in taken] or list(PALETTE)
    without = [name for name, metric in shown.items() if not metric.colour]
    given = {name: free[place % len(free)] for place, name in enumerate(without)}
    return {name: metric.colour or given[name] for name, metric in shown.items()}
