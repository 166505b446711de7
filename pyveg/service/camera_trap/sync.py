"""A few images in one request: scored in memory, answered in the same breath, never stored."""

from __future__ import annotations

import io
import json
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pyveg.core import registry
from pyveg.core.errors import DataError
from pyveg.core.scorer import Detection, Scorer
from pyveg.formats import FormatError
from pyveg.photos import decode_photo
from pyveg.service.camera_trap.requests import WrongError

MOST_IMAGES = 8
MOST_BYTES = 40 * 2**20
"""Of one request."""
_LEAST = 0.001
"""Least confidence that the model is asked for; what counts is settled by each request."""
_COLOURS = ("red", "deepskyblue", "orange", "lime", "magenta", "yellow")
_QUALITY = 85


@dataclass(frozen=True)
class Limits:
    """From which confidence on something is told, and drawn."""

    told: float = 0.1
    drawn: float = 0.8
    render: bool = False


def limits_of(query: Mapping[str, str]) -> Limits:
    """The parameters of a request.

    Raises
    ------
    WrongError
        400 for a confidence that is none.

    Examples
    --------
    >>> limits_of({"min_confidence": "0.5", "render": "true"})
    Limits(told=0.5, drawn=0.8, render=True)
    """
    usual = Limits()
    return Limits(
        _confidence(query, "min_confidence", usual.told),
        _confidence(query, "min_rendering_confidence", usual.drawn),
        query.get("render", "").lower() == "true",
    )


def _confidence(query: Mapping[str, str], name: str, usual: float) -> float:
    text = query.get(name)
    if not text:
        return usual
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise WrongError(400, f"{name} is no number from 0 to 1")
    return value


class Looking:
    """The model of the sibling, opened when it is first needed.

    Parameters
    ----------
    given : mapping
        An entry of `scoring_models`.
    at_once : int
        Requests that may be looked at or wait for that.
    """

    def __init__(self, given: Mapping[str, Any], at_once: int) -> None:
        self._given, self._places = given, threading.BoundedSemaphore(at_once)
        self._guard = threading.Lock()
        self._open: Scorer | None = None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Take one of the places.

        Raises
        ------
        WrongError
            503 where none is free.
        """
        if not self._places.acquire(blocking=False):
            raise WrongError(503, "too many images are looked at, please try again later")
        try:
            yield
        finally:
            self._places.release()

    def __call__(self, files: Sequence[tuple[str, bytes]], limits: Limits) -> bytes:
        """Look at files; gives the body of the answer, whose boundary is in its first line.

        Raises
        ------
        WrongError
            400 where none of them is an image.
        PyvegError
            If the model cannot be opened, or is away.
        """
        photos = []
        for name, data in files:
            try:
                photos.append((name, decode_photo(data)))
            except (DataError, FormatError):  # those that are images are looked at
                continue
        if not photos:
            raise WrongError(400, "there is no image that can be read, send JPEG or PNG")
        scorer = self._scorer()
        told: dict[str, list[list[Any]]] = {}
        drawn: list[tuple[str, bytes]] = []
        for name, photo in photos:
            found = scorer.score([photo])[0]
            told[name] = [_row(one) for one in found if one.confidence >= limits.told]
            if limits.render:
                shown = [one for one in found if one.confidence >= limits.drawn]
                drawn.append((name, _drawn(photo, shown, scorer.categories)))
        return _multipart(told, drawn)

    def _scorer(self) -> Scorer:
        with self._guard:
            if self._open is None:
                cls = registry.scorer_class(self._given.get("scorer", "onnx"))
                model = cls.find(self._given["model"], self._given.get("record", ""))
                self._open = cls(model.where, model.record, _LEAST)
            return self._open


def _row(one: Detection) -> list[Any]:
    """As the clients of the sibling have it: edges as shares of the image, not a box's size."""
    left, top, width, height = one.box
    edges = (top, left, top + height, left + width)
    category = int(one.category) if one.category.isdecimal() else one.category
    return [*(round(edge, 4) for edge in edges), round(one.confidence, 3), category]


def _drawn(photo: NDArray[np.uint8], found: Sequence[Detection], names: Mapping[str, str]) -> bytes:
    """A JPEG of an image with boxes around what was found."""
    image = Image.fromarray(photo)
    pen = ImageDraw.Draw(image)
    width, height = image.size
    line = max(2, min(width, height) // 200)
    for one in found:
        left, top, wide, high = one.box
        colour = _COLOURS[sum(map(ord, one.category)) % len(_COLOURS)]
        corners = (left * width, top * height, (left + wide) * width, (top + high) * height)
        pen.rectangle(corners, outline=colour, width=line)
        label = f"{names.get(one.category, one.category)} {one.confidence:.2f}"
        place = (left * width + line, top * height + line)
        pen.text(place, label.encode("ascii", "replace").decode(), fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _multipart(told: Mapping[str, Any], drawn: Sequence[tuple[str, bytes]]) -> bytes:
    boundary = secrets.token_hex(16).encode()
    parts = [("detection_result", "application/json", json.dumps(told).encode())]
    parts += [(name, "image/jpeg", data) for name, data in drawn]
    body = b""
    for name, kind, data in parts:
        shown = _quoted(name)
        head = f'Content-Disposition: form-data; name="{shown}"; filename="{shown}"'
        body += b"--%b\r\n%b\r\nContent-Type: %b\r\n\r\n%b\r\n" % (
            boundary, head.encode(), kind.encode(), data,
        )  # fmt: skip
    return body + b"--%b--\r\n" % boundary


def _quoted(name: str) -> str:
    """A name within a header, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def boundary_of(body: bytes) -> str:
    """The boundary that a body was made with."""
    return body[2 : body.index(b"\r\n")].decode()
