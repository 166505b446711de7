from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import StoreError
from pyveg.storage.keys import check_key
from pyveg.testing.store_contract import BAD_KEYS, ODD_KEYS


@pytest.mark.parametrize("key", ODD_KEYS)
def test_good_keys_come_back_as_they_are(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", [*BAD_KEYS, ".partial/a", ".locks", "\ud800"])
def test_bad_keys_are_named(key: str) -> None:
    with pytest.raises(StoreError, match="cannot be a key"):
        check_key(key)


@given(st.text())
def test_a_key_stays_below_its_store(key: str) -> None:
    try:
        check_key(key)
    except StoreError:
        return
    parts = key.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert "\\" not in key
    assert parts[0] not in (".partial", ".locks")
