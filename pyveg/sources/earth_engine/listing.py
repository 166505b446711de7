"""The scenes of one period: which are clear enough, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyveg.earth.periods import period_of
from pyveg.earth.source import Request
from pyveg.sources.earth_engine.graphs import INDEX, TIME, Day
from pyveg.sources.products import Product

BASELINE = "PROCESSING_BASELINE"
"""Property of Sentinel-2 scenes: the version of the processor."""


@dataclass
class Listing:
    """The scenes of one period."""

    clear: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Id of a product -> what is known of its scenes that are clear enough."""
    cloudy: int = 0
    """Scenes that are not."""
    unscored: int = 0
    """Scenes among the clear ones without a cloud score, so that all of their pixels are masked."""

    @property
    def count(self) -> int:
        """Scenes that are clear enough."""
        return sum(len(scenes) for scenes in self.clear.values())

    def add(
        self,
        product: Product,
        rows: list[dict[str, Any]],
        flag: str,
        request: Request,
        scored: Sequence[str] | None,
    ) -> None:
        """Sort the scenes of one dataset; one that does not state its cloud counts as clear."""
        scenes = []
        # By index: the service gives them in any order, and the digest of a question must not vary.
        for row in sorted(rows, key=lambda row: str(row[INDEX])):
            cloud = row.get(flag)
            if cloud is not None and cloud >= request.cloudy_pix_frac:
                self.cloudy += 1
                continue
            taken = datetime.fromtimestamp(row[TIME] / 1000, tz=UTC)
            scene = {"index": row[INDEX], "taken": taken.isoformat(), "cloud": cloud}
            scene |= {name.lower(): row[name] for name in product.facts if row[name] is not None}
            if product.mask == "cloud_score" and row[INDEX] not in (scored or ()):
                scene["scored"] = False
                self.unscored += 1
            scenes.append(scene)
        self.clear[product.id] = scenes

    def days(self, products: Sequence[Product], longitude: float) -> list[Day]:
        """The scenes by dataset and by day at the place, so that no overpass is cut in two.

        Parameters
        ----------
        products : sequence of Product
        longitude : float
            Of the place, degrees; 15 of them are an hour.
        """
        days: dict[tuple[int, date], list[str]] = {}
        for number, product in enumerate(products):
            for scene in self.clear[product.id]:
                moment = datetime.fromisoformat(scene["taken"]) + timedelta(hours=longitude / 15)
                days.setdefault((number, moment.date()), []).append(scene["index"])
        return [Day(products[key[0]], tuple(sorted(days[key]))) for key in sorted(days)]

    def why_none(self, request: Request) -> str:
        """Why no scene is clear enough."""
        if not self.cloudy:
            return f"no image: no scene was taken in {period_of(request.item)}"
        return (
            f"no image: {self.cloudy} scenes have {request.cloudy_pix_frac:g} % cloud or more "
            "(cloudy_pix_frac)"
        )

    def record(self) -> dict[str, Any]:
        """For the results."""
        scenes = [
            {"id": f"{name}/{scene['index']}", **{k: v for k, v in scene.items() if k != "index"}}
            for name, rows in self.clear.items()
            for scene in rows
        ]
        baselines = {scene.get(BASELINE.lower()) for scene in scenes} - {None}
        return {
            "source": "earth_engine",
            "collections": {name: len(rows) for name, rows in self.clear.items()},
            "n_scenes": self.count,
            "n_cloudy_scenes": self.cloudy,
            "n_scenes_without_score": self.unscored,
            "baselines": sorted(map(str, baselines)),
            "scenes": scenes,
        }
