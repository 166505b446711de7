"""Photographs as people have them."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from pyveg.formats import FormatError
from pyveg.photos import decode_photo

CAT = skimage.data.chelsea()


def _jpeg(image: Image.Image, **more: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95, **more)  # type: ignore[arg-type]
    return stream.getvalue()


WHOLE = _jpeg(Image.fromarray(CAT))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_ways_to_hold_a_camera(orientation: int) -> None:
    """What Exif says of a picture that was turned gives that picture again."""
    shown = CAT[:96, :128]
    turned = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.transpose(1, 0, 2),
        6: np.rot90(shown),
        7: np.rot90(shown.transpose(1, 0, 2), 2),
        8: np.rot90(shown, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _jpeg(Image.fromarray(np.ascontiguousarray(turned)), exif=exif)
    found = decode_photo(data)
    assert found.shape == shown.shape
    assert np.abs(found.astype(int) - shown).mean() < 4


def test_a_large_jpeg_is_read_smaller_and_never_smaller_than_wanted() -> None:
    data = _jpeg(Image.fromarray(CAT).resize((1600, 1200)))
    found = decode_photo(data, (300, 300))
    assert found.shape == (600, 800, 3)
    plain = np.asarray(Image.fromarray(decode_photo(data)).resize((300, 300))).astype(int)
    drafted = np.asarray(Image.fromarray(found).resize((300, 300))).astype(int)
    assert np.abs(plain - drafted).mean() < 3
    assert decode_photo(WHOLE, (300, 300)).shape == CAT.shape


def test_sixteen_bits() -> None:
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    found = decode_photo(stream.getvalue())
    np.testing.assert_array_equal(found[:, :, 1], values >> 8)


def test_half_an_image_is_none_whatever_others_have_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some packages have Pillow fill up what is missing, for the whole process."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(FormatError, match="cut off"):
        decode_photo(WHOLE[: len(WHOLE) // 2])


@given(st.binary(max_size=200), st.sampled_from(["", "jpeg", "png", "gif", "bmp", "tiff", "webp"]))
def test_no_bytes_are_more_than_an_image_or_a_reason(tail: bytes, kind: str) -> None:
    begin = {
        "": b"",
        "jpeg": WHOLE[:300],
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "gif": b"GIF89a",
        "bmp": b"BM",
        "tiff": b"II*\0\x08\0\0\0",
        "webp": b"RIFF\x40\0\0\0WEBPVP8 ",
    }[kind]
    try:
        found = decode_photo(begin + tail)
    except FormatError:
        return
    assert found.dtype == np.uint8
    assert found.ndim == 3


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_an_image_or_a_reason(place: int, value: int) -> None:
    data = bytearray(WHOLE)
    data[place] = value
    try:
        found = decode_photo(bytes(data), (30, 30))
    except FormatError:
        return
    assert found.ndim == 3


def test_many_threads_at_once() -> None:
    found: list[bool] = []

    def read() -> None:
        found.extend(decode_photo(WHOLE).shape == CAT.shape for _ in range(5))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20
