"""ScoreImages: a model over many images, a shard of them at a time."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pyveg.core import module, registry
from pyveg.core.errors import (
    ConfigError,
    ServiceAwayError,
)
from pyveg.core.module import Job, Planning, Shipment
from pyveg.core.params import setting
from pyveg.core.scorer import Model
from pyveg.core.texts import cut
from pyveg.core.types import Item, Scope
from pyveg.modules.command import sending
from pyveg.modules.scoring import lines, models, shards
from pyveg.modules.scoring.best import Best
from pyveg.modules.scoring.looking import Images, Look
from pyveg.modules.scoring.shards import Shard
from pyveg.photos import ENDINGS

DETECTIONS = "detections.jsonl"
"""What a shard gives: a line that says which model it was, then a line for each image."""
BEST = "best.json"
"""Pictures of the surest detections of a shard, and how many of its images have a category."""


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(module.Settings):
    """Settings of `ScoreImages`."""

    images: tuple[str, ...] = setting(
        doc="images, folders, patterns, @lists, prefixes of containers, URLs", results=False
    )
    may_be_empty: bool = setting(
        False, doc="whether it is fine that no image is there", results=False
    )
    model: str = setting(
        doc='the model: a file, or an address; "demo" is one to try it with', results=False
    )
    record: str | dict[str, Any] = setting(
        "",
        doc="what says how to use the model, or its file; beside it where left out",
        results=False,
    )
    scorer: str = setting("onnx", doc="what runs the model")
    threshold: float = setting(
        0.1, doc="least confidence of a detection that is kept", low=0.001, high=0.999
    )
    endings: tuple[str, ...] = setting(
        ENDINGS, doc="of the files that are images, in any case; all files where empty"
    )
    images_per_task: int = setting(
        2000, doc="images of a task, at most", low=1, high=100_000, results=False
    )
    shard_by: Literal["count", "folder"] = setting(
        "count", doc='"folder": no task has images of two folders', results=False
    )
    private_hosts: tuple[str, ...] = setting(
        (),
        doc="hosts in private networks that addresses of images may lead to; all others are "
        "refused",
        results=False,
    )
    pictures: int = setting(
        8,
        doc="pictures of the surest detections that a task keeps of each category",
        low=0,
        high=100,
        results=False,
    )


class ScoreImages(module.Module[ScoreSettings]):
    """Look at images with a model; what is on each, or why it could not be looked at."""

    Settings = ScoreSettings
    role: ClassVar[module.Role] = "start"
    listed: ClassVar[bool] = True

    @classmethod
    def settled(
        cls, settings: ScoreSettings, where: str, warn: Callable[[str], None]
    ) -> ScoreSettings:
        """Paths in full, and a model that is there."""
        del warn
        if not settings.images and not settings.may_be_empty:
            raise ConfigError(f"{where}: images is empty", "name files, a folder or a pattern")
        found = _model(settings)
        inputs = registry.open_inputs(settings.images, settings.private_hosts)
        record = dict(found.record)
        return replace(settings, images=inputs.settled(), model=found.where, record=record)

    def items(self, planning: Planning, settings: ScoreSettings) -> Sequence[Item]:
        """One for each shard."""
        model = _model(settings)
        more = {"model": model.digest, "in_file": model.in_file}
        left_out: Counter[str] = Counter()
        found = [shard.item(more) for shard in _shards(settings, left_out)]
        if left_out:
            kinds = ", ".join(repr(ending) for ending, _ in left_out.most_common(3))
            planning.tell(
                f"files left out, as their endings ({kinds}) are those of no image: "
                f"{left_out.total()}; endings = [] takes all"
            )
        if not found and not settings.may_be_empty:
            raise ConfigError(
                f"no image is there: {', '.join(settings.images[:3])}",
                "give a folder or a pattern with images, or other endings",
            )
        return found

    def may_have_no_items(self, settings: ScoreSettings) -> bool:
        """As its setting says."""
        return settings.may_be_empty

    @classmethod
    def parts(cls, settings: ScoreSettings) -> Iterator[tuple[str, str]]:
        """What runs the model."""
        yield "scorer", settings.scorer

    def at_hand(
        self, scope: Scope, items: Sequence[Item], settings: ScoreSettings
    ) -> Iterator[bool]:
        """None can be scored before the model is open; `reach` tries that."""
        del scope, settings
        return (False for _ in items)

    def reach(self, scope: Scope, settings: ScoreSettings) -> None:
        """Open the model: one that cannot be opened is told before anything is written."""
        del scope
        model = _model(settings)
        scorer = registry.scorer_class(settings.scorer)
        scorer(model.where, model.record, settings.threshold).close()

    def prepare(self, shipment: Shipment[ScoreSettings]) -> Mapping[str, str]:
        """Write the lists of shards; send model and images where Tasks run on other machines."""
        settings, store = shipment.settings, shipment.store
        gone = shards.write_lists(_shards(settings), store, shipment.items)
        why = "its images have changed since the run was planned; finish it with --from_cache"
        refused = dict.fromkeys(gone, why)
        if shipment.far:
            models.send(_model(settings), store)
            for item in shipment.items:
                if item.name not in refused:
                    _send_images(item, shipment)
        return refused

    def tidy(self, shipment: Shipment[ScoreSettings]) -> None:
        """Remove images that were sent, but for those of shards that are yet to be done."""
        if not shipment.far:
            return
        needed = tuple(f"{_sent(shipment.scope, item)}/" for item in shipment.items)
        folder = sending.folder_of(shipment.scope)
        keys = shipment.store.list(f"{folder}/")
        for key in [key for key in keys if not key.startswith(needed)]:
            shipment.store.delete(key)

    def run(self, job: Job[ScoreSettings]) -> None:
        """Score each image of a shard; one that cannot be looked at is told with its reason."""
        settings, item = job.settings, job.item
        planned = _planned(settings, item)
        scorer = models.opened(settings.scorer, planned, settings.threshold, job.store)
        best = Best(settings.pictures)
        images = Images(settings.private_hosts, job.store, _sent(job.scope, item))
        look = Look(scorer, best, images)
        with job.store.open_write(detections_key(job.scope, item)) as out:
            about = {"detector": scorer.name, "categories": dict(scorer.categories)}
            out.write(lines.encoded(about))
            for image in shards.images_in(job.store, item):
                out.write(look(image))
            if look.away == item.details["count"]:
                # Before the stream is closed, so that nothing says that these were looked at.
                raise ServiceAwayError(look.reason, "finish the run with --from_cache")
        job.store.write(best_key(job.scope, item), best.encoded())
        job.notes["images"] = item.details["count"]
        job.notes["failed_images"] = look.failed


def detections_key(scope: Scope, item: Item) -> str:
    """Where what was found in the images of a shard is."""
    return f"{scope.root}/{shards.folder(item)}/{DETECTIONS}"


def best_key(scope: Scope, item: Item) -> str:
    """Where pictures of the surest of them are."""
    return f"{scope.root}/{shards.folder(item)}/{BEST}"


def _model(settings: ScoreSettings) -> Model:
    return registry.scorer_class(settings.scorer).find(settings.model, settings.record)


def _planned(settings: ScoreSettings, item: Item) -> Model:
    """The model that a Task was planned with."""
    record = settings.record if isinstance(settings.record, dict) else {}
    return Model(settings.model, record, item.details["model"], item.details["in_file"])


def _shards(settings: ScoreSettings, left_out: Counter[str] | None = None) -> Iterator[Shard]:
    """All images as they are now; the endings of files that are none are counted."""
    if not settings.images:
        return iter(())
    images = registry.open_inputs(settings.images, settings.private_hosts).each()
    endings = tuple(ending.lower() for ending in settings.endings)

    def is_one(image: Item) -> bool:
        fine = not endings or _ends(image, endings)
        if not fine and left_out is not None:
            left_out[cut(posixpath.splitext(image.name)[1], 12)] += 1
        return fine

    return shards.shards_of(filter(is_one, images), settings.images_per_task, settings.shard_by)


def _ends(image: Item, endings: tuple[str, ...]) -> bool:
    """Whether it is an image by its name, or by its address: a list may call it anything."""
    where = image.details["input"]
    names = [image.name, where]
    if where.startswith(("http://", "https://")):  # those end before their queries
        names = [name.partition("?")[0] for name in names]
    return any(name.lower().endswith(endings) for name in names)


def _sent(scope: Scope, item: Item) -> str:
    """Where copies of the images of a shard are."""
    return f"{sending.folder_of(scope)}/{item.details['list']}"


def _send_images(item: Item, shipment: Shipment[ScoreSettings]) -> None:
    """Those that cannot be had are failures of theirs, and no reason to leave the others."""
    images = list(shards.images_in(shipment.store, item))
    folder = _sent(shipment.scope, item)
    sending.send(
        registry.open_inputs((), shipment.settings.private_hosts),
        images,
        shipment.store,
        folder,
        shipment.tell,
    )
