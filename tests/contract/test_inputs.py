"""All Inputs pass one suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pyveg.sources.files import FileInputs
from pyveg.testing.inputs_contract import InputsContract


class TestFilesOfThisMachine(InputsContract):
    def write(self, folder: Path, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "in" / name).write_bytes(data)

    def remove(self, folder: Path, name: str) -> None:
        (folder / "in" / name).unlink()

    def make_inputs(self, folder: Path) -> FileInputs:
        return FileInputs([str(folder / "in")])


class TestFilesOfFsspec(InputsContract):
    """In memory; its version of a file is when it was written."""

    def write(self, folder: Path, files: Mapping[str, bytes]) -> None:
        fsspec.filesystem("memory").pipe({f"{folder}/in/{n}": data for n, data in files.items()})

    def remove(self, folder: Path, name: str) -> None:
        fsspec.filesystem("memory").rm(f"{folder}/in/{name}")

    def make_inputs(self, folder: Path) -> FileInputs:
        return FileInputs([f"memory:/{folder}/in"])


class TestBlobs(InputsContract):
    @pytest.fixture(autouse=True)
    def _account(self, azure_config: Path) -> None:
        del azure_config

    def write(self, folder: Path, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self._store(folder).write(f"some/in/{name}", data)

    def remove(self, folder: Path, name: str) -> None:
        self._store(folder).delete(f"some/in/{name}")

    def make_inputs(self, folder: Path) -> FileInputs:
        return FileInputs([f"azure://{self._store(folder).container}/some/in"])

    @staticmethod
    def _store(folder: Path) -> Any:
        from pyveg.storage import azure

        return azure.open_store(str(folder))
