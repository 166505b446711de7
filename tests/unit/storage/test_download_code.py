"""What a download leaves out: files that a command started beside them would run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pyveg.storage.azure_download import _split_off_code


def test_no_file_that_commands_would_run_is_fetched() -> None:
    fine = ["_pyveg/config.py", "job/a/azure_config.py.txt", "job/my_azure_config.py", "x.json"]
    code = ["azure_config.py", "job/a/azure_config.py", "Azure_Config.PY", "sitecustomize.py"]
    blobs: Any = [SimpleNamespace(key=key) for key in [*fine, *code]]
    wanted, left_out = _split_off_code(blobs)
    assert [blob.key for blob in wanted] == fine
    assert list(left_out) == code
