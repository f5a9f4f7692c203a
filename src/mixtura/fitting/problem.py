"""What decides the result of a fit, in values that JSON can write, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType
from typing import Any

import numpy as np

from mixtura.data.fingerprint import array_fingerprint
from mixtura.data.frames import described
from mixtura.files import Saveable

__all__ = ["differences", "digest_of_text", "fingerprint", "parts_of"]

DIGEST = re.compile(r", [0-9a-f]{24}$")


def digest_of_text(text: str) -> str:
    """Return 24 characters that change with any of the text."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def fingerprint(name: str, value: Any) -> Any:
    """Something short that JSON can write, the same for equal values only.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object

    Raises
    ------
    TypeError
        For a value that cannot be told from others, such as a lambda.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return array_fingerprint(value)
    if isinstance(value, list | tuple):
        return [fingerprint(name, each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): fingerprint(name, each) for key, each in value.items()}
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        spawned = getattr(bits.seed_seq, "n_children_spawned", 0)
        return f"{type(bits).__name__} generator, {digest_of_text(f'{bits.state}, {spawned}')}"
    if isinstance(value, Saveable) and not isinstance(value, type):
        facts, arrays = value._contents()
        digests = {each: array_fingerprint(array) for each, array in arrays.items()}
        return f"{type(value).__name__}, {digest_of_text(json.dumps([facts, digests]))}"
    if is_dataclass(value) and not isinstance(value, type):
        parts = json.dumps(fingerprint(name, vars(value)))
        return f"{type(value).__name__}, {digest_of_text(parts)}"
    if isinstance(value, partial):
        function = fingerprint(name, value.func)
        parts = json.dumps([function, fingerprint(name, [value.args, value.keywords])])
        return f"partial of {DIGEST.sub('', function)}, {digest_of_text(parts)}"
    if callable(value) and _is_found_by_name(value):
        names = ("__code__", "__defaults__", "__kwdefaults__")
        code = json.dumps([_code_of(getattr(value, each, None)) for each in names])
        return f"{value.__module__}.{value.__qualname__}, {digest_of_text(code)}"
    raise TypeError(
        f"{name} must be a function that `def` names at the top of a module, or a "
        f"functools.partial of one with numbers, strings or arrays, so that a checkpoint can "
        f"identify it; got {described(value)}. Define it there, or pass what it returns."
    )


def _is_found_by_name(value: Callable[..., Any]) -> bool:
    """Whether a callable is what its module has under its name; lambdas and local ones are not."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for part in getattr(value, "__qualname__", "<locals>").split("."):
        found = getattr(found, part, None)
    return found is value


def _code_of(code: Any) -> Any:
    """Return what a function does, without where it stands."""
    if not isinstance(code, CodeType):
        return repr(sorted(map(repr, code)) if isinstance(code, frozenset) else code)
    return [code.co_code.hex(), code.co_names, [_code_of(each) for each in code.co_consts]]


def parts_of(name: str, value: Any) -> dict[str, Any]:
    """Return a value by its name; each field of a dataclass under a name of its own.

    So a message about two of them tells the fields that differ.
    """
    if not is_dataclass(value) or isinstance(value, type):
        return {name: value}
    own = {f"{name}.{field.name}": getattr(value, field.name) for field in fields(value)}
    return {name: type(value).__name__, **own}


def differences(saved: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """Return what differs between the fingerprints of two fits, in words."""
    texts = []
    for name in given | saved:
        was, now = saved.get(name), given.get(name)
        if was != now:
            was, now = (DIGEST.sub("", str(each)) for each in (was, now))
            texts.append(f"{name} was {was} and is {'another one' if was == now else now}")
    return texts
