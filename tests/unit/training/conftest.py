from __future__ import annotations

from pathlib import Path

import pytest

from pyveg.training import simulated_chips


@pytest.fixture(scope="session")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Catalogue of some labelled chips."""
    return simulated_chips.write(tmp_path_factory.mktemp("chips"), 24)


@pytest.fixture(scope="session")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Catalogue of chips of other places."""
    return simulated_chips.write(tmp_path_factory.mktemp("unseen"), 16, seed=1)
