"""The vegetation model of Rietkerk et al. (2002): how plants on dry ground arrange themselves.

Plants, water in the soil and water on its surface live on a grid of square cells. Water runs in
faster where plants grow, so that they draw it from the bare ground around them; labyrinths, gaps
or spots come of it, depending on the rain. No water and no plants cross the edges of the grid.

References
----------
M. Rietkerk et al., "Self-organization of vegetation in arid ecosystems", The American Naturalist
160 (2002) 524-530, doi:10.1086/342078. Equations and the meaning of the parameters are its; the
default values are those of the older pyveg, which adds a loss of plants to grazing.

Notes
-----
Steps of one day are coarse for much rain: dense plants could draw more water from the soil in a
day than it holds, and the numbers would grow beyond all bounds. So plants draw at most what is
left after the day's evaporation and spread. In the patterns that about 0.5 to 1.5 mm of rain per
day make this limit is not reached, and the model is the published one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.float64]

_ABOVE_ZERO = frozenset(
    {
        "infiltration",
        "bare_infiltration",
        "evaporation",
        "uptake_half",
        "infiltration_half",
        "cell_size",
    }
)


@dataclass(frozen=True)
class RietkerkParameters:
    """Parameters of the model. One step is one day.

    Raises
    ------
    ValueError
        For a parameter that is negative or not finite, one that must not be 0, or rates and
        diffusion that steps of one day cannot follow.
    """

    plant_diffusion: float = 0.1
    """Spread of plants, m2 / day."""
    soil_water_diffusion: float = 0.1
    """Spread of water in the soil, m2 / day."""
    surface_water_diffusion: float = 100.0
    """Spread of water on the surface, m2 / day."""
    infiltration: float = 0.1
    """alpha: share of the surface water that runs into vegetated soil, 1 / day."""
    bare_infiltration: float = 0.15
    """W0: infiltration of bare soil as a share of `infiltration`; no unit."""
    grazing: float = 0.3
    """beta: loss of plants to grazing, 1 / day."""
    evaporation: float = 0.1
    """rw: loss of soil water to evaporation and drainage, 1 / day."""
    conversion: float = 10.0
    """c: plants made of water, g / m2 / mm."""
    uptake: float = 0.05
    """gmax: greatest uptake of water, mm / (g / m2) / day."""
    mortality: float = 0.1
    """d: loss of plants to death, 1 / day."""
    uptake_half: float = 3.0
    """k1: soil water at which uptake is half of its greatest, mm."""
    infiltration_half: float = 5.0
    """k2: plants at which infiltration is half way, g / m2."""
    cell_size: float = 21.0
    """Length of a cell's side, m."""

    def __post_init__(self) -> None:
        self._check_signs()
        self._check_stability()

    def _check_signs(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{spec.name} = {value!r} must be finite and not negative")
            if value == 0 and spec.name in _ABOVE_ZERO:
                raise ValueError(f"{spec.name} must be above 0")

    def _check_stability(self) -> None:
        """Neither neighbours that take turns nor a field that empties may run away."""
        self._check_field("surface_water_diffusion", "infiltration")
        self._check_field("soil_water_diffusion", "evaporation")
        self._check_field("plant_diffusion", "mortality", "grazing")

    def _check_field(self, diffusion: str, *losses: str) -> None:
        lost = sum(getattr(self, name) for name in losses)
        if lost > 1:
            raise ValueError(f"{' + '.join(losses)} = {lost:g} takes more than there is per day")
        share = getattr(self, diffusion) / self.cell_size**2
        limit = (2 - lost) / 8  # 0.25 for diffusion alone
        if share > limit:
            raise ValueError(
                f"{diffusion} = {getattr(self, diffusion):g} m2/day is unstable on cells of "
                f"{self.cell_size:g} m: D dt / dx2 = {share:.4g} is above {limit:.4g}; "
                "take larger cells"
            )


class State(NamedTuple):
    """The three fields of the model, each float64 of shape (rows, columns)."""

    plants: Field
    """Plant biomass, g / m2."""
    soil_water: Field
    """Water in the soil, mm."""
    surface_water: Field
    """Water on the surface, mm."""


DEFAULTS = RietkerkParameters()


def random_plants(
    shape: tuple[int, int],
    rng: np.random.Generator,
    bare_share: float = 0.90,
    biomass: float = 90.0,
) -> Field:
    """Plants on a few cells drawn at random.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    rng : numpy.random.Generator
        Where the numbers come from.
    bare_share : float
        Probability of a cell to be bare, 0 to 1.
    biomass : float
        Plants on each of the other cells, g / m2.

    Returns
    -------
    float64 array of that shape

    Raises
    ------
    ValueError
        For a share outside 0 to 1 or a biomass that is negative or not finite.
    """
    if not 0 <= bare_share <= 1:
        raise ValueError(f"bare_share = {bare_share!r} must be between 0 and 1")
    if not (np.isfinite(biomass) and biomass >= 0):
        raise ValueError(f"biomass = {biomass!r} must be finite and not negative")
    return np.where(rng.random(shape) > bare_share, float(biomass), 0.0)


def initial_state(
    plants: ArrayLike, rainfall: float, parameters: RietkerkParameters = DEFAULTS
) -> State:
    """Plants as given, on ground with the water that bare ground would hold at that rain.

    Parameters
    ----------
    plants : (rows, columns) array
        Biomass, g / m2.
    rainfall : float
        Rain, mm / day.
    parameters : RietkerkParameters

    Returns
    -------
    State
        Surface water R / (alpha W0) and soil water R / rw everywhere.

    Raises
    ------
    ValueError
        For plants that are no (rows, columns) array of finite numbers of at least 0, or a rain
        that is negative or not finite.
    """
    biomass = _field(plants, "plants")
    if (biomass < 0).any():
        raise ValueError("plants must not be negative")
    rain = float(_daily_rain(rainfall, 1)[0])
    soil = rain / parameters.evaporation
    surface = rain / (parameters.infiltration * parameters.bare_infiltration)
    return State(biomass, np.full_like(biomass, soil), np.full_like(biomass, surface))


def step(
    state: State,
    rainfall: ArrayLike,
    parameters: RietkerkParameters = DEFAULTS,
    n_steps: int = 1,
) -> State:
    """Run the model for some days.

    Explicit Euler steps of one day; all fields are updated from the day before, so that running
    m days and then n gives the same bits as running m + n.

    Parameters
    ----------
    state : State
        Where to start; it is not changed.
    rainfall : float or (n_steps,) array
        Rain, mm / day; one value for all days or one for each.
    parameters : RietkerkParameters
    n_steps : int
        Number of days, 0 or more.

    Returns
    -------
    State
        New arrays.

    Raises
    ------
    ValueError
        For fields that differ in shape or hold values that are not finite, rain that is negative,
        not finite or not one value per day, or when the numbers grow beyond all bounds.
    """
    if n_steps < 0:
        raise ValueError(f"n_steps = {n_steps} must not be negative")
    rain = _daily_rain(rainfall, n_steps)
    fields = State(*(_field(array, name) for array, name in zip(state, State._fields, strict=True)))
    if len({array.shape for array in fields}) != 1:
        shapes = ", ".join(f"{name} {getattr(fields, name).shape}" for name in State._fields)
        raise ValueError(f"the fields of a state must have one shape, not {shapes}")
    plants, soil, surface = (np.pad(array, 1) for array in fields)
    _run(plants, soil, surface, rain, _numbers(parameters))
    inner = (array[1:-1, 1:-1].copy() for array in (plants, soil, surface))
    result = State(*inner)
    if not all(np.isfinite(array).all() for array in result):
        raise ValueError("the model is unstable with this rain and these parameters")
    return result


def binary_pattern(plants: ArrayLike) -> NDArray[np.uint8]:
    """Bare ground as signal.

    Parameters
    ----------
    plants : (rows, columns) array
        Biomass, g / m2.

    Returns
    -------
    uint8 array of that shape
        255 where the biomass is below the mean of its 10 % and 90 % quantiles, 0 elsewhere.

    Raises
    ------
    ValueError
        If it is no (rows, columns) array of finite numbers.
    """
    biomass = _field(plants, "plants")
    threshold = np.quantile(biomass, [0.1, 0.9]).mean()
    return np.where(biomass < threshold, 255, 0).astype(np.uint8)


def _field(values: ArrayLike, name: str) -> Field:
    """A copy as float64, checked."""
    array = np.array(values, dtype=np.float64, order="C")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must be an array of rows and columns, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def _daily_rain(rainfall: ArrayLike, n_steps: int) -> Field:
    """One value per day, checked."""
    rain = np.array(rainfall, dtype=np.float64)
    if not (np.isfinite(rain).all() and (rain >= 0).all()):
        raise ValueError("rainfall must be finite and not negative, mm per day")
    if rain.ndim == 0:
        return np.full(n_steps, rain)
    if rain.shape != (n_steps,):
        raise ValueError(
            f"rainfall has shape {rain.shape}; give one value or one for each of {n_steps} days"
        )
    return rain


def _numbers(parameters: RietkerkParameters) -> tuple[float, ...]:
    """What the inner loop needs, in its order."""
    area = parameters.cell_size**2
    return (
        parameters.plant_diffusion / area,
        parameters.soil_water_diffusion / area,
        parameters.surface_water_diffusion / area,
        parameters.infiltration,
        parameters.infiltration_half * parameters.bare_infiltration,
        parameters.infiltration_half,
        parameters.uptake,
        parameters.uptake_half,
        parameters.conversion,
        parameters.mortality + parameters.grazing,
        parameters.evaporation,
    )


@njit(cache=True, nogil=True)
def _close_edges(field: Field) -> None:
    """Repeat the outermost cells in the frame around them: nothing flows across the edge."""
    field[0, :] = field[1, :]
    field[-1, :] = field[-2, :]
    field[:, 0] = field[:, 1]
    field[:, -1] = field[:, -2]


@njit(cache=True, nogil=True, error_model="numpy")
def _run(
    plants: Field,
    soil: Field,
    surface: Field,
    rain: Field,
    numbers: tuple[float, ...],
) -> None:
    """Run one day for each value of `rain`, in place; the fields have a frame of one cell.

    A row is written once the row below it has been read, so that two rows per field are all the
    memory it needs beside the fields themselves.
    """
    (spread_plants, spread_soil, spread_surface, alpha, bare, half_infiltration) = numbers[:6]
    (uptake_max, half_uptake, conversion, loss, evaporation) = numbers[6:]
    rows, columns = plants.shape
    new = np.empty((3, 2, columns))
    left = max(1.0 - evaporation - 4.0 * spread_soil, 0.0)
    for day in range(rain.size):
        _close_edges(plants)
        _close_edges(soil)
        _close_edges(surface)
        for i in range(1, rows - 1):
            new_p, new_w, new_o = new[0, i % 2], new[1, i % 2], new[2, i % 2]
            for j in range(1, columns - 1):
                p, w, o = plants[i, j], soil[i, j], surface[i, j]
                lap_p = plants[i - 1, j] + plants[i + 1, j] + plants[i, j - 1]
                lap_p += plants[i, j + 1] - 4.0 * p
                lap_w = soil[i - 1, j] + soil[i + 1, j] + soil[i, j - 1]
                lap_w += soil[i, j + 1] - 4.0 * w
                lap_o = surface[i - 1, j] + surface[i + 1, j] + surface[i, j - 1]
                lap_o += surface[i, j + 1] - 4.0 * o
                drawn = min(uptake_max * w / (w + half_uptake) * p, left * w)
                sunk = alpha * o * (p + bare) / (p + half_infiltration)
                new_p[j] = p + conversion * drawn - loss * p + spread_plants * lap_p
                new_w[j] = w + sunk - drawn - evaporation * w + spread_soil * lap_w
                new_o[j] = o + rain[day] - sunk + spread_surface * lap_o
            if i > 1:
                plants[i - 1, 1:-1] = new[0, (i - 1) % 2, 1:-1]
                soil[i - 1, 1:-1] = new[1, (i - 1) % 2, 1:-1]
                surface[i - 1, 1:-1] = new[2, (i - 1) % 2, 1:-1]
        plants[rows - 2, 1:-1] = new[0, rows % 2, 1:-1]
        soil[rows - 2, 1:-1] = new[1, rows % 2, 1:-1]
        surface[rows - 2, 1:-1] = new[2, rows % 2, 1:-1]
