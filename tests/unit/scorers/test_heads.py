"""From outputs to detections: graphs whose answers are known, and a second decoder."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import skimage.data
from numpy.typing import NDArray

from pyveg.core.errors import ConfigError, DataError
from pyveg.core.scorer import Detection
from pyveg.kernels import boxes
from pyveg.scorers.demo import demo_model
from pyveg.scorers.heads import input_of
from pyveg.scorers.onnx import OnnxScorer
from pyveg.scorers.record import checked_record, read_record
from pyveg.testing.small_models import colour_model, constant_model

WIDE = np.full((60, 120, 3), 200, np.uint8)
"""An image of twice its height."""


def _opened(path: Path, threshold: float = 0.25) -> OnnxScorer:
    return OnnxScorer(str(path), read_record(path.with_suffix(".json")), threshold)


def _record(head: str, fit: str = "stretch", **more: Any) -> dict[str, Any]:
    size = {"size": [320, 640], "fit": fit}
    return {"head": head, "input": size, "classes": ["deer", "fox", "person"], **more}


def _rows(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    """Predictions among many that say nothing."""
    found = np.zeros((50, len(rows[0])), np.float32)
    found[[3 + 5 * number for number in range(len(rows))]] = rows
    return found


def _check(found: list[Detection], expected: list[tuple[str, float, tuple[float, ...]]]) -> None:
    assert [one.category for one in found] == [category for category, _, _ in expected]
    for one, (_, confidence, box) in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(confidence, abs=1e-6)
        assert one.box == pytest.approx(box, abs=1e-6)


def test_yolov5(tmp_path: Path) -> None:
    """Centre and size in pixels, an object's chance, and classes given that."""
    rows = _rows(
        (320, 160, 64, 32, 0.9, 0.1, 0.8, 0.05),  # a fox in the middle, 0.72
        (322, 160, 64, 32, 0.8, 0.0, 0.9, 0.0),  # nearly the same box, 0.72 too
        (64, 32, 128, 64, 0.5, 0.6, 0.0, 0.58),  # a deer of 0.3, and a person of 0.29
        (600, 300, 20, 20, 0.4, 0.5, 0.1, 0.1),  # 0.2 is too little
    )
    path = constant_model(tmp_path / "m.onnx", {"output0": rows[None]}, _record("yolov5"))
    scorer = _opened(path)
    assert scorer.categories == {"1": "deer", "2": "fox", "3": "person"}
    assert scorer.wanted == (640, 320)
    corner = (0.0, 0.0, 0.2, 0.2)
    (found,) = scorer.score([WIDE])
    _check(
        found,
        [("2", 0.72, (0.45, 0.45, 0.1, 0.1)), ("1", 0.3, corner), ("3", 0.29, corner)],
    )


def test_yolov8(tmp_path: Path) -> None:
    """No object's chance, and predictions along the last axis."""
    rows = _rows((320, 160, 64, 32, 0.1, 0.72, 0.05), (64, 32, 128, 64, 0.3, 0.0, 0.0))
    path = constant_model(tmp_path / "m.onnx", {"output0": rows.T[None]}, _record("yolov8"))
    (found,) = _opened(path).score([WIDE])
    _check(found, [("2", 0.72, (0.45, 0.45, 0.1, 0.1)), ("1", 0.3, (0.0, 0.0, 0.2, 0.2))])


def test_boxes_of_an_image_between_borders(tmp_path: Path) -> None:
    """A square image in a wide input has borders at both sides, which are no part of it."""
    rows = _rows(
        (320, 160, 160, 80, 0.0, 0.9, 0.0),
        (160, 160, 40, 80, 0.8, 0.0, 0.0),  # half in the border
        (20, 160, 40, 80, 0.0, 0.0, 0.7),  # in it: of no width once it is cut
    )
    record = _record("yolov8", "letterbox")
    path = constant_model(tmp_path / "m.onnx", {"output0": rows.T[None]}, record)
    (found,) = _opened(path).score([np.zeros((100, 100, 3), np.uint8)])
    _check(
        found[:2], [("2", 0.9, (0.25, 0.375, 0.5, 0.25)), ("1", 0.8, (0.0, 0.375, 0.0625, 0.25))]
    )
    assert all(one.box[2] == 0 for one in found[2:])


def test_an_image_between_borders_keeps_its_shape() -> None:
    about = checked_record(_record("yolov8", "letterbox"), "x").input
    (values,) = input_of([np.full((100, 100, 3), 255, np.uint8)], about)
    assert values.shape == (3, 320, 640)
    assert (values[:, :, 160:480] == 1).all()
    np.testing.assert_allclose(values[:, :, :160], 114 / 255, rtol=1e-6)
    np.testing.assert_allclose(values[:, :, 480:], 114 / 255, rtol=1e-6)


def test_classes_that_are_one_category(tmp_path: Path) -> None:
    """A deer that may be a fox is one animal; a class without category is not told."""
    rows = _rows((320, 160, 64, 32, 0.6, 0.7, 0.9), (64, 32, 128, 64, 0.0, 0.0, 0.8))
    names = {"categories": {"deer": "7", "fox": "7"}, "category_names": {"7": "animal"}}
    path = constant_model(tmp_path / "m.onnx", {"o": rows.T[None]}, _record("yolov8", **names))
    scorer = _opened(path)
    assert scorer.categories == {"7": "animal"}
    (found,) = scorer.score([WIDE])
    _check(found, [("7", 0.7, (0.45, 0.45, 0.1, 0.1))])


