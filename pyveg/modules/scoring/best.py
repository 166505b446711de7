"""The surest detections of each category as small pictures: what people look at first.

A shard keeps a few, made while its images are at hand; those that are surest of all are put on one
page, which needs nothing else.
"""

from __future__ import annotations

import base64
import heapq
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pyveg.core.scorer import Detection

SIDE = 240
"""Pixels of the longer side of a picture."""
MOST_CATEGORIES = 30
"""Of which a shard keeps pictures; a classifier may have thousands."""
_QUALITY = 75
_COLOUR = (255, 140, 0)


@dataclass(order=True, frozen=True)
class Picture:
    """A detection, and what it looks like."""

    confidence: float
    place: int
    """Earlier ones go first where two are as sure: less is later, so it is negative."""
    file: str = field(compare=False)
    category: str = field(compare=False)
    jpeg: str = field(compare=False)
    """Base64."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"category": self.category, "conf": self.confidence, "file": self.file} | {
            "jpeg": self.jpeg
        }


class Best:
    """The surest detections of each category.

    Parameters
    ----------
    most : int
        Pictures of a category, at most; none are made where it is 0.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heaps: dict[str, list[Picture]] = {}
        self._place = 0
        self.counts: Counter[str] = Counter()
        """Number of a category -> images that it was found in."""

    def look(self, file: str, image: NDArray[np.uint8], found: Sequence[Detection]) -> None:
        """Take the surest detection of each category of an image, where it is among the best."""
        self._place -= 1
        surest: dict[str, Detection] = {}
        for one in found:
            surest.setdefault(one.category, one)
        self.counts.update(surest.keys())
        for category, one in surest.items():
            if self._is_wanted(category, one.confidence):
                jpeg = _picture(image, one.box)
                self.add(Picture(one.confidence, self._place, file, category, jpeg))

    def add(self, picture: Picture) -> None:
        """Keep a picture, if it is among the best."""
        if not self._is_wanted(picture.category, picture.confidence):
            return
        heap = self._heaps.setdefault(picture.category, [])
        if len(heap) < self._most:
            heapq.heappush(heap, picture)
        else:
            heapq.heappushpop(heap, picture)

    def _is_wanted(self, category: str, confidence: float) -> bool:
        heap = self._heaps.get(category)
        if heap is None:
            return self._most > 0 and len(self._heaps) < MOST_CATEGORIES
        return len(heap) < self._most or confidence > heap[0].confidence

    def pictures(self) -> Iterator[Picture]:
        """By category, the surest first."""
        for category in sorted(self._heaps, key=lambda name: (len(name), name)):
            yield from sorted(self._heaps[category], reverse=True)

    def encoded(self) -> bytes:
        """All of them as JSON."""
        pictures = [picture.plain() for picture in self.pictures()]
        return json.dumps({"counts": self.counts, "pictures": pictures}).encode()

    def add_encoded(self, data: bytes) -> None:
        """Those of a shard."""
        shard = json.loads(data)
        self.counts.update(shard["counts"])
        for one in shard["pictures"]:
            self._place -= 1
            self.add(Picture(one["conf"], self._place, one["file"], one["category"], one["jpeg"]))


def _picture(image: NDArray[np.uint8], box: Sequence[float]) -> str:
    """The whole image, small, with the box drawn on it."""
    small = Image.fromarray(image)
    small.thumbnail((SIDE, SIDE))
    left, top, width, height = box
    corners = (left, top, left + width, top + height)
    scaled = [share * (length - 1) for share, length in zip(corners, small.size * 2, strict=True)]
    ImageDraw.Draw(small).rectangle(scaled, outline=_COLOUR, width=2)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=_QUALITY)
    return base64.b64encode(stream.getvalue()).decode()


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 1rem auto; max-width: 80rem; padding: 0 1rem; }}
ul {{ display: flex; flex-wrap: wrap; gap: 1rem; list-style: none; padding: 0; }}
li {{ width: 15rem; }}
img {{ height: auto; max-width: 100%; }}
p {{ margin: 0.2rem 0 0; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{about}</p>
{sections}
</main>
</body>
</html>
"""


def page(best: Best, categories: Mapping[str, str], about: str) -> bytes:
    """One HTML file with all pictures in it.

    Parameters
    ----------
    best : Best
    categories : mapping of str to str
        Number of a category -> its name.
    about : str
        What stands below the heading.
    """
    by_category: dict[str, list[str]] = {}
    for one in best.pictures():
        name = categories.get(one.category, one.category)
        alt = escape(f"{name} in {one.file}")
        by_category.setdefault(one.category, []).append(
            f'<li><img alt="{alt}" src="data:image/jpeg;base64,{one.jpeg}">'
            f"<p>{one.confidence:.3f} {escape(one.file)}</p></li>"
        )
    sections = [
        f"<h2>{escape(categories.get(number, number))}, "
        f"in {best.counts[number]:,} of the images</h2>\n<ul>\n" + "\n".join(shown) + "\n</ul>"
        for number, shown in by_category.items()
    ]
    text = _PAGE.format(
        title="The surest detections",
        about=escape(about),
        sections="\n".join(sections) or "<p>Nothing was found.</p>",
    )
    return text.encode()
