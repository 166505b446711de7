"""What a run left in a container, through pyveg_azure_download."""

from __future__ import annotations

import uuid
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pyveg.scripts.azure_download import main
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite

DATES = ("2016-01-16", "2016-02-15")
ROOT = "gee_27.95_11.57_Sentinel2"
COMBINE = "gee_27.95_11.57_combine"
SUMMARY = [f"{COMBINE}/{name}" for name in ("results_summary.json", "series.csv", "series.png")]


def _pictures(kind: str) -> list[str]:
    return [f"{ROOT}/{date}/PROCESSED/{date}_27.95_11.57_{kind}.png" for date in DATES]


DEFAULT = sorted([*SUMMARY, *_pictures("RGB")])
EVERYTHING = sorted(
    [
        *DEFAULT,
        *_pictures("NDVI"),
        *_pictures("BWNDVI"),
        f"{ROOT}/2016-01-16/RAW/download.B4.tif",
        f"{ROOT}/2016-01-16/SPLIT/sub0_27.950_11.570_2016-01-16_RGB.png",
        "_pyveg/run.json",
        "empty",
    ]
)


@pytest.fixture(scope="module")
def store(azurite: Azurite) -> AzureBlobStore:
    """A container as a run leaves it."""
    found = AzureBlobStore(azurite.url, f"run-{uuid.uuid4().hex[:12]}", Access(azurite.key))
    for key in EVERYTHING:
        found.write(key, b"" if key == "empty" else key.encode() * 20_000)
    return found


def _get(store: AzureBlobStore, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["--container", store.container, *arguments])
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


pytestmark = pytest.mark.usefixtures("azure_config")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), DEFAULT),
        (("--summary_json",), sorted(SUMMARY)),
        (("--rgb",), _pictures("RGB")),
        (("--ndvi", "--rgb"), sorted(p for k in ("RGB", "NDVI", "BWNDVI") for p in _pictures(k))),
        (("--all",), EVERYTHING),
    ],
)
def test_what_is_asked_for_comes(
    store: AzureBlobStore, tmp_path: Path, options: tuple[str, ...], expected: list[str]
) -> None:
    result = _get(store, "--output_dir", str(tmp_path / "out"), *options)
    assert result.exit_code == 0, result.output
    assert f"{len(expected)} files, " in result.output
    assert _files(tmp_path / "out") == {key: store.read(key) for key in expected}


def test_a_zip(store: AzureBlobStore, tmp_path: Path) -> None:
    files = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for file in files:
        result = _get(store, "--output_zipfile", str(file), "--all")
        assert result.exit_code == 0, result.output
    with zipfile.ZipFile(files[0]) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == {
            key: store.read(key) for key in EVERYTHING
        }
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(tmp_path.glob("*.zip*")) == files, "nothing else is left"


def test_nothing_is_replaced_without_force(store: AzureBlobStore, tmp_path: Path) -> None:
    file, folder = tmp_path / "a.zip", tmp_path / "out"
    file.write_bytes(b"mine")
    (folder / COMBINE).mkdir(parents=True)
    mine = folder / SUMMARY[0]
    mine.write_bytes(b"mine")
    for target in (("--output_zipfile", str(file)), ("--output_dir", str(folder))):
        result = _get(store, *target)
        assert result.exit_code == 2
        assert "--force" in result.output
    assert _files(tmp_path / "out") == {SUMMARY[0]: b"mine"}
    assert file.read_bytes() == b"mine"
    for target in (("--output_zipfile", str(file)), ("--output_dir", str(folder))):
        assert _get(store, *target, "--force").exit_code == 0
    assert zipfile.is_zipfile(file)
    assert mine.read_bytes() == store.read(SUMMARY[0])


def test_equal_files_are_kept(store: AzureBlobStore, tmp_path: Path) -> None:
    assert _get(store, "--output_dir", str(tmp_path / "out")).exit_code == 0
    moments = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    result = _get(store, "--output_dir", str(tmp_path / "out"))
    assert "5 of them were there already" in result.output
    assert moments == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}


def test_a_missing_container_is_told_with_the_nearest(
    store: AzureBlobStore, tmp_path: Path
) -> None:
    for name in (f"{store.container}x", f"azure://{store.container}x"):
        arguments = ["--container", name, "--output_dir", str(tmp_path / "out")]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert f"there is no container {store.container}x" in result.output
        assert f"did you mean {store.container}" in result.output
    assert not (tmp_path / "out").exists()


def test_wrong_command_lines(store: AzureBlobStore, tmp_path: Path) -> None:
    assert "give one of" in _get(store).output
    both = _get(store, "--output_dir", "a", "--output_zipfile", "b.zip")
    assert both.exit_code == 2
    config = _get(store, "--output_dir", str(tmp_path), "--azure_config", str(tmp_path / "no.py"))
    assert config.exit_code == 2
    assert "there is no file" in config.output
    bad = CliRunner().invoke(main, ["--container", "My_Run", "--output_dir", str(tmp_path / "o")])
    assert bad.exit_code == 2
    assert "cannot be the name of a container" in bad.output
