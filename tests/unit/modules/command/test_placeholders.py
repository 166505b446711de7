from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.modules.command.placeholders import PLACEHOLDERS, check, fill

VALUES = {name: f"<{name} {{}} {{item}} $(x)>" for name in PLACEHOLDERS}
TEXTS = st.lists(
    st.one_of(
        st.text(string.printable).map(lambda text: text.replace("{", "{{").replace("}", "}}")),
        st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]),
    )
).map("".join)


@given(TEXTS)
def test_they_are_filled_as_python_would(text: str) -> None:
    """Values are put in once; what looks like a placeholder in them stays."""
    check(text, "here")
    assert fill(text, VALUES) == text.format(**VALUES)


def test_their_names_are_found() -> None:
    assert check("{input}-{{output_dir}}-{item}{input}", "here") == {"input", "item"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{inptu}", 'unknown placeholder "inptu"; did you mean "input"'),
        ("{}", 'unknown placeholder ""'),
        ("{0}", 'unknown placeholder "0"'),
        ("{input.name}", "unknown placeholder"),
        ("{input[0]}", "unknown placeholder"),
        ("{input!r}", "has more than a name in braces; write {input} alone"),
        ("{input:>10}", "has more than a name in braces; write {input} alone"),
        ("a } b", "write {{ and }} for braces"),
        ("a { b", "write {{ and }} for braces"),
    ],
)
def test_others_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="here") as caught:
        check(text, "here")
    assert said in str(caught.value)
