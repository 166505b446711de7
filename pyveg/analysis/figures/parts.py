"""A figure in pieces, for pages that lay them out by themselves.

A page that shows a figure as one picture must shrink it on a phone until its letters cannot be
read. So every panel is a picture by itself, and the legend is text with small marks.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from pyveg.analysis.figures.style import files_style

PAD = 0.04
"""Inches around a panel."""
_NOTHING_SHOWN = re.compile(rb"<!--.*?-->|<metadata>.*?</metadata>|(?<=\n)\\s+", re.DOTALL)
"""Parts of an SVG that no reader sees: comments, what it says about itself, and indentation."""
_DASHES = {"--": "6 3", ":": "2 2", "-.": "6 2 2 2"}


class Panel(NamedTuple):
    """A panel as a picture."""

    svg: bytes
    png: bytes
    """Empty where the SVG is small enough."""
    width: float
    height: float
    """Inches."""


class Key(NamedTuple):
    """An entry of a legend."""

    mark: Markup
    """A small SVG, for HTML."""
    label: str


def panels_of(figure: Figure, *, largest: int) -> list[Panel]:
    """Each panel of a figure by itself, all with the same room around their axes.

    Axes with one label (`Axes.set_label`) are one panel.

    Parameters
    ----------
    figure : Figure
        It is left as it was.
    largest : int
        Bytes of SVG from which a panel is made as PNG too.

    Returns
    -------
    list of Panel
        In the order in which the axes were made.
    """
    groups = _groups(figure.axes)
    with files_style():
        figure.draw_without_rendering()
        margins = np.max([_margins(axis) for axis in figure.axes], axis=0)
    boxes = [_room(figure, group, margins) for group in groups]
    seen = [(one, one.get_visible()) for one in (*figure.axes, *figure.legends)]
    found = []
    for group, box in zip(groups, boxes, strict=True):
        for one, _ in seen:
            one.set_visible(one in group)
        found.append(_saved(figure, box, largest))
    for one, visible in seen:
        one.set_visible(visible)
    return found


def _groups(axes: Sequence[Axes]) -> list[list[Axes]]:
    groups: dict[object, list[Axes]] = {}
    for axis in axes:
        label = str(axis.get_label())
        groups.setdefault(label if label and not label.startswith("_") else axis, []).append(axis)
    return list(groups.values())


def _room(figure: Figure, group: Sequence[Axes], margins: NDArray[np.float64]) -> Bbox:
    """Inches of some axes, with as much around them as any of their figure needs."""
    own = Bbox.union([axis.get_window_extent() for axis in group])
    left, bottom, right, top = margins
    whole = Bbox.from_extents(own.x0 - left, own.y0 - bottom, own.x1 + right, own.y1 + top)
    return Bbox(whole.get_points() / figure.dpi).padded(PAD)


def _margins(axis: Axes) -> NDArray[np.float64]:
    tight, own = axis.get_tightbbox(), axis.get_window_extent()
    if tight is None:
        return np.zeros(4)
    return np.array([own.x0 - tight.x0, own.y0 - tight.y0, tight.x1 - own.x1, tight.y1 - own.y1])


def _saved(figure: Figure, box: Bbox, largest: int) -> Panel:
    svg = _NOTHING_SHOWN.sub(b"", _file(figure, box, "svg", 200.0, {"Date": None}))
    png = b""
    if len(svg) > largest:
        png = _file(figure, box, "png", 200.0, {"Software": "pyveg"})
    return Panel(svg, png, float(box.width), float(box.height))


def _file(figure: Figure, box: Bbox, kind: str, dpi: float, about: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with files_style():
        figure.savefig(stream, format=kind, dpi=dpi, bbox_inches=box, metadata=about)
    return stream.getvalue()


def keys_of(figure: Figure) -> tuple[str, list[Key]]:
    """The legend of a figure: its title, and what its marks mean."""
    if not figure.legends:
        return "", []
    legend: Legend = figure.legends[0]
    texts = [one.get_text() for one in legend.get_texts()]
    marks = [_mark(one) for one in legend.legend_handles]
    title = legend.get_title().get_text()
    return title, [Key(*one) for one in zip(marks, texts, strict=True)]


def _mark(handle: Any) -> Markup:
    if isinstance(handle, Line2D):
        return _svg(_line(handle))
    if isinstance(handle, Patch):
        return _svg(_patch(handle))
    return Markup("")


def _svg(inside: Markup) -> Markup:
    return Markup('<svg class="key" viewBox="0 0 28 12" aria-hidden="true">{}</svg>').format(inside)


def _line(handle: Line2D) -> Markup:
    colour, kind, marker = to_hex(handle.get_color()), handle.get_linestyle(), handle.get_marker()
    drawn = Markup("")
    if kind not in {"None", "", " "}:
        dash = _DASHES.get(str(kind), "")
        drawn += Markup(
            '<line x1="1" x2="27" y1="6" y2="6" stroke="{}" stroke-width="2"{}/>'
        ).format(colour, Markup(' stroke-dasharray="{}"').format(dash) if dash else "")
    if marker == "x":
        drawn += Markup('<path d="M10 2l8 8M18 2l-8 8" stroke="{}" stroke-width="1.8"/>').format(
            colour
        )
    elif marker in {"o", "."}:
        fill = "none" if handle.get_fillstyle() == "none" else colour
        drawn += Markup('<circle cx="14" cy="6" r="3.2" fill="{}" stroke="{}"/>').format(
            fill, colour
        )
    return drawn


def _patch(handle: Patch) -> Markup:
    face = to_rgba(handle.get_facecolor())
    edge = handle.get_edgecolor() if handle.get_linewidth() else face
    drawn = Markup(
        '<rect x="2" y="1" width="24" height="10" fill="{}" fill-opacity="{:.2f}" stroke="{}"/>'
    ).format(to_hex(face), face[3], to_hex(edge))
    if handle.get_hatch():
        drawn += Markup('<path d="M6 11l8-10M14 11l8-10" stroke="#fff"/>')
    return drawn
