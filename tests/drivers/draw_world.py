"""Draws the map of the service's form: land and borders as one small SVG file.

    python -m tests.drivers.draw_world pyveg/service/pages/static/world.svg

The countries are those of Natural Earth at 1:110 million, which is in the public domain; the
package pyogrio (extra "geo") carries a copy among the files that it tests itself with. Nothing
needs this script but a change of the map.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

SOURCE = "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
UNITS = 10
"""Parts of a degree that coordinates are rounded to: the source is no finer."""
NOTE = (
    "Natural Earth, 1:110 million, countries; public domain. Drawn by tests/drivers/draw_world.py"
)


def main() -> None:
    package = Path(pyogrio.__file__).parent
    _meta, _ids, geometry, _fields = pyogrio.raw.read(package / SOURCE)
    countries = shapely.from_wkb(geometry)
    land = shapely.union_all(countries)
    outlines = shapely.union_all(shapely.boundary(countries))
    borders = shapely.line_merge(shapely.difference(outlines, shapely.boundary(land)))
    rings = [ring for part in land.geoms for ring in (part.exterior, *part.interiors)]
    look = f'vector-effect="non-scaling-stroke" transform="scale({1 / UNITS} {-1 / UNITS})"'
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">\n<!-- {NOTE} -->\n'
        f'<path id="land" {look} d="{drawn(rings, "z")}"/>\n'
        f'<path id="borders" {look} fill="none" d="{drawn(borders.geoms, "")}"/>\n</svg>\n'
    )
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
    print(f"{len(rings)} coastlines, {len(borders.geoms)} borders, {len(text)} bytes")


def drawn(lines: Iterable[shapely.LineString], end: str) -> str:
    """Lines as the path of an SVG, each point relative to the one before it."""
    return "".join(filter(None, (_path(shapely.get_coordinates(line), end) for line in lines)))


def _path(points: NDArray[np.float64], end: str) -> str:
    rounded = np.rint(points * UNITS).astype(int)
    steps = np.diff(rounded, axis=0)
    steps = steps[np.any(steps != 0, axis=1)]
    if len(steps) < (2 if end else 1):
        return ""  # smaller than the rounding
    (x, y), rest = rounded[0], " ".join(f"{dx} {dy}" for dx, dy in steps)
    return f"M{x} {y}l{rest}{end}"


if __name__ == "__main__":
    main()
