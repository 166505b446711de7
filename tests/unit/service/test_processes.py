"""Processes and their inputs: typed, described, checked; files of operators."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.service.builtin.run_command import check_files
from pyveg.service.config import ServiceConfig, read, settled, template
from pyveg.service.desk import Desk
from pyveg.service.processes import Processes
from pyveg.service.refusals import Refusal

PLACE = {
    "longitude": 27.95,
    "latitude": 11.57,
    "start_date": "2016-01-01",
    "end_date": "2016-03-01",
}


@pytest.fixture
def processes() -> Processes:
    return Processes(ServiceConfig())


def test_resilience_makes_the_job_of_the_demo(processes: Processes) -> None:
    from pyveg.configs import demo
    from pyveg.jobs.load import read_config, settings_in
    from pyveg.jobs.resolve import resolve

    assert demo.__file__
    expected = resolve(settings_in(read_config(demo.__file__)), "demo.py")
    process = processes.get("resilience")
    first, last = demo.date_range
    inputs = {**PLACE, "start_date": first, "end_date": last}
    settings = {**process.make(process.checked(inputs)), "output_location": "demo", "name": "demo"}
    made = resolve(settings, process.filename)
    assert made.to_json() == expected.to_json()


def test_inputs_are_described_by_their_types(processes: Processes) -> None:
    found = processes.get("resilience").schema()
    assert found["longitude"]["schema"] == {"type": "number", "minimum": -180, "maximum": 180}
    assert found["longitude"]["minOccurs"] == 1
    assert found["start_date"]["schema"] == {"type": "string", "format": "date"}
    assert found["collections"]["schema"]["items"]["enum"] == [
        "SimulatedSentinel2",
        "SimulatedWeather",
    ]
    assert found["analysis"]["schema"]["type"] == "boolean"
    kinds = {one.name: one.kind for one in processes.get("resilience").input_list()}
    assert kinds["region_size"] == "number"
    assert kinds["collections"] == "list"


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"longitud": 3}, "/inputs/longitud", 'did you mean "longitude"'),
        ({"a/b~": 3}, "/inputs/a~1b~0", "unknown input"),
        ({"longitude": "east"}, "/inputs/longitude", "give a number"),
        ({"longitude": 181}, "/inputs/longitude", "at most 180"),
        ({"longitude": True}, "/inputs/longitude", "give a number"),
        ({"start_date": "yesterday"}, "/inputs/start_date", "YYYY-MM-DD"),
        ({"collections": ["Sentinel2"]}, "/inputs/collections", "SimulatedSentinel2"),
        ({"collections": []}, "/inputs", "at least one"),
        ({"end_date": "2015-01-01"}, "/inputs", "is not after"),
        ({"longitude": {"value": [1]}}, "/inputs/longitude", "give a number"),
    ],
)
def test_a_wrong_input_is_named(
    processes: Processes, change: dict[str, Any], pointer: str, words: str
) -> None:
    with pytest.raises(Refusal) as caught:
        processes.get("resilience").checked({**PLACE, **change})
    assert (caught.value.status, caught.value.pointer) == (422, pointer)
    assert words in str(caught.value)


@pytest.mark.parametrize("given", [None, [], "x", 3])
def test_inputs_are_an_object(processes: Processes, given: Any) -> None:
    with pytest.raises(Refusal, match="inputs is no object"):
        processes.get("resilience").checked(given)


def test_one_that_is_missing_is_named(processes: Processes) -> None:
    with pytest.raises(Refusal, match='"latitude" must be given'):
        processes.get("resilience").checked({"longitude": 3})


def test_values_may_be_qualified(processes: Processes) -> None:
    made = processes.get("resilience").checked({**PLACE, "longitude": {"value": 3.5}})
    assert made.longitude == 3.5


def test_a_secret_is_refused_and_not_repeated(desk: Desk) -> None:
    secret = "https://x/a?sig=abcdefghijklmnop"
    with pytest.raises(Refusal, match="holds a password") as caught:
        desk.processes_known.get("steps").checked({"gate": secret})
    assert "abcdefgh" not in str(caught.value)


def test_texts_of_a_form_are_inputs(processes: Processes) -> None:
    process = processes.get("resilience")
    texts = {**{k: str(v) for k, v in PLACE.items()}, "region_size": " ", "analysis": "true"}
    made = process.from_form({**texts, "collections": "SimulatedWeather"})
    assert made == {**PLACE, "analysis": True, "collections": ["SimulatedWeather"]}
    with pytest.raises(Refusal) as caught:
        process.from_form({"latitude": "north"})
    assert caught.value.pointer == "/inputs/latitude"


def test_an_unknown_process_names_the_nearest(processes: Processes) -> None:
    with pytest.raises(Refusal, match='did you mean "resilience"') as caught:
        processes.get("resilence")
    assert caught.value.status == 404


def test_programs_are_offered_only_where_the_operator_lists_some() -> None:
    assert [one.id for one in Processes(ServiceConfig()).all()] == ["cameras", "resilience"]
    config = ServiceConfig(
        applications={"count": {"command": ["wc", "{input}"]}}, input_locations=("/data",)
    )
    process = Processes(config).get("run-command")
    made = process.make(process.checked({"application": "count", "files": ["/data/a*.csv"]}))
    assert made["special_config"]["count"]["command"] == ["wc", "{input}"]
    with pytest.raises(Refusal) as caught:
        process.checked({"application": "rm", "files": ["/data/a"]})
    assert caught.value.pointer == "/inputs/application"
    with pytest.raises(Refusal, match="in no place that callers may name"):
        process.checked({"application": "count", "files": ["/etc/passwd"]})


@pytest.mark.parametrize(
    ("file", "fine"),
    [
        ("{root}/a.csv", True),
        ("{root}/*/a?.csv", True),
        ("{root}", True),
        ("{root}/../other/a", False),
        ("{root}/*/../../../other", False),
        ("{root}x/a", False),
        ("{root}/out/a", False),
        ("a.csv", False),
        ("@{root}/list.txt", False),
        ("file://{root}/a", False),
        ("s3://photos/2024/a.jpg", True),
        ("s3://photos/../other/a", False),
        ("s3://photos/%2e%2e/other/a", False),
        ("s3://photos2/a", False),
        ("https://evil/s3://photos/a", False),
        ("{root}/a\0b", False),
    ],
)
def test_files_stay_in_the_places_that_are_allowed(tmp_path: Path, file: str, fine: bool) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "out").symlink_to("/etc")
    given = [file.format(root=root)]
    if fine:
        check_files(given, [str(root), "s3://photos/"])
    else:
        with pytest.raises(ConfigError, match="in no place"):
            check_files(given, [str(root), "s3://photos/"])


def test_a_file_with_an_error_is_told_and_the_others_work(
    make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1 / 0\n")
    desk = make_desk(processes=("steps.py", "broken.py"))
    known = desk.processes_known
    assert [one.id for one in known.all()] == ["cameras", "resilience", "steps"]
    (trouble,) = known.troubles().values()
    assert "broken.py, line 1" in str(trouble)
    with pytest.raises(Refusal, match="ZeroDivisionError") as caught:
        known.get("broken")
    assert caught.value.status == 503
    broken.write_text((tmp_path / "steps.py").read_text())
    os.utime(broken, (1, 1))
    assert known.get("broken").title == "Steps", "it is read again when it has changed"
    assert not known.troubles()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no inputs"),
        ("Inputs = 3", "has no inputs"),
        ("def f(:", "line 1"),
    ],
)
def test_what_is_no_process_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "own.py").write_text(text)
    known = Processes(settled(ServiceConfig(processes=("own.py", "none.py")), tmp_path))
    troubles = {Path(path).name: str(error) for path, error in known.troubles().items()}
    assert words in troubles["own.py"]
    assert "there is no config file" in troubles["none.py"]


def test_the_config_that_is_written_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "service_config.py"
    path.write_text(template())
    assert read(path) == settled(ServiceConfig(), tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prot = 3", 'did you mean "port"'),
        ("port = 70000", "at most 65535"),
        ('of_process = {"x": {"max_activ": 1}}', 'did you mean "max_active"'),
        ('applications = {"x": {}}', "has no command"),
        ('public_url = "jobs.example.org"', "is no address"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "service_config.py"
    path.write_text(line)
    with pytest.raises(ConfigError, match=words):
        read(path)


def test_names_of_the_operator_are_checked() -> None:
    with pytest.raises(UnknownNameError, match='did you mean "resilience"'):
        Processes(ServiceConfig(offered=("resilienc",)))
    with pytest.raises(UnknownNameError, match='did you mean "Sentinel2"'):
        Processes(ServiceConfig(collections=("Sentinel3",)))
    with pytest.raises(ConfigError, match="there is no file"):
        read("nowhere.py")
