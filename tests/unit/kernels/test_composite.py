"""Masks, counts and medians, against slow and obvious answers."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyveg.kernels import composite

STACKS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6),
    elements=st.one_of(st.just(float("nan")), st.integers(-500, 20_000).map(float)),
)


@given(STACKS)
def test_median_is_numpys(stack: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(stack, axis=0)
    np.testing.assert_array_equal(composite.median(stack), expected.astype(np.float32))


@given(STACKS)
def test_median_does_not_depend_on_the_order(stack: np.ndarray) -> None:
    np.testing.assert_array_equal(composite.median(stack[::-1]), composite.median(stack))


def test_median_of_nothing_is_nothing() -> None:
    assert np.isnan(composite.median(np.empty((0, 2, 3), np.float32))).all()


def test_every_class_of_scl() -> None:
    clear = composite.clear_by_scl(np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert np.flatnonzero(clear).tolist() == [4, 5, 6, 7]
    assert composite.clear_by_scl(np.array([[2, 5]]), kept=(2,)).tolist() == [[True, False]]


@given(st.integers(0, 65_535))
def test_qa_pixel_is_clear_when_no_bad_bit_is_set(bits: int) -> None:
    bad = any(bits >> bit & 1 for bit in range(6))
    found = composite.clear_by_qa_pixel(np.array([[bits]], np.uint16))
    assert found.item() == (bits != 0 and not bad)


def test_qa_pixel_of_real_scenes() -> None:
    # fill, clear, water, dilated cloud, cloud, shadow: USGS, Landsat 8-9 Collection 2 Level 2
    # Science Product Guide, table of QA_PIXEL values
    values = {1: False, 21824: True, 21952: True, 22018: False, 22280: False, 23888: False}
    found = composite.clear_by_qa_pixel(np.array([list(values)], np.uint16))
    assert found[0].tolist() == list(values.values())


@given(st.integers(0, 65_535), st.integers(1, 11))
def test_saturation_is_told_by_bit(bits: int, band: int) -> None:
    found = composite.saturated(np.array([[bits]], np.uint16), band)
    assert found.item() == bool(f"{bits:016b}"[-band] == "1")


@given(st.integers(0, 65_535), st.sampled_from([0.0, -0.1]))
def test_counts_of_sentinel_stay_whole(number: int, offset: float) -> None:
    found = composite.counts(np.array([[number]], np.uint16), 1e-4, offset)
    assert found.item() == number + (-1000 if offset else 0)


@given(st.integers(0, 65_535))
def test_counts_of_landsat(number: int) -> None:
    found = composite.counts(np.array([[number]], np.uint16), 2.75e-5, -0.2)
    assert abs(found.item() - 1e4 * (number * 2.75e-5 - 0.2)) < 1e-3


def test_to_uint16_keeps_0_for_what_was_not_seen() -> None:
    values = np.array([[np.nan, -300, 0, 0.4, 1.4, 1.6, 70_000]], np.float32)
    assert composite.to_uint16(values).tolist() == [[0, 1, 1, 1, 1, 2, 65_535]]
