"""`pyveg_doctor`, with every service on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyveg.core import registry
from pyveg.earth.types import Place
from pyveg.jobs import doctor
from pyveg.scripts.doctor import main
from pyveg.sources.stac.settings import Service
from pyveg.testing.azurite import KEY
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.stac_world import StacWorld


def _doctor(*options: str) -> Result:
    result = CliRunner().invoke(main, list(options))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


@pytest.fixture(autouse=True)
def _nobody_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("EE_PROJECT", "EE_TOKEN", "EE_SERVICE_ACCOUNT_FILE", "PYVEG_AZURE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pyveg.sources.stac.settings.SERVICES", {})


def test_a_machine_without_accounts() -> None:
    """Nothing is wrong; what could be wanted is named with what to do."""
    result = _doctor("--offline")
    assert result.exit_code == 0, result.output
    assert "ok installed: pyveg " in result.output
    assert "ok disk: here: " in result.output
    assert "run `earthengine authenticate`" in result.output
    assert "write an azure_config.py with pyveg_azure_config" in result.output


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = registry.is_installed
    missing = ("earthengine-api", "azure-batch", "azure-storage-blob", "requests")
    monkeypatch.setattr(registry, "is_installed", lambda name: name not in missing and there(name))
    result = _doctor()
    assert result.exit_code == 0, result.output
    assert "pip install '.[earthengine]'" in result.output
    assert "pip install '.[azure]'" in result.output
    assert "answers" not in result.output


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_DISK", 1e9)
    result = _doctor("--offline")
    assert result.exit_code == 1
    assert " ! disk: here: " in result.output
    assert "make room, or write elsewhere" in result.output


def test_services_that_answer(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = make_cloud()
    monkeypatch.setenv("EE_PROJECT", "mine")
    monkeypatch.setenv("EE_TOKEN", "geheim")
    stand_in = StandIn()
    with (
        StacWorld(tmp_path / "world", Place(27.95, 11.57, 0.011)).serve() as server,
        stand_in.instead(),
    ):
        services = {"local": Service(server.url)}
        monkeypatch.setattr("pyveg.sources.stac.settings.SERVICES", services)
        result = _doctor("--azure_config", str(make_cloud.config_file))
    assert result.exit_code == 0, result.output
    assert "ok Earth Engine: sign-in: " in result.output
    assert "ok Earth Engine: Earth Engine answers (" in result.output
    assert "ok STAC: local answers" in result.output
    assert "ok Azure: the storage account answers" in result.output
    assert "the Batch account answers; runs have 0 jobs and 0 nodes" in result.output
    for secret in ("geheim", KEY, cloud.batch.key):
        assert secret not in result.output


def test_services_that_do_not(make_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cloud(batch_account_url="http://127.0.0.1:9", batch_account_key="d3Jvbmc=")
    services = {"local": Service("http://127.0.0.1:9/stac")}
    monkeypatch.setattr("pyveg.sources.stac.settings.SERVICES", services)
    result = _doctor("--azure_config", str(make_cloud.config_file), "--json")
    assert result.exit_code == 1
    bad = {f["area"]: f for f in json.loads(result.output) if f["health"] == "!"}
    assert set(bad) == {"STAC", "Azure"}
    assert "http://127.0.0.1:9/stac cannot be reached" in bad["STAC"]["text"]
    assert "check batch_account_url" in bad["Azure"]["cure"]


def test_a_config_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "azure_config.py"
    path.write_text("storage_acount_name = 'x'\n")
    result = _doctor("--offline")
    assert result.exit_code == 1
    assert 'unknown setting "storage_acount_name"' in result.output
    assert 'did you mean "storage_account_name"?' in result.output
