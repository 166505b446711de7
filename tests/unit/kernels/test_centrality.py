"""Subgraph centrality and feature vectors against other tools, slow loops and published values."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import expm

from pyveg.kernels.centrality import (
    feature_vector,
    feature_vector_metrics,
    feature_vectors,
    subgraph_centrality,
)

Mask = NDArray[np.bool_]

STEPS_4 = [(0, 1), (1, 0)]
STEPS_8 = [*STEPS_4, (1, 1), (1, -1)]

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
mostly_true = arrays(
    np.bool_,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.sampled_from([True, True, True, False]),
)
diagonals = pytest.mark.parametrize("diagonal", [False, True])


def stripes(height: int, width: int, *, period: int = 5, thick: int = 2) -> Mask:
    return np.tile(np.arange(width) % period < thick, (height, 1))


def spots(side: int) -> Mask:
    row, column = np.indices((side, side))
    return ((row % 7 - 3) ** 2 + (column % 7 - 3) ** 2) <= 5


def checkerboard(side: int) -> Mask:
    return np.indices((side, side)).sum(axis=0) % 2 == 0


def noise(height: int, width: int, cover: float, seed: int = 1) -> Mask:
    return np.random.default_rng(seed).random((height, width)) < cover


REGULAR = {
    "empty": np.zeros((6, 7), bool),
    "full": np.ones((13, 11), bool),
    "one pixel": np.eye(1, 20, 7, dtype=bool).reshape(4, 5),
    "stripes": stripes(12, 17),
    "stripes across": stripes(17, 12).T,
    "checkerboard": checkerboard(10),
    "spots": spots(14),
    "gaps": ~spots(14),
    "1 x N": stripes(1, 40, period=9, thick=8),
    "N x 1": stripes(1, 40, period=9, thick=8).T,
    "no rows": np.zeros((0, 5), bool),
    "no columns": np.zeros((5, 0), bool),
}
regular = pytest.mark.parametrize("mask", REGULAR.values(), ids=REGULAR.keys())


def graph_of(mask: Mask, *, diagonal: bool) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from((int(y), int(x)) for y, x in np.argwhere(mask))
    for y, x in list(graph):
        for dy, dx in STEPS_8 if diagonal else STEPS_4:
            if (y + dy, x + dx) in graph:
                graph.add_edge((y, x), (y + dy, x + dx))
    return graph


def by_expm(mask: Mask, *, diagonal: bool) -> NDArray[np.float64]:
    """Diagonal of SciPy's matrix exponential, good to 5e-13."""
    centrality = np.zeros(mask.shape)
    graph = graph_of(mask, diagonal=diagonal)
    if graph:
        centrality[mask] = expm(nx.to_numpy_array(graph)).diagonal()
    return centrality


def by_eigh(mask: Mask, *, diagonal: bool) -> NDArray[np.float64]:
    """Dense eigendecomposition, good to 1e-14."""
    centrality = np.zeros(mask.shape)
    graph = graph_of(mask, diagonal=diagonal)
    if graph:
        values, vectors = np.linalg.eigh(nx.to_numpy_array(graph))
        centrality[mask] = vectors**2 @ np.exp(values)
    return centrality


