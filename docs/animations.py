"""How the site shows the animations of the gallery's scripts: as GIF files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.animation import Animation
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

# As an image inside the page, and as a file.
SHOWN = "{image}\n:download:`Download the animation </{file}>`\n\n"


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


def _get_sg_image_scraper() -> Callable[..., str]:
    """Return what sphinx-gallery asks for by this name."""
    return pictures_of_block
