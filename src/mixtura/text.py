"""Values as short text: the repr of a result, and what a notebook shows of it.

A result takes them over by name, ``__repr__ = short_repr`` and ``_repr_html_ = short_html``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from html import escape
from typing import Any

import numpy as np

__all__ = ["cut", "short", "short_html", "short_repr"]

MOST_VALUES = 8  # that are shown one by one
MOST_CHARACTERS = 300  # of one value
LINE = 100  # characters


def short(value: Any) -> str:
    """Return a value as text: the ends of what is long, and its size.

    Parameters
    ----------
    value : object
        Any value; arrays, sequences, mappings and floats have a text of their own.

    Returns
    -------
    str
        At most 300 characters.
    """
    if isinstance(value, np.ndarray):
        text = _array(value)
    elif isinstance(value, float):
        text = f"{value:.10g}"
    elif isinstance(value, Mapping):
        text = f"{{{_counted(len(value))}}}" if value else "{}"
    elif isinstance(value, list | tuple) and len(value) > MOST_VALUES:
        first, last = short(value[0]), short(value[-1])
        text = f"({cut(first, 120)}, ..., {cut(last, 120)}) ({_counted(len(value))})"
    else:
        text = repr(value)
    return cut(text, MOST_CHARACTERS)


def short_repr(self: Any) -> str:
    """Return a dataclass or a named tuple as a call, each of its fields cut short."""
    texts = [f"{name}={text}" for name, text in _texts(self)]
    line = f"{type(self).__name__}({', '.join(texts)})"
    if len(line) <= LINE:
        return line
    return "\n".join([f"{type(self).__name__}(", *(f"    {text}," for text in texts), ")"])


def short_html(self: Any) -> str:
    """Return a dataclass as a table of HTML, a row for each of its fields."""
    rows = (
        f'<tr><th style="text-align: left">{name}</th>'
        f'<td style="text-align: left">{escape(text)}</td></tr>'
        for name, text in _texts(self)
    )
    return f"<p>{type(self).__name__}</p><table>{''.join(rows)}</table>"


def _texts(result: Any) -> Iterator[tuple[str, str]]:
    names = getattr(result, "_fields", None) or [each.name for each in fields(result)]
    for name in names:
        line = " ".join(short(getattr(result, name)).split())
        yield name, line.replace("( ", "(").replace(", )", ")")


def _array(array: np.ndarray[Any, Any]) -> str:
    """Return the numbers in one line, without the middle of a large array."""
    text = np.array2string(
        array,
        separator=", ",
        threshold=MOST_VALUES,
        edgeitems=1,
        formatter={"float_kind": "{:.6g}".format, "int_kind": str},
    )
    text = cut(" ".join(text.split()), MOST_CHARACTERS - 40)
    if array.size <= MOST_VALUES:
        return text
    size = " x ".join(map(str, array.shape))
    return f"{text} ({_counted(array.size) if array.ndim == 1 else size})"


def _counted(count: int) -> str:
    return f"{count} value{'s'[: count != 1]}"


def cut(text: str, length: int) -> str:
    """Return the text, or its beginning and three dots."""
    return text if len(text) <= length else f"{text[: length - 3]}..."
