"""Fixtures of all tests."""

from __future__ import annotations

import compileall
import gc
import hashlib
import os
import shlex
import shutil
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
from filelock import FileLock

import azure_batch_emulator
from azure_batch_emulator import Faults
from pyveg import formats, npm
from pyveg.caches import cache_folder
from pyveg.core import memory
from pyveg.scorers import demo
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.azurite import VERSION as AZURITE_VERSION
from pyveg.testing.azurite import Azurite
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.gate import Gate
from pyveg.testing.harvard import harvard as sample_of_harvard

TOGETHER = {
    "nodes": (
        "e2e/test_azure_batch.py",
        "e2e/test_service_engines.py",
        "e2e/test_watching_batch.py",
        "contract/test_azure_batch.py",
        "contract/test_azure_look.py",
        "fault/test_azure_batch.py",
        "fault/test_azure_deleted.py",
        "fault/test_azure_takeover.py",
        "fault/test_azure_waiting.py",
    ),
    "a scheduler": (
        "fault/test_dask.py",
        "e2e/test_dask.py",
        "contract/test_dask.py",
        "unit/testing/test_dask_processes.py",
    ),
    "a made place": (
        "e2e/test_report.py",
        "unit/analysis/figures/test_figures.py",
        "unit/analysis/report/test_report.py",
        "unit/analysis/test_declared_metrics.py",
    ),
}
"""Files that need what takes long to set up; one process runs them all."""
FIRST = (
    *TOGETHER["nodes"],
    "e2e/test_analysis.py",
    "fault/test_locks.py",
    "fault/test_client_ends.py",
    "e2e/test_watching.py",
    "fault/test_kill.py",
    "fault/test_no_network.py",
    "contract/test_azure_requests.py",
    "e2e/test_run_command.py",
    "fault/test_stac.py",
    *TOGETHER["a scheduler"],
    "e2e/test_plugin.py",
    "e2e/test_earth_engine.py",
    *TOGETHER["a made place"],
    "e2e/test_calibrate.py",
    "fault/test_azure.py",
)
"""Files that take longest; they begin first, so that no process is left alone with one."""
TESTS = Path(__file__).parent
SHARED = TESTS.resolve().parents[1] / "shared" / "data"
KEPT = cache_folder()
"""The user's own cache, where tests keep what takes long to make and belongs to no run."""
FROM_NPM = (("azurite", AZURITE_VERSION), (demo.PACKAGE, demo.VERSION))
"""What tests need of npm."""


hypothesis.settings.register_profile("pyveg", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("pyveg")


def pytest_configure(config: pytest.Config) -> None:
    """Let processes of tests be interrupted, and keep what was compiled for the next time."""
    if not hasattr(config, "workerinput"):  # before there are other processes
        _compile_modules()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # where the tests run in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = getattr(signal, "SIGHUP", None)
    if hangup and signal.getsignal(hangup) is signal.SIG_IGN:  # where they run under nohup
        signal.signal(hangup, signal.SIG_DFL)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(_compiled(KEPT / "tests" / "numba")))


