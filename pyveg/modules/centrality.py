"""Network centrality of the chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pyveg.core.params import setting
from pyveg.earth.chips import SIZE
from pyveg.earth.indices import IndexSettings, of_index, settled
from pyveg.earth.metrics import OFFSET50, Metric, Support
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.earth.network import nodes
from pyveg.kernels import images


@dataclass(frozen=True, kw_only=True)
class NetworkCentralityCalculatorSettings(IndexSettings):
    """Settings of `NetworkCentralityCalculator`."""

    n_sub_images: int = setting(
        -1, doc="only the first n chips of each date; -1: all", low=-1, but=0
    )
    n_threads: int = setting(1, doc="threads inside one Task", low=1, high=4096, results=False)
    signal: Literal["bare_soil", "vegetation"] = setting(
        "bare_soil", doc="which pixels are the nodes of the network"
    )
    use_diagonal_neighbours: bool = setting(
        False, doc="join pixels that touch at a corner too, 8 neighbours rather than 4"
    )
    num_quantiles: int = setting(20, doc="length of the feature vector", low=2, high=1000)


SIGNAL_COVER = Metric(
    "signal_cover", "1", "share of the chip's pixels that are nodes of the network",
    "Nodes", test="none", low=0, high=1, family="network",
)  # fmt: skip


def _of_vector(name: str, meaning: str, **more: Any) -> Metric:
    """A number made of the feature vector; a chip without a node has none."""
    return Metric(
        name, "pixels", meaning, family="network", void_without=SIGNAL_COVER.name,
        **{"label": f"Feature vector, {name}", "test": "none", "in_series": False, **more},
    )  # fmt: skip


METRICS = (
    _of_vector(
        OFFSET50, "nodes less edges of the whole network, less those of its best-connected half",
        label="Network centrality (offset50)", test="memory", in_series=True, colour="#AA4499",
    ),
    _of_vector("offset", "last element of the feature vector less its first"),
    _of_vector("slope", "offset over the length of the feature vector"),
    _of_vector("mean", "mean of the feature vector"),
    _of_vector("std", "population standard deviation of the feature vector"),
    SIGNAL_COVER,
)  # fmt: skip


class NetworkCentralityCalculator(EarthModule[NetworkCentralityCalculatorSettings]):
    """Measure how connected the pattern of each chip is."""

    Settings = NetworkCentralityCalculatorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    metrics = METRICS
    attributes: ClassVar[Mapping[str, str]] = {
        "feature_vec": "nodes less edges of the best-connected share of the nodes, a number for "
        "each quantile",
        "signal": "which pixels are the nodes",
    }
    records_files: ClassVar[Mapping[Support, str]] = {"chip": "NC/network_centralities"}
    preload: ClassVar[tuple[str, ...]] = ("pyveg.kernels.centrality",)

    @classmethod
    def settled(
        cls,
        settings: NetworkCentralityCalculatorSettings,
        where: str,
        warn: Callable[[str], None],
    ) -> NetworkCentralityCalculatorSettings:
        """With the formula of the index, as results tell it."""
        del warn
        return settled(settings, where)

    @classmethod
    def measures(cls, settings: NetworkCentralityCalculatorSettings) -> tuple[Metric, ...]:
        """The same numbers of whichever index; they say which."""
        return tuple(of_index(metric, settings) for metric in cls.metrics)

    def run(self, job: EarthJob[NetworkCentralityCalculatorSettings]) -> None:
        """Process one date."""
        from pyveg.kernels.centrality import feature_vector_metrics, feature_vectors

        settings = job.settings
        chosen = job.chip_grid().chosen(settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        picture = images.cut_chips(job.read_picture(settings.picture), SIZE)[chosen]
        masks = nodes(picture, settings.signal)
        vectors = feature_vectors(
            masks,
            num_quantiles=settings.num_quantiles,
            diagonal=settings.use_diagonal_neighbours,
            n_threads=settings.n_threads,
        )
        covers = masks.mean(axis=(1, 2), dtype=np.float64)
        job.write_chip_records(
            {
                index: {
                    **feature_vector_metrics(vector),
                    SIGNAL_COVER.name: round(float(cover), 6),
                    "feature_vec": vector.tolist(),
                    "signal": settings.signal,
                }
                for index, vector, cover in zip(chosen, vectors, covers, strict=True)
            }
        )
