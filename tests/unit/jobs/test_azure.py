"""The file azure_config.py: found, written, read; its mistakes told without its keys."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg import azure_config
from pyveg.azure_config import check_account_url
from pyveg.core.errors import ConfigError
from pyveg.jobs import azure_template
from pyveg.scripts.azure_config import main
from pyveg.storage.azure import open_store
from pyveg.storage.azure_access import Access

ROOT = Path(__file__).resolve().parents[3]
KEY = "c2VjcmV0c2VjcmV0"


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PYVEG_AZURE"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_it_is_written_once_and_for_the_user_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0, result.output
    path = tmp_path / "azure_config.py"
    assert f"written: {path}" in result.output
    assert path.read_text() == (ROOT / "azure_config_template.py").read_text()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("mine")
    path.chmod(0o644)
    refused = CliRunner().invoke(main, [])
    assert refused.exit_code == 2
    assert "is there already; replace it with --force" in refused.output
    assert path.read_text() == "mine"
    assert CliRunner().invoke(main, ["--force"]).exit_code == 0
    assert path.read_text() == azure_template.text()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lost = CliRunner().invoke(main, ["--output_file", "no/such/folder/a.py"])
    assert lost.exit_code == 2
    assert "cannot be written" in lost.output


def test_the_template_has_every_setting_with_its_default(tmp_path: Path) -> None:
    found = azure_config.load(azure_template.write(tmp_path))
    usual = azure_config.AzureConfig()
    for name in azure_config.SETTINGS:
        assert f"\n{name} = " in azure_template.text()
        if name not in ("pool_image", "pool_node_agent"):
            assert getattr(found, name) == getattr(usual, name), name


def test_the_template_is_in_the_wheel(tmp_path: Path) -> None:
    """The step of the build that puts it there; without the network."""
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = tmp_path.rglob("azure_config_template.py")
    assert path.parent.name == "pyveg"
    assert path.read_bytes() == (ROOT / "azure_config_template.py").read_bytes()
    # The code that reads such a file, and the command that writes it; never one with keys.
    for packed in tmp_path.rglob("azure_config.py"):
        code = ROOT / "pyveg" / packed.relative_to(path.parent)
        assert code.parent.name in ("pyveg", "scripts")
        assert packed.read_bytes() == code.read_bytes()
    assert not zipfile.is_zipfile(path)


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert azure_config.find() is None
    for name in ("azure_config.py", "other.py", "given.py"):
        (tmp_path / name).write_text("")
    assert azure_config.find() == tmp_path / "azure_config.py"
    monkeypatch.setenv("PYVEG_AZURE_CONFIG", "other.py")
    assert azure_config.find() == tmp_path / "other.py"
    assert azure_config.find("given.py") == tmp_path / "given.py"
    for given, by in (("no.py", "--azure_config"), (None, "PYVEG_AZURE_CONFIG")):
        (tmp_path / "other.py").unlink(missing_ok=True)
        with pytest.raises(ConfigError, match=rf"{by}: there is no file .*pyveg_azure_config"):
            azure_config.find(given)


def test_the_older_names_work(tmp_path: Path) -> None:
    (tmp_path / "azure_config.py").write_text(
        f"batch_account_name = 'b'\nbatch_account_key = '{KEY}'\n"
        "batch_account_url = 'https://b.westeurope.batch.azure.com'\n"
        f"storage_account_name = 'store'\nstorage_account_key = '{KEY}'\n"
        "batch_pool_id = 'pool'\npool_low_priority_node_count = 3\n"
        "pool_dedicated_node_count = 0\npool_vm_size = 'STANDARD_A1_v2'\n"
    )
    found = azure_config.load()
    assert found.blob_url == "https://store.blob.core.windows.net"
    assert (found.pool_low_priority_node_count, found.pool_dedicated_node_count) == (3, 0)
    assert (found.batch_pool_id, found.pool_vm_size) == ("pool", "STANDARD_A1_v2")
    assert found.storage_account_key == found.batch_account_key == KEY
    assert KEY not in repr(found)


def test_the_environment_fills_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "azure_config.py").write_text("storage_account_name = 'mine'\nkeep_pool = True\n")
    monkeypatch.setenv("PYVEG_AZURE_STORAGE_ACCOUNT_NAME", "other")
    monkeypatch.setenv("PYVEG_AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("PYVEG_AZURE_TASK_SLOTS_PER_NODE", "4")
    found = azure_config.load()
    assert found.storage_account_name == "mine"
    assert found.storage_account_key == KEY
    assert found.task_slots_per_node == 4
    assert found.keep_pool
    monkeypatch.setenv("PYVEG_AZURE_TASK_SLOTS_PER_NODE", "many")
    with pytest.raises(ConfigError, match="is not right; give a whole number"):
        azure_config.load()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"storage_acount_key = '{KEY}'", 'did you mean "storage_account_key"'),
        (f"storage_account_key = '{KEY}!'", "storage_account_key is no key"),
        (f"storage_account_key = ['{KEY}']", "storage_account_key is no text"),
        (f"storage_account_key = '{KEY}", "line 1"),
        (f"storage_account_key = '{KEY}' + 1", "line 1: TypeError"),
        (f"raise SystemExit('{KEY}')", "line 1: SystemExit"),
        ("storage_account_name = 'My_Store'", "is no name of a storage account"),
        (f"storage_account_url = 'https://a.b/?sig={KEY}'", "PYVEG_AZURE_SAS"),
        ("storage_account_url = 'http://a.blob.core.windows.net'", "write https"),
        ("pool_dedicated_node_count = -1", "pool_dedicated_node_count"),
        ("pool_image = {'skus': 'a'}", 'did you mean "sku"'),
    ],
)
def test_mistakes_are_told_without_the_key(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "azure_config.py").write_text(line + "\n")
    with pytest.raises(ConfigError) as caught:
        azure_config.load()
    assert told in str(caught.value)
    assert KEY not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_key_is_used_for_its_own_account_only(tmp_path: Path) -> None:
    (tmp_path / "azure_config.py").write_text(
        f"storage_account_name = 'mine'\nstorage_account_key = '{KEY}'\n"
    )
    assert open_store("abc")._access.account_key == KEY
    other = open_store("abc", "https://other.blob.core.windows.net")
    assert other._access.account_key == ""


def test_a_login_is_used_where_there_is_no_key_and_over_https_only() -> None:
    from azure.identity import DefaultAzureCredential

    with Access().credential("https://mine.blob.core.windows.net") as found:
        assert isinstance(found, DefaultAzureCredential)
    with pytest.raises(ConfigError, match="https only"):
        Access().credential("http://127.0.0.1:10000/devstoreaccount1")
    with pytest.raises(ConfigError, match="write https"):
        check_account_url("http://mine.blob.core.windows.net")


def test_a_mark_of_windows_before_it_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "azure_config.py"
    path.write_bytes(b"\xef\xbb\xbfstorage_account_name = 'mine'\r\n")
    assert azure_config.load(path).storage_account_name == "mine"
