"""What all Inputs must do, as a suite of tests to subclass.

::

    class TestMyInputs(InputsContract):
        def write(self, folder, files): ...
        def make_inputs(self, folder): ...
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pyveg.core.errors import DataError
from pyveg.core.ports import Inputs
from pyveg.core.types import Item

FILES = {"a.csv": b"1", "b c.csv": b"", "deep/ü $(x).csv": b"three"}


class InputsContract:
    """Tests that all Inputs pass; pytest gives each a folder of its own."""

    def write(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Put files where the inputs are looked for, in the place of those of the same names."""
        raise TypeError(f"say how to put {len(files)} files into {folder}")

    def remove(self, folder: Path, name: str) -> None:
        """Remove one of them."""
        raise TypeError(f"say how to remove {name} from {folder}")

    def make_inputs(self, folder: Path) -> Inputs:
        """The Inputs of all files that `write` has put there."""
        raise TypeError(f"say how to find what is in {folder}")

    @pytest.fixture
    def inputs(self, tmp_path: Path) -> Inputs:
        """The Inputs under test."""
        self.write(tmp_path, FILES)
        return self.make_inputs(tmp_path)

    def test_each_file_is_an_item(self, inputs: Inputs) -> None:
        """By its path, with what it takes to open it elsewhere; the same at every look."""
        items = inputs.items()
        assert [item.name for item in items] == sorted(FILES)
        assert inputs.items() == items
        for item in items:
            assert item.details["size"] in (len(FILES[item.name]), None)
            assert item.details["version"]
        assert type(inputs)(inputs.settled()).items() == items

    def test_what_is_there_is_read(self, inputs: Inputs) -> None:
        """By Inputs that know nothing but the JSON of an Item; as often as it is asked for."""
        for item in inputs.items():
            elsewhere = type(inputs)(())
            known = Item(*json.loads(json.dumps([item.name, item.details])))
            for _ in range(2):
                with elsewhere.open(known) as stream:
                    assert stream.read() == FILES[item.name]
            path = elsewhere.path(known)
            assert path is None or path.read_bytes() == FILES[item.name]

    def test_a_change_is_another_version(self, inputs: Inputs, tmp_path: Path) -> None:
        """Of that file only, also where its length is the same."""
        before = {item.name: item for item in inputs.items()}
        self.write(tmp_path, {"a.csv": b"2"})
        after = {item.name: item for item in self.make_inputs(tmp_path).items()}
        assert after["a.csv"].details["version"] != before["a.csv"].details["version"]
        assert {name for name in FILES if after[name] == before[name]} == FILES.keys() - {"a.csv"}

    def test_what_is_gone_is_told(self, inputs: Inputs, tmp_path: Path) -> None:
        """By the Task that needs it; the next look leaves it out."""
        gone = inputs.items()[0]
        self.remove(tmp_path, gone.name)
        with pytest.raises(DataError, match="is not there"), inputs.open(gone):
            pass
        again = [item.name for item in self.make_inputs(tmp_path).items()]
        assert again == sorted(FILES.keys() - {gone.name})
