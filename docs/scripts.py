"""How the site shows the scripts of the gallery: their order, and animations as GIF files."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.animation import Animation
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

# A course of lectures. All other scripts are in the order of their names.
LECTURES = [
    "birth_weights.py",
    "kmeans_frames.py",
    "em_frames.py",
    "two_dimensions.py",
    "responsibilities_of_rows.py",
    "log_likelihood.py",
    "bound.py",
    "boundaries.py",
    "naples_crabs.py",
]
# As an image inside the page, and as a file.
SHOWN = "{image}\n:download:`Download the animation </{file}>`\n\n"


def place_in_section(name: str) -> tuple[int, str]:
    """Return the key by which the scripts of a section are sorted."""
    return LECTURES.index(name) if name in LECTURES else 0, name


def pictures_of_block(block: Any, names: dict[str, Any], settings: dict[str, Any]) -> str:
    """Save what a block of a script drew, animations last; return the text that shows it."""
    drawn = [each for each in names["example_globals"].values() if isinstance(each, Animation)]
    drawn = [each for each in drawn if plt.fignum_exists(each._fig.number)]
    for animation in drawn:
        plt.close(animation._fig)  # it is no picture, too
    text: str = matplotlib_scraper(block, names, settings)
    for animation in drawn:
        path = Path(next(names["image_path_iterator"])).with_suffix(".gif")
        animation.save(path, writer="pillow", dpi=80)
        image = figure_rst([str(path)], settings["src_dir"], "Animation")
        text += SHOWN.format(image=image, file=path.relative_to(settings["src_dir"]).as_posix())
    return text
