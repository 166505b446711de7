"""What people read of a metric: its label as it was declared, whole and short."""

from __future__ import annotations

from collections.abc import Mapping

from pyveg.earth.metrics import Metric


def metric_of(declared: Mapping[str, Metric], name: str) -> Metric:
    """What is known of a metric; one that nobody declared is called by its own name."""
    if name in declared:
        return declared[name]
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