def by_whole_numbers(mask: Mask, *, diagonal: bool) -> NDArray[np.float64]:
    """All closed walks of up to 60 steps, counted without rounding."""
    graph = graph_of(mask, diagonal=diagonal)
    whole = math.factorial(60)
    centrality = np.zeros(mask.shape)
    for start in graph:
        counts, total = {start: 1}, 0
        for n in range(61):
            total += counts.get(start, 0) * (whole // math.factorial(n))
            after: dict[tuple[int, int], int] = {}
            for node, count in counts.items():
                for neighbour in graph[node]:
                    after[neighbour] = after.get(neighbour, 0) + count
            counts = after
        centrality[start] = float(Fraction(total, whole))
    return centrality


def by_networkx(mask: Mask, *, diagonal: bool) -> NDArray[np.float64]:
    centrality = np.zeros(mask.shape)
    graph = graph_of(mask, diagonal=diagonal)
    for node, value in nx.subgraph_centrality(graph).items() if graph else ():
        centrality[node] = value
    return centrality


def vector_by_loops(
    mask: Mask, centrality: NDArray[np.float64], *, num_quantiles: int, diagonal: bool
) -> list[float]:
    """The definition of the feature vector, word by word, for given centralities."""
    graph = graph_of(mask, diagonal=diagonal)
    nodes = sorted(graph, key=lambda node: -centrality[node])
    groups: list[list[tuple[int, int]]] = [nodes[:1]]
    for before, node in pairwise(nodes):
        if centrality[before] - centrality[node] > 1e-12 * centrality[before]:
            groups.append([])
        groups[-1].append(node)
    ranked = [node for group in groups for node in sorted(group)]
    vector = [0.0]
    for k in range(1, num_quantiles):
        # binary fractions of small whole numbers: round() sees exact halves as such
        chosen = graph.subgraph(ranked[: round(k * len(ranked) / num_quantiles)])
        vector.append(float(chosen.number_of_nodes() - chosen.number_of_edges()))
    return vector


# subgraph centrality


@diagonals
@given(mask=masks)
@settings(deadline=None, max_examples=12)
def test_centrality_is_exact_to_the_last_bits(mask: Mask, diagonal: bool) -> None:
    expected = by_whole_numbers(mask, diagonal=diagonal)
    np.testing.assert_allclose(
        subgraph_centrality(mask, diagonal=diagonal), expected, rtol=1e-15, atol=0
    )


@diagonals
@given(mask=masks)
@settings(deadline=None, max_examples=60)
def test_centrality_is_the_diagonal_of_scipys_matrix_exponential(
    mask: Mask, diagonal: bool
) -> None:
    expected = by_expm(mask, diagonal=diagonal)
    np.testing.assert_allclose(
        subgraph_centrality(mask, diagonal=diagonal), expected, rtol=1e-12, atol=0
    )


@diagonals
@given(mask=mostly_true)
@settings(deadline=None, max_examples=25)
def test_centrality_is_that_of_networkx(mask: Mask, diagonal: bool) -> None:
    expected = by_networkx(mask, diagonal=diagonal)
    np.testing.assert_allclose(
        subgraph_centrality(mask, diagonal=diagonal), expected, rtol=1e-12, atol=0
    )


@diagonals
@regular
def test_centrality_of_regular_masks(mask: Mask, diagonal: bool) -> None:
    centrality = subgraph_centrality(mask, diagonal=diagonal)
    assert centrality.shape == mask.shape
    assert centrality.dtype == np.float64
    expected = by_expm(mask, diagonal=diagonal)
    np.testing.assert_allclose(centrality, expected, rtol=1e-12, atol=0)


@diagonals
@pytest.mark.parametrize(("height", "width"), [(1, 700), (700, 1), (3, 90), (33, 31)])
def test_centrality_of_shapes_around_the_stencil_and_block_sizes(
    height: int, width: int, diagonal: bool
) -> None:
    mask = noise(height, width, 0.85)
    expected = by_eigh(mask, diagonal=diagonal)
    np.testing.assert_allclose(
        subgraph_centrality(mask, diagonal=diagonal), expected, rtol=3e-14, atol=0
    )


def test_centrality_deep_inside_a_grid_is_that_of_the_endless_grid() -> None:
    # closed walks of 2 m steps on the endless square grid: (2 m over m)^2
    endless = sum(math.comb(2 * m, m) ** 2 / math.factorial(2 * m) for m in reversed(range(25)))
    centrality = subgraph_centrality(np.ones((61, 75), bool))
    np.testing.assert_allclose(centrality[20:-20, 20:-20], endless, rtol=4e-16, atol=0)
    assert np.unique(centrality[20:-20, 20:-20]).size == 1


def test_centrality_with_diagonals_deep_inside_is_that_of_the_endless_grid() -> None:
    # mean over all waves of exp of the spectrum (1 + 2 cos a)(1 + 2 cos b) - 1
    wave = 1 + 2 * np.cos(2 * np.pi * np.arange(128) / 128)
    endless = np.exp(np.outer(wave, wave) - 1).mean()
    centrality = subgraph_centrality(np.ones((61, 59), bool), diagonal=True)
    np.testing.assert_allclose(centrality[27:-27, 27:-27], endless, rtol=2e-15, atol=0)


@diagonals
def test_an_isolated_pixel_is_one_and_a_pair_is_cosh(diagonal: bool) -> None:
    mask = np.zeros((5, 9), bool)
    mask[2, 1] = mask[2, 5] = mask[2, 6] = True
    centrality = subgraph_centrality(mask, diagonal=diagonal)
    assert centrality[2, 1] == 1.0
    np.testing.assert_allclose(centrality[2, 5:7], math.cosh(1), rtol=2e-16, atol=0)
    assert np.count_nonzero(centrality) == 3


@diagonals
def test_rows_do_not_touch_around_the_edge(diagonal: bool) -> None:
    mask = np.zeros((3, 4), bool)
    mask[0, 3] = mask[1, 0] = mask[2, 3] = True  # neighbours only if the rows were one line
    np.testing.assert_array_equal(subgraph_centrality(mask, diagonal=diagonal), mask)


@given(mask=mostly_true)
@settings(deadline=None, max_examples=40)
def test_turned_and_mirrored_masks_have_bit_equal_centralities(mask: Mask) -> None:
    centrality = subgraph_centrality(mask)
    for turn in (np.transpose, np.rot90, np.flipud, np.fliplr):
        np.testing.assert_array_equal(subgraph_centrality(turn(mask)), turn(centrality))


def test_turned_masks_with_diagonals() -> None:
    mask = noise(40, 30, 0.8)
    centrality = subgraph_centrality(mask, diagonal=True)
    for turn in (np.transpose, np.rot90, np.flipud, np.fliplr):
        np.testing.assert_allclose(
            subgraph_centrality(turn(mask), diagonal=True), turn(centrality), rtol=2e-15, atol=0
        )


@diagonals
def test_a_pixel_sees_no_further_than_the_stencil(diagonal: bool) -> None:
    mask = noise(90, 80, 0.8, seed=3)
    cut = subgraph_centrality(mask[10:80, 5:75], diagonal=diagonal)
    whole = subgraph_centrality(mask, diagonal=diagonal)[10:80, 5:75]
    inner = (slice(14, -14),) * 2 if diagonal else (slice(11, -11),) * 2
    np.testing.assert_array_equal(cut[inner], whole[inner])


def test_equal_surroundings_give_bit_equal_centralities() -> None:
    block = noise(12, 12, 0.7, seed=5)
    mask = np.tile(np.pad(block, 1), (4, 5))
    centrality = subgraph_centrality(mask).reshape(4, 14, 5, 14)
    expected = np.broadcast_to(centrality[:1, :, :1, :], centrality.shape)
    np.testing.assert_array_equal(centrality, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32])
