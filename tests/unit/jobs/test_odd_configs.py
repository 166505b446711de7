"""What a config says is checked, whatever its type: plain data, or one sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.jobs.load import load_pipeline, read_config
from pyveg.jobs.resolve import TopLevel, resolve
from pyveg.jobs.run import prepare

DEMO = Path(__file__).parents[3] / "pyveg" / "configs" / "demo.py"
LONGEST = 1_100
"""Characters of a message: two parts of 500, and what joins them."""


@pytest.fixture
def base() -> dict[str, Any]:
    return {**read_config(DEMO), "date_range": ["2016-01-01", "2016-04-01"]}


class _CannotBeShown:
    def __repr__(self) -> str:
        raise ValueError("no")


def _generator() -> Iterator[str]:
    yield "SimulatedSentinel2"


def _deep(times: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(times):
        value = [value]
    return value


def _within_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


ODD: dict[str, Any] = {
    "a set": {1, 2},
    "a frozenset": frozenset("ab"),
    "a generator": _generator(),
    "bytes": b"x",
    "a function": _generator,
    "a function of NumPy": np.sqrt,
    "a class": dict,
    "a module": sys,
    "a huge number": 10**5000,
    "no number": float("nan"),
    "an infinite number": float("inf"),
    "a complex number": 1j,
    "a NUL": "a\0b",
    "half a character": "\ud800",
    "deep lists": _deep(100_000),
    "a list within itself": _within_itself(),
    "what cannot be shown": _CannotBeShown(),
    "a megabyte": "x" * 10**6,
    "names that are numbers": {1: {}},
    "a name that is None": {None: ["a"]},
    "deep brackets in a dict": {"SimulatedSentinel2": {"min_date": _deep(50_000)}},
    "an ellipsis": ...,
    "a token in an address": "https://ghp_secret@github.com/x/y",
    "a SAS in an address": "https://x.blob.core.windows.net/c/b?sv=2021&sig=abcdef",
}


@pytest.mark.parametrize("name", [*params.names(TopLevel)])
def test_no_odd_value_is_accepted_or_breaks_anything(name: str, base: dict[str, Any]) -> None:
    for what, value in ODD.items():
        with pytest.raises(ConfigError) as caught:
            json.dumps(resolve({**base, name: value}).plan() and None)
        text = str(caught.value)
        assert len(text) < LONGEST, what
        assert text.isprintable(), what
        assert "secret" not in text
        assert "abcdef" not in text


@pytest.mark.parametrize(
    ("name", "value", "plain"),
    [
        ("region_size", Decimal("0.024"), 0.024),
        ("region_size", Fraction(3, 125), 0.024),
        ("region_size", np.float32(0.024), 0.024),
        ("coordinates", np.array([27.95, 11.57]), (27.95, 11.57)),
        ("date_range", np.array(["2016-01-01", "2016-05-01"], dtype="datetime64[D]"), None),
        ("output_location", Path("runs/x"), None),
        ("collections_to_use", {"SimulatedSentinel2": 1, "SimulatedWeather": 2}.keys(), None),
        ("collections_to_use", np.array(["SimulatedSentinel2", "SimulatedWeather"]), None),
        ("special_config", MappingProxyType({"NDVICalculator": MappingProxyType({})}), None),
        ("n_workers", np.int64(3), 3),
        ("analysis", np.bool_(True), None),
        ("special_config", {"VegetationImageProcessor": {"RGB_limits": np.array([0, 300])}}, None),
        ("special_config", {"NDVICalculator": {"n_sub_images": np.int16(2)}}, None),
        ("special_config", {"SimulatedSentinel2": {"noise": np.float64(0.1)}}, None),
    ],
)
def test_what_can_be_plain_data_is_used(
    name: str, value: Any, plain: Any, base: dict[str, Any]
) -> None:
    pipeline = resolve({**base, name: value})
    text = json.dumps(pipeline.to_json())
    if name == "region_size":
        assert f'"region_size": {plain}' in text
    if name == "coordinates":
        assert '"longitude": 27.95' in text
    if name == "n_workers":
        assert pipeline.n_workers == plain
    assert pipeline.plan().graph


def _config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.py"
    path.write_text(f"from pyveg.configs.demo import *\n{text}\n", encoding="utf-8")
    return path


def _refused(path: Path, *words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_pipeline(path)
    text = str(caught.value)
    assert len(text) < LONGEST
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import decimal; region_size = {decimal.Decimal('0.024')}", "region_size"),
        ("collections_to_use = (name for name in ['SimulatedSentinel2'])", "collections_to_use"),
        ("n_workers = {2}", "n_workers"),
        ("runner = b'threads'", "runner = b'threads'"),
        ("time_per_point = range(3)", "time_per_point"),
        ("import sys; analysis = sys", "analysis = <module 'sys'"),
        ("coords_id = lambda: 3", "coords_id"),
        ("special_config = [('NDVICalculator', {})]", "special_config"),
        ("region_sise = {0.1}", 'did you mean "region_size"'),
        ("import pathlib; output_locatoin = pathlib.Path('x')", 'did you mean "output_location"'),
        ("import numpy; cordinates = numpy.array([1, 2])", 'did you mean "coordinates"'),
        ("class E(Exception):\n  def __str__(self): raise OSError\nraise E()", "(E)"),
        ("class E(BaseException): pass\nraise E('x')", "(E: x)"),
        ("raise ValueError('x' * 10**6)", "characters left out"),
        ("raise ValueError('\\x1b[2J')", "\\x1b[2J"),
        ("def f(): f()\nf()", "RecursionError"),
        ("x = '" + "y" * 5000 + "' +", "line 2"),
    ],
)
def test_a_file_with_it_is_one_sentence(line: str, words: str, tmp_path: Path) -> None:
    _refused(_config(tmp_path, line), words)


@pytest.mark.parametrize(
    "line",
    [
        "import numpy as np\nfrom numpy import sqrt\ncoordinates = np.array([27.95, 11.57])",
        "from pathlib import Path\ndef helper(): return 1\nclass Tool: pass",
        "import io; handle = io.StringIO()",
        "import itertools\ncounter = itertools.count()",
    ],
)
def test_tools_of_a_config_are_no_settings(line: str, tmp_path: Path) -> None:
    assert load_pipeline(_config(tmp_path, line)).plan().graph


def test_a_mark_of_windows_before_a_config_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "bom.py"
    path.write_bytes(b"\xef\xbb\xbf" + DEMO.read_bytes())
    assert load_pipeline(path).name == "demo"


@pytest.mark.parametrize("data", [b"name = 'a\0b'\n", "name = 1".encode("utf-16"), b"\xff\xfe\xfa"])
def test_a_config_of_other_bytes(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bytes.py"
    path.write_bytes(data)
    _refused(path, "bytes.py")


@pytest.mark.parametrize(
    "module",
    [
        "os:system", "builtins:dict", "math:pi", ":x", ".a:B", "os:", "a\0b:C", "..:..", "os:x y",
        "pyveg.runners.local:SerialRunner", "x" * 10**6, f"{'x' * 10**5}:y", "json:JSONEncoder",
        "antigravity.x:y",
    ],
)  # fmt: skip
def test_a_module_that_is_no_module(module: str, base: dict[str, Any]) -> None:
    modules = {**base["modules_to_use"], "SimulatedSentinel2": [module]}
    with pytest.raises(ConfigError) as caught:
        resolve({**base, "modules_to_use": modules})
    assert len(str(caught.value)) < LONGEST


def test_a_module_whose_import_fails(
    base: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for number, code in enumerate(["1/0", "raise SystemExit(3)", "raise KeyError('a')"]):
        (tmp_path / f"odd_module_{number}.py").write_text(code)
        modules = {**base["modules_to_use"], "SimulatedSentinel2": [f"odd_module_{number}:X"]}
        with pytest.raises(ConfigError, match="cannot be imported"):
            resolve({**base, "modules_to_use": modules})


@pytest.mark.parametrize(
    ("special", "words"),
    [
        ({"VegetationImageProcessor": {"RGB_limits": (float("nan"), float("nan"))}}, "RGB_limits"),
        ({"VegetationImageProcessor": {"RGB_limits": (5, 1)}}, "do not rise"),
        ({"VegetationImageProcessor": {"RGB_limits": (5, 5)}}, "do not rise"),
        ({"VegetationImageProcessor": {"RGB_limits": (0, float("inf"))}}, "finite"),
        ({"VegetationDownloader": {"timeout": float("inf")}}, "timeout = inf is out of range"),
        ({"VegetationDownloader": {"timeout": 2**63}}, "timeout"),
        ({"VegetationDownloader": {"timeout": 10**5000}}, "timeout"),
        ({"VegetationDownloader": {"scale": 1e19}}, "scale = 1e+19 is out of range"),
        ({"VegetationDownloader": {"scale": 1e300}}, "scale"),
        ({"NDVICalculator": {"n_sub_images": 0}}, "not 0"),
        ({"NetworkCentralityCalculator": {"n_sub_images": 0}}, "not 0"),
        ({"NetworkCentralityCalculator": {"n_threads": 10**19}}, "n_threads"),
        ({"SimulatedSentinel2": {"collection_name": "metadata"}}, "kept for pyveg"),
        ({"SimulatedWeather": {"collection_name": "missing"}}, "kept for pyveg"),
        ({"SimulatedSentinel2": {"collection_name": "a\\b"}}, "backslash"),
        ({"SimulatedSentinel2": {"collection_name": "x" * 300}}, "longer"),
        ({"SimulatedSentinel2": {"collection_name": "../x"}}, "cannot be a folder"),
        ({"SimulatedSentinel2": {"collection_name": "a\nb"}}, "does not show"),
        ({"SimulatedSentinel2": {"collection_name": "=1+1"}}, "formula"),
        ({"SimulatedSentinel2": {"collection_name": "@SUM(A1)"}}, "formula"),
    ],
)
def test_what_would_fail_at_each_date_is_refused_in_the_plan(
    special: dict[str, Any], words: str, base: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({**base, "special_config": special}).plan()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"date_range": ["2016-01-01", "9999-12-31"]}, "not between"),
        ({"date_range": ["0001-01-01", "2016-12-31"]}, "not between"),
        ({"n_workers": 10**19}, "n_workers"),
        ({"output_location": ""}, "is empty"),
        ({"coords_id": "=1+1"}, "formula"),
        ({"pattern_type": "a\x1b[2J"}, "does not show"),
        ({"name": "x" * 300}, "longer"),
        ({"output_location": r"C:\temp\results"}, "path of Windows"),
        ({"output_location": r"\\server\share"}, "path of Windows"),
    ],
)
def test_a_top_setting_that_cannot_be(
    changes: dict[str, Any], words: str, base: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({**base, **changes}).plan()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"n_workers": 10**30}, "n_workers"),
        ({"n_workers": 100_001}, "at most 100000"),
        ({"n_workers": 0}, "at least 1"),
        ({"n_workers": 1.5}, "n_workers"),
        ({"n_workers": True}, "n_workers"),
        ({"runner": ""}, "unknown runner"),
        ({"runner": 3}, "runner = 3"),
        ({"output_location": " "}, "is empty"),
        ({"output_location": r"C:\temp\results"}, "path of Windows"),
        ({"output_location": "s3://me:pw@bucket/x"}, "password"),
        ({"engines": {"dask": {"scheduler": 3}}}, "scheduler = 3"),
    ],
)
def test_what_replaces_a_setting_is_checked_as_it_is(
    over: dict[str, Any], words: str, base: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(resolve(base), **over)
    assert words in str(caught.value)


def test_a_pipeline_that_was_made_by_hand_is_checked_too(base: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="n_workers"):
        prepare(replace(resolve(base), n_workers=10**9))


@pytest.mark.parametrize("key", ["a\\b", "x" * 300, "..", " ", "simulatedSENTINEL2", "a\x1b[2Jb"])
def test_a_key_that_can_be_no_folder(key: str, base: dict[str, Any]) -> None:
    records, modules = dict(base["data_collections"]), dict(base["modules_to_use"])
    records[key] = {**records["SimulatedSentinel2"], "collection_name": "other"}
    modules[key] = modules["SimulatedSentinel2"]
    changed = {
        "data_collections": records,
        "modules_to_use": modules,
        "collections_to_use": [*base["collections_to_use"], key],
    }
    with pytest.raises(ConfigError):
        resolve({**base, **changed})


def test_a_number_that_is_none_may_mark_missing_pixels() -> None:
    check: Callable[..., Any] = params.build
    from pyveg.sources.folder.settings import FolderSettings

    assert check(FolderSettings, {"path": "x", "nodata": float("nan")}, "here").nodata is not None
    with pytest.raises(ConfigError, match="finite"):
        check(FolderSettings, {"path": "x", "offset": float("nan")}, "here")


@pytest.mark.parametrize("name", ["CON", "aux.S2", "a/nul", "x.", "x ", "a:b", "a?b", "COM\u00b9"])
def test_a_name_that_windows_has_for_something_else(name: str, base: dict[str, Any]) -> None:
    special = {"SimulatedSentinel2": {"collection_name": name}}
    with pytest.raises(ConfigError, match="on Windows"):
        resolve({**base, "special_config": special}).plan()


def test_brackets_without_end_on_a_command_line() -> None:
    from pyveg.modules.command.settings import CommandSettings

    with pytest.raises(ConfigError) as caught:
        params.from_text(CommandSettings, "env", "[" * 100_000, "--set")
    assert len(str(caught.value)) < LONGEST
