"""The main job with its results in a blob container, through the commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pyveg
from pyveg.scripts.create_analysis_report import main as create_analysis_report
from pyveg.scripts.gee_analysis import main as gee_analysis
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite

SUMMARY = "gee_27.95_11.57_combine/results_summary.json"


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(run_command, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _container(output: str) -> str:
    (name,) = set(re.findall("azure://([a-z0-9-]+)", output))
    return str(name)


def _open(azurite: Azurite, name: str) -> AzureBlobStore:
    return AzureBlobStore(azurite.url, name, Access(account_key=azurite.key))


@pytest.fixture(scope="module")
def finished(
    azurite: Azurite,
    tmp_path_factory: pytest.TempPathFactory,
    config_writer: Callable[[Path], Any],
) -> SimpleNamespace:
    """One run of the small simulated place in worker processes, made once."""
    folder = tmp_path_factory.mktemp("cloud")
    config = config_writer(folder)(
        output_location=f"My_Place.{uuid.uuid4().hex[:6]}", output_location_type="azure"
    )
    (folder / "mine.py").write_text(azurite.config())
    result = _run("--config_file", str(config), "--azure_config", str(folder / "mine.py"))
    os.environ.pop("PYVEG_AZURE_CONFIG")
    assert result.exit_code == 0, result.output
    store = _open(azurite, _container(result.output))
    return SimpleNamespace(result=result, store=store, config=config)


@pytest.fixture
def azure_text(write_config: Any) -> Path:
    """A config of the small place that writes to a container of its own."""
    path: Path = write_config(
        output_location=f"place-{uuid.uuid4().hex[:8]}", output_location_type="azure"
    )
    return path


def test_the_results_are_those_of_a_local_run(finished: SimpleNamespace, small_run: Any) -> None:
    local = small_run.results()
    assert SUMMARY in local
    assert {key: finished.store.read(key) for key in finished.store.list("gee_")} == local


def test_one_container_named_after_the_run(finished: SimpleNamespace) -> None:
    name = finished.store.container
    assert re.fullmatch(r"my-place-[0-9a-f]{6}-\d{4}(-\d\d){5}", name)
    assert f"run: azure://{name}" in finished.result.output
    assert f"run azure://{name}: " in finished.store.read("_pyveg/run.log").decode()
    kept = json.loads(finished.store.read("_pyveg/run.json"))
    assert kept["written_to"] == f"azure://{name}"
    assert kept["pipeline"]["output_location_type"] == "azure"


def test_nothing_that_is_written_or_printed_holds_a_key(finished: SimpleNamespace) -> None:
    texts = {key: finished.store.read(key) for key in finished.store.list()}
    texts["output"] = finished.result.output.encode()
    for key, data in texts.items():
        for secret in (Azurite.key.encode(), b"sig=", b"storage_account_key", b"AccountKey"):
            assert secret not in data, key


@pytest.mark.usefixtures("azure_config")
def test_results_are_read_from_the_container(finished: SimpleNamespace) -> None:
    url = finished.store.url
    assert set(pyveg.load_results(url)) >= {"date", "offset50", "ndvi_mean"}
    assert len(pyveg.load_weather(url)) == 4


@pytest.mark.usefixtures("azure_config")
def test_a_container_is_analysed(finished: SimpleNamespace, tmp_path: Path) -> None:
    """Into itself, or into a folder; and its report is made anew."""
    store = finished.store
    few = ["--metric", "ndvi_mean", "--surrogates", "39"]
    told = CliRunner().invoke(gee_analysis, ["--input_container", store.container, *few])
    assert told.exit_code == 0, told.output
    assert "cannot tell whether resilience is lost" in told.output  # four months are too few
    report = "analysis/SimulatedSentinel2/report.html"
    assert f"report: {store.url}/{report}" in told.output
    page = store.read(report)
    made = CliRunner().invoke(create_analysis_report, ["--input_dir", store.container])
    assert made.exit_code == 0, made.output
    assert store.read(report) == page
    here = ["--output_dir", str(tmp_path), "--no_report"]
    told = CliRunner().invoke(gee_analysis, ["--input_dir", store.url, *few, *here])
    assert told.exit_code == 0, told.output
    table = "SimulatedSentinel2/tables/agreement.csv"
    assert (tmp_path / table).read_bytes() == store.read(f"analysis/{table}")


@pytest.mark.usefixtures("azure_config")
@pytest.mark.parametrize("form", ["{}", "azure://{}"])
def test_what_is_missing_is_done_again(finished: SimpleNamespace, form: str) -> None:
    store = finished.store
    before = {blob.key: blob.etag for blob in store.inventory()}
    (lost,) = [key for key in before if key.endswith("2016-03-16/JSON/NDVI/ndvi_values.json")]
    data = store.read(lost)
    store.delete(lost)
    result = _run("--from_cache", form.format(store.container), "--runner", "threads")
    assert result.exit_code == 0, result.output
    assert store.read(lost) == data
    rewritten = {blob.key for blob in store.inventory() if before.get(blob.key) != blob.etag}
    assert not [key for key in rewritten if "/RAW/" in key or "/PROCESSED/" in key]


@pytest.mark.usefixtures("azure_config")
def test_a_run_that_another_process_is_writing_is_refused(finished: SimpleNamespace) -> None:
    with finished.store.lock("_pyveg/lock"):
        result = _run("--from_cache", finished.store.container)
    assert result.exit_code == 2
    assert "is being written by process" in result.output


@pytest.mark.usefixtures("azure_config")
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_an_interrupted_run_is_finished(
    azurite: Azurite, azure_text: Path, finished: SimpleNamespace
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(azure_text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    name = _container(process.stdout.readline())
    store = _open(azurite, name)
    while process.poll() is None and len(list(store.list("_pyveg/manifests/"))) < 3:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert f"--from_cache azure://{name}" in text
    result = _run("--from_cache", name, "--runner", "threads")
    assert result.exit_code == 0, result.output
    ours, theirs = (json.loads(one.read(SUMMARY)) for one in (store, finished.store))
    assert ours == theirs


@pytest.mark.usefixtures("azure_config")
def test_two_runs_never_share_a_container(
    azure_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when they begin in the same second."""
    from pyveg.jobs import claim, run

    class Frozen(claim.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2026, 11, 21, 10, 0, 0, tzinfo=tz)

    monkeypatch.setattr(claim, "datetime", Frozen)
    prepared = run.prepare(azure_text)
    with run._claimed(prepared) as first, run._claimed(prepared) as second:
        assert first.store.url == prepared.url != second.store.url
    with run._claimed(prepared) as third:
        assert third.store.url not in (first.store.url, second.store.url)
    assert first.store.url.rpartition("-")[0] == third.store.url.rpartition("-")[0]


