"""`pyveg_azure_emulator`: what users rehearse with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg.scripts.azure_cleanup import main as cleanup_command
from pyveg.scripts.azure_emulator import main as emulator_command
from pyveg.testing.azure_cloud import MARK


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    config = tmp_path / "mine.py"
    command = [sys.executable, "-m", "pyveg.scripts.azure_emulator"]
    options = ["--nodes", "3", "--preempt_rate", "0.5", "--location", str(tmp_path / "cloud")]
    with subprocess.Popen(
        [*command, *options, "--write_config", str(config)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "Ctrl-C stops it.\n"))
            assert "pyveg_run_pipeline test_Sentinel2_batch --azure_config " in said
            assert f"--azure_config {config}" in said
            assert config.stat().st_mode & 0o077 == 0
            text = config.read_text()
            assert "pool_low_priority_node_count = 3" in text
            monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(config))
            result = CliRunner().invoke(cleanup_command)
            assert result.output == "nothing was left behind\n"
            process.send_signal(number)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert not config.exists()
    after = CliRunner().invoke(cleanup_command)
    assert after.exit_code == 2
    assert "there is no file" in after.output


def test_it_leaves_a_config_of_real_accounts_alone(tmp_path: Path) -> None:
    config = tmp_path / "azure_config.py"
    config.write_text("storage_account_name = 'real'\n")
    result = CliRunner().invoke(emulator_command, ["--write_config", str(config)])
    assert result.exit_code == 2
    assert re.search("was not written by pyveg_azure_emulator; name another file", result.output)
    assert config.read_text() == "storage_account_name = 'real'\n"
    assert MARK not in config.read_text()
