"""docs/manual/performance.md and the figures in the README are those of one run alone."""

import copy
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
RUN = ROOT / "benchmarks" / "performance.json"
TEMPLATES = [ROOT / "benchmarks" / name for name in ("performance.md.in", "readme.md.in")]
# A time or a ratio: "12 ms", "3 seconds", "2x", "4 times as long", "ten times", "1.5".
NUMBER = r"(\d|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred)"
UNIT = r"(ms|µs|us|s|x|(milli|micro)?seconds?|minutes?|times)"
FIGURE = re.compile(rf"{NUMBER}[\s-]?{UNIT}\b|\d\.[1-9]")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import page

    return page


@pytest.fixture
def run() -> Any:
    return json.loads(RUN.read_text("utf-8"))


def test_pages_are_what_the_script_makes_from_the_run(page: ModuleType, run: Any) -> None:
    for path, text in page.pages(run).items():
        assert path.read_text("utf-8") == text, (
            f"{path.name} must be what `python -m benchmarks.performance --from "
            "benchmarks/performance.json` writes. Edit the templates in benchmarks/."
        )


def test_words_of_the_templates_hold_no_times_and_ratios() -> None:
    for path in TEMPLATES:
        words = page_words(path)
        assert not FIGURE.search(words), f"{path.name}: make this the name of a figure of the run"
        assert "%" not in words


def page_words(path: Path) -> str:
    """The template without the names of figures, and without files and sets whose names have v3."""
    return re.sub(r"\{\{.+?\}\}|`.+?`", "", path.read_text("utf-8"))


def test_each_value_of_the_run_has_a_place(page: ModuleType, run: Any) -> None:
    named = {
        place[1] for path in TEMPLATES for place in page.PLACE.finditer(path.read_text("utf-8"))
    }
    assert named == page.values(run).keys()


def test_page_of_a_run_without_peers_says_so(page: ModuleType, run: Any) -> None:
    less = without_peers(copy.deepcopy(run))
    text = page.pages(less)[page.PAGE]
    words = " ".join(text.split())
    assert "Missing were scikit-learn and oneDAL (daal4py) and faiss and mclust." in words
    assert "oneDAL was not measured." in words
    assert page.shown("selections", None) in words
    rows = [line for line in text.splitlines() if line.startswith("| full |")]
    assert all("| - |" in row for row in rows if row.count("|") == 11)


def without_peers(run: Any) -> Any:
    run["machine"]["figures"]["versions"] = {"mixtura": "0"}
    run["selections"]["figures"] = run["hierarchical"]["figures"] = None
    for part in ("iterations", "shapes", "kmeans", "small_fits", "methods", "columns"):
        figures = run[part]["figures"]
        for row in figures if isinstance(figures, list) else [figures]:
            row["seconds"] = {"mixtura": row["seconds"]["mixtura"]}
            if "gain" in row:
                row["gain"] = None
    return run