def test_non_zero_numbers_are_nodes(dtype: type[np.generic]) -> None:
    mask = noise(8, 9, 0.7)
    expected = subgraph_centrality(mask)
    np.testing.assert_array_equal(subgraph_centrality(mask.astype(dtype)), expected)
    np.testing.assert_array_equal(subgraph_centrality(mask.astype(dtype) * 100), expected)


def test_strided_input_is_read_right() -> None:
    mask = noise(30, 30, 0.7)
    expected = subgraph_centrality(mask[::2, ::-3].copy())
    np.testing.assert_array_equal(subgraph_centrality(mask[::2, ::-3]), expected)


# feature vectors


@pytest.mark.parametrize("num_quantiles", [2, 3, 7, 20, 30, 64])
@diagonals
@given(mask=mostly_true)
@settings(deadline=None, max_examples=15)
def test_vector_is_that_of_the_loops(mask: Mask, num_quantiles: int, diagonal: bool) -> None:
    expected = vector_by_loops(
        mask,
        subgraph_centrality(mask, diagonal=diagonal),
        num_quantiles=num_quantiles,
        diagonal=diagonal,
    )
    vector = feature_vector(mask, num_quantiles=num_quantiles, diagonal=diagonal)
    assert vector.tolist() == expected


@pytest.mark.parametrize("num_quantiles", [2, 5, 20, 33])
@diagonals
@regular
def test_vector_of_regular_masks_from_an_independent_centrality(
    mask: Mask, num_quantiles: int, diagonal: bool
) -> None:
    # the solver's rounding (1e-14) is far below the 1e-12 of the tie rule
    expected = vector_by_loops(
        mask, by_eigh(mask, diagonal=diagonal), num_quantiles=num_quantiles, diagonal=diagonal
    )
    vector = feature_vector(mask, num_quantiles=num_quantiles, diagonal=diagonal)
    assert vector.tolist() == expected
    assert vector.dtype == np.float64


