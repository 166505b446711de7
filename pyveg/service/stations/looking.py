"""An image in memory -> what its row says, and what of it may be stored."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyveg.cameras.masks import RegionMask
from pyveg.cameras.privacy import BLOCKS, Area, areas, blurred, encoded, stripped
from pyveg.core.errors import PyvegError
from pyveg.core.scorer import Detection
from pyveg.formats import FormatError
from pyveg.kernels.camera_series import BRIGHTNESS
from pyveg.kernels.greenness import of_counts
from pyveg.photos import decode_photo
from pyveg.service.refusals import Refusal
from pyveg.service.stations.scorers import PERSON, Scorers, knows_people
from pyveg.service.stations.settings import DROP, KEEP, StationSettings, policy

MOST_PIXELS = 40_000_000
_ENDINGS = {"JPEG": "jpg", "PNG": "png"}
_MODES = frozenset({"RGB", "RGBA", "L", "LA", "P", "1"})
_AWAY = 30
_BLOCKS = (BLOCKS, BLOCKS // 2, BLOCKS // 4, 1)
"""That are left of a person along each side, one after the other while somebody is seen."""
_STILL = 0.3
"""Confidence of a person, from which on an image that was blurred is blurred more."""


@dataclass(frozen=True)
class Seen:
    """What an image has given."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Fields of an `ImageRecord`."""
    data: bytes | None = None
    """What may be stored; None where nothing may."""
    ending: str = "jpg"


def look(data: bytes, settings: StationSettings, mask: RegionMask | None, scorers: Scorers) -> Seen:
    """Look at an image of a station.

    Parameters
    ----------
    data : bytes
        As it was sent; it never leaves the memory.
    settings : StationSettings
    mask : RegionMask, optional
        That holds at its time.
    scorers : Scorers

    Raises
    ------
    Refusal
        422 where it is no image that is taken; 503 where nobody can look for people, as the scorer
        is away or knows no category "person".
    """
    ending = _ending(data)
    try:
        # Both, as what cannot be stripped cannot be stored.
        image, plain = decode_photo(data), stripped(data)
    except FormatError as error:
        raise Refusal(422, f"the image cannot be read: {error}", "send another") from None
    found, names = _scored(image, settings, scorers)
    people = _people(found, names, settings.person_threshold, image.shape)
    hidden = people if people and policy(settings) != KEEP else []
    figures = {
        **_measured(image, mask, people or []),
        "score": max((one.confidence for one in found), default=0.0) if names else None,
        "people": None if people is None else len(people),
    }
    if not hidden:
        return Seen(figures, plain, ending)
    if policy(settings) == DROP:
        return Seen(figures, None, ending)
    return Seen(figures, _unknowable(image, hidden, ending, settings, scorers), ending)


def _unknowable(
    image: NDArray[np.uint8],
    people: list[Area],
    ending: str,
    settings: StationSettings,
    scorers: Scorers,
) -> bytes | None:
    """The image with people blurred, so that the scorer finds nobody; None where it always does.

    A scorer that still sees the shape of somebody says where, and gets less to see.
    """
    where, least = list(people), max(settings.person_threshold, _STILL)
    for blocks in _BLOCKS:
        data = encoded(blurred(image, where, blocks), ending)
        found, names = _scored(decode_photo(data), settings, scorers)
        again = _people(found, names, least, image.shape)
        if not again:
            return data
        where += again
    return None


def _ending(data: bytes) -> str:
    """What kind of file it is, before anything of it is decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind, mode, pixels = image.format or "", image.mode, image.width * image.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        kind, mode, pixels = "JPEG", "RGB", MOST_PIXELS + 1
    except Exception:  # noqa: BLE001 - whatever a reader meets, it is no image for us
        raise Refusal(422, "what was sent is no image", "send a JPEG or PNG") from None
    if kind not in _ENDINGS:
        raise Refusal(422, f"the image is of the format {kind}", "send a JPEG or PNG")
    if pixels > MOST_PIXELS:
        raise Refusal(
            422,
            f"the image has more than {MOST_PIXELS // 10**6} million pixels",
            "send a smaller one",
        )
    if mode not in _MODES:
        raise Refusal(
            422,
            f"the image has colours of the kind {mode}",
            "send one of 8-bit red, green and blue",
        )
    return _ENDINGS[kind]


def _scored(
    image: NDArray[np.uint8], settings: StationSettings, scorers: Scorers
) -> tuple[list[Detection], Mapping[str, str]]:
    if not settings.scorer:
        return [], {}
    try:
        found, names = scorers.score(settings.scorer, image)
    except PyvegError as error:
        if policy(settings) == KEEP:
            return [], {}
        # Never stored now to be looked at later: the original would be on the disk.
        raise Refusal(
            503,
            f"nobody can look for people at the moment: {error.wrong}",
            "send it again later",
            retry_after=_AWAY,
        ) from None
    if policy(settings) != KEEP and not knows_people(names):
        raise Refusal(
            503,
            f'the scorer {settings.scorer} knows no category "{PERSON}", so it finds nobody',
            'give the station another scorer, or "people": "keep" where nobody can be on images',
            retry_after=_AWAY,
        )
    return found, names


def _people(
    found: list[Detection],
    names: Mapping[str, str],
    least: float,
    shape: tuple[int, ...],
) -> list[Area] | None:
    """Where people are; None where nobody has looked for them."""
    if not knows_people(names):
        return None
    boxes = [
        one.box
        for one in found
        if names.get(one.category, "").lower() == PERSON and one.confidence >= least
    ]
    return areas(boxes, shape)


def _measured(
    image: NDArray[np.uint8], mask: RegionMask | None, people: list[Area]
) -> dict[str, Any]:
    """Colours of the region, without boxes of people."""
    if mask is None:
        return {"quality": "none", "note": "no mask holds at its time"}
    if mask.region.shape != image.shape[:2]:
        return {
            "quality": "none",
            "note": f"the image has {image.shape[1]} x {image.shape[0]} pixels, and the mask "
            f"{mask.region.shape[1]} x {mask.region.shape[0]}",
        }
    region, hidden = mask.region, 0
    if people:
        region = region.copy()
        for area in people:
            hidden += int(region[area.pixels].sum())
            region[area.pixels] = False
    if not region.any():
        return {"quality": "none", "masked_pixels": hidden, "note": "people hide all of the region"}
    # Pillow counts in a fifth of the time that choosing pixels takes.
    chosen = Image.fromarray(region.view(np.uint8) * np.uint8(255))
    counts = Image.fromarray(image).histogram(chosen)
    found = of_counts(np.array(counts, dtype=np.int64).reshape(3, -1))
    dark, white = found.brightness < BRIGHTNESS[0], found.brightness > BRIGHTNESS[1]
    return {
        "red": found.red,
        "green": found.green,
        "blue": found.blue,
        "gcc": found.gcc if np.isfinite(found.gcc) else None,
        "rcc": found.rcc if np.isfinite(found.rcc) else None,
        "n_pixels": found.pixels,
        "masked_pixels": hidden,
        "brightness": found.brightness,
        "quality": "dark" if dark else "white" if white else "ok",
    }
