from __future__ import annotations

import io
import os
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from pyveg import azure_config
from pyveg.core import secrets
from pyveg.core.errors import ConfigError
from pyveg.modules.command import application, git
from pyveg.modules.command.settings import CommandSettings, settled
from pyveg.storage.memory import MemoryStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "app"
    (found / "lib").mkdir(parents=True)
    (found / "app.py").write_text("print()\n")
    (found / "lib/größe.py").write_text("")
    (found / "run.sh").write_text("#!/bin/sh\n")
    (found / "run.sh").chmod(0o755)
    return found


def _names(folder: Path, *ignore: str) -> list[str]:
    return [member.name for member in application.in_folder(folder, ignore)]


def _digest(folder: Path) -> str:
    return application.digest_of(application.in_folder(folder, ()))


def _packed(folder: Path) -> bytes:
    stream = io.BytesIO()
    application.pack(application.in_folder(folder, ()), stream)
    return stream.getvalue()


def test_what_can_be_made_again_is_left_out(folder: Path) -> None:
    for name in (
        ".git/HEAD",
        "__pycache__/app.cpython-311.pyc",
        "lib/__pycache__/x.pyc",
        ".venv/x",
        "env/pyvenv.cfg",
        "env/bin/python",
        "out_2026-01-01_00-00-00/_pyveg/run.json",
        "out_2026-01-01_00-00-00/job/a.csv",
        "node_modules/x/y.js",
        "azure_config.py",
        "big.bin",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    own = ["app.py", "lib/größe.py", "run.sh"]
    assert _names(folder, "*.bin") == own
    assert _names(folder, "lib/gr*", "big*") == ["app.py", "run.sh"]
    apart = [str(folder / "big.bin")]
    assert [m.name for m in application.in_folder(folder, (), apart)] == own
    assert application.size_of(folder, ("*.bin",)) == 8 + 10


def test_equal_contents_have_equal_bytes(folder: Path, tmp_path: Path) -> None:
    before, packed = _digest(folder), _packed(folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert _digest(folder) == before
    assert _packed(folder) == packed
    moved = folder.rename(tmp_path / "elsewhere")
    assert _digest(moved) == before


@pytest.mark.parametrize("change", ["contents", "name", "bit", "more"])
def test_a_change_is_another_digest(folder: Path, change: str) -> None:
    before = _digest(folder)
    if change == "contents":
        (folder / "app.py").write_text("print(1)")
    elif change == "name":
        (folder / "app.py").rename(folder / "apq.py")
    elif change == "bit":
        (folder / "app.py").chmod(0o755)
    else:
        (folder / "more").touch()
    assert _digest(folder) != before


def test_it_is_unpacked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By many at once, as it was."""
    store, digest = MemoryStore(), _digest(folder)
    store.write(application.key_of(digest), _packed(folder))
    opened = []
    extract = zipfile.ZipFile.infolist
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda z: opened.append(1) or extract(z))
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(application.unpacked(store, digest)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert len(found) == 4
    assert len(set(found)) == 1
    there = sorted(p.relative_to(found[0]).as_posix() for p in found[0].rglob("*") if p.is_file())
    assert there == _names(folder)
    assert os.access(found[0] / "run.sh", os.X_OK)
    assert not os.access(found[0] / "app.py", os.X_OK)


def test_users_of_other_tasks_of_a_node_can_read_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZ_BATCH_NODE_SHARED_DIR", str(tmp_path / "shared"))
    store, digest = MemoryStore(), _digest(folder)
    store.write(application.key_of(digest), _packed(folder))
    before = os.umask(0o077)
    try:
        found = application.unpacked(store, digest)
    finally:
        os.umask(before)
    assert found.is_relative_to(tmp_path / "shared")
    assert found.parent.stat().st_mode & 0o777 == 0o777
    assert found.stat().st_mode & 0o555 == 0o555
    assert (found / "run.sh").stat().st_mode & 0o555 == 0o555
    assert (found / "app.py").stat().st_mode & 0o444 == 0o444


def test_what_is_no_application(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        application.in_folder(tmp_path / "none", ())
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is no folder"):
        application.in_folder(tmp_path / "file", ())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="has no file in it"):
        application.in_folder(tmp_path / "empty", ())


# Repositories


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(folder: Path) -> Path:
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    _git(folder, "tag", "v1")
    return folder


def test_names_of_commits(repository: Path) -> None:
    """A branch is taken where it is now, also when it has moved; a tag and an id stay."""
    first = _git(repository, "rev-parse", "HEAD")
    for name in ("main", "v1", first, first[:9]):
        assert git.resolve(str(repository), name, "here") == first
    (repository / "more.py").write_text("")
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "-m", "second")
    second = _git(repository, "rev-parse", "HEAD")
    assert git.resolve(str(repository), "main", "here") == second
    assert git.resolve(str(repository), "v1", "here") == first
    files = {name: run for name, run, _ in git.files_of(str(repository), first, "here")}
    assert files == {"app.py": False, "lib/größe.py": False, "run.sh": True}
    assert "more.py" in {name for name, *_ in git.files_of(str(repository), second, "here")}


@pytest.mark.parametrize(
    ("address", "commit", "said"),
    [
        ("{}", "no-such", 'has no commit "no-such"; give an id'),
        ("{}/nowhere", "main", "cannot be fetched"),
        ("{}", "--upload-pack=x", "may begin with a hyphen"),
        ("--upload-pack=x", "main", "may begin with a hyphen"),
        (
            "https://me:secret@localhost/x",
            "main",
            "https://localhost/x was given with a password; leave it out",
        ),
    ],
)
def test_what_is_no_commit(repository: Path, address: str, commit: str, said: str) -> None:
    with pytest.raises(ConfigError, match="here: ") as caught:
        git.resolve(address.format(repository), commit, "here")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="needs the program git"):
        git.resolve(str(repository), "main", "here")


KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n"
OWN = ["app.py", "lib/größe.py", "run.sh"]


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "prod.env", "lib/.env", "server.pem", "lib/tls.key", "id_rsa",
        "credentials.json", ".aws_credentials", "lib/my-service-account.json", "secrets.toml",
        "id_rsa.old", "id_ed25519", "lib/id_ecdsa", ".netrc", "_netrc", ".pypirc", ".npmrc",
        ".git-credentials", ".ssh/config", ".aws/credentials", "lib/.azure/token", "store.p12",
        "azure_config.py", "lib/azure_config.py",
    ],
)  # fmt: skip
def test_what_holds_secrets_by_its_name_is_left_out_and_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    assert _names(folder) == OWN
    assert application.secrets_in(folder, ()) == [name]


def test_what_holds_secrets_by_its_contents_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_known", {KEY})
    monkeypatch.setattr(secrets, "_files", set())
    (folder / "mine.txt").write_text(PEM)
    (folder / "lib/keys.py").write_text(f"account_key = '{KEY}'")
    (folder / "large.bin").write_bytes(bytes(2**20 - 10) + KEY.encode() + bytes(100))
    (tmp_path / "accounts.py").write_text("no key at all")
    secrets.know_file(tmp_path / "accounts.py")
    (folder / "link.py").symlink_to(tmp_path / "accounts.py")
    assert _names(folder) == OWN
    assert application.secrets_in(folder, ()) == [
        "large.bin", "lib/keys.py", "link.py", "mine.txt",
    ]  # fmt: skip


def test_configs_of_jobs_are_no_part_of_an_application(folder: Path) -> None:
    (folder / "lib/job.py").write_text("name = 'x'\nmodules_to_use = {'a': ['CommandModule']}\n")
    (folder / "lib/code.py").write_text("def f():\n    modules_to_use = {}\n")
    assert _names(folder) == [*OWN[:1], "lib/code.py", *OWN[1:]]


@pytest.mark.parametrize("by", ["variable", "file here"])
def test_keys_of_azure_are_never_packed(
    folder: Path, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file is called, and wherever its key was copied to."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_files", set())
    monkeypatch.setattr(azure_config, "FILE_NAME", "accounts.py")
    monkeypatch.chdir(folder)
    (folder / "accounts.py").write_text(
        f"storage_account_name = 'mine'\nstorage_account_key = '{KEY}'\n"
    )
    if by == "variable":
        monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(folder / "accounts.py"))
    (folder / "notes.txt").write_text(f"the key is {KEY}")
    (folder / "wrong_azure.py").write_text("x")
    told: list[str] = []
    given = {"command": ("python", "app.py", "{input}"), "inputs": (str(tmp_path),)}
    settled(CommandSettings(application=str(folder), **given), "here", told.append)
    assert _names(folder) == [*OWN, "wrong_azure.py"]
    assert told == [
        "no part of the application, since they hold secrets or their names say so: "
        "accounts.py, notes.txt"
    ]


def test_a_secret_of_this_moment_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text("print(1)")
    (tmp_path / "notes.txt").write_text("my token is t0ken-that-came-just-now")
    assert [m.name for m in application.in_folder(tmp_path, ())] == ["app.py", "notes.txt"]
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "t0ken-that-came-just-now")
    assert [m.name for m in application.in_folder(tmp_path, ())] == ["app.py"]
