"""Blobs as streams, and what goes with the bytes."""

from __future__ import annotations

import hashlib
import io
import mimetypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

from pyveg.core.errors import StoreError
from pyveg.storage.azure_errors import code_of

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContentSettings

PARALLEL = 4
"""Parts of one large value that travel at once."""
READ_AHEAD = 4 * 2**20
"""What a stream fetches at once, bytes."""


class Fetch:
    """Gets ranges of one version of a blob.

    Parameters
    ----------
    blob : BlobClient
    etag : str
        Of the version.
    where : str
        The Store and the key, for messages.
    answered : callable
        Makes the context that each request is made in.
    """

    def __init__(
        self,
        blob: BlobClient,
        etag: str,
        where: str,
        answered: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._blob = blob
        self._etag = etag
        self._where = where
        self._answered = answered

    def __call__(self, start: int, length: int) -> bytes:
        """Bytes of a range."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        with self._answered(self._where):
            try:
                return self._blob.download_blob(
                    start,
                    length,
                    etag=self._etag,
                    match_condition=MatchConditions.IfNotModified,
                    max_concurrency=PARALLEL,
                ).readall()
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                if code_of(error).startswith("Container"):
                    raise
                raise StoreError(
                    f"{self._where}: it was replaced while it was read", "read it again"
                ) from None


class BlobFile(io.RawIOBase):
    """A blob as a file to read."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move without fetching anything."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fetch as much as a buffer holds."""
        data = self._take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Fetch the rest."""
        return self._take(self._size)

    def _take(self, most: int) -> bytes:
        length = min(most, self._size - self._position)
        if length <= 0:
            return b""
        data = self._fetch(self._position, length)
        self._position += len(data)
        return data


def content_settings(key: str, md5: bytes) -> ContentSettings:
    """What browsers and those who download are told of a value."""
    from azure.storage.blob import ContentSettings

    kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
    return ContentSettings(content_type=kind, content_md5=bytearray(md5))


def digest(stream: IO[bytes]) -> bytes:
    """MD5 of a whole stream."""
    stream.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while part := stream.read(2**20):
        digest.update(part)
    return digest.digest()
