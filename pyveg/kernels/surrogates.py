"""Series that remember as much as a given one, and are stationary.

Random numbers are the raw 64-bit words of NumPy's Philox generator, whose stream is guaranteed,
turned into choices by whole-number arithmetic: the same seed gives the same surrogates on every
machine. Series of one place share their weather; drawn with the same `Draws` they share their
random choices too, and keep their correlation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.common_innovations import FEWEST
from pyveg.kernels.noise import Noise, theoretical_autocorrelation

__all__ = ["METHODS", "Draws", "ar_process", "draw", "normals", "surrogates"]

Values = NDArray[np.float64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

METHODS = ("ar", "phase", "block")
_BURN_IN = 200  # 0.98^200 = 0.018


class Draws(NamedTuple):
    """Random words for some surrogates of one place."""

    words: Words
    """Shape (S, burn-in + n): shared by all series of the place."""
    own: Words
    """The same shape: another stream."""
    steps: NDArray[np.int64]
    """Steps that innovations are drawn from; see `common_innovations.common_steps`."""

    def part(self, first: int, last: int) -> Draws:
        """Those of surrogates `first` .. `last - 1`."""
        return Draws(self.words[first:last], self.own[first:last], self.steps)


def draw(n: int, count: int, seed: Sequence[int] | int, steps: NDArray[Any] | None = None) -> Draws:
    """Draw the random words of surrogates of a place.

    Parameters
    ----------
    n : int
        Steps of a series.
    count : int
        Surrogates. One does not depend on how many come after it.
    seed : int or sequence of int
        Not negative.
    steps : array of int, optional
        That innovations are drawn from; all where not given.

    Returns
    -------
    Draws
    """
    seeds = [seed] if isinstance(seed, int) else list(seed)
    width = _BURN_IN + n
    stream = np.random.Philox(np.random.SeedSequence(seeds))
    words = stream.random_raw(count * 2 * width).reshape(count, 2, width)
    known = np.arange(n) if steps is None else np.asarray(steps)
    return Draws(
        np.ascontiguousarray(words[:, 0]),
        np.ascontiguousarray(words[:, 1]),
        np.ascontiguousarray(known, dtype=np.int64),
    )


def surrogates(residuals: NDArray[Any], noise: Noise, draws: Draws, method: str = "ar") -> Values:
    """Stationary series with the memory of `residuals`; complete, mean about 0.

    Parameters
    ----------
    residuals : array of float, shape (n,)
        NaN where missing; "ar" looks at `noise` only.
    noise : Noise
        Its model.
    draws : Draws
    method : str
        - "ar": its autoregressive model, driven by innovations drawn with replacement (AR-sieve
          bootstrap, Buhlmann 1997, 10.2307/3318584); by normal ones where there are too few.
        - "phase": its Fourier amplitudes with random phases (Theiler et al. 1992,
          10.1016/0167-2789(92)90102-S). Gaps are first filled at random, anew for each surrogate,
          by what the model expects between their ends and how far it varies.
        - "block": blocks of it in a circle, drawn with replacement; gaps filled as above. The
          length is n^(1/3) times 1 to 4, the more memory, the longer.

    Returns
    -------
    array of float64, shape (S, n)

    Raises
    ------
    ValueError
        For an unknown method.
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    if method == "ar":
        return _sieve(noise, draws, data.size)
    if method not in METHODS:
        raise ValueError(f'unknown null model "{method}"; known: {", ".join(METHODS)}')
    filled = _filled(data, noise, draws)
    if method == "phase":
        return _new_phases(filled, draws.words)
    return _blocks(filled, draws.words, _block_length(noise, data.size))


def normals(words: Words) -> Values:
    """Standard normal numbers from random words, by the inverse of the distribution function."""
    from scipy.special import ndtri

    uniform = ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52  # never 0 or 1
    return np.asarray(ndtri(uniform), dtype=np.float64)


