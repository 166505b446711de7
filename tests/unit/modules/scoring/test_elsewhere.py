"""Tasks on machines that have neither the images nor the model: both come by the Store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from pyveg.core import registry
from pyveg.core.errors import RunError, ServiceAwayError
from pyveg.core.module import Job, Planning, Shipment
from pyveg.core.types import Item, Scope
from pyveg.modules.scoring import models
from pyveg.modules.scoring.score import ScoreImages, ScoreSettings, detections_key
from pyveg.sources import files
from pyveg.storage.memory import MemoryStore
from pyveg.testing.small_models import colour_model

SCOPE = Scope("cameras")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScoreSettings:
    """Of four images in shards of two."""
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(models, "_open", {})
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (4, 4), (0, 255, 0)).save(tmp_path / f"photos/{number}.png")
    given = ScoreSettings(
        images=(str(tmp_path / "photos"),), model=str(colour_model(tmp_path)), images_per_task=2
    )
    return ScoreImages.settled(given, "test", print)


def _ship(
    settings: ScoreSettings, items: list[Item], store: MemoryStore
) -> Shipment[ScoreSettings]:
    return Shipment(SCOPE, settings, tuple(items), store, far=True, tell=print)


def _lines(store: MemoryStore, item: Item) -> list[dict[str, object]]:
    lines = store.read(detections_key(SCOPE, item)).splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_the_copies_are_enough(settings: ScoreSettings, tmp_path: Path) -> None:
    module, store = ScoreImages(), MemoryStore()
    items = list(module.items(Planning(SCOPE), settings))
    shipment = _ship(settings, items, store)
    assert module.prepare(shipment) == {}
    for path in (*(tmp_path / "photos").iterdir(), tmp_path / "colours.onnx"):
        path.unlink()
    for item in items:
        module.run(Job(SCOPE, item, settings, store))
        assert [len(line["detections"]) for line in _lines(store, item)] == [1, 1]  # type: ignore[arg-type]
    assert len(list((tmp_path / "cache/models").rglob("*.onnx"))) == 1
    module.tidy(_ship(settings, items[:1], store))
    assert len(list(store.list("_pyveg/inputs/"))) == 2
    module.tidy(_ship(settings, [], store))
    assert not list(store.list("_pyveg/inputs/"))


def test_a_shard_whose_images_have_changed_is_not_sent(
    settings: ScoreSettings, tmp_path: Path
) -> None:
    module = ScoreImages()
    items = list(module.items(Planning(SCOPE), settings))
    (tmp_path / "photos/1.png").write_bytes(b"another")
    refused = module.prepare(_ship(settings, items, MemoryStore()))
    assert list(refused) == ["shard_00000"]
    assert "have changed since the run was planned" in refused["shard_00000"]


def test_a_model_that_was_replaced(settings: ScoreSettings, tmp_path: Path) -> None:
    module, store = ScoreImages(), MemoryStore()
    item, *_ = module.items(Planning(SCOPE), settings)
    module.prepare(Shipment(SCOPE, settings, (item,), store, far=False, tell=print))
    (tmp_path / "colours.onnx").write_bytes(b"another")
    with pytest.raises(RunError, match="has changed since the run was planned"):
        module.run(Job(SCOPE, item, settings, store))


def test_a_service_that_is_away(settings: ScoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """For some images it is their failure; for all of a shard it is that of the shard."""
    module, store = ScoreImages(), MemoryStore()
    item, *_ = module.items(Planning(SCOPE), settings)
    module.prepare(Shipment(SCOPE, settings, (item,), store, far=False, tell=print))
    away = {"0.png", "1.png"}
    opened = files.FileInputs.open

    def odd(self: files.FileInputs, image: Item) -> object:
        if image.name in away:
            raise ServiceAwayError("host cannot be reached", "wait")
        return opened(self, image)

    monkeypatch.setattr(files.FileInputs, "open", odd)
    with pytest.raises(ServiceAwayError, match="host cannot be reached"):
        module.run(Job(SCOPE, item, settings, store))
    assert store.size(detections_key(SCOPE, item)) is None
    away.remove("1.png")
    module.run(Job(SCOPE, item, settings, store))
    first, second = _lines(store, item)
    assert first["failure"] == "host cannot be reached; wait"
    assert second["detections"]


def test_machines_elsewhere_are_told_what_they_need(settings: ScoreSettings) -> None:
    (part,) = ScoreImages.parts(settings)
    assert part == ("scorer", "onnx")
    assert registry.extras_of(*part) == ("pyveg", ("score",))
