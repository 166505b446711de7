"""`pyveg_gen_pattern`: patterns, files in the older form, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pyveg import formats
from pyveg.kernels.patterns import (
    RietkerkParameters,
    binary_pattern,
    initial_state,
    random_plants,
    step,
)
from pyveg.scripts.gen_pattern import main

OLDER = {
    "DeltaX": 101, "DeltaY": 101, "DifP": 100, "DifW": 10, "DifO": 1000, "frac": 0.8, "R": 1.4,
    "alpha": 0.1, "W0": 0.15, "beta": 0.2, "rw": 0.1, "c": 10, "gmax": 0.05, "d": 0.1, "k1": 3,
    "k2": 5, "m": 30, "vmass": 80,
}  # fmt: skip
"""A parameter file with all names that the older pyveg had."""


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _csv(path: Path) -> Any:
    return np.loadtxt(path, delimiter=",", ndmin=2)


def test_the_reference_run(shared_data: Path, tmp_path: Path) -> None:
    """The older pyveg's run in MATLAB, to a unit of the last decimal of its file."""
    folder, out = shared_data / "patterns", tmp_path / "out.csv"
    start = folder / "binary_labyrinths_50.csv"
    done = _run("--starting_pattern_file", start, "--steps", 100, "--output_csv", out)
    assert done.exit_code == 0, done.output
    expected = folder / "rietkerk_rainfall1.0_100iterations.csv"
    np.testing.assert_allclose(_csv(out), _csv(expected), rtol=0, atol=1.01e-6)
    lines = out.read_text().splitlines()
    assert [len(line.split(",")) for line in lines] == [50] * 50
    assert all(len(value.partition(".")[2]) == 6 for line in lines for value in line.split(","))


