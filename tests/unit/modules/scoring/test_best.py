"""Which pictures are kept, and the page of them."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pyveg.core.scorer import Detection
from pyveg.modules.scoring.best import MOST_CATEGORIES, SIDE, Best, Picture, page

WHOLE = (0.0, 0.0, 1.0, 1.0)
SMALL = np.zeros((3, 4, 3), np.uint8)
SURE = st.lists(st.tuples(st.sampled_from("12"), st.integers(1, 9).map(lambda n: n / 10)))


def _add(best: Best, found: list[tuple[str, float]]) -> None:
    for number, (category, sure) in enumerate(found):
        best.add(Picture(sure, -number, f"{number}.jpg", category, ""))


@given(SURE, st.integers(0, 4))
def test_the_surest_are_kept_and_earlier_ones_before_equal_ones(
    found: list[tuple[str, float]], most: int
) -> None:
    best = Best(most)
    _add(best, found)
    for category in "12":
        rows = [(-sure, n) for n, (kind, sure) in enumerate(found) if kind == category]
        expected = [f"{n}.jpg" for _, n in sorted(rows)[:most]]
        assert [p.file for p in best.pictures() if p.category == category] == expected


@given(SURE, st.integers(1, 5))
def test_shards_give_what_all_at_once_would(found: list[tuple[str, float]], size: int) -> None:
    at_once, together = Best(3), Best(3)
    _add(at_once, found)
    for begin in range(0, len(found), size):
        part = Best(3)
        for number, (category, sure) in enumerate(found[begin : begin + size], begin):
            part.add(Picture(sure, -number, f"{number}.jpg", category, ""))
        together.add_encoded(part.encoded())
    files = [[p.file for p in best.pictures()] for best in (at_once, together)]
    assert files[0] == files[1]


def test_an_image_is_shown_once_for_each_category() -> None:
    best = Best(5)
    best.look("a.jpg", SMALL, [Detection(c, 0.5, WHOLE) for c in ("1", "1", "2")])
    assert [(p.category, p.file) for p in best.pictures()] == [("1", "a.jpg"), ("2", "a.jpg")]


def test_of_thousands_of_categories_some_are_shown() -> None:
    best = Best(2)
    for number in range(1000):
        best.look("a.jpg", SMALL, [Detection(str(number), 0.5, WHOLE)])
    assert len(list(best.pictures())) == MOST_CATEGORIES


def test_a_picture_is_small_and_has_its_box() -> None:
    best = Best(1)
    grey = np.full((600, 900, 3), 60, np.uint8)
    best.look("a.jpg", grey, [Detection("1", 0.9, (0.25, 0.25, 0.5, 0.5))])
    (one,) = best.pictures()
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(one.jpeg)))).astype(int)
    assert image.shape == (SIDE * 2 // 3, SIDE, 3)
    orange = (image[:, :, 0] > 150) & (image[:, :, 2] < 90)
    rows, columns = np.nonzero(orange)
    assert abs(rows.min() - 40) <= 3
    assert abs(rows.max() - 120) <= 3
    assert abs(columns.min() - 60) <= 3
    assert abs(columns.max() - 180) <= 3
    assert not orange[60:100, 80:160].any()


def test_the_page_takes_names_for_what_they_are() -> None:
    best = Best(1)
    best.look("<script>.jpg", SMALL, [Detection("1", 0.9, WHOLE)])
    text = page(best, {"1": 'an "animal"'}, "a & b").decode()
    assert "<script" not in text
    assert "an &quot;animal&quot;, in 1 of the images" in text
    assert "a &amp; b" in text
    assert re.search(r'alt="an &quot;animal&quot; in &lt;script&gt;\.jpg"', text)
    assert "Nothing was found" in page(Best(1), {}, "").decode()