@pytest.mark.usefixtures("azure_config")
def test_a_dry_run_asks_nobody(azure_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_AZURE_STORAGE_ACCOUNT_URL", "http://127.0.0.1:9/nobody")
    result = _run("--config_file", str(azure_text), "--dry_run")
    assert result.exit_code == 0, result.output
    assert "<date_stamp> (azure)" in result.output


@pytest.mark.usefixtures("azure_config")
def test_a_missing_container_is_told_with_the_nearest(finished: SimpleNamespace) -> None:
    name = finished.store.container
    wrong = f"x{name[1:]}"
    result = _run("--from_cache", wrong)
    assert result.exit_code == 2
    assert f"there is no container {wrong} in devstoreaccount1; did you mean " in result.output
    assert name in result.output


def test_troubles_are_told_quickly(
    azurite: Azurite, azure_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYVEG_AZURE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    wrong_key = azurite.config().replace(azurite.key, "bm8=")
    down = azurite.config().replace(str(azurite.port), "9")
    unknown = "storage_account_name = 'nosuchaccount'\nstorage_account_key = 'bm8='\n"
    cases = {
        "": "storage_account_name is missing; write the file with pyveg_azure_config",
        wrong_key: "or the key is wrong",
        down: "it cannot be reached: it refuses connections; check the network",
        unknown
        + "storage_account_url = 'https://nosuchaccount.invalid'": "it cannot be reached: its name "
        "is not known; check storage_account_name",
    }
    for text, told in cases.items():
        (tmp_path / "azure_config.py").write_text(text)
        begin = time.monotonic()
        result = _run("--config_file", str(azure_text))
        assert result.exit_code == 2, result.output
        assert told in result.output
        assert result.output.count("\n") == 1, "one line"
        assert "bm8=" not in result.output
        assert time.monotonic() - begin < 60


def test_without_the_extra_the_pip_line_is_told(
    azure_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyveg.core import registry

    monkeypatch.setattr(registry, "is_installed", lambda name: name != "azure-storage-blob")
    result = _run("--config_file", str(azure_text))
    assert result.exit_code == 2
    assert "pip install '.[azure]'" in result.output