def test_defaults_and_files(tmp_path: Path) -> None:
    table, picture, binary = (tmp_path / name for name in ("a.csv", "a.png", "b.png"))
    done = _run(
        "--steps", 600, "--seed", 3, "--output_csv", table, "--output_png", picture,
        "--output_binary_png", binary,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    start = initial_state(random_plants((50, 50), np.random.default_rng(3)), 1.0)
    plants = step(start, 1.0, n_steps=600).plants
    np.testing.assert_allclose(_csv(table), plants, rtol=0, atol=5.1e-7)
    np.testing.assert_array_equal(formats.decode_png(binary.read_bytes()), binary_pattern(plants))
    shown = formats.decode_png(picture.read_bytes())
    assert shown.shape == (400, 400, 3)
    small = shown[::8, ::8].astype(int).sum(axis=2)
    assert np.argmin(small) == np.argmax(plants)
    assert small[plants < 1e-3].min() > small[plants > 10].max()
    assert f"{plants.mean():.4g} g/m2" in done.output
    assert f"{100 * (plants >= 5).mean():.1f} % of the cells" in done.output


def test_a_seed_is_a_pattern(tmp_path: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        out = tmp_path / "out.csv"
        assert _run("--size", 12, "--steps", 9, "--seed", seed, "--output_csv", out).exit_code == 0
        found.append(out.read_bytes())
    assert found[0] == found[1] != found[2]


def test_names_of_the_older_pyveg(tmp_path: Path) -> None:
    config, out = tmp_path / "old.json", tmp_path / "out.csv"
    config.write_text(json.dumps(OLDER))
    done = _run("--config_file", config, "--steps", 50, "--output_csv", out)
    assert done.exit_code == 0, done.output
    parameters = RietkerkParameters(
        plant_diffusion=100, soil_water_diffusion=10, surface_water_diffusion=1000, cell_size=101,
        grazing=0.2,
    )  # fmt: skip
    plants = random_plants((30, 30), np.random.default_rng(0), 0.8, 80)
    expected = step(initial_state(plants, 1.4, parameters), 1.4, parameters, 50).plants
    np.testing.assert_allclose(_csv(out), expected, rtol=0, atol=5.1e-7)
    wetter = tmp_path / "wetter.csv"
    _run("--config_file", config, "--steps", 50, "--rainfall", 2, "--output_csv", wetter)
    assert _csv(wetter).mean() > _csv(out).mean()


def test_our_names(tmp_path: Path) -> None:
    config, out = tmp_path / "new.json", tmp_path / "out.csv"
    config.write_text(json.dumps({"grazing": 0.25, "rainfall": 0.8, "size": 9, "seed": 5}))
    assert _run("--config_file", config, "--steps", 0, "--output_csv", out).exit_code == 0
    np.testing.assert_array_equal(_csv(out), random_plants((9, 9), np.random.default_rng(5)))


@pytest.mark.parametrize("kind", ["csv", "txt", "png"])
def test_a_pattern_to_begin_with(tmp_path: Path, kind: str) -> None:
    """It is scaled, and need not be square; --transpose turns what is written."""
    mask = np.random.default_rng(4).random((7, 11)) < 0.4
    path = tmp_path / f"start.{kind}"
    if kind == "png":
        path.write_bytes(formats.encode_png(np.where(mask, 255, 0).astype(np.uint8)))
    else:
        np.savetxt(path, 2.5 * mask, delimiter="," if kind == "csv" else " ")
    out = tmp_path / "out.csv"
    options = ["--starting_pattern_file", path, "--steps", 20, "--output_csv", out]
    assert _run(*options).exit_code == 0
    expected = step(initial_state(90.0 * mask, 1.0), 1.0, n_steps=20).plants
    np.testing.assert_allclose(_csv(out), expected, rtol=0, atol=5.1e-7)
    assert _run(*options, "--transpose").exit_code == 0
    np.testing.assert_allclose(_csv(out), expected.T, rtol=0, atol=5.1e-7)


def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for chunk in (500, 7):
        monkeypatch.setattr("pyveg.jobs.pattern.CHUNK", chunk)
        _run("--size", 10, "--steps", 40, "--output_csv", tmp_path / "out.csv")
        found.append((tmp_path / "out.csv").read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON"),
        ("[1]", "holds something else than names and numbers; write one object"),
        ('{"betta": 0.3}', 'unknown parameter "betta"; did you mean "beta"?'),
        ('{"beta": "much"}', "beta = 'much' is no number; write a number"),
        ('{"beta": true}', "beta = True is no number; write a number"),
        ('{"beta": 0.3, "grazing": 0.2}', "they are one parameter; give one value"),
        ('{"DeltaX": 21, "DeltaY": 30}', "cells are square"),
        ('{"beta": -1}', "grazing = -1 must be finite"),
        ('{"DeltaX": 5}', "take larger cells"),
        ('{"size": 2.5}', "size = 2.5 is out of range; give a whole number from 1"),
        ('{"seed": -1}', "seed = -1 is out of range; give a whole number from 0"),
        ('{"frac": 1.5}', "bare_share = 1.5 is out of range; give 0 to 1"),
        ('{"R": -0.5}', "rainfall = -0.5 is out of range; give 0 or more"),
    ],
)
def test_wrong_parameter_files(tmp_path: Path, content: str, told: str) -> None:
    config, out = tmp_path / "wrong.json", tmp_path / "out.csv"
    config.write_text(content)
    done = _run("--config_file", config, "--output_csv", out)
    assert done.exit_code == 2
    assert told in done.output
    assert "wrong.json" in done.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("0,0\n0,0\n", "holds no plants, or numbers below 0; give 0 for bare cells"),
        ("0,1\n-1,0\n", "numbers below 0; give 0 for bare cells"),
        ("0,nan\n1,0\n", "give 0 for bare cells and numbers above 0"),
        ("a,b\n", "is not made of numbers"),
        ("", "the table is empty"),
    ],
)
def test_wrong_patterns(tmp_path: Path, content: str, told: str) -> None:
    start = tmp_path / "start.csv"
    start.write_text(content)
    done = _run("--starting_pattern_file", start)
    assert done.exit_code == 2
    assert told in done.output
    assert "start.csv" in done.output


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    for option in ("--size", "--seed"):
        done = _run("--starting_pattern_file", "a.csv", option, 3)
        assert done.exit_code == 2
        assert "leave" in done.output
    assert "cannot be read" in _run("--config_file", tmp_path / "none.json").output
    assert "cannot be written" in _run("--steps", 1, "--output_csv", tmp_path).output
    done = _run("--rainfall", 1e306, "--steps", 300)
    assert done.exit_code == 2
    assert "unstable" in done.output
