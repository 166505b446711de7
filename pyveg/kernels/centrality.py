"""Subgraph centrality of binary chips and the feature vector built on it.

The True pixels of a chip are the nodes of a graph, neighbouring True pixels its edges. The
subgraph centrality of a pixel is its entry of ``diag(exp A)``, A the adjacency matrix
(Estrada & Rodriguez-Velazquez 2005, 10.1103/PhysRevE.71.056103). Mander et al. 2017
(10.1098/rsos.160443) rank pixels by it and follow V - E of the best ranked shares.

How it is computed exactly, and without eigenvalues, is told in `pyveg.kernels.walks`.
"""

from __future__ import annotations

import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.kernels.walks import diagonal_of_exp

__all__ = ["feature_vector", "feature_vector_metrics", "feature_vectors", "subgraph_centrality"]

_TIE = 1e-12  # relative; solver noise of a dense solver is 3e-14, true gaps start near 1e-9


def subgraph_centrality(mask: NDArray[Any], *, diagonal: bool = False) -> NDArray[np.float64]:
    """Return diag(exp A) of the graph of the True pixels of a mask.

    Parameters
    ----------
    mask : array of bool or numbers, shape (H, W)
        Non-zero pixels are nodes. Any H and W, zero included.
    diagonal : bool
        Join 8 neighbours rather than 4.

    Returns
    -------
    array of float64, shape (H, W)
        Centrality (no unit, >= 1) of the nodes, 0.0 elsewhere; 1.0 for an isolated node. Relative
        error below 1e-15.

    Raises
    ------
    ValueError
        If the mask is not two-dimensional, not numeric or has NaN.

    References
    ----------
    Estrada & Rodriguez-Velazquez 2005, 10.1103/PhysRevE.71.056103.

    Examples
    --------
    Two neighbours, and a pixel by itself:

    >>> import numpy as np, pyveg
    >>> mask = np.array([[1, 1, 0, 1]])
    >>> pyveg.subgraph_centrality(mask).round(3)
    array([[1.543, 1.543, 0.   , 1.   ]])
    """
    return diagonal_of_exp(_as_bool(mask, ndim=2), diagonal=diagonal)


def feature_vector(
    mask: NDArray[Any], *, num_quantiles: int = 20, diagonal: bool = False
) -> NDArray[np.float64]:
    """Return V - E of the best connected shares of a mask's pixels.

    The n True pixels are ranked by subgraph centrality, highest first. Element k is V - E of the
    subgraph induced by the first ``round(k * n / num_quantiles)`` of them, half to even; element 0
    is 0, and all n pixels are never counted.

    Ties: in the sorted order, a value within 1e-12 (relative) of the value before it belongs to
    the same group; inside a group pixels keep row-major order.

    Parameters
    ----------
    mask : array of bool or numbers, shape (H, W)
        Non-zero pixels are nodes.
    num_quantiles : int
        Number of shares, at least 2.
    diagonal : bool
        Join 8 neighbours rather than 4.

    Returns
    -------
    array of float64, shape (num_quantiles,)
        V - E in pixels (whole numbers); all zeros for an empty mask.

    Raises
    ------
    ValueError
        If the mask is not two-dimensional, not numeric or has NaN, or num_quantiles is below 2.

    References
    ----------
    Mander et al. 2017, 10.1098/rsos.160443.

    Examples
    --------
    A block of 4 x 4 pixels, all of which are neighbours of others:

    >>> import numpy as np, pyveg
    >>> pyveg.feature_vector(np.ones((4, 4)), num_quantiles=4)
    array([ 0.,  0., -1., -4.])
    """
    return _vector(_as_bool(mask, ndim=2), _as_quantiles(num_quantiles), diagonal=diagonal)


def feature_vectors(
    masks: NDArray[Any], *, num_quantiles: int = 20, diagonal: bool = False, n_threads: int = 1
) -> NDArray[np.float64]:
    """Return the feature vector of every chip of a stack; see `feature_vector`.

    Parameters
    ----------
    masks : array of bool or numbers, shape (N, H, W)
        Non-zero pixels are nodes.
    num_quantiles : int
        Number of shares, at least 2.
    diagonal : bool
        Join 8 neighbours rather than 4.
    n_threads : int
        Chips worked on at once, at least 1. The result does not depend on it.

    Returns
    -------
    array of float64, shape (N, num_quantiles)
        One feature vector a row.

    Raises
    ------
    ValueError
        If masks is not three-dimensional, not numeric or has NaN, num_quantiles is below 2 or
        n_threads below 1.
    """
    chips = _as_bool(masks, ndim=3)
    quantiles = _as_quantiles(num_quantiles)
    if n_threads < 1:
        raise ValueError(f"n_threads must be at least 1, got {n_threads}")
    vectors = np.zeros((len(chips), quantiles))

    def work(chip: int) -> None:
        vectors[chip] = _vector(chips[chip], quantiles, diagonal=diagonal)

    if n_threads == 1:
        for chip in range(len(chips)):
            work(chip)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, range(len(chips))))
    return vectors


