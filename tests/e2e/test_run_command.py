"""A little application that knows nothing of pyveg, over many files, in every run mode."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from click.testing import CliRunner, Result

from pyveg.core import registry
from pyveg.scripts.run_command import main as command
from pyveg.scripts.run_pipeline import main as pipeline_command
from pyveg.testing.azurite import Azurite

RUN_MODES = ["local", "dask", "batch"]

APP = '''
"""Doubles a column; as a scientist may have it."""
import csv
import os
import sys
from helper import double

source, folder = sys.argv[1:]
name = os.path.splitext(os.path.basename(source))[0]
with open(source, newline="") as file:
    rows = [double(row["value"]) for row in csv.DictReader(file)]
with open(os.path.join(folder, name + "_doubled.csv"), "w") as file:
    file.write("".join(f"{row}\\n" for row in rows))
print(f"{len(rows)} rows")
'''
HELPER = "def double(text):\n    return 2 * int(text)\n"
ODD_NAMES = [
    "with space.csv",
    'it\'s "quoted".csv',
    "größe_気温.csv",
    "$(touch hacked) `touch hacked` ; & | #.csv",
    "-rf.csv",
    "--help.csv",
    "{input}.csv",
    "%41.csv",
    "[ab]*?.csv",
]
TOKEN = "s3cr3t-t0ken-of-the-environment"
BROKEN = "file 007.csv"
FILES = 20
"""Each is a process of Python."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a user, with an application and files, and nothing of the run outside it."""
    (tmp_path / "my_app").mkdir()
    (tmp_path / "my_app/app.py").write_text(APP)
    (tmp_path / "my_app/helper.py").write_text(HELPER)
    (tmp_path / "data").mkdir()
    names = [*ODD_NAMES, *(f"file {number:03}.csv" for number in range(FILES - len(ODD_NAMES)))]
    for number, name in enumerate(names):
        (tmp_path / "data" / name).write_text(f"value\n{number}\n7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    return tmp_path


def _invoke(*arguments: str, main: Any = command) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


ARGUMENTS = ["--application", "my_app", "--input", "data/*.csv"]
CALL = ["--", "python", "app.py", "{input}", "{output_dir}"]


LOCAL = ["--output_location_type", "local"]


def _run_url(output: str) -> str:
    (url,) = set(re.findall(r"^run: (\S+)", output, re.MULTILINE))
    return url


def _ledger(store: Any) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(io.StringIO(store.read("items.csv").decode()))
    return {row["item"]: row for row in rows}


def _expected(desk: Path) -> dict[str, bytes]:
    """What the application makes of each file, computed without it."""
    found = {}
    for path in (desk / "data").iterdir():
        doubled = [2 * int(line) for line in path.read_text().split()[1:]]
        folder, made = _in_results(path.name), _in_results(f"{path.stem}_doubled.csv")
        found[f"my_app/{folder}/{made}"] = "".join(f"{n}\n" for n in doubled).encode()
    return found


def _in_results(name: str) -> str:
    """Letters of every script as they are, all that could mean something encoded."""
    return "".join(c if ord(c) > 127 else quote(c, safe=" ") for c in name)


def _outputs(store: Any) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.list("my_app/") if not key.endswith(".txt")}


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_many_files(
    desk: Path, run_mode: str, make_cloud: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but one are done, which is named; after it is mended, one task does the rest."""
    cloud = make_cloud() if run_mode == "batch" else None
    monkeypatch.setenv("SOME_SERVICE_TOKEN", TOKEN)
    (desk / "my_app/.env").write_text("TOKEN=of-a-file-of-secrets")
    (desk / "my_app/notes.txt").write_text(f"my token is {TOKEN}")
    more = ["--run_mode", run_mode, "--items_per_task", "5"]
    broken = desk / "data" / BROKEN
    good = broken.read_text()
    broken.write_text("value\n1\nrubbish\n")

    first = _invoke(*ARGUMENTS, "--output_location", "results", *more, *CALL)
    assert first.exit_code == 1, first.output
    assert f"failed: {BROKEN}: exit code 1: " in first.output
    assert "invalid literal for int() with base 10: 'rubbish'" in first.output
    url = _run_url(first.output)
    store = registry.store_at(url)
    broken.unlink()
    assert _outputs(store) == _expected(desk)
    ledger = _ledger(store)
    assert len(ledger) == FILES
    assert {name for name, row in ledger.items() if row["state"] != "succeeded"} == {BROKEN}
    assert ledger[BROKEN]["exit_code"] == "1"
    folder = quote(BROKEN, safe=" ")
    assert b"rubbish" in store.read(f"my_app/{folder}/stderr.txt")
    assert store.read("my_app/-rf.csv/stdout.txt") == b"2 rows\n"
    done = _versions(store)
    assert len(done) == FILES - 1

    broken.write_text(good)
    again = _invoke("--from_cache", url)
    assert again.exit_code == 0, again.output
    assert re.search(rf"my_app/CommandModule +1 +{FILES - 1} +- +- +-", again.output)
    assert _outputs(store) == _expected(desk)
    assert len(_outputs(store)) == FILES
    assert done.items() <= _versions(store).items()
    assert not list(store.list("_pyveg/failed/"))
    assert not list(desk.rglob("hacked"))
    _no_secret(store, first.output + again.output, cloud)
    if cloud is not None:
        _nothing_left(cloud, store)


def _no_secret(store: Any, output: str, cloud: Any) -> None:
    """Neither in what the run has written, packed or said, nor in what its nodes have."""
    texts = {key: store.read(key) for key in store.list()}
    texts["the terminal"] = output.encode()
    if cloud is not None:
        found = [path for path in cloud.node_folders.rglob("*") if path.is_file()]
        texts |= {str(path): path.read_bytes() for path in found if path.stat().st_size < 10**7}
    for key, data in list(texts.items()):
        if key.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts |= {f"{key}/{name}": archive.read(name) for name in archive.namelist()}
    secrets = [TOKEN, "of-a-file-of-secrets", Azurite.key, *([cloud.batch.key] if cloud else [])]
    assert len(texts) > 2 * FILES
    assert [(s, key) for s in secrets for key, data in texts.items() if s.encode() in data] == []


def _versions(store: Any) -> dict[str, bytes]:
    keys = store.list("_pyveg/manifests/")
    return {key: store.read(key) for key in keys}


def _nothing_left(cloud: Any, store: Any) -> None:
    """Neither jobs nor pools at the service, nor copies of inputs in the container."""
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    client = BatchClient(cloud.batch.url, credential)
    assert not list(client.list_jobs())
    assert not list(client.list_pools())
    assert cloud.batch.requests.counts["create_job"] == 2  # one for each of the two runs
    assert not list(store.list("_pyveg/inputs/"))
    tasks = list(store.list("_pyveg/tasks/"))
    assert len(tasks) == FILES // 5 + 1
    assert len(list(store.list("_pyveg/applications/"))) == 1


def test_a_config_is_kept(desk: Path) -> None:
    """It does the same as the command line; and a plan alone writes no run."""
    keep = ["--write_config", "job.py", "--outputs", "*.csv", "--env", "A=1", "--dry_run"]
    planned = _invoke(*ARGUMENTS, "--output_location", "results", *keep, *CALL)
    assert planned.exit_code == 0, planned.output
    assert re.search(rf"my_app/CommandModule +local +{FILES} +{FILES} +0 +0", planned.output)
    assert not list(desk.glob("results*"))
    shutil.move(desk / "job.py", desk / "my_app/job.py")  # beside the program, as one may
    result = _invoke("--config_file", "my_app/job.py", main=pipeline_command)
    assert result.exit_code == 0, result.output
    store = registry.store_at(_run_url(result.output))
    assert _outputs(store) == _expected(desk)
    assert b"'A': '1'" in store.read("_pyveg/config.py")
    (desk / "my_app/job.py").write_text((desk / "my_app/job.py").read_text() + "n_workers = 1\n")
    again = _invoke(
        "--config_file", "my_app/job.py", "--from_cache", store.url, main=pipeline_command
    )
    assert re.search(rf"my_app/CommandModule +- +{FILES} ", again.output), again.output


def test_only_what_a_change_touches_is_done_again(desk: Path) -> None:
    first = _invoke(*ARGUMENTS, "--output_location", "results", *CALL)
    url = _run_url(first.output)
    (desk / "data/a new one.csv").write_text("value\n5\n")
    (desk / "data" / BROKEN).write_text("value\n6\n6\n6\n")
    again = _invoke(*ARGUMENTS, "--from_cache", url, *CALL)
    assert re.search(rf"my_app/CommandModule +2 +{FILES - 1} ", again.output), again.output
    assert _outputs(registry.store_at(url)) == _expected(desk)
    (desk / "my_app/helper.py").write_text(HELPER + "# another version\n")
    changed = _invoke("--from_cache", url, "--dry_run")
    all_again = rf"my_app/CommandModule +local +{FILES + 1} +{FILES + 1} +0 +0"
    assert re.search(all_again, changed.output), changed.output


def test_everything_in_one_folder(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither inputs nor runs are part of the application, and runs are no inputs."""
    for name in ("app.py", "helper.py"):
        (desk / "my_app" / name).rename(desk / name)
    monkeypatch.setenv("PYVEG_CACHE", str(desk.parent / f"{desk.name}-cache"))
    inputs = ["--application", ".", "--input", "**/*.csv", "--name", "job"]
    for path in list((desk / "data").iterdir())[5:]:
        path.unlink()
    first = _invoke(*inputs, "--output_location", "results", *CALL)
    assert first.exit_code == 0, first.output
    url = _run_url(first.output)
    again = _invoke(*inputs, "--from_cache", url, *CALL)
    assert re.search(r"job/CommandModule +- +5 ", again.output), again.output
    second = _invoke(*inputs, "--output_location", "results", *CALL)
    assert re.search(r"job/CommandModule +5 +- ", second.output), second.output
    chained = ["--input", f"{url}/job/*/*.csv", "--output_location", "more"]
    on = _invoke(*chained, "--", "cp", "{input}", "{output_dir}")
    assert re.search(r"command/CommandModule +5 +- ", on.output), on.output


SLEEP = "import sys, time; print('begun', flush=True); time.sleep(120)"


@pytest.mark.usefixtures("desk")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_ends_the_programs(
    number: signal.Signals, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All that it has started, at once; the ledger tells what is left."""
    arguments = [*ARGUMENTS, "--output_location", "results", "--n_workers", "2"]
    call = [sys.executable, "-m", "pyveg.scripts.run_command", *arguments]
    mark = f"mark-{os.getpid()}-{number}"
    temporary = tmp_path_factory.getbasetemp().parent / f"t{os.getpid()}-{number.value}"
    temporary.mkdir()  # sockets of workers need a short path
    with subprocess.Popen(
        [*call, "--", "python", "-c", SLEEP, "{input}", mark],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        _until(lambda: len(_programs(mark)) >= 2)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    _until(lambda: not _programs(mark))
    _until(lambda: not list(temporary.glob("pyveg-*/out")))
    if number is signal.SIGKILL:
        return
    assert process.returncode == 130, output
    assert "finish it with: pyveg_run_command --from_cache" in output
    ledger = _ledger(registry.store_at(_run_url(output)))
    assert {row["state"] for row in ledger.values()} == {"cancelled"}
    assert len(ledger) == FILES


def _programs(mark: str) -> list[int]:
    """Processes of the program itself, not those that look after it."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if line[-1:] == [mark] and line[1:2] == ["-c"] and process.info["status"] != "zombie":
            found.append(process.pid)
    return found


def _until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "put your command behind --"),
        ([*ARGUMENTS, *CALL], "--output_location FOLDER"),
        (["--output_location", "x", *CALL], "--input 'data/*.csv'"),
        ([*ARGUMENTS, "data/b.csv", *CALL], "quote patterns"),
        ([*ARGUMENTS, "--output_location", "x", "--env", "A", *CALL], "write NAME=VALUE"),
        ([*ARGUMENTS, "--output_location", "x", "--", "python", "{x}"], 'placeholder "x"'),
        ([*ARGUMENTS, "--output_location", "x", "--run_mode", "moon", *CALL], 'runner "moon"'),
        (["--from_cache", "nowhere"], "holds no run of pyveg"),
        (["--from_cache", "nowhere", "--timeout", "3"], "--timeout changes nothing"),
        (
            [*ARGUMENTS, "--output_location", "x", "--run_mode", "batch", *LOCAL, *CALL],
            'set output_location_type = "azure"',
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    desk: Path, arguments: list[str], said: str
) -> None:
    result = _invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output
    assert not list(desk.glob("x*"))
