"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.S | re.M)
SAID = ("b'hello\\n'\n", "")
"""What each of them prints."""


@pytest.mark.parametrize(("text", "said"), list(zip(EXAMPLES, SAID, strict=True)))
def test_examples(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(text, str(README), "exec"), {})
    assert capsys.readouterr().out == said
