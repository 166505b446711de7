"""What people read of a metric: its label as it was declared, whole and short."""

from __future__ import annotations

from collections.abc import Mapping

from pyveg.earth.metrics import WEATHER, Metric

_WEATHER = {metric.name: metric for metric in WEATHER}
"""A table of dates and values declares nothing, and has these by their names."""


def metric_of(declared: Mapping[str, Metric], name: str) -> Metric:
    """What is known of a metric; one that nobody declared is called by its own name."""
    known = declared.get(name) or _WEATHER.get(name)
    if known is not None:
        return known
    # Columns of older results may have any name; that of a Metric is an identifier.
    identifier = name if name.isidentifier() else "undeclared"
    return Metric(identifier, "?", "not declared by any Module", name)


def label(declared: Mapping[str, Metric], name: str) -> str:
    """A metric as figures and headings name it."""
    return metric_of(declared, name).label


def short_label(declared: Mapping[str, Metric], name: str) -> str:
    """A metric where there is little room: without its brackets, unless another is called so."""
    whole = label(declared, name)
    short = whole.split(" (")[0]
    taken = any(other.label == short for other in declared.values())
    return whole if taken else short


def told_label(declared: Mapping[str, Metric], name: str) -> str:
    """A metric within a sentence: in plain words where there are some, and small letters.

    Examples
    --------
    >>> ndvi = Metric("ndvi_mean", "1", "mean NDVI", "NDVI", plain="greenness")
    >>> rain = Metric("rain", "mm", "rain", "Rain")
    >>> told_label({"ndvi_mean": ndvi, "rain": rain}, "ndvi_mean")
    'greenness (NDVI)'
    >>> told_label({"ndvi_mean": ndvi, "rain": rain}, "rain")
    'rain'
    """
    short = short_label(declared, name)
    if (name in declared or name in _WEATHER) and short[:1].isupper() and short[1:2].islower():
        short = f"{short[0].lower()}{short[1:]}"  # no acronym, and no column of the user's
    plain = metric_of(declared, name).plain
    return f"{plain} ({short})" if plain else short
