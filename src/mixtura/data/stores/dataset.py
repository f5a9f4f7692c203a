"""Rows of a pyarrow dataset, whatever its files are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.frames import Names, refuse_repeated_names
from mixtura.data.stores.arrow import Batches, dtype_of_fields, pieces_of_stream, readable
from mixtura.data.stores.files import written_state
from mixtura.data.stores.store import Piece, Store

__all__ = ["ArrowDataset"]


class ArrowDataset(Store):
    """Rows of a pyarrow dataset, file by file.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names: Names = tuple(dataset.schema.names)
        refuse_repeated_names(self.names, "the dataset")
        self.n_columns = len(self.names)
        self._fragments: list[Any] | None = None
        with contextlib.suppress(ValueError):  # a filtered one has none of its own
            self._fragments = list(dataset.get_fragments())
        if self._fragments == []:
            raise ValueError(
                "source must be a dataset with files; got one without any. Check its path."
            )
        self.name = "the dataset"

    @classmethod
    def opened(cls, source: Any) -> ArrowDataset | None:
        module = sys.modules.get("pyarrow.dataset")
        return cls(source) if module is not None and isinstance(source, module.Dataset) else None

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        return dtype_of_fields(self._dataset.schema, columns, self.name)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        names = tuple(self.names[a] for a in columns)
        # One batch is read ahead of the one in use: more would take memory without need.
        options = {
            "columns": sorted(set(names)),
            "batch_size": size,
            "batch_readahead": 1,
            "fragment_readahead": 1,
        }
        if self._fragments is None:
            scans = [(self.name, partial(self._dataset.scanner, **options))]
        else:
            schema = self._dataset.schema
            scans = [
                (_place(fragment), partial(fragment.scanner, schema, **options))
                for fragment in self._fragments
            ]
        for place, scan in scans:
            scanner = scan()
            batches = Batches(scanner.projected_schema, readable(scanner.to_batches(), place))
            yield from pieces_of_stream(batches, names, size, place)

    def paths(self) -> list[str]:
        return list(getattr(self._dataset, "files", []))

    def state(self) -> Any:
        return [written_state(Path(path)) for path in self.paths()]


def _place(fragment: Any) -> str:
    path = getattr(fragment, "path", "")
    return f"file {path!r}" if path else "the dataset"