def _compile_modules() -> None:
    """Compile what the tests run in hundreds of processes, each of which would do so itself.

    Also where ``PYTHONDONTWRITEBYTECODE`` is set: it would cost each of them that time.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for package in (formats, azure_batch_emulator):
        compileall.compile_dir(Path(str(package.__file__)).parent, quiet=2)


def _compiled(folder: Path) -> Path:
    """Where Numba keeps what it compiles, for all checkouts whose kernels are the same.

    Numba looks at the file of a function only, not at those of the functions that it calls; so
    what was compiled of other sources lies in another folder. Below it, Numba has one folder for
    each place where the package lies; here they are one.
    """
    kernels = Path(formats.__file__).parent / "kernels"
    found = hashlib.sha256(f"{sys.version} {version('numba')} {version('numpy')}".encode())
    for path in sorted(kernels.glob("*.py")):
        found.update(path.read_bytes())
    folder = folder / found.hexdigest()[:16]
    place = hashlib.sha1(str(kernels).encode(), usedforsecurity=False).hexdigest()
    (folder / "kernels").mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # it is there, or the system has no links: then Numba makes its own
        (folder / f"kernels_{place}").symlink_to("kernels")
    _remove_old(folder)
    return folder


def _remove_old(newest: Path, days: float = 30) -> None:
    """Versions that nobody has used for a while; one may go back and forth between others."""
    os.utime(newest)
    for path in newest.parent.iterdir():
        if newest.stat().st_mtime - path.stat().st_mtime > days * 86400:
            shutil.rmtree(path, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")
    parser.addoption("--live", action="store_true", help="ask the real services too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in ("slow", "live"):
        if not config.getoption(f"--{name}"):
            left_out = pytest.mark.skip(reason=f"{name}: run it with --{name}")
            for item in items:
                if name in item.keywords:
                    item.add_marker(left_out)
    place = {TESTS / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end; no collection of garbage needs to look at them again."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file goes to one process as a whole, and so do those that are to be run together."""
    from xdist.scheduler import LoadFileScheduling

    groups = {f"tests/{file}": group for group, files in TOGETHER.items() for file in files}

    class ByService(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return groups.get(path, path)

    return ByService(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(autouse=True)
def no_limit_of_memory_stays() -> Iterator[None]:
    """The process of a test is none that runs one Task only, whatever command it has called."""
    yield
    memory._kept["by the system"] = False


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Answers of stand-ins stay out of the user's own folder; what npm has is put there once."""
    own = tmp_path_factory.mktemp("cache")
    for package, version_ in FROM_NPM:
        kept = npm.folder_of(package, version_, KEPT)
        kept.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # a system without links installs it anew
            (own / kept.name).symlink_to(kept, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYVEG_CACHE", str(own))
        yield


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, which all its processes share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def made_once(base_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder of some name once, whichever process asks first; nobody writes to it."""

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, made = base_folder / name, base_folder / f"{name}.made"
        with FileLock(base_folder / f"{name}.lock"):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that could not
                folder.mkdir()
                fill(folder)
                made.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data with known answers, which lie beside a developer's checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"the developers' data are not here ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def harvard() -> Path:
    """A real field camera whose figures are known; nobody writes to it."""
    return sample_of_harvard(KEPT)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A blob service; the tests that need it fail where it cannot be had."""
    with Azurite() as server:
        yield server


@pytest.fixture
def azure_config(azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An azure_config.py for it, which this process and its children find."""
    path = tmp_path / "azure_config.py"
    path.write_text(azurite.config())
    monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(path))
    monkeypatch.delenv("PYVEG_AZURE_SAS", raising=False)
    return path


@pytest.fixture(scope="session")
def environments(base_folder: Path) -> Path:
    """Where emulated nodes share the environment that the first of them makes.

    Also those of the other processes that run tests: the script of nodes locks what it makes.
    """
    folder = base_folder / "environments"
    folder.mkdir(exist_ok=True)
    return folder


LENDING_PYTHON = """#!/bin/sh
# A Python whose new environments find the packages that are installed here.
{python} "$@" || exit
if [ "$1 $2" = "-m venv" ]; then
    for folder in "$3"/lib/python3.*/site-packages; do echo {packages} > "$folder/lent.pth"; done
fi
"""


@pytest.fixture(scope="session")
def lending_python(base_folder: Path, made_once: Callable[..., Path]) -> Path:
    """Makes environments in which all but pyveg is there already.

    Nodes then install the wheel of pyveg alone, and pip finds that its requirements are met. What
    they do with an empty environment takes ten times as long; run that with --slow.
    """

    name, own = "lending", ("pyveg", "__editable__", "azure_batch_emulator")
    quoted = {
        "python": shlex.quote(sys.executable),
        "packages": shlex.quote(str(base_folder / name / "packages")),
    }

    def fill(folder: Path) -> None:
        (folder / "packages").mkdir()
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(own):
                (folder / "packages" / entry.name).symlink_to(entry)
        (folder / "python").write_text(LENDING_PYTHON.format_map(quoted))
        (folder / "python").chmod(0o755)

    return made_once(name, fill) / "python"


@pytest.fixture(scope="module")
def dask_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler with two workers of one thread, which stay whole or come back."""
    with DaskProcesses(tmp_path_factory.mktemp("dask")) as processes:
        processes.add_workers(2)
        yield processes


@dataclass(frozen=True)
class Shared:
    """What emulated Azures have in common."""

    azurite: Azurite
    environments: Path
    python: Path | None = None


class CloudMaker:
    """Starts emulators of Azure Batch beside one Azurite, and writes the config for them."""

    def __init__(self, stack: ExitStack, folder: Path, shared: Shared) -> None:
        self._stack = stack
        self._folder = folder
        self._shared = shared
        self.config_file = folder / "azure_config.py"

    def __call__(
        self,
        *,
        faults: Faults | None = None,
        bare: bool = False,
        emulator: dict[str, Any] | None = None,
        **settings: Any,
    ) -> LocalCloud:
        """Start one; nodes that are bare get every package by pip, in an environment of theirs."""
        shared = vars(self._shared)
        if bare:
            shared = {"azurite": self._shared.azurite, "environments": self._folder / "bare"}
        cloud = self._stack.enter_context(
            LocalCloud(self._folder / "cloud", faults, emulator=emulator, **shared)
        )
        self.write(cloud, **settings)
        return cloud

    def write(self, cloud: LocalCloud, **settings: Any) -> None:
        """Write the config anew."""
        text = cloud.config(
            **{"poll_seconds": 0.1, "pool_dedicated_node_count": 1, "task_retries": 0, **settings}
        )
        self.config_file.write_text(text)


@pytest.fixture
def shared_by_clouds(azurite: Azurite, environments: Path, lending_python: Path) -> Shared:
    """One Azurite, and nodes whose environment needs but the wheel of pyveg."""
    return Shared(azurite, environments, lending_python)


@pytest.fixture
def make_cloud(
    shared_by_clouds: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CloudMaker]:
    """Makes an Azure on this machine, which this process and its children find."""
    with ExitStack() as stack:
        maker = CloudMaker(stack, tmp_path, shared_by_clouds)
        monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(maker.config_file))
        monkeypatch.delenv("PYVEG_AZURE_SAS", raising=False)
        yield maker


@pytest.fixture(scope="session")
def made_place() -> SimpleNamespace:
    """A made-up place with everything: its analysis, figures and report."""
    from pyveg.analysis.figures import all_figures
    from pyveg.analysis.report import report_html
    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.testing.analyses import made_analysis, made_series, made_snapshots

    long = "a-name-that-has-no-place-to-break-" * 8
    series = made_series(metadata={"name": long, "latitude": -11.57, "longitude": 27.95})
    analysis = made_analysis(
        series,
        snapshots=made_snapshots(series),
        settings=AnalysisSettings(surrogates=19, indicators=("ar1", "variance", "sd")),
        config=f"name = 'a & b'  # {long}",
    )
    figures = all_figures(analysis)
    html = report_html(analysis, figures=figures)
    return SimpleNamespace(analysis=analysis, figures=figures, html=html)


class ConfigWriter:
    """Writes config files for a small simulated place, with changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, drop: tuple[str, ...] = (), **changes: Any) -> Path:
        settings: dict[str, Any] = {
            "name": "small",
            "output_location": str(self.folder / "out"),
            "coordinates": (27.95, 11.57),
            "region_size": 0.011,
            "date_range": ["2016-01-01", "2016-05-01"],
            "collections_to_use": ["SimulatedSentinel2", "SimulatedWeather"],
            "modules_to_use": {
                "SimulatedSentinel2": [
                    "VegetationDownloader",
                    "VegetationImageProcessor",
                    "NetworkCentralityCalculator",
                    "NDVICalculator",
                ],
                "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
                "combine": ["VegAndWeatherJsonCombiner"],
            },
            "special_config": {"SimulatedSentinel2": {"spin_up": 200}},
            **changes,
        }
        lines = ["from pyveg.configs.collections import data_collections"]
        lines += [f"{name} = {value!r}" for name, value in settings.items() if name not in drop]
        path = self.folder / "config.py"
        path.write_text("\n".join(lines) + "\n")
        return path

    def runs(self) -> list[Path]:
        """Folders of the runs that were made."""
        return sorted(self.folder.glob("out_*"))


@dataclass(frozen=True)
class SmallRun:
    """A run of the small simulated place in worker processes; nobody writes to it."""

    folder: Path
    output: str

    def results(self) -> dict[str, bytes]:
        """What was measured, by key."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.glob("gee_*/**/*")
            if path.is_file()
        }


@pytest.fixture(scope="session")
def small_run(made_once: Callable[..., Path]) -> SmallRun:
    """The run of a `ConfigWriter` without changes, made once for all files."""
    from click.testing import CliRunner

    from pyveg.scripts.run_pipeline import main

    def fill(folder: Path) -> None:
        result = CliRunner().invoke(main, ["--config_file", str(ConfigWriter(folder)())])
        assert result.exit_code == 0, result.output
        (folder / "output.txt").write_text(result.output)

    made = made_once("small_run", fill)
    (folder,) = ConfigWriter(made).runs()
    return SmallRun(folder, (made / "output.txt").read_text())


@pytest.fixture(scope="session")
def config_writer() -> type[ConfigWriter]:
    """For fixtures that make a run once."""
    return ConfigWriter


@pytest.fixture
def write_config(tmp_path: Path) -> ConfigWriter:
    """Writes a config into the test's folder; runs go there too."""
    return ConfigWriter(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Where Tasks of the fakes wait until the test lets them go, or ends."""
    made = Gate(tmp_path / "gate")
    yield made
    made.open()


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of GeoTIFFs as a user may have them."""

    def make(
        dates: Sequence[str] = ("2020-01-16", "2020-02-15", "2020-03-16"),
        shape: tuple[int, int] = (110, 160),
        name: str = "place",
        seed: int = 1,
    ) -> Path:
        folder = tmp_path / name
        for number, date in enumerate(dates):
            rng = np.random.default_rng([seed, number])
            write_bands(folder / date / "RAW", random_bands(rng, shape))
        return folder

    return make


def random_bands(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Any]:
    """Reflectance x 10,000 with a pattern of patches."""
    coarse = rng.random((shape[0] // 5 + 2, shape[1] // 5 + 2))
    plants = np.kron(coarse, np.ones((5, 5)))[: shape[0], : shape[1]]
    noise = rng.normal(0, 60, (4, *shape))
    bases = {"B2": (1200, 500), "B3": (1700, 800), "B4": (2600, 700), "B8": (3000, 3600)}
    return {
        band: np.clip(soil + (green - soil) * plants + noise[i], 1, 9999).astype(np.uint16)
        for i, (band, (soil, green)) in enumerate(bases.items())
    }


def write_bands(folder: Path, bands: dict[str, Any], georeferenced: bool = True) -> None:
    """Write each band as ``download.<BAND>.tif`` on a 10 m UTM grid at (27.95, 11.57)."""
    folder.mkdir(parents=True, exist_ok=True)
    transform = (10.0, 0.0, 603_200.0, 0.0, -10.0, 1_279_500.0) if georeferenced else None
    for band, values in bands.items():
        raster = formats.Raster(values, "EPSG:32635" if georeferenced else None, transform, None)
        (folder / f"download.{band}.tif").write_bytes(formats.encode_geotiff(raster))


@pytest.fixture
def bands() -> SimpleNamespace:
    """Functions that make and write bands."""
    return SimpleNamespace(random=random_bands, write=write_bands)
