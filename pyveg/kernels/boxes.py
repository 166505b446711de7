"""Boxes of objects in images: anchors, what detectors put out, overlap, and which box to keep.

A box is ``(left, top, right, bottom)``, mostly as shares of the image's width and height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "Detected",
    "Fit",
    "decode_ssd",
    "decode_yolov5",
    "decode_yolov8",
    "fit_into",
    "iou",
    "keep_best",
    "ssd_anchors",
    "without_border",
]

Boxes = NDArray[np.float64]
Scores = NDArray[np.float64]
Classes = NDArray[np.int64]

_LARGEST_STEP = 4.0
"""Natural logarithm of how much larger than its anchor a box may be; beyond that nothing is
meant, and the exponential would overflow."""


class Detected(NamedTuple):
    """Objects of one image, the surest first."""

    boxes: Boxes
    """Shape (D, 4)."""
    scores: Scores
    """Confidences between 0 and 1; shape (D,)."""
    classes: Classes
    """Which class each is; shape (D,)."""


class Fit(NamedTuple):
    """How an image lies within the input of a model; all in pixels."""

    width: int
    """Of the resized image."""
    height: int
    left: int
    """Columns of border before it."""
    top: int
    """Rows of border above it."""


def fit_into(width: int, height: int, size: tuple[int, int], *, keep_shape: bool) -> Fit:
    """Where an image goes within a model's input.

    Parameters
    ----------
    width, height : int
        Of the image, pixels.
    size : (int, int)
        Height and width of the input, pixels.
    keep_shape : bool
        True: the largest size that keeps the image's shape, centred between borders ("letterbox").
        False: the whole input ("stretch").

    Examples
    --------
    >>> fit_into(1600, 1200, (640, 640), keep_shape=True)
    Fit(width=640, height=480, left=0, top=80)
    """
    tall, wide = size
    if not keep_shape:
        return Fit(wide, tall, 0, 0)
    scale = min(wide / width, tall / height)
    inner_width = min(wide, max(1, round(width * scale)))
    inner_height = min(tall, max(1, round(height * scale)))
    return Fit(inner_width, inner_height, (wide - inner_width) // 2, (tall - inner_height) // 2)


def without_border(boxes: NDArray[Any], fit: Fit, size: tuple[int, int]) -> Boxes:
    """Boxes as shares of the image, from boxes as shares of the model's input.

    Parameters
    ----------
    boxes : array of float, shape (..., 4)
    fit : Fit
        How the image lies within the input.
    size : (int, int)
        Height and width of the input, pixels.

    Returns
    -------
    array of float64, shape (..., 4)
        Cut at the edges of the image.
    """
    tall, wide = size
    scale = np.array([wide / fit.width, tall / fit.height] * 2)
    shift = np.array([fit.left / fit.width, fit.top / fit.height] * 2)
    shares = np.asarray(boxes, dtype=np.float64) * scale - shift
    return np.asarray(np.clip(shares, 0.0, 1.0))


def ssd_anchors(
    grids: Sequence[int],
    *,
    smallest: float,
    largest: float,
    ratios: Sequence[float] = (1.0, 2.0, 0.5, 3.0, 1 / 3),
) -> Boxes:
    """Anchors of a Single Shot Detector.

    Parameters
    ----------
    grids : sequence of int
        Cells along each side of each feature map, the finest first.
    smallest, largest : float
        Scales of the first and the last feature map, as shares of the image.
    ratios : sequence of float
        Width to height of the anchors of a cell. The first map has three anchors only: a square of
        half the smallest scale, and ratios 2 and 1/2.

    Returns
    -------
    array of float64, shape (A, 4)
        Centre x, centre y, width, height, as shares of the image.

    Notes
    -----
    Liu et al. 2016 (10.1007/978-3-319-46448-0_2), with the scales of TensorFlow's SSD MobileNet: a
    further square has the geometric mean of a map's scale and of the next one's.

    Examples
    --------
    >>> ssd_anchors([19, 10, 5, 3, 2, 1], smallest=0.2, largest=0.95).shape
    (1917, 4)
    """
    scales = [*np.linspace(smallest, largest, len(grids)), 1.0]
    return np.concatenate(
        [_grid(cells, _shapes(number, scales, ratios)) for number, cells in enumerate(grids)]
    )


def _shapes(number: int, scales: Sequence[float], ratios: Sequence[float]) -> Boxes:
    """Widths and heights of the anchors of a cell."""
    scale, following = scales[number], scales[number + 1]
    if number == 0:
        pairs = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
    else:
        pairs = [(scale, ratio) for ratio in ratios]
        pairs.append((math.sqrt(scale * following), 1.0))
    return np.array([(side * math.sqrt(ratio), side / math.sqrt(ratio)) for side, ratio in pairs])


def _grid(cells: int, shapes: Boxes) -> Boxes:
    centres = (np.arange(cells) + 0.5) / cells
    y, x = np.meshgrid(centres, centres, indexing="ij")
    places = np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), len(shapes), axis=0)
    return np.hstack([places, np.tile(shapes, (cells * cells, 1))])


def decode_ssd(
    encodings: NDArray[Any],
    logits: NDArray[Any],
    anchors: Boxes,
    threshold: float,
    scales: tuple[float, float] = (10.0, 5.0),
) -> Detected:
    """Read what a Single Shot Detector says of one image.

    Parameters
    ----------
    encodings : array of float, shape (A, 4)
        Of each anchor: shift of the centre along y and x, and logarithms of height and width, each
        relative to the anchor and times `scales`.
    logits : array of float, shape (A, C)
        Of each class; class 0 is the background.
    anchors : array of float64, shape (A, 4)
        As `ssd_anchors` gives them.
    threshold : float
        Least confidence, above 0 and below 1.
    scales : (float, float)
        Of shifts and of logarithms.

    Returns
    -------
    Detected
        Boxes as shares of the input; overlapping ones are all there.
    """
    least = math.log(threshold / (1.0 - threshold))
    which, classes = np.nonzero(np.asarray(logits)[:, 1:] >= least)
    code = np.asarray(encodings, dtype=np.float64)[which]
    anchor = anchors[which]
    x = anchor[:, 0] + code[:, 1] / scales[0] * anchor[:, 2]
    y = anchor[:, 1] + code[:, 0] / scales[0] * anchor[:, 3]
    width = anchor[:, 2] * np.exp(np.minimum(code[:, 3] / scales[1], _LARGEST_STEP))
    height = anchor[:, 3] * np.exp(np.minimum(code[:, 2] / scales[1], _LARGEST_STEP))
    chosen = np.asarray(logits, dtype=np.float64)[which, classes + 1]
    return Detected(_corners(x, y, width, height), 1.0 / (1.0 + np.exp(-chosen)), classes + 1)


def decode_yolov5(predictions: NDArray[Any], threshold: float, size: tuple[int, int]) -> Detected:
    """Read what a YOLOv5 model says of one image.

    Parameters
    ----------
    predictions : array of float, shape (A, 5 + C)
        Centre x and y, width and height in pixels of the input; how sure it is that there is an
        object; and probabilities of the classes, given that there is one.
    threshold : float
        Least confidence, which is the product of both.
    size : (int, int)
        Height and width of the input, pixels.

    Returns
    -------
    Detected
        Boxes as shares of the input; overlapping ones are all there.
    """
    table = np.asarray(predictions, dtype=np.float64)
    # One whose object is unlikely is left out before classes are multiplied: nearly all are.
    table = table[table[:, 4] >= threshold]
    return _pixels(table[:, :4], table[:, 5:] * table[:, 4:5], threshold, size)


def decode_yolov8(predictions: NDArray[Any], threshold: float, size: tuple[int, int]) -> Detected:
    """Read what a YOLOv8 model says of one image.

    Parameters
    ----------
    predictions : array of float, shape (4 + C, A)
        Centre x and y, width and height in pixels of the input; and probabilities of the classes.
    threshold : float
        Least confidence.
    size : (int, int)
        Height and width of the input, pixels.

    Returns
    -------
    Detected
        Boxes as shares of the input; overlapping ones are all there.
    """
    table = np.asarray(predictions, dtype=np.float64).T
    return _pixels(table[:, :4], table[:, 4:], threshold, size)


def _pixels(places: Boxes, scores: Scores, threshold: float, size: tuple[int, int]) -> Detected:
    which, classes = np.nonzero(scores >= threshold)
    x, y, width, height = places[which].T
    corners = _corners(x, y, width, height)
    tall, wide = size
    return Detected(corners / np.array([wide, tall] * 2), scores[which, classes], classes)


def _corners(x: Scores, y: Scores, width: Scores, height: Scores) -> Boxes:
    half = width / 2, height / 2
    return np.stack([x - half[0], y - half[1], x + half[0], y + half[1]], axis=1)


def iou(one: NDArray[Any], other: NDArray[Any]) -> Scores:
    """Intersection over union of each box with each other box.

    Parameters
    ----------
    one : array of float, shape (M, 4)
    other : array of float, shape (N, 4)

    Returns
    -------
    array of float64, shape (M, N)
        0 where neither has an area.

    Examples
    --------
    >>> float(iou(np.array([[0, 0, 2, 1]]), np.array([[1, 0, 3, 1]]))[0, 0])
    0.3333333333333333
    """
    first = np.asarray(one, dtype=np.float64)[:, None]
    second = np.asarray(other, dtype=np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(
        first[..., :2], second[..., :2]
    )
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    areas = [np.prod(np.maximum(b[..., 2:] - b[..., :2], 0.0), axis=-1) for b in (first, second)]
    union = areas[0] + areas[1] - shared
    out: Scores = np.zeros_like(shared)
    np.divide(shared, union, out=out, where=union > 0)
    return out


def keep_best(detected: Detected, overlap: float, most: int) -> Detected:
    """Of boxes of one class that overlap, keep the surest (non-maximum suppression).

    Parameters
    ----------
    detected : Detected
    overlap : float
        Intersection over union from which two boxes of one class are one object.
    most : int
        Objects that are kept at most.

    Returns
    -------
    Detected
        The surest first; of equally sure ones that of the lower class, then of the earlier box.
    """
    boxes = np.ascontiguousarray(detected.boxes, dtype=np.float64)
    order = np.lexsort((np.arange(len(boxes)), detected.classes, -detected.scores))
    kept = order[_suppressed(boxes[order], detected.classes[order], overlap, most)]
    return Detected(boxes[kept], detected.scores[kept], detected.classes[kept])


@njit(cache=True)
def _suppressed(boxes: Boxes, classes: Classes, overlap: float, most: int) -> Classes:
    """Places of the boxes that stay; they come in order."""
    kept = np.empty(min(len(boxes), most), dtype=np.int64)
    count = 0
    for i in range(len(boxes)):
        if count == most:
            break
        alone = True
        for k in range(count):
            j = kept[k]
            if classes[i] == classes[j] and _shares(boxes[i], boxes[j], overlap):
                alone = False
                break
        if alone:
            kept[count] = i
            count += 1
    return kept[:count]


@njit(cache=True)
def _shares(a: Boxes, b: Boxes, overlap: float) -> bool:
    """Whether two boxes overlap by so much of their union."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0.0 or tall <= 0.0:
        return False
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    shared = wide * tall
    return bool(shared >= overlap * (both - shared))
