"""A node that sends images to a station of a service in this process, and a scorer for it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pyveg.core.errors import ServiceAwayError
from pyveg.core.scorer import Detection, Model
from pyveg.testing.asgi import AppClient
from pyveg.testing.service_server import Answer

SETTINGS = {"longitude": -72.1715, "latitude": 42.5378, "utc_offset": -5, "roi": "DB_0001"}
SHAPE = (48, 64)
TAKEN = "2009-06-30T12:01:38"


class FakeScorer:
    """Sees a person wherever red is at its most; is away while there is a file of its name."""

    name = "fake"
    categories: ClassVar[Mapping[str, str]] = {"1": "animal", "2": "person"}
    wanted = (64, 48)

    def __init__(self, where: str, record: Any, threshold: float) -> None:
        del record, threshold
        self._away = Path(where)

    @classmethod
    def find(cls, model: str, record: Any = "") -> Model:
        """Whatever it is called."""
        del record
        return Model(model, {}, "x", False)

    @classmethod
    def digest_of(cls, where: str, record: Any) -> str:
        """The same for all."""
        del where, record
        return "x"

    def score(self, images: Any) -> list[list[Detection]]:
        """What is on each."""
        if self._away.exists():
            raise ServiceAwayError("nobody answers", "wait")
        return [self._seen(np.asarray(image)) for image in images]

    def _seen(self, image: np.ndarray) -> list[Detection]:
        rows, columns = np.nonzero((image[..., 0] > 240) & (image[..., 1] < 40))
        if not len(rows):
            return [Detection("1", 0.5, (0, 0, 1, 1))]
        height, width = image.shape[:2]
        left, top = columns.min() / width, rows.min() / height
        box = (left, top, (columns.max() + 1) / width - left, (rows.max() + 1) / height - top)
        return [Detection("2", 0.9, box)]

    def close(self) -> None:
        """Nothing is held."""


def picture(
    green: int = 120, *, person: bool = False, shape: tuple[int, int] = SHAPE
) -> np.ndarray:
    """Grey, with green in the upper half, and perhaps a person in it."""
    image = np.full((*shape, 3), 90, dtype=np.uint8)
    image[: shape[0] // 2, :, 1] = green
    if person:
        image[8:16, 16:32] = (255, 0, 0)
    return image


def file_of(image: np.ndarray, kind: str = "PNG", **given: Any) -> bytes:
    """As a file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **given)
    return stream.getvalue()


def mask(rows: slice = slice(0, 24), shape: tuple[int, int] = SHAPE) -> bytes:
    """The upper half counts."""
    array = np.full(shape, 255, dtype=np.uint8)
    array[rows] = 0
    return file_of(array, "TIFF")


def form(data: bytes, name: str = "image.png", **fields: str) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    edge = b"--edge-of-the-form"
    parts = [
        edge
        + b'\r\nContent-Disposition: form-data; name="'
        + key.encode()
        + b'"\r\n\r\n'
        + value.encode()
        + b"\r\n"
        for key, value in fields.items()
    ]
    parts.append(
        edge
        + b'\r\nContent-Disposition: form-data; name="image"; filename="'
        + name.encode()
        + b'"\r\nContent-Type: image/png\r\n\r\n'
        + data
        + b"\r\n"
    )
    body = b"".join([*parts, edge, b"--\r\n"])
    return body, {"content-type": "multipart/form-data; boundary=edge-of-the-form"}


class Node:
    """A camera in the field, and its owner."""

    def __init__(self, client: AppClient, data: Path) -> None:
        self.client = client
        self.data = data
        self.key = ""

    def put(self, name: str = "harvard", **settings: Any) -> Answer:
        """Make or change it."""
        answer = self.client.request("PUT", f"/v1/stations/{name}", {**SETTINGS, **settings})
        if answer.status == 201:
            self.key = answer.json["key"]
        return answer

    def put_mask(self, data: bytes, begin: str = "", name: str = "harvard") -> Answer:
        """Send a mask."""
        query = f"?from={begin}" if begin else ""
        path = f"/v1/stations/{name}/masks/DB_0001{query}"
        return self.client.request("PUT", path, data)

    def post(
        self,
        data: bytes,
        taken: str = TAKEN,
        *,
        station: str = "harvard",
        key: str | None = None,
        name: str = "image.png",
        address: str = "127.0.0.1",
    ) -> Answer:
        """Send an image."""
        body, headers = form(data, name, **({"taken": taken} if taken else {}))
        chosen = self.key if key is None else key
        path = f"/v1/stations/{station}/images"
        return self.client.request(
            "POST", path, body, token=chosen, headers=headers, address=address
        )

    def files(self) -> list[Path]:
        """Images on the disk."""
        found = (self.data / "stations").rglob("*")
        return sorted(p for p in found if p.is_file() and p.parent.name != "ROI")
