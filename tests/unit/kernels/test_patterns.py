"""The Rietkerk model against the reference run and a slow, obvious loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.kernels import patterns
from pyveg.kernels.patterns import (
    DEFAULTS,
    RietkerkParameters,
    State,
    binary_pattern,
    initial_state,
    random_plants,
    step,
)


def spread(field: Any, i: int, j: int) -> float:
    """Differences to the neighbours that there are."""
    rows, columns = field.shape
    beside = ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
    inside = [(a, b) for a, b in beside if 0 <= a < rows and 0 <= b < columns]
    return float(sum(field[a, b] - field[i, j] for a, b in inside))


def slow_step(state: State, rain: list[float], q: RietkerkParameters) -> State:
    """The equations of the paper, cell by cell."""
    for r in rain:
        new = State(*(field.copy() for field in state))
        for i, j in np.ndindex(state.plants.shape):
            p, w, o = (float(field[i, j]) for field in state)
            bare = q.infiltration_half * q.bare_infiltration
            sunk = q.infiltration * o * (p + bare) / (p + q.infiltration_half)
            drawn = q.uptake * w / (w + q.uptake_half) * p
            area = q.cell_size**2
            left = max(1 - q.evaporation - 4 * q.soil_water_diffusion / area, 0.0)
            drawn = min(drawn, left * w)
            grown = q.conversion * drawn - (q.mortality + q.grazing) * p
            new.plants[i, j] += grown + q.plant_diffusion / area * spread(state.plants, i, j)
            new.soil_water[i, j] += sunk - drawn - q.evaporation * w
            new.soil_water[i, j] += q.soil_water_diffusion / area * spread(state.soil_water, i, j)
            new.surface_water[i, j] += r - sunk
            new.surface_water[i, j] += (
                q.surface_water_diffusion / area * spread(state.surface_water, i, j)
            )
        state = new
    return state


def random_state(rng: np.random.Generator, shape: tuple[int, int]) -> State:
    return State(rng.random(shape) * 60, rng.random(shape) * 15, rng.random(shape) * 80)


def assert_close(found: State, expected: State) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_the_reference_run_is_reproduced(shared_data: Path) -> None:
    folder = shared_data / "patterns"
    start = np.loadtxt(folder / "binary_labyrinths_50.csv", delimiter=",")
    expected = np.loadtxt(folder / "rietkerk_rainfall1.0_100iterations.csv", delimiter=",")
    state = step(initial_state(90 * start / start.max(), 1.0), 1.0, n_steps=100)
    np.testing.assert_allclose(state.plants, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2), (3, 7), (8, 5), (9, 9)])
def test_it_agrees_with_a_slow_loop(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng([1, *shape])
    state = random_state(rng, shape)
    rain = rng.random(7) * 2
    assert_close(step(state, rain, n_steps=7), slow_step(state, list(rain), DEFAULTS))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    rain=st.lists(st.floats(0, 20), max_size=6),
    cell=st.floats(20.6, 200),
    grazing=st.floats(0, 0.5),
)
def test_it_agrees_with_a_slow_loop_anywhere(
    seed: int, shape: tuple[int, int], rain: list[float], cell: float, grazing: float
) -> None:
    parameters = RietkerkParameters(cell_size=cell, grazing=grazing)
    state = random_state(np.random.default_rng(seed), shape)
    found = step(state, rain, parameters, len(rain))
    assert_close(found, slow_step(state, rain, parameters))
    assert (found.plants >= 0).all()
    assert (found.soil_water >= -1e-12).all()


def test_plants_draw_no_more_water_than_there_is() -> None:
    state = State(np.full((3, 3), 1e4), np.full((3, 3), 5.0), np.zeros((3, 3)))
    after = step(state, 0.0)
    assert (after.soil_water >= 0).all()
    assert np.isfinite(step(state, 10.0, n_steps=5000).plants).all()


def test_diffusion_conserves_water() -> None:
    still = RietkerkParameters(infiltration=1e-300, evaporation=1e-300, uptake=0.0)
    state = random_state(np.random.default_rng(5), (13, 8))
    after = step(state, 0.0, still, 500)
    for name in ("soil_water", "surface_water"):
        before, now = getattr(state, name), getattr(after, name)
        assert now.sum() == pytest.approx(before.sum(), rel=1e-12)
        assert now.std() < before.std()


def test_water_is_accounted_for() -> None:
    """What rains ends up in a field, in a plant or in the air."""
    state = random_state(np.random.default_rng(6), (9, 14))
    after = step(state, 1.3)
    drawn = DEFAULTS.uptake * state.soil_water / (state.soil_water + 3) * state.plants
    drawn = np.minimum(drawn, state.soil_water * (0.9 - 0.4 / 441))
    before = state.soil_water.sum() + state.surface_water.sum() + 1.3 * 9 * 14
    lost = drawn.sum() + 0.1 * state.soil_water.sum()
    assert after.soil_water.sum() + after.surface_water.sum() == pytest.approx(before - lost)


def test_bare_ground_keeps_its_water() -> None:
    start = initial_state(np.zeros((5, 6)), 0.8)
    assert_close(step(start, 0.8, n_steps=200), start)


def test_uniform_plants_reach_the_steady_state_of_the_equations() -> None:
    """Growth equals loss at one soil water, which the rain must pay for."""
    parameters = RietkerkParameters(grazing=0.1)
    share = 0.2 / (10 * 0.05)
    water = 3 * share / (1 - share)
    plants = (1.0 - 0.1 * water) / (0.05 * share)
    sunk = 0.1 * (plants + 5 * 0.15) / (plants + 5)
    shape = (4, 7)
    steady = State(np.full(shape, plants), np.full(shape, water), np.full(shape, 1.0 / sunk))
    assert_close(step(steady, 1.0, parameters, 50), steady)
    found = step(initial_state(np.full(shape, 10.0), 1.0), 1.0, parameters, 4000)
    assert_close(found, steady)


def test_runs_can_be_continued_bit_for_bit() -> None:
    rng = np.random.default_rng(7)
    state, rain = random_state(rng, (12, 9)), rng.random(60) * 2
    whole = step(state, rain, n_steps=60)
    parts = step(step(step(state, rain[:1], n_steps=1), [], n_steps=0), rain[1:], n_steps=59)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_given_is_not_changed() -> None:
    state = random_state(np.random.default_rng(8), (5, 5))
    copy = State(*(field.copy() for field in state))
    after = step(state, 1.0, n_steps=3)
    for one, other, new in zip(state, copy, after, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, new)
        assert new.dtype == np.float64
        assert new.flags.c_contiguous


def test_turning_the_grid_turns_the_pattern() -> None:
    state = random_state(np.random.default_rng(9), (11, 7))
    turned = State(*(field.T for field in state))
    for one, other in zip(step(state, 1.1, n_steps=30), step(turned, 1.1, n_steps=30), strict=True):
        np.testing.assert_allclose(one, other.T, rtol=1e-9, atol=1e-12)


def test_a_pattern_forms() -> None:
    rng = np.random.default_rng(10)
    state = initial_state(random_plants((40, 40), rng), 1.1)
    plants = step(state, 1.1, n_steps=1000).plants
    cover = (plants > 5).mean()
    assert 0.2 < cover < 0.6
    assert plants[plants > 5].mean() > 100 * np.median(plants[plants < 5])


def test_initial_water() -> None:
    state = initial_state([[0, 90]], 1.2)
    np.testing.assert_array_equal(state.plants, [[0.0, 90.0]])
    np.testing.assert_allclose(state.soil_water, 12.0)
    np.testing.assert_allclose(state.surface_water, 80.0)


def test_random_plants() -> None:
    plants = random_plants((200, 300), np.random.default_rng(1))
    assert plants.shape == (200, 300)
    assert set(np.unique(plants)) == {0.0, 90.0}
    assert (plants > 0).mean() == pytest.approx(0.1, abs=0.01)
    again = random_plants((200, 300), np.random.default_rng(1))
    np.testing.assert_array_equal(plants, again)
    assert random_plants((9, 9), np.random.default_rng(1), 0.0, 7.0).min() == 7.0


def test_binary_pattern() -> None:
    plants = np.zeros((10, 10))
    plants[:, 5:] = 20.0
    pattern = binary_pattern(plants)
    assert pattern.dtype == np.uint8
    np.testing.assert_array_equal(pattern[:, :5], 255)
    np.testing.assert_array_equal(pattern[:, 5:], 0)
    assert not binary_pattern(np.full((4, 4), 3.0)).any()


@pytest.mark.parametrize("rain", [-0.1, np.nan, np.inf, [1.0, -1.0], [1.0, np.nan]])
def test_impossible_rain(rain: Any) -> None:
    state = initial_state(np.zeros((3, 3)), 1.0)
    with pytest.raises(ValueError, match="rainfall must be finite and not negative"):
        step(state, rain, n_steps=2)
    if np.ndim(rain) == 0:
        with pytest.raises(ValueError, match="rainfall"):
            initial_state(np.zeros((3, 3)), rain)


def test_rain_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match=r"\(3,\); give one value or one for each of 2 days"):
        step(initial_state(np.zeros((3, 3)), 1.0), [1.0, 1.0, 1.0], n_steps=2)
    with pytest.raises(ValueError, match="n_steps"):
        step(initial_state(np.zeros((3, 3)), 1.0), 1.0, n_steps=-1)


@pytest.mark.parametrize("plants", [3.0, [1.0, 2.0], np.zeros((0, 3)), np.zeros((2, 2, 2))])
def test_plants_of_the_wrong_shape(plants: Any) -> None:
    with pytest.raises(ValueError, match="rows and columns"):
        initial_state(plants, 1.0)
    with pytest.raises(ValueError, match="rows and columns"):
        binary_pattern(plants)


def test_impossible_states() -> None:
    with pytest.raises(ValueError, match="not be negative"):
        initial_state([[-1.0]], 1.0)
    with pytest.raises(ValueError, match="finite"):
        initial_state([[np.nan]], 1.0)
    with pytest.raises(ValueError, match="one shape"):
        step(State(np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3))), 1.0)
    with pytest.raises(ValueError, match="bare_share"):
        random_plants((2, 2), np.random.default_rng(0), 1.5)
    with pytest.raises(ValueError, match="biomass"):
        random_plants((2, 2), np.random.default_rng(0), 0.5, -1.0)


def test_unstable_diffusion() -> None:
    with pytest.raises(ValueError, match=r"surface_water_diffusion = 100 m2/day is unstable"):
        RietkerkParameters(cell_size=20.5)
    with pytest.raises(ValueError, match=r"plant_diffusion = 120 .* is above 0\.2"):
        RietkerkParameters(plant_diffusion=120.0)
    edge = RietkerkParameters(cell_size=20.6)
    state = step(random_state(np.random.default_rng(3), (9, 9)), 1.2, edge, 3000)
    assert state.surface_water.max() < 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grazing", -0.1),
        ("uptake", float("nan")),
        ("conversion", float("inf")),
        ("evaporation", 0.0),
        ("uptake_half", 0.0),
        ("mortality", 0.9),
        ("infiltration", 1.5),
    ],
)
def test_impossible_parameters(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(DEFAULTS, **{name: value})


def test_numbers_beyond_all_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="unstable"):
        step(initial_state(np.full((3, 3), 1e308), 1.0), 1e308, n_steps=20)


def test_everything_public_is_described() -> None:
    for name in ("RietkerkParameters", "State", "step", "initial_state", "random_plants"):
        assert getattr(patterns, name).__doc__
