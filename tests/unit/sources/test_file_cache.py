"""Files of answers that outlast a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyveg.sources.file_cache import FileCache


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = FileCache(str(tmp_path), "usual")
    assert cache.read("abc") is None
    cache.write("abc", b"one")
    cache.write("abc", b"two")
    assert FileCache(str(tmp_path), "other").read("abc") == b"two"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["abc"]


def test_the_usual_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    FileCache("", "usual").write("abc", b"one")
    assert (tmp_path / "usual" / "ab" / "abc").read_bytes() == b"one"


def test_none_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    cache = FileCache("none", "usual")
    cache.write("abc", b"one")
    assert cache.read("abc") is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    cache = FileCache(str(tmp_path / "file"), "usual")
    for name in ("abc", "def", "ghi"):
        cache.write(name, b"one")
    assert cache.read("abc") is None
    assert caplog.text.count("answers are not stored") == 1


def test_a_user_without_a_home_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pyveg.sources.file_cache.cache_folder", nowhere)
    cache = FileCache("", "usual")
    cache.write("abc", b"one")
    assert cache.read("abc") is None
    assert "answers are not stored: Could not determine home" in caplog.text


def test_nobody_reads_half_a_file(tmp_path: Path) -> None:
    """Writers of different contents beside readers."""
    contents = [bytes([number]) * 200_000 for number in range(4)]

    def write(data: bytes) -> None:
        for _ in range(25):
            FileCache(str(tmp_path), "usual").write("abc", data)

    def read() -> set[bytes | None]:
        return {FileCache(str(tmp_path), "usual").read("abc") for _ in range(200)}

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(read) for _ in range(4)]
        list(pool.map(write, contents))
        seen = set().union(*(future.result() for future in found))
    assert seen <= {None, *contents}
    assert not list(tmp_path.rglob(".partial-*"))