def test_a_classifier_names_all_of_the_image(tmp_path: Path) -> None:
    scorer = _opened(colour_model(tmp_path), 0.1)
    (found,) = scorer.score([np.full((5, 7, 3), (51, 255, 0), np.uint8)])
    _check(found, [("2", 1.0, (0, 0, 1, 1)), ("1", 0.2, (0, 0, 1, 1))])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((1, 50, 8), np.nan), "NaN"),
        (np.full((1, 50, 8), np.inf), "infinity"),
        (np.zeros((1, 50, 9)), "shape"),
        (np.zeros((2, 50, 8)), "2 answers for 1 images"),
    ],
)
def test_answers_that_cannot_be(tmp_path: Path, values: NDArray[Any], said: str) -> None:
    outputs = {"o": values.astype(np.float32)}
    path = constant_model(tmp_path / "m.onnx", outputs, _record("yolov5"))
    with pytest.raises(DataError, match=said):
        _opened(path).score([WIDE])


def test_outputs_are_named(tmp_path: Path) -> None:
    rows = _rows((320, 160, 64, 32, 0.9, 0.1, 0.8, 0.05))[None]
    outputs = {"other": np.zeros((1, 3), np.float32), "boxes": rows}
    record = _record("yolov5", outputs=["boxes"])
    path = constant_model(tmp_path / "m.onnx", outputs, record)
    assert [one.category for one in _opened(path).score([WIDE])[0]] == ["2"]
    path.with_suffix(".json").write_text(json.dumps({**record, "outputs": ["nothing"]}))
    with pytest.raises(DataError, match='no "nothing"; it has other, boxes'):
        _opened(path).score([WIDE])


def test_an_input_of_another_size(tmp_path: Path) -> None:
    record = {"input": {"size": [5, 5], "layout": "NHWC"}}
    with pytest.raises(DataError, match="refuses an input of"):
        _opened(colour_model(tmp_path, **record)).score([WIDE])


def test_what_is_no_model(tmp_path: Path) -> None:
    path = colour_model(tmp_path)
    path.write_bytes(b"no model")
    with pytest.raises(ConfigError, match="is no ONNX"):
        _opened(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        OnnxScorer(str(tmp_path), read_record(path.with_suffix(".json")), 0.1)


def test_a_name_that_the_model_does_not_have(tmp_path: Path) -> None:
    record = {"input": {"size": [4, 4], "layout": "NHWC", "name": "pictures"}}
    with pytest.raises(ConfigError, match="has the inputs images"):
        _opened(colour_model(tmp_path, **record))


def _decoded_again(
    codes: NDArray[Any], logits: NDArray[Any], least: float
) -> list[tuple[float, int, list[float]]]:
    """Score, class and corners by the definition of SSD, an anchor after the other, in loops."""
    found, number = [], 0
    sides = [0.2 + (0.95 - 0.2) * level / 5 for level in range(6)] + [1.0]
    for level, cells in enumerate((19, 10, 5, 3, 2, 1)):
        shapes = [(sides[level] * r**0.5, sides[level] / r**0.5) for r in (1, 2, 1 / 2, 3, 1 / 3)]
        between = (sides[level] * sides[level + 1]) ** 0.5
        shapes = [*shapes, (between, between)] if level else [(0.1, 0.1), *shapes[1:3]]
        for row in range(cells):
            for column in range(cells):
                for width, height in shapes:
                    dy, dx, dh, dw = (float(code) for code in codes[number])
                    x = (column + 0.5) / cells + dx / 10 * width
                    y = (row + 0.5) / cells + dy / 10 * height
                    w, h = width * math.exp(dw / 5) / 2, height * math.exp(dh / 5) / 2
                    for kind, logit in enumerate(logits[number].tolist()):
                        score = 1 / (1 + math.exp(-logit))
                        if kind and score >= least:
                            found.append((score, kind, [x - w, y - h, x + w, y + h]))
                    number += 1
    assert number == len(codes)
    return found


@pytest.mark.parametrize(
    ("name", "category", "kind"), [("chelsea", "1", "Cat"), ("astronaut", "2", "Person")]
)
def test_a_second_decoder_finds_the_same(name: str, category: str, kind: str) -> None:
    """The surest box of a photo, by loops over what the network gives for it."""
    image = getattr(skimage.data, name)()
    path = demo_model()
    plain = read_record(path.with_suffix(".json"))
    record = checked_record(plain, "demo")
    session = onnxruntime.InferenceSession(path)
    codes, logits = session.run(["boxes", "logits"], {"images": input_of([image], record.input)})
    again = _decoded_again(codes[0], logits[0], 0.3)
    score, number, corners = max(one for one in again if plain["classes"][one[1]] == kind)
    assert plain["classes"][number] == kind
    found = next(d for d in _opened(path, 0.3).score([image])[0] if d.category == category)
    assert found.confidence == pytest.approx(score, abs=1e-5)
    left, top, width, height = found.box
    cut = np.clip([corners], 0, 1)
    own = np.array([[left, top, left + width, top + height]])
    assert boxes.iou(own, cut)[0, 0] > 0.9
