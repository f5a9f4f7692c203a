"""The gallery's code runs, draws every kind of picture, and the stored pictures are the same."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from mixtura import plot

pytest.importorskip("matplotlib")

from PIL import Image

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")


def test_gallery_code_draws_what_is_stored() -> None:
    drawn = []
    for path, picture in runpy.run_path(str(DOCS / "draw_gallery.py"))["drawn_pictures"]():
        with Image.open(path) as stored:
            before, now = (np.asarray(each.convert("L"), dtype=float) for each in (stored, picture))
        assert path.stat().st_size < 100_000
        # Other fonts of another machine are allowed, another picture is not.
        assert before.shape == now.shape
        remedy = f"{path.name}: draw it anew with python docs/draw_gallery.py"
        assert np.abs(before - now).mean() < 0.02 * 255, remedy
        drawn.append(path)
    assert sorted(drawn) == sorted((DOCS / "gallery").iterdir())
    others = (
        (DOCS / "incomplete.md").read_text(encoding="utf-8").count("\n```python\nimport mixtura")
    )
    assert len(drawn) >= PAGE.count("```python") + others


def test_gallery_shows_every_display() -> None:
    displays = {name for name in plot.__all__ if name.endswith("Display")}
    assert displays == set(re.findall(r"plot\.(\w+Display)\b", PAGE))
