"""What stands beside a model: how its input is made, and what its output means.

::

    {
        "detector": "MDv5a",
        "input": {"size": [1280, 1280], "fit": "letterbox", "layout": "NCHW"},
        "head": "yolov5",
        "classes": ["animal", "person", "vehicle"],
        "categories": {"animal": "1", "person": "2", "vehicle": "3"}
    }
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting

Head = Literal["ssd", "yolov5", "yolov8", "scores"]
ENDING = ".json"
"""Of the record, in the place of the model's own ending."""
_MOST_SIDE = 8192


@dataclass(frozen=True, kw_only=True)
class InputRecord:
    """How an image becomes the input of a model."""

    size: tuple[int, int] = setting(doc="height and width of the input, pixels", low=1)
    name: str = setting("", doc="name of the input; the model's only one where left out")
    fit: Literal["stretch", "letterbox"] = setting(
        "stretch", doc="whether an image fills the input, or keeps its shape between grey borders"
    )
    layout: Literal["NHWC", "NCHW"] = setting(
        "NCHW", doc="whether colours are the last axis of the input, or stand before its rows"
    )
    scale: tuple[float, float] = setting(
        (1 / 255, 0.0), doc="what a value of 0 to 255 is multiplied by, and what is added then"
    )
    border: int = setting(114, doc="grey of the borders, 0 to 255", low=0, high=255)


@dataclass(frozen=True, kw_only=True)
class AnchorRecord:
    """Anchors of a Single Shot Detector; `pyveg.kernels.boxes.ssd_anchors`."""

    grids: tuple[int, ...] = setting(doc="cells along a side of each feature map", low=1)
    smallest: float = setting(0.2, doc="scale of the first feature map", low=0.001, high=1)
    largest: float = setting(0.95, doc="scale of the last feature map", low=0.001, high=1)


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What there is to know of a model besides its numbers."""

    input: dict[str, Any] = setting(doc="how its input is made; see InputRecord")
    head: Head = setting(doc="what its outputs are")
    classes: tuple[str, ...] = setting(
        doc='names of its classes, in order; those of an "ssd" begin with the background'
    )
    categories: dict[str, str] = setting(
        {}, doc="class -> number of its category; each is one of its own where left out"
    )
    category_names: dict[str, str] = setting(
        {}, doc="number of a category -> its name; that of its first class where left out"
    )
    outputs: tuple[str, ...] = setting(
        (), doc="names of the outputs; of an ssd boxes first and then classes"
    )
    anchors: dict[str, Any] = setting({}, doc='of an "ssd"; see AnchorRecord')
    overlap: float = setting(
        0.5, doc="share of their union from which two boxes are one object", low=0.05, high=1
    )
    most: int = setting(100, doc="objects of an image, at most", low=1, high=10_000)
    detector: str = setting("", doc="what results call it; the name of its file where left out")

    def made(self, where: str) -> Record:
        """All of it, checked together.

        Raises
        ------
        ConfigError
            If parts contradict each other; `where` begins the message.
        """
        unknown = next((name for name in self.categories if name not in self.classes), None)
        if unknown is not None:
            raise ConfigError(
                f'{where}: categories name "{unknown}", which is no class',
                "name one of " + ", ".join(self.classes[:20]),
            )
        odd = next((n for n in self.categories.values() if not n.isdecimal()), None)
        if odd is not None:
            raise ConfigError(
                f'{where}: the category "{odd}" is no number', 'write numbers as text: "1", "2"'
            )
        if (self.head == "ssd") != bool(self.anchors):
            raise ConfigError(
                f'{where}: "anchors" belong to the head "ssd"', "give both, or neither"
            )
        anchors = None
        if self.anchors:
            anchors = params.build(AnchorRecord, self.anchors, f"{where}: anchors")
        numbers = self.categories or self._own_numbers()
        names = {numbers[name]: name for name in reversed(self.classes) if name in numbers}
        return Record(
            input=params.build(InputRecord, self.input, f"{where}: input"),
            anchors=anchors,
            numbers=tuple(numbers.get(name, "") for name in self.classes),
            names=dict(sorted({**names, **self.category_names}.items(), key=lambda n: int(n[0]))),
            model=self,
        )

    def _own_numbers(self) -> dict[str, str]:
        """A category for each class."""
        seen = self.classes[1:] if self.head == "ssd" else self.classes
        return {name: str(number) for number, name in enumerate(seen, start=1)}


@dataclass(frozen=True)
class Record:
    """A record that has been checked."""

    input: InputRecord
    anchors: AnchorRecord | None
    numbers: tuple[str, ...]
    """For each class the number of its category; empty where it is left out of results."""
    names: Mapping[str, str] = field(hash=False)
    """Number of a category -> its name."""
    model: ModelRecord


def record_of(model: Path, record: str | Mapping[str, Any]) -> dict[str, Any]:
    """The record of a model, checked: as it is given, at a path, or beside the model.

    Raises
    ------
    ConfigError
        If it is not there, is no record, or not one of a model that can be.
    """
    if isinstance(record, str):
        named = Path(record).expanduser().absolute()
        return read_record(named if record else model.with_suffix(ENDING))
    checked_record(record, f"the record of {model}")
    return dict(record)


def read_record(path: Path) -> dict[str, Any]:
    """Read and check the record of a model.

    Returns
    -------
    dict
        Plain data, as `checked_record` takes it.

    Raises
    ------
    ConfigError
        If it is not there, is no record, or not one of a model that can be.
    """
    example = "docs/scoring.md has a record to begin with"
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"the record {path} cannot be read: {why}", example) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the record {path} is no JSON: {error}", example) from None
    checked_record(found, str(path))
    return dict(found)


def checked_record(found: Mapping[str, Any], where: str) -> Record:
    """A record from plain data.

    Raises
    ------
    ConfigError
        If it is none, or not one of a model that can be; `where` begins the message.
    """
    record = params.build(ModelRecord, found, where).made(where)
    if max(record.input.size) > _MOST_SIDE:
        raise ConfigError(
            f"{where}: an input of {record.input.size} pixels is more than {_MOST_SIDE}",
            "give height and width of the model's input",
        )
    return record
