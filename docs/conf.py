"""Settings of the site: `python -m sphinx -W --keep-going docs build/site`."""

import inspect
import os
import sys
from pathlib import Path
from typing import Any

import latex2mathml.converter
from docutils import nodes
from numpydoc.docscrape import NumpyDocString
from numpydoc.docscrape_sphinx import SphinxDocString
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import mixtura
from mixtura.mixture.answers import Answers

sys.path.insert(0, str(Path(__file__).parent))  # sphinx-gallery imports scripts.py
os.environ["OMP_NUM_THREADS"] = "1"  # figures of the gallery do not depend on the machine

project = "mixtura"
author = "the mixtura developers"
copyright = author  # noqa: A001 (Sphinx's name)
version = release = mixtura.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["examples"]
templates_path = ["_templates"]
default_role = "autolink"  # a name in backticks is a link where it is a public name

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # the docstrings have the types
numpydoc_show_class_members = False  # templates list them

process_param = SphinxDocString._process_param
# An attribute is described by its class, also where a method of the mixture has the same name.
SphinxDocString._process_param = lambda self, name, text, _: process_param(self, name, text, False)


def members_of(thing: type) -> dict[str, list[str]]:
    """Names on the page of a class: its own in full, and those of `Answers` as links.

    Members of other packages, such as those of exceptions, are left out, and so are properties that
    the docstring of the class describes.
    """
    bases = [b for b in thing.__mro__ if b.__module__.startswith("mixtura") and b is not Answers]
    own = {n: v for base in reversed(bases) for n, v in vars(base).items() if not n.startswith("_")}
    attributes = NumpyDocString(inspect.getdoc(thing) or "")["Attributes"]
    described = ", ".join(entry.name for entry in attributes).split(", ")
    asked = vars(Answers) if issubclass(thing, Answers) else {}
    return {
        "methods": [n for n, v in own.items() if inspect.isfunction(getattr(v, "__func__", v))],
        "properties": [n for n, v in own.items() if isinstance(v, property) and n not in described],
        "answers": [n for n in asked if not n.startswith("_") and n not in own],
    }


autosummary_context = {
    "members_of": {
        f"{module.__name__}.{name}": members_of(getattr(module, name))
        for module in (mixtura, mixtura.datasets, mixtura.plot, mixtura.sklearn)
        for name in module.__all__
        if inspect.isclass(getattr(module, name))
    }
}

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "subsection_order": [f"examples/{name}" for name in ("lectures", "uses", "pictures")],
    "within_subsection_order": "scripts.place_in_section",
    "image_scrapers": ("scripts.pictures_of_block",),
    "remove_config_comments": True,
    "capture_repr": (),  # a display as the last line of a script is a picture, not a text
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
    "doc_module": ("mixtura",),
    "backreferences_dir": "reference/backreferences",
    "reference_url": {"mixtura": None},
}

html_theme = "pydata_sphinx_theme"
html_title = f"mixtura {version}"
html_static_path = ["_static"]
html_css_files = ["mixtura.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {
    "logo": {"text": "mixtura"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
html_sidebars = {"index": [], "install": [], "contribute": []}


def visit_formula(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw without a script: the site works offline."""
    display = "inline" if isinstance(node, nodes.math) else "block"
    formula = latex2mathml.converter.convert(node.astext(), display=display)
    formula = formula.replace("<mi>log</mi>", '<mi>log</mi><mspace width="0.17em"/>')
    self.body.append(f'<div class="formula">{formula}</div>' if display == "block" else formula)
    raise nodes.SkipNode


def trim_code(app: Sphinx, page: nodes.document) -> None:  # noqa: ARG001 (what Sphinx passes)
    """Drop the empty line that ends an example for doctest."""
    for block in page.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip()
        block.children = [nodes.Text(block.rawsource)]


def setup(app: Sphinx) -> None:
    """Say how formulas and code are written."""
    app.connect("doctree-read", trim_code)
    app.add_html_math_renderer("mathml", (visit_formula, None), (visit_formula, None))


html_math_renderer = "mathml"
