"""The main job on Dask, through the commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from pyveg.core.tasks import State
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.jobs.training import make_settings as training
from pyveg.jobs.training import manifest_of_folder
from pyveg.jobs.watching import engine_views
from pyveg.photos import ENDINGS
from pyveg.runs.run import open_run
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_config
from pyveg.training import simulated_chips

SUMMARY = "gee_27.95_11.57_combine/results_summary.json"


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(run_command, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob("gee_*/**/*")
        if path.is_file()
    }


@pytest.fixture(scope="session")
def expected(small_run: Any) -> dict[str, bytes]:
    """What a run on this machine gives."""
    found: dict[str, bytes] = small_run.results()
    return found


def test_everything_on_a_scheduler(
    dask_processes: DaskProcesses, write_config: Any, expected: dict[str, bytes]
) -> None:
    config = write_config(runner="dask", dask_scheduler=str(dask_processes.file))
    result = _run("--config_file", str(config))
    assert result.exit_code == 0, result.output
    (folder,) = write_config.runs()
    assert len(expected[SUMMARY]) > 1000
    assert _outputs(folder) == expected
    again = _run("--from_cache", str(folder), "--dask_scheduler", dask_processes.address)
    assert again.exit_code == 0, again.output
    assert State.SUCCEEDED.value in again.output
    assert _outputs(folder) == expected


def test_one_module_on_workers_of_this_machine(
    write_config: Any, expected: dict[str, bytes]
) -> None:
    special = {
        "SimulatedSentinel2": {"spin_up": 200},
        "NetworkCentralityCalculator": {"run_mode": "dask"},
    }
    config = write_config(runner="threads", special_config=special)
    result = _run("--config_file", str(config), "--n_workers", "2")
    assert result.exit_code == 0, result.output
    (folder,) = write_config.runs()
    assert _outputs(folder) == expected


def test_a_container_opened_by_a_key_that_workers_do_not_have(
    dask_processes: DaskProcesses,
    azurite: Azurite,
    azure_config: Path,
    write_config: Any,
    expected: dict[str, bytes],
) -> None:
    """They get a SAS of the container, and no log tells it."""
    assert azure_config.is_file()
    container = f"dask-{uuid.uuid4().hex[:8]}"
    config = write_config(output_location=container, output_location_type="azure", runner="dask")
    result = _run("--config_file", str(config), "--dask_scheduler", dask_processes.address)
    assert result.exit_code == 0, result.output
    (name,) = {
        word.removeprefix("azure://").partition("/")[0]
        for word in result.output.split()
        if word.startswith(f"azure://{container}")
    }
    store = AzureBlobStore(azurite.url, name, Access(account_key=azurite.key))
    assert store.read(SUMMARY) == expected[SUMMARY]
    assert "sig=" not in dask_processes.log
    assert azurite.key not in dask_processes.log


@pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX systems")
def test_an_interrupt_at_the_terminal(tmp_path: Path, gate: Gate) -> None:
    """It reaches workers too, which leave it to the coordinator; none of them stays."""
    config = tmp_path / "config.py"
    special = {"Start": {"count": 2, "gate": str(gate.folder), "held": ["00001"]}}
    out = str(tmp_path / "out")
    config.write_text(fake_config(out, runner="dask", n_workers=2, special_config=special))
    process = subprocess.Popen(
        [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    gate.wait_for("00001")
    (folder,) = tmp_path.glob("out_*")
    ((view,), reasons) = engine_views(open_run(folder))
    assert reasons == []
    assert len(view.nodes()) == 2, "other processes see the workers of this one"
    seen = view.running()
    # Both Sequences have a Task that is held; which of them is in hand first is chance.
    held = {task for one in seen for task in one.task_ids}
    assert held & {"A/Start/00001", "B/Start/00001"}, held
    assert {one.node for one in seen} <= {one.id for one in view.nodes() if one.state == "working"}
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert "distributed" not in text
    _, alive = psutil.wait_procs(children, timeout=10)
    assert len(children) >= 2
    assert not alive
    assert not list(folder.glob("_pyveg/dask/*"))


def test_a_model_is_trained_and_used_on_workers_as_on_this_machine(
    dask_processes: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model, byte for byte, and the same predictions with it."""
    monkeypatch.chdir(tmp_path)
    simulated_chips.write(Path("chips"), 16)
    simulated_chips.write(Path("unseen"), 4, seed=1)
    Path("unseen/manifest.json").write_text(manifest_of_folder(Path("unseen"), ENDINGS))
    on_workers = {"runner": "dask", "engines": {"dask": {"scheduler": str(dask_processes.file)}}}
    made = []
    for name, top in (("here", {"runner": "serial"}), ("there", on_workers)):
        settings = training(
            {"output_location": name, **top},
            {"catalog": "chips/catalogue.csv"},
            {"models": f"models_{name}"},
            {"manifest": "unseen/manifest.json"},
        )
        report = start(prepare(resolve(settings)), picture=False)
        assert report.exit_code == 0, report.failures()
        (model,) = (path.read_bytes() for path in Path(f"models_{name}").rglob("*.onnx"))
        predictions = "model/_predictions/catalogue.csv/predictions.json"
        made.append((model, open_run(report.url).store.read(predictions)))
    assert made[0] == made[1]
    assert len(json.loads(made[0][1])["data"]) == 4
