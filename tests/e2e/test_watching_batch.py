"""A run on nodes is watched and stopped from another process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from pyveg.scripts import azure_cleanup, cancel, logs, status
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import FAKES

TASK = "job/Start/00001"


def _call(command: Any, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(command.main, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def _config(folder: Path, gate: Gate) -> Path:
    settings = {
        "name": "watched",
        "output_location": f"watched-{uuid.uuid4().hex[:8]}",
        "output_location_type": "azure",
        "modules_to_use": {"job": [f"{FAKES}:Start"]},
        "special_config": {
            "job": {
                "count": 4, "run_mode": "batch", "gate": str(gate.folder), "held": ["00001"],
                "fail": ["00000"],
            }
        },
    }  # fmt: skip
    path = folder / "watched.py"
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in settings.items()))
    return path


def _told_as_failed(url: str, task: str) -> Any:
    """All that is known of a Task, once its end has come to the events."""
    told = json.loads(_call(logs, url, "--task", task, "--json"))
    return told if told["state"] == "failed" else None


def _until(found: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return value


def test_nodes_logs_and_a_stop_that_leaves_nothing(
    make_cloud: Any, gate: Gate, tmp_path: Path
) -> None:
    make_cloud()
    process = subprocess.Popen(
        [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file",
         str(_config(tmp_path, gate))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("run: ").strip()
        gate.wait_for("00001")
        _until(lambda: json.loads(_call(status, url, "--json"))["failures"])
        shown = _call(status, url)
        assert "state: running" in shown
        (node,) = [line for line in shown.splitlines() if line.startswith("node ")]
        assert ": running, for " in node
        assert TASK in node
        told = json.loads(_call(logs, url, "--task", TASK, "--json"))
        assert f"the task {TASK}" in told["live"]
        kept = _until(lambda: _told_as_failed(url, "job/Start/00000"))
        assert [key for key in kept["logs"] if key.endswith("stderr.txt")]
        begin = time.monotonic()
        assert "has been stopped" in _call(cancel, url)
        assert time.monotonic() - begin < 10
        assert process.wait(10) == 130
        assert "nothing was left behind" in _call(azure_cleanup)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert "state: stopped" in _call(status, url)
