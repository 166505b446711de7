"""From images to a model's input, and from its outputs to detections, as its record says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyveg.core.errors import DataError
from pyveg.core.scorer import Array, Detection
from pyveg.kernels import boxes
from pyveg.kernels.boxes import Detected, Fit
from pyveg.scorers.record import AnchorRecord, InputRecord, Record

_ALL = (0.0, 0.0, 1.0, 1.0)


def input_of(images: Sequence[Array], about: InputRecord) -> NDArray[np.float32]:
    """The input of a model.

    Parameters
    ----------
    images : sequence of array of uint8, shape (height, width, 3)
    about : InputRecord

    Returns
    -------
    array of float32
        Shape (N, height, width, 3), or (N, 3, height, width), as the record says.
    """
    resized = np.stack([_fitted(np.asarray(image), about) for image in images])
    factor, shift = about.scale
    values = resized.astype(np.float32) * np.float32(factor) + np.float32(shift)
    if about.layout == "NCHW":
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values)


def fit_of(image: Array, about: InputRecord) -> Fit:
    """How an image lies in the input."""
    height, width = image.shape[:2]
    return boxes.fit_into(width, height, about.size, keep_shape=about.fit == "letterbox")


def _fitted(image: NDArray[np.uint8], about: InputRecord) -> NDArray[np.uint8]:
    fit = fit_of(image, about)
    size = (fit.width, fit.height)
    inner = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    if size == about.size[::-1]:
        return inner
    whole = np.full((*about.size, 3), about.border, dtype=np.uint8)
    whole[fit.top : fit.top + fit.height, fit.left : fit.left + fit.width] = inner
    return whole


def detections_of(
    outputs: Mapping[str, NDArray[Any]],
    images: Sequence[Array],
    record: Record,
    threshold: float,
) -> list[list[Detection]]:
    """What outputs of a model say of the images that it was given.

    Parameters
    ----------
    outputs : mapping of str to array
        By name, in the order of the model; first axis: images.
    images : sequence of array
        Their shapes alone matter.
    record : Record
    threshold : float
        Least confidence that is told.

    Raises
    ------
    DataError
        If there are not the outputs that the record's head has, or they hold NaN.
    """
    arrays = _chosen(outputs, record)
    for array in arrays:
        if len(array) != len(images):
            raise DataError(
                f"the model gave {len(array)} answers for {len(images)} images",
                "convert it so that the first axis of its input and outputs is free",
            )
        if not np.isfinite(array).all():
            raise DataError("the model answered with NaN or infinity", "look at how it was made")
    return [
        _of_image([array[place] for array in arrays], image, record, threshold)
        for place, image in enumerate(images)
    ]


def _chosen(outputs: Mapping[str, NDArray[Any]], record: Record) -> list[NDArray[Any]]:
    """The outputs that the head reads, in its order."""
    wanted = 2 if record.model.head == "ssd" else 1
    names = record.model.outputs or tuple(outputs)[:wanted]
    missing = next((name for name in names if name not in outputs), None)
    if missing is not None or len(names) < wanted:
        said = f'"{missing}"' if missing is not None else f"{wanted} outputs"
        raise DataError(
            f"the model has no {said}; it has {', '.join(outputs)}",
            'name its outputs in the record: "outputs": [...]',
        )
    return [np.asarray(outputs[name]) for name in names[:wanted]]


def _of_image(
    arrays: Sequence[NDArray[Any]], image: Array, record: Record, threshold: float
) -> list[Detection]:
    if record.model.head == "scores":
        return _named(arrays[0], record, threshold)
    raw = _of_categories(_decoded(arrays, record, threshold), record)
    # Cut at the image's edges before they are compared: what lies beyond is nothing that was seen.
    placed = boxes.without_border(raw.boxes, fit_of(image, record.input), record.input.size)
    found = boxes.keep_best(
        Detected(placed, raw.scores, raw.classes), record.model.overlap, record.model.most
    )
    return [
        Detection(str(number), float(sure), _left_top_size(box))
        for box, sure, number in zip(found.boxes, found.scores, found.classes.tolist(), strict=True)
    ]


def _decoded(arrays: Sequence[NDArray[Any]], record: Record, threshold: float) -> Detected:
    """What a head says, boxes that overlap included."""
    classes, head = len(record.model.classes), record.model.head
    if record.anchors is not None:
        anchors = _anchors(record.anchors)
        codes, logits = arrays[0].reshape(-1, 4), arrays[1]
        _check_shape(logits, (len(anchors), classes))
        _check_shape(codes, (len(anchors), 4))
        return boxes.decode_ssd(codes, logits, anchors, threshold)
    if head == "yolov5":
        _check_shape(arrays[0], (None, 5 + classes))
        return boxes.decode_yolov5(arrays[0], threshold, record.input.size)
    _check_shape(arrays[0], (4 + classes, None))
    return boxes.decode_yolov8(arrays[0], threshold, record.input.size)


@lru_cache
def _anchors(about: AnchorRecord) -> NDArray[np.float64]:
    return boxes.ssd_anchors(about.grids, smallest=about.smallest, largest=about.largest)


def _check_shape(array: NDArray[Any], wanted: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(wanted) and all(
        length is None or length == there for length, there in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        shape = " x ".join("any" if length is None else str(length) for length in wanted)
        raise DataError(
            f"an output of the model has the shape {array.shape} for an image, not {shape}",
            "look at head, classes and outputs in its record",
        )


def _of_categories(found: Detected, record: Record) -> Detected:
    """With numbers of categories for classes, so that a dog that may be a cat is one animal."""
    numbers = np.array([int(number or -1) for number in record.numbers])[found.classes]
    here = numbers >= 0
    return Detected(found.boxes[here], found.scores[here], numbers[here])


def _named(scores: NDArray[Any], record: Record, threshold: float) -> list[Detection]:
    """What an image shows, by a model that does not say where."""
    flat = scores.reshape(-1)
    _check_shape(flat, (len(record.model.classes),))
    pairs = zip(record.numbers, flat.astype(float).tolist(), strict=True)
    found = [Detection(number, sure, _ALL) for number, sure in pairs if number]
    sure_enough = [one for one in found if one.confidence >= threshold]
    return sorted(sure_enough, key=lambda one: (-one.confidence, int(one.category)))


def _left_top_size(box: NDArray[Any]) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, box)
    return left, top, math.fsum((right, -left)), math.fsum((bottom, -top))
