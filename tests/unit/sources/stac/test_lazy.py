"""What is imported when."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pystac", "pystac_client", "odc", "xarray", "dask", "requests", "urllib3"}


@pytest.mark.parametrize(
    "statement",
    [
        "import pyveg.sources.collections",
        "from pyveg.core import registry; registry.load('source', 'simulated')",
        "import pyveg.sources.stac.source, pyveg.sources.open_meteo",
    ],
)
def test_services_are_imported_when_they_are_asked(statement: str) -> None:
    """Plans and checks of configs need no client of a service."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(result.stdout.split())
