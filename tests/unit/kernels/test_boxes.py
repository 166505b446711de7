"""Boxes against slow, obvious ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels import boxes
from pyveg.kernels.boxes import Detected, fit_into, keep_best, without_border

RANDOM = np.random.default_rng(18)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Share of the union of two boxes that both have, by counting small cells."""
    cells = (np.arange(400) + 0.5) / 100 - 2
    x, y = np.meshgrid(cells, cells)
    first = (x >= a[0]) & (x < a[2]) & (y >= a[1]) & (y < a[3])
    second = (x >= b[0]) & (x < b[2]) & (y >= b[1]) & (y < b[3])
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def test_overlap_is_what_counting_gives() -> None:
    corners = np.sort(RANDOM.integers(-150, 150, (40, 2, 2)), axis=1).reshape(40, 4) / 100
    found = boxes.iou(corners[:20], corners[20:])
    for i in range(20):
        expected = [_overlap(tuple(corners[i]), tuple(other)) for other in corners[20:]]
        np.testing.assert_allclose(found[i], expected, atol=1e-12)


def _best_slowly(found: Detected, overlap: float, most: int) -> list[int]:
    left = sorted(range(len(found.scores)), key=lambda i: (-found.scores[i], found.classes[i], i))
    kept: list[int] = []
    for i in left:
        same = [j for j in kept if found.classes[j] == found.classes[i]]
        with_kept = [float(boxes.iou(found.boxes[[i]], found.boxes[[j]])[0, 0]) for j in same]
        if all(share < overlap for share in with_kept) and len(kept) < most:
            kept.append(i)
    return kept


@pytest.mark.parametrize("number", [0, 1, 30, 200])
def test_the_surest_of_each_object_stays(number: int) -> None:
    left_top = RANDOM.uniform(0, 0.6, (number, 2))
    found = Detected(
        np.hstack([left_top, left_top + RANDOM.uniform(0.1, 0.4, (number, 2))]),
        RANDOM.integers(1, 10, number) / 10,  # many ties
        RANDOM.integers(0, 3, number),
    )
    kept = keep_best(found, 0.3, 20)
    which = _best_slowly(found, 0.3, 20)
    np.testing.assert_array_equal(kept.boxes, found.boxes[which])
    np.testing.assert_array_equal(kept.scores, found.scores[which])
    np.testing.assert_array_equal(kept.classes, found.classes[which])


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    size=st.tuples(st.integers(32, 1300), st.integers(32, 1300)),
    keep_shape=st.booleans(),
)
def test_a_box_of_the_image_comes_back(
    width: int, height: int, size: tuple[int, int], keep_shape: bool
) -> None:
    fit = fit_into(width, height, size, keep_shape=keep_shape)
    assert 0 <= fit.left <= size[1] - fit.width
    assert 0 <= fit.top <= size[0] - fit.height
    of_image = np.array([[0.25, 0.1, 0.75, 1.0]])
    across = np.array([fit.width, fit.height] * 2)
    shift = np.array([fit.left, fit.top] * 2)
    of_input = (of_image * across + shift) / np.array([size[1], size[0]] * 2)
    np.testing.assert_allclose(without_border(of_input, fit, size), of_image, atol=1e-9)


def test_one_object_of_each_head_is_where_it_was_put() -> None:
    anchors = boxes.ssd_anchors([2, 1], smallest=0.2, largest=0.95)
    assert len(anchors) == 2 * 2 * 3 + 6
    logits = np.full((len(anchors), 3), -9.0)
    logits[4, 2] = np.log(0.8 / 0.2)
    codes = np.zeros((len(anchors), 4))
    codes[4] = [10 * 0.5, 10 * -0.25, 5 * np.log(2.0), 0.0]
    found = boxes.decode_ssd(codes, logits, anchors, 0.5)
    x, y, width, height = anchors[4]
    x, y, height = x - 0.25 * width, y + 0.5 * height, 2 * height
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    np.testing.assert_allclose(found.boxes, [corners])
    np.testing.assert_allclose(found.scores, [0.8])
    assert found.classes.tolist() == [2]

    row = [320.0, 160.0, 64.0, 32.0]
    expected = [[0.45, 0.45, 0.55, 0.55]]
    five = boxes.decode_yolov5(
        np.array([[*row, 0.9, 0.1, 0.5], [*row, 0.2, 1, 1]]), 0.4, (320, 640)
    )
    np.testing.assert_allclose(five.boxes, expected)
    np.testing.assert_allclose(five.scores, [0.45])
    eight = boxes.decode_yolov8(np.array([[*row, 0.1, 0.45], [*row, 0.2, 0.3]]).T, 0.4, (320, 640))
    np.testing.assert_allclose(eight.boxes, expected)
    assert five.classes.tolist() == eight.classes.tolist() == [1]


def test_nothing_overflows() -> None:
    anchors = boxes.ssd_anchors([1], smallest=0.2, largest=0.95)
    wild = np.full((len(anchors), 4), 1e6)
    found = boxes.decode_ssd(wild, np.full((len(anchors), 2), 60.0), anchors, 0.5)
    assert np.isfinite(found.boxes).all()
    assert (found.scores <= 1).all()
