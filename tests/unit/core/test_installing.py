"""How what is missing is installed: from the folder of pyveg, until there is a release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyveg.core import installing
from pyveg.core.installing import how_to_install


class _Distribution:
    """What is known of an installed pyveg."""

    def __init__(self, version: str, origin: str | None) -> None:
        self.version = version
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self._origin


def _installed(monkeypatch: pytest.MonkeyPatch, version: str, origin: str | None = None) -> None:
    monkeypatch.setattr(installing, "distribution", lambda _: _Distribution(version, origin))


def test_a_checkout_is_named_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my pyveg"
    folder.mkdir()
    _installed(monkeypatch, "2.0.0.dev0", json.dumps({"url": folder.as_uri()}))
    assert how_to_install("pyveg[azure]") == "pip install '.[azure]' in the folder of pyveg"
    (folder / "setup.py").touch()
    assert how_to_install("pyveg[azure]").endswith(f"in the folder of pyveg, {folder}")
    assert how_to_install("pyveg[azure]", with_folder=False).endswith("in the folder of pyveg")


@pytest.mark.parametrize("origin", [None, "{", "[]", '{"url": "https://a.org/pyveg.whl"}'])
def test_elsewhere_no_folder_is_named(monkeypatch: pytest.MonkeyPatch, origin: str | None) -> None:
    _installed(monkeypatch, "2.0.0.dev0", origin)
    assert how_to_install("pyveg[a,b]") == "pip install '.[a,b]' in the folder of pyveg"


def test_a_release_and_other_packages_come_from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, "2.0.0")
    assert how_to_install("pyveg[azure]") == "pip install 'pyveg[azure]'"
    assert how_to_install("spool[far]") == "pip install 'spool[far]'"
