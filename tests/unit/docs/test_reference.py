"""The API reference is what the generator makes of the CRDs."""

from __future__ import annotations

import pytest
from docs.reference.generate import HERE, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_is_up_to_date(name: str) -> None:
    assert (HERE / name).read_text() == PAGES[name], "run: python docs/reference/generate.py"
