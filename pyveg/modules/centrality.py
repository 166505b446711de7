"""Network centrality of the chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pyveg import formats
from pyveg.core import module
from pyveg.core.module import Job
from pyveg.core.params import setting
from pyveg.kernels import images
from pyveg.modules.chips import SIZE, Chips


@dataclass(frozen=True, kw_only=True)
class NetworkCentralityCalculatorSettings(module.Settings):
    """Settings of `NetworkCentralityCalculator`."""

    n_sub_images: int = setting(-1, doc="only the first n chips of each date; -1: all", low=-1)
    n_threads: int = setting(1, doc="threads inside one Task", low=1, results=False)
    signal: Literal["bare_soil", "vegetation"] = setting(
        "bare_soil", doc="which pixels are the nodes of the network"
    )
    use_diagonal_neighbours: bool = setting(
        False, doc="join pixels that touch at a corner too, 8 neighbours rather than 4"
    )
    num_quantiles: int = setting(20, doc="length of the feature vector", low=2, high=1000)


class NetworkCentralityCalculator(module.Module[NetworkCentralityCalculatorSettings]):
    """Measure how connected the pattern of each chip is."""

    Settings = NetworkCentralityCalculatorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    provides: ClassVar[tuple[str, ...]] = ("records",)
    preload: ClassVar[tuple[str, ...]] = ("pyveg.kernels.centrality",)

    def run(self, job: Job[NetworkCentralityCalculatorSettings]) -> None:
        """Process one date."""
        from pyveg.kernels.centrality import feature_vector_metrics, feature_vectors

        date, layout, settings = job.item.name, job.layout, job.settings
        found = Chips.decode(job.store.read(layout.chips(date)))
        picture = formats.decode_png(job.store.read(layout.processed(date, "BWNDVI")))
        chosen = found.chosen(settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        wanted = 255 if settings.signal == "bare_soil" else 0
        masks = images.cut_chips(picture, SIZE)[chosen] == wanted
        vectors = feature_vectors(
            masks,
            num_quantiles=settings.num_quantiles,
            diagonal=settings.use_diagonal_neighbours,
            n_threads=settings.n_threads,
        )
        covers = masks.mean(axis=(1, 2), dtype=np.float64)
        records = [
            {
                **feature_vector_metrics(vector),
                "feature_vec": vector.tolist(),
                **found.record(index, date),
                "signal": settings.signal,
                "signal_cover": round(float(cover), 6),
            }
            for index, vector, cover in zip(chosen, vectors, covers, strict=True)
        ]
        key = layout.network_centralities(date)
        job.store.write(key, formats.encode_records(records))
