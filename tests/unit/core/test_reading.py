"""A file that a user names is read whole, and one without end by nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyveg.core.reading import read_text, read_whole


def test_a_file_is_read_to_its_end_and_no_further_than_it_may(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert len(read_whole(path)) == 3_000_000
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_whole(path, 2**20)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/full"])
def test_a_device_is_no_file(path: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    for named in (path, tmp_path / "link"):
        with pytest.raises(OSError, match="a device"):
            read_whole(named)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    del tmp_path
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    os.close(writer)
    assert read_whole(f"/dev/fd/{reader}") == b"abc"
    os.close(reader)


def test_text_without_the_mark_of_windows_and_its_ends_of_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffä\r\nb\rc".encode())
    assert read_text(tmp_path / "a") == "ä\nb\nc"
