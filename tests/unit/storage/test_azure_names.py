"""Names of containers, by Azure's rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import StoreError
from pyveg.storage.azure_names import (
    account_of,
    check_container_name,
    container_name,
    is_container_name,
)

STAMP = "2026-11-21_10-00-00"


def _azure_takes(name: str) -> bool:
    """The rules as Microsoft writes them."""
    return (
        3 <= len(name) <= 63
        and re.fullmatch("[a-z0-9-]+", name) is not None
        and "--" not in name
        and not name.startswith("-")
        and not name.endswith("-")
    )


@given(st.text(max_size=120))
def test_any_text_becomes_a_name(text: str) -> None:
    name = container_name(text)
    assert _azure_takes(name)
    assert container_name(name) == name
    assert container_name(text) == name


@given(st.text(st.sampled_from("abz09-_A"), max_size=70))
def test_what_is_a_name(text: str) -> None:
    assert is_container_name(text) == _azure_takes(text)


@given(st.text(max_size=90), st.text(max_size=90))
def test_texts_that_differ_have_different_names(one: str, other: str) -> None:
    """By more than capitals and separators."""
    if re.sub(r"[-_./\\: ]+", "", one.lower()) != re.sub(r"[-_./\\: ]+", "", other.lower()):
        assert container_name(one) != container_name(other)


def test_names_stay_readable() -> None:
    assert container_name(f"My_Place_{STAMP}") == "my-place-2026-11-21-10-00-00"
    long = container_name(f"{'very_long_' * 10}_{STAMP}")
    assert long.startswith("very-long-very-long")
    assert long.endswith("-2026-11-21-10-00-00")
    assert container_name(f"Größe_{STAMP}").startswith("große".replace("ß", "-"))


def test_what_is_no_name_is_refused() -> None:
    for name in ("ab", "a--b", "-ab", "ab-", "Abc", "a_b", "a" * 64, ""):
        with pytest.raises(StoreError, match="cannot be the name of a container; give 3 to 63"):
            check_container_name(name)


def test_accounts() -> None:
    assert account_of("https://mine.blob.core.windows.net") == "mine"
    assert account_of("http://127.0.0.1:10000/devstoreaccount1") == "devstoreaccount1"
