"""A stream whose reading and writing is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from pyveg.core.usage import Meter


class _TimedStream:
    """Passes everything on to a stream, and tells a Meter of what takes time."""

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self._stream, self._meter = stream, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._counted(next(self._stream))

    def __enter__(self) -> _TimedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = -1, /) -> bytes:
        with self._meter.part("read"):
            return self._counted(self._stream.read(size))

    def readline(self, size: int = -1, /) -> bytes:
        with self._meter.part("read"):
            return self._counted(self._stream.readline(size))

    def readinto(self, buffer: Any, /) -> int:
        with self._meter.part("read"):
            count: int = cast("Any", self._stream).readinto(buffer)
        self._meter.moved(read=count or 0)
        return count

    def write(self, data: Any, /) -> int:
        with self._meter.part("write"):
            count = self._stream.write(data)
        self._meter.moved(written=memoryview(data).nbytes)
        return count

    def writelines(self, lines: Iterable[bytes], /) -> None:
        for line in lines:
            self.write(line)

    def _counted(self, data: bytes) -> bytes:
        self._meter.moved(read=len(data))
        return data


def timed_stream(stream: IO[bytes], meter: Meter) -> IO[bytes]:
    """The same stream, of which a Meter is told.

    Parameters
    ----------
    stream : IO[bytes]
    meter : Meter

    Examples
    --------
    >>> import io
    >>> meter = Meter()
    >>> with meter.current(), timed_stream(io.BytesIO(b"abc"), meter) as stream:
    ...     stream.read()
    b'abc'
    >>> meter.read_bytes
    3
    """
    return cast("IO[bytes]", _TimedStream(stream, meter))
