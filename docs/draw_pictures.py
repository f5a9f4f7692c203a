"""Draw the pictures of the pages: run their code, save what each block draws below it.

python docs/draw_pictures.py
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

FOLDER = Path(__file__).parent
BLOCK = re.compile(
    r"```python\n(?P<code>(?:(?!```).)*)```\n\n!\[[^]]*\]\((?P<file>.*?)\)", re.DOTALL
)
PROMPT = re.compile(r"^(>>>|\.\.\.) ?", re.MULTILINE)
DPI = 100
COLOURS = 96  # and not all there are: a picture takes a third of the space


def drawn_pictures() -> Iterator[tuple[Path, Image.Image]]:
    """Run the blocks one after the other; give the file and the picture of each."""
    for page in [FOLDER.parent / "README.md", *sorted(FOLDER.glob("*/*.md"))]:
        names: dict[str, Any] = {}
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if PROMPT.match(block["code"]):  # an example of a page whose examples run together
                continue
            exec(block["code"], names)
            figure = plt.gcf()
            figure.set_dpi(DPI)
            figure.canvas.draw()
            pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
            picture = pixels.quantize(COLOURS, dither=Image.Dither.NONE)
            yield (page.parent / block["file"]).resolve(), picture
            plt.close("all")


def main() -> None:
    """Write every picture."""
    plt.switch_backend("Agg")  # to files, not to the screen
    for path, picture in drawn_pictures():
        picture.save(path, optimize=True)


if __name__ == "__main__":
    main()