def ar_process(innovations: NDArray[Any], coefficients: NDArray[Any]) -> Values:
    """Autoregressive series driven by given innovations, from rest.

    Parameters
    ----------
    innovations : array of float, shape (S, n)
    coefficients : array of float, shape (p,) or, changing with time, (n, p)

    Returns
    -------
    array of float64, shape (S, n)
    """
    drive = np.ascontiguousarray(innovations, dtype=np.float64)
    phi = np.ascontiguousarray(coefficients, dtype=np.float64)
    if phi.ndim == 1:
        phi = np.tile(phi, (drive.shape[1], 1))
    return _run(drive, phi)


def _sieve(noise: Noise, draws: Draws, n: int) -> Values:
    known = np.nonzero(np.isfinite(noise.innovations))[0]
    shared = draws.steps
    if known.size < FEWEST:
        drive = noise.sigma * normals(draws.words)
    else:
        places = shared if shared.size >= FEWEST else known
        drive = _choose(noise.innovations, places, known, draws.words, draws.own)
    made: Values = ar_process(drive, noise.coefficients)[:, -n:] / noise.gain
    return np.ascontiguousarray(made)


@njit(cache=True, nogil=True)
def _below(word: Any, limit: int) -> Any:
    """A whole number from 0 to limit - 1, of the word's upper half."""
    return ((word >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)


@njit(cache=True, nogil=True)
def _choose(
    innovations: Values,
    places: NDArray[np.int64],
    known: NDArray[np.int64],
    words: Words,
    own: Words,
) -> Values:
    """Innovations of steps chosen for the whole place; where this series has none, of its own."""
    out = np.empty(words.shape)
    for s in range(words.shape[0]):
        for t in range(words.shape[1]):
            value = innovations[places[_below(words[s, t], places.size)]]
            if math.isnan(value):
                value = innovations[known[_below(own[s, t], known.size)]]
            out[s, t] = value
    return out


@njit(cache=True, nogil=True)
def _run(drive: Values, phi: Values) -> Values:
    out = np.empty(drive.shape)
    p = phi.shape[1]
    for s in range(drive.shape[0]):
        for t in range(drive.shape[1]):
            value = drive[s, t]
            for k in range(min(p, t)):
                value += phi[t, k] * out[s, t - 1 - k]
            out[s, t] = value
    return out


def _filled(data: Values, noise: Noise, draws: Draws) -> Values:
    """Complete series: the model given what is known, with its uncertainty (Matheron's rule)."""
    known = np.isfinite(data)
    centred = data - data[known].mean()
    if known.all():
        return np.tile(centred, (draws.own.shape[0], 1))
    lags = theoretical_autocorrelation(noise.coefficients, data.size - 1)
    between = np.abs(np.arange(data.size)[:, None] - np.arange(data.size))
    covariance = lags[between]
    normal = ar_process(normals(draws.own), noise.coefficients)[:, -data.size :]
    free = normal * noise.sigma
    wrong = centred[known] - free[:, known]
    weights = np.linalg.solve(covariance[np.ix_(known, known)], covariance[known])
    filled: Values = np.where(known, centred, free + wrong @ weights)
    return filled


def _new_phases(filled: Values, words: Words) -> Values:
    n = filled.shape[1]
    spectrum = np.fft.rfft(filled, axis=1)
    turns = (words[:, : spectrum.shape[1]] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    angles = np.exp(2j * np.pi * turns)
    angles[:, 0] = 1.0
    if n % 2 == 0:
        angles[:, -1] = 1.0
    return np.asarray(np.fft.irfft(spectrum * angles, n=n, axis=1), dtype=np.float64)


def _block_length(noise: Noise, n: int) -> int:
    memory = float(theoretical_autocorrelation(noise.coefficients, 1)[1])
    usual = float(np.cbrt(n)) * (1.0 + 3.0 * max(memory, 0.0))
    return max(1, min(n // 3, round(usual)))


@njit(cache=True, nogil=True)
def _blocks(filled: Values, words: Words, length: int) -> Values:
    count, n = filled.shape
    out = np.empty(filled.shape)
    for s in range(count):
        for t in range(n):
            start = _below(words[s, t // length], n)
            out[s, t] = filled[s, (start + t % length) % n]
    return out