def feature_vector_metrics(vector: NDArray[Any]) -> dict[str, float]:
    """Return the five summary numbers of a feature vector.

    Parameters
    ----------
    vector : array of numbers, shape (n,)
        A feature vector, n >= 1.

    Returns
    -------
    dict of str to float
        ``offset`` last minus first; ``slope`` offset / n; ``offset50`` last minus element n // 2;
        ``mean``; ``std`` (population). All in pixels (V - E).

    Raises
    ------
    ValueError
        If vector is not one-dimensional or has no element.

    References
    ----------
    Mander et al. 2017, 10.1098/rsos.160443.
    """
    values = np.asarray(vector, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"a feature vector has one axis and an element, got shape {values.shape}")
    offset = float(values[-1] - values[0])
    return {
        "slope": offset / values.size,
        "offset": offset,
        "offset50": float(values[-1] - values[values.size // 2]),
        "mean": float(values.mean()),
        "std": float(values.std()),
    }


def _as_bool(mask: NDArray[Any], *, ndim: int) -> NDArray[np.bool_]:
    """Return mask as an array of bool with the wanted number of axes, or say what is wrong."""
    array = np.asarray(mask)
    axes = "(H, W)" if ndim == 2 else "(N, H, W)"
    if array.ndim != ndim:
        raise ValueError(f"expected an array of shape {axes}, got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected bool or numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise ValueError("a mask must not hold NaN: decide first what its missing pixels are")
    return array.astype(np.bool_)


def _as_quantiles(num_quantiles: int) -> int:
    """Return num_quantiles if it is a whole number from 2 up."""
    quantiles = operator.index(num_quantiles)
    if quantiles < 2:
        raise ValueError(f"num_quantiles must be at least 2, got {quantiles}")
    return quantiles


def _vector(mask: NDArray[np.bool_], quantiles: int, *, diagonal: bool) -> NDArray[np.float64]:
    """Feature vector of a checked mask."""
    pixels = np.flatnonzero(mask)
    centrality = diagonal_of_exp(mask, diagonal=diagonal).ravel()[pixels]
    ranks = np.full(mask.size, pixels.size, dtype=np.int64)
    ranks[pixels[_ranking(centrality)]] = np.arange(pixels.size)
    edges = _edges_within(ranks.reshape(mask.shape), pixels.size, diagonal=diagonal)
    taken = _shares(pixels.size, quantiles)
    return (taken - edges[taken]).astype(np.float64)


def _ranking(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order of values, highest first, ties (see `feature_vector`) by index."""
    order = np.argsort(-values)
    ranked = values[order]
    group = np.zeros(values.size, dtype=np.int64)
    np.cumsum(ranked[:-1] - ranked[1:] > _TIE * ranked[:-1], out=group[1:])
    ranking: NDArray[np.int64] = np.sort(group * values.size + order) % max(values.size, 1)
    return ranking


def _shares(n: int, quantiles: int) -> NDArray[np.int64]:
    """round(k * n / quantiles) for k = 0 .. quantiles - 1, half to even, in whole numbers."""
    whole, rest = np.divmod(np.arange(quantiles, dtype=np.int64) * n, quantiles)
    up = (2 * rest > quantiles) | ((2 * rest == quantiles) & (whole % 2 == 1))
    shares: NDArray[np.int64] = whole + up
    return shares


def _edges_within(ranks: NDArray[np.int64], n: int, *, diagonal: bool) -> NDArray[np.int64]:
    """Edges among the first p ranked pixels, for p = 0 .. n; pixels outside have rank n.

    An edge enters with the later of its two ends, so one count over all edges is enough.
    """
    pairs = [(ranks[:, :-1], ranks[:, 1:]), (ranks[:-1], ranks[1:])]
    if diagonal:
        pairs += [(ranks[:-1, :-1], ranks[1:, 1:]), (ranks[:-1, 1:], ranks[1:, :-1])]
    later = np.concatenate([np.maximum(one, other).ravel() for one, other in pairs])
    edges = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(later, minlength=n + 1)[:n], out=edges[1:])
    return edges