@diagonals
@pytest.mark.parametrize("shape", [(1, 120), (120, 1), (3, 90)])
def test_pixels_that_only_long_walks_tell_apart_are_ties(
    shape: tuple[int, int], diagonal: bool
) -> None:
    # how far the end of a bar is makes a difference below 1e-16 from 12 pixels (15) on
    mask = np.ones(shape, bool)
    expected = vector_by_loops(
        mask, by_eigh(mask, diagonal=diagonal), num_quantiles=20, diagonal=diagonal
    )
    assert feature_vector(mask, diagonal=diagonal).tolist() == expected


def test_shares_are_rounded_half_to_even_as_by_python() -> None:
    # isolated pixels have no edges: V - E is the share itself
    for n in range(130):
        mask = np.zeros((1, 2 * n + 1), bool)
        mask[0, 1::2] = True
        expected = [float(round(5 * k * n / 100)) for k in range(20)]
        assert feature_vector(mask).tolist() == expected


def test_ties_fall_in_row_major_order() -> None:
    # four equal pairs; half of the pixels are the two pairs that come first by rows
    mask = np.zeros((3, 8), bool)
    mask[0, 0:2] = mask[2, 0:2] = mask[0, 6:8] = mask[2, 6:8] = True
    assert feature_vector(mask, num_quantiles=2).tolist() == [0.0, 2.0]
    # of four equal upright pairs the upper pixels come first, and are no neighbours
    upright = np.zeros((2, 8), bool)
    upright[:, ::2] = True
    assert feature_vector(upright, num_quantiles=2).tolist() == [0.0, 4.0]


def test_full_chip_counts() -> None:
    # 50 x 50: V - E = 2500 - 4900 = -2400
    mask = np.ones((50, 50), bool)
    most = feature_vector(mask, num_quantiles=10**5)[-1]  # all but round(0.025) pixels: all
    assert most == -2400.0
    assert feature_vector(mask)[0] == 0.0


def test_vector_of_full_and_empty_and_single() -> None:
    assert feature_vector(np.zeros((50, 50), bool)).tolist() == [0.0] * 20
    assert feature_vector(np.zeros((0, 0), bool), num_quantiles=3).tolist() == [0.0] * 3
    single = np.zeros((50, 50), bool)
    single[20, 30] = True
    assert feature_vector(single).tolist() == [0.0] * 11 + [1.0] * 9


def test_offset50_of_regular_stripes() -> None:
    # measured apart from this code with exact walk counts and row-major ties
    mask = stripes(50, 50, period=10, thick=4)
    assert mask.sum() == 1000
    assert feature_vector_metrics(feature_vector(mask))["offset50"] == -450.0


