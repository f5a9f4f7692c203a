"""The pictures of the pages are what their code draws, and the scripts of the gallery run."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from mixtura import plot

pytest.importorskip("matplotlib")

from matplotlib import pyplot as plt
from matplotlib.animation import Animation
from PIL import Image

DOCS = Path(__file__).parent.parent / "docs"
SCRIPTS = sorted(DOCS.glob("examples/*/*.py"))
MADE_BY_BENCHMARKS = {"components.svg", "performance.svg"}


def test_pictures_of_the_pages_are_what_their_code_draws() -> None:
    drawn = []
    for path, picture in runpy.run_path(str(DOCS / "draw_pictures.py"))["drawn_pictures"]():
        with Image.open(path) as stored:
            before, now = (np.asarray(each.convert("L"), dtype=float) for each in (stored, picture))
        assert path.stat().st_size < 100_000
        # Other fonts of another machine are allowed, another picture is not.
        assert before.shape == now.shape
        remedy = f"{path.name}: draw it anew with python docs/draw_pictures.py"
        assert np.abs(before - now).mean() < 0.02 * 255, remedy
        drawn.append(path.name)
    assert {path.name for path in (DOCS / "pictures").iterdir()} == {*drawn, *MADE_BY_BENCHMARKS}


def test_front_page_and_readme_show_the_same_code() -> None:
    pages = [path.read_text("utf-8") for path in (DOCS / "index.md", DOCS.parent / "README.md")]
    site, readme = (re.search(r"```python\n(.*?)```", text, re.DOTALL) for text in pages)
    assert site
    assert readme
    assert site[1] == readme[1]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_script_of_the_gallery_is_short_and_draws(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    plt.close("all")
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
    names = runpy.run_path(str(script))
    assert plt.get_fignums()
    for animation in names.values():
        if isinstance(animation, Animation):
            animation.save("animation.gif", writer="pillow", dpi=80)  # as docs/scripts.py does
            assert 10_000 < Path("animation.gif").stat().st_size < 300_000
    for figure in map(plt.figure, plt.get_fignums()):
        assert any(ax.has_data() for ax in figure.axes)
    assert capsys.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir()] in ([], ["animation.gif"])
    plt.close("all")


def test_lectures_have_an_order() -> None:
    ordered = re.findall(r'"(\w+\.py)"', (DOCS / "scripts.py").read_text(encoding="utf-8"))
    assert sorted(ordered) == [path.name for path in SCRIPTS if path.parent.name == "lectures"]


def test_gallery_shows_every_display() -> None:
    displays = {name for name in plot.__all__ if name.endswith("Display")}
    text = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    assert displays == set(re.findall(r"plot\.(\w+Display)\b", text))
