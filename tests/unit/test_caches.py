"""Where this machine keeps what can be had again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pyveg.caches import VARIABLE, cache_folder


def test_the_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()


def test_a_named_folder_may_be_relative_or_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "here")
    assert cache_folder() == tmp_path / "here"
    monkeypatch.setenv(VARIABLE, "~/there")
    assert cache_folder() == Path.home() / "there"


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_the_usual_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "pyveg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "pyveg"
