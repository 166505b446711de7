"""One image: its bytes from wherever they are, what a model says of it, or why nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, Any

from pyveg.core import registry, usage
from pyveg.core.errors import DataError, KeyMissingError, PyvegError, StoreError
from pyveg.core.ports import Store
from pyveg.core.scorer import Detection, Scorer
from pyveg.core.texts import said
from pyveg.core.types import Item
from pyveg.formats import FormatError
from pyveg.modules.command import sending
from pyveg.modules.scoring import lines
from pyveg.modules.scoring.best import Best
from pyveg.photos import MOST_BYTES, decode_photo


class Images:
    """The bytes of images.

    Parameters
    ----------
    private_hosts : sequence of str
        As of `pyveg.core.ports.Inputs`.
    store : Store
        Of the run.
    sent : str
        Where copies of the images are in it, if they were sent.
    """

    def __init__(self, private_hosts: Sequence[str], store: Store, sent: str) -> None:
        self._inputs = registry.open_inputs((), private_hosts)
        self._store, self._sent = store, sent

    def read(self, image: Item) -> bytes:
        """The file itself, or the copy of it where Tasks run elsewhere."""
        with usage.part("read"):
            return self._bytes_of(image)

    def _bytes_of(self, image: Item) -> bytes:
        try:
            with self._inputs.open(image) as stream:
                return _read(stream, image)
        except DataError:
            try:
                with self._store.open_read(sending.key_of(self._sent, image)) as stream:
                    return _read(stream, image)
            except KeyMissingError:
                pass
            raise


class Look:
    """Looks at the images of a shard, and counts those that cannot be looked at.

    Parameters
    ----------
    scorer : Scorer
    best : Best
        Is shown what was found.
    images : Images

    Attributes
    ----------
    failed : int
        Images that could not be looked at.
    away : int
        Those of them whose service did not answer.
    reason : str
        Why the last of them could not.
    """

    def __init__(self, scorer: Scorer, best: Best, images: Images) -> None:
        self._scorer, self._best, self._images = scorer, best, images
        self.failed = self.away = 0
        self.reason = ""

    def __call__(self, image: Item) -> bytes:
        """What a line says of an image."""
        try:
            data = self._images.read(image)
        except StoreError:
            raise  # the run's own, which no image can do without
        except PyvegError as error:
            # Also of a service that is away: of a list that names many, one may be there.
            self.away += error.shared
            return self._failure(image, error)
        try:
            photo = decode_photo(data, self._scorer.wanted)
            found = self._scorer.score([photo])[0]
        except (DataError, FormatError) as error:
            return self._failure(image, error)
        self._best.look(image.name, photo, found)
        return lines.detections(image, [_plain(one) for one in found])

    def _failure(self, image: Item, error: Exception) -> bytes:
        self.failed += 1
        self.reason = str(error)
        return lines.failure(image, self.reason)


def _read(stream: IO[bytes], image: Item) -> bytes:
    """The whole of an image, which may be no image, and larger than memory."""
    try:
        data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the input {image.details['input']} cannot be read to its end: {said(error)}",
            "check the disk or the connection, and finish the run with --from_cache",
        ) from error
    if len(data) > MOST_BYTES:
        raise DataError(
            f"the input {image.details['input']} has more than {MOST_BYTES // 2**20} MB",
            "leave it out, or make it smaller",
        )
    return data


def _plain(one: Detection) -> dict[str, Any]:
    """As results have it: confidences to three digits, boxes to four, never rounded up."""
    return {
        "category": one.category,
        "conf": cut(one.confidence, 3),
        "bbox": [cut(value, 4) for value in one.box],
    }


def cut(value: float, digits: int) -> float:
    """A number with so many digits behind the point, the rest left out.

    Examples
    --------
    >>> cut(0.29, 2), cut(0.8479, 3), cut(1, 3)
    (0.29, 0.847, 1.0)
    """
    power: int = 10**digits
    # By way of text: 0.29 * 100 is less than 29.
    return math.floor(float(f"{value * power:.6f}")) / power
