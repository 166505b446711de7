"""ChipScorer: what a classifier says of each chip of a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from pyveg.core import module, registry
from pyveg.core.errors import ConfigError
from pyveg.core.module import Shipment
from pyveg.core.params import setting
from pyveg.core.scorer import Model
from pyveg.earth.chips import SIZE, VALID_FRACTION
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.kernels.images import cut_chips
from pyveg.modules.scoring import models

_LEAST = 0.001
"""Confidence below which a scorer need not tell of a class; it is 0 then."""


@dataclass(frozen=True, kw_only=True)
class ChipScorerSettings(module.Settings):
    """Settings of `ChipScorer`."""

    model: str = setting(doc="file of a model that scores images", results=False)
    category: str = setting("patterned", doc="name of the category whose score is taken")
    scorer: str = setting("onnx", doc="what runs the model")
    record: str | dict[str, Any] = setting(
        "", doc="what says how to use the model, or its file; beside it where left out"
    )
    digest: str = setting("", doc="of the model; is found, so leave it out")
    n_sub_images: int = setting(
        -1, doc="only the first n chips of each date; -1: all", low=-1, but=0
    )


METRICS = (
    Metric("pattern_score", "1", "what a classifier of chips says: probability of the category",
           "Pattern score", test="none", in_series=False, low=0, high=1),
    VALID_FRACTION,
)  # fmt: skip


class ChipScorer(EarthModule[ChipScorerSettings]):
    """Score each chip by a model, such as the one that `ChipTrainer` makes.

    The model sees the grey NDVI picture, as in the chips that the trainer learns from.
    """

    Settings = ChipScorerSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    metrics = METRICS
    records_files: ClassVar[Mapping[Support, str]] = {"chip": "SCORE/chip_scores"}

    @classmethod
    def settled(
        cls, settings: ChipScorerSettings, where: str, warn: Callable[[str], None]
    ) -> ChipScorerSettings:
        """With a model that is there, and knows the category."""
        del warn
        kind = registry.scorer_class(settings.scorer, where)
        found = kind.find(settings.model, settings.record)
        classes = found.record.get("classes", ())
        if settings.category not in classes:
            raise ConfigError(
                f'{where}: the model has no category "{settings.category}"',
                f"it has {', '.join(map(str, classes))}",
            )
        return replace(settings, model=found.where, record=dict(found.record), digest=found.digest)

    @classmethod
    def parts(cls, settings: ChipScorerSettings) -> Iterator[tuple[str, str]]:
        """What runs the model."""
        yield "scorer", settings.scorer

    def prepare(self, shipment: Shipment[ChipScorerSettings]) -> Mapping[str, str]:
        """Send the model where Tasks run on other machines."""
        if shipment.far:
            models.send(_model(shipment.settings), shipment.store)
        return {}

    def run(self, job: EarthJob[ChipScorerSettings]) -> None:
        """Score the chips of one date."""
        settings = job.settings
        chosen = job.chip_grid().chosen(settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        scorer = models.opened(settings.scorer, _model(settings), _LEAST, job.store)
        numbers = [n for n, name in scorer.categories.items() if name == settings.category]
        picture = job.read_picture("NDVI")
        if picture.ndim == 2:  # of grey alone
            picture = np.repeat(picture[:, :, np.newaxis], 3, axis=2)
        images = list(cut_chips(picture, SIZE)[chosen])
        rows = {}
        for chip, found in zip(chosen, scorer.score(images), strict=True):
            sure = [one.confidence for one in found if one.category in numbers]
            rows[chip] = {"pattern_score": round(max(sure, default=0.0), 6)}
        job.write_chip_records(rows)


def _model(settings: ChipScorerSettings) -> Model:
    record = settings.record if isinstance(settings.record, dict) else {}
    return Model(settings.model, record, settings.digest, in_file=True)
