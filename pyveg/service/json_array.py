"""The items of a JSON list one by one, as a list of millions of images would not fit."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

from pyveg.core.errors import DataError

_CHUNK = 2**20
_BLANK = " \t\r\n"
LONGEST_ITEM = 16 * 2**20
"""Characters of one item."""


def items(stream: IO[bytes], where: str) -> Iterator[Any]:
    """What a list holds; texts, lists and objects alone.

    Parameters
    ----------
    stream : binary stream
        UTF-8, with or without its mark.
    where : str
        What it is called in messages.

    Raises
    ------
    DataError
        If it is no JSON list of such items, or one of them is too long.

    Examples
    --------
    >>> import io
    >>> list(items(io.BytesIO(b'["a.jpg", ["b.jpg", {"camera": 7}]]'), "the list"))
    ['a.jpg', ['b.jpg', {'camera': 7}]]
    """
    text = _Text(stream, where)
    if text.next_sign() != "[":
        raise _wrong(where)
    text.skip()
    if text.next_sign() != "]":
        while True:
            yield text.value()
            sign = text.next_sign()
            text.skip()
            if sign == "]":
                break
            if sign != ",":
                raise _wrong(where)
    else:
        text.skip()
    if text.next_sign():
        raise _wrong(where)


class _Text:
    """A text of which some is in memory, and where one is in it."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where = stream, where
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at = "", 0
        self._over = False

    def _more(self) -> bool:
        """Read on; False at the end."""
        if self._over:
            return False
        try:
            data = self._stream.read(_CHUNK)
            self._text = self._text[self._at :] + self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            raise _wrong(self._where) from None
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self._where} cannot be read to its end: {error}", "submit the job again"
            ) from error
        self._at, self._over = 0, not data
        return True

    def next_sign(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        """Go past that character."""
        self._at += 1

    def value(self) -> Any:
        """The item that begins here."""
        if self.next_sign() not in ('"', "[", "{"):  # a number could be cut off and not look so
            raise DataError(
                f"{self._where} holds something that is neither a text nor a pair",
                "give each image as its name, or as [name, metadata]",
            )
        while True:
            try:
                found, self._at = self._scan(self._text, self._at)
            except RecursionError:
                raise _wrong(self._where) from None
            except ValueError:
                if len(self._text) - self._at > LONGEST_ITEM:
                    raise DataError(
                        f"{self._where} holds an item of more than {LONGEST_ITEM // 2**20} MB",
                        "give less metadata",
                    ) from None
                if not self._more():
                    raise _wrong(self._where) from None
            else:
                return found


def _wrong(where: str) -> DataError:
    return DataError(f"{where} is no JSON list", "write it as a JSON list of images, in UTF-8")