def test_published_vectors(shared_data: Path) -> None:
    folder = shared_data / "sahel_subimages"
    records = json.loads((folder / "network_centralities.json").read_text())
    assert len(records) == 7
    for record in records:
        with Image.open(folder / record["file"]) as image:
            grey = np.asarray(image)
        mask = (grey if grey.ndim == 2 else grey[..., 0]) >= 255
        vector = feature_vector(mask)
        assert vector.tolist() == record["feature_vec"]
        assert feature_vector_metrics(vector) == pytest.approx(
            {name: record[name] for name in ("slope", "offset", "offset50", "mean", "std")},
            rel=1e-14,
        )


@diagonals
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_stack_gives_the_vectors_of_its_chips(n_threads: int, diagonal: bool) -> None:
    chips = np.stack([noise(20, 30, cover, seed) for seed, cover in enumerate([0, 0.4, 0.8, 1])])
    vectors = feature_vectors(chips, num_quantiles=9, diagonal=diagonal, n_threads=n_threads)
    expected = [feature_vector(chip, num_quantiles=9, diagonal=diagonal) for chip in chips]
    np.testing.assert_array_equal(vectors, expected)


def test_empty_stack() -> None:
    assert feature_vectors(np.zeros((0, 50, 50), bool), n_threads=2).shape == (0, 20)


# metrics


@given(vector=arrays(np.float64, st.integers(1, 40), elements=st.integers(-3000, 3000).map(float)))
@settings(deadline=None)
def test_metrics_are_those_of_numpy(vector: NDArray[np.float64]) -> None:
    assert feature_vector_metrics(vector) == pytest.approx(
        {
            "slope": (vector[-1] - vector[0]) / len(vector),
            "offset": vector[-1] - vector[0],
            "offset50": vector[-1] - vector[len(vector) // 2],
            "mean": np.mean(vector),
            "std": np.std(vector),
        }
    )


def test_metrics_are_plain_floats() -> None:
    metrics = feature_vector_metrics(np.arange(20))
    assert list(metrics) == ["slope", "offset", "offset50", "mean", "std"]
    assert all(type(value) is float for value in metrics.values())
    assert metrics["slope"] == 19 / 20
    assert metrics["offset50"] == 9.0


# wrong input


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_a_mask_has_two_axes(shape: tuple[int, ...]) -> None:
    mask = np.ones(shape, bool)
    for function in (subgraph_centrality, feature_vector):
        with pytest.raises(ValueError, match=r"shape \(H, W\), got shape"):
            function(mask)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (1, 2, 3, 4)])
def test_a_stack_has_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(N, H, W\), got shape"):
        feature_vectors(np.ones(shape, bool))


def test_nan_is_refused() -> None:
    mask = np.ones((4, 4))
    mask[1, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        subgraph_centrality(mask)
    with pytest.raises(ValueError, match="NaN"):
        feature_vector(mask)
    with pytest.raises(ValueError, match="NaN"):
        feature_vectors(mask[None])


@pytest.mark.parametrize("dtype", [object, np.complex128, "U1", "datetime64[D]"])
def test_a_mask_is_of_numbers(dtype: object) -> None:
    with pytest.raises(ValueError, match="dtype"):
        subgraph_centrality(np.zeros((3, 3), dtype=dtype))


@pytest.mark.parametrize("num_quantiles", [1, 0, -20])
def test_too_few_quantiles(num_quantiles: int) -> None:
    with pytest.raises(ValueError, match="num_quantiles must be at least 2"):
        feature_vector(np.ones((3, 3), bool), num_quantiles=num_quantiles)
    with pytest.raises(ValueError, match="num_quantiles must be at least 2"):
        feature_vectors(np.ones((1, 3, 3), bool), num_quantiles=num_quantiles)


def test_too_few_threads() -> None:
    with pytest.raises(ValueError, match="n_threads must be at least 1"):
        feature_vectors(np.ones((1, 3, 3), bool), n_threads=0)


@pytest.mark.parametrize("vector", [np.zeros(0), np.zeros((2, 20)), np.float64(3)])
def test_a_vector_has_one_axis_and_an_element(vector: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="feature vector"):
        feature_vector_metrics(vector)
