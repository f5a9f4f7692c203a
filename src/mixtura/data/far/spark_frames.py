"""Spark DataFrames: which objects are such, which columns are numbers, and what Spark reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, TypeVar

from mixtura.data.far.spark_cells import versions
from mixtura.data.frames import Names, listed, refuse_repeated_names

__all__ = ["Frame", "collected", "is_spark_frame", "sent"]

NUMBERS = {"float", "double", "byte", "short", "integer", "long", "boolean", "decimal"}
Task = Callable[[Iterable[Any]], Iterator[Any]]
Result = TypeVar("Result")


def is_spark_frame(value: object) -> bool:
    """Whether something is a Spark DataFrame, of a classic session or of Spark Connect."""
    return any(
        cls.__name__ == "DataFrame" and cls.__module__.startswith("pyspark.sql.")
        for cls in type(value).__mro__
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """A Spark DataFrame, as a table of columns.

    Attributes
    ----------
    frame : pyspark.sql.DataFrame
    """

    frame: Any

    name = "the Spark DataFrame"

    @property
    def names(self) -> Names:
        """Names of the columns."""
        names: Names = tuple(self.frame.columns)
        refuse_repeated_names(names, self.name)
        return names

    @property
    def n_columns(self) -> int:
        """How many there are."""
        return len(self.frame.columns)

    def check_numbers(self, columns: Sequence[int]) -> None:
        """Refuse columns that are not real numbers, and names of them that Spark takes for one."""
        self._refuse_equal_names(columns)
        for a in columns:
            field = self.frame.schema.fields[a]
            kind = field.dataType.typeName()
            if kind in NUMBERS:
                continue
            remedy = "Cast it to double, or leave it out: mixtura.scan(frame, columns=[...])."
            if kind == "array" or kind.endswith("udt"):
                remedy = (
                    "Make a column of each element, with pyspark.ml.functions.vector_to_array for "
                    "a vector."
                )
            raise TypeError(
                f"column {field.name!r} of {self.name} must be real numbers; got "
                f"{field.dataType.simpleString()}. {remedy}"
            )

    def _refuse_equal_names(self, columns: Sequence[int]) -> None:
        """Refuse columns of which Spark cannot tell which one is meant."""
        names = self.frame.columns
        for a in columns:
            same = [name for name in names if name.lower() == names[a].lower()]
            if len(same) > 1 and not self._is_case_sensitive:
                raise ValueError(
                    f"columns of {self.name} must have names that differ in more than case; got "
                    f"{listed(same)}. Rename one, or set spark.sql.caseSensitive to true."
                )

    @property
    def _is_case_sensitive(self) -> bool:
        return bool(self.frame.sparkSession.conf.get("spark.sql.caseSensitive") == "true")

    def refuse_end_of_session(self) -> None:
        """Refuse a DataFrame whose session was stopped."""
        session = self.frame.sparkSession
        classic = hasattr(session, "_jsparkSession")
        if session.sparkContext._jsc is None if classic else session.is_stopped:
            raise RuntimeError(
                f"the session of {self.name} must run; it was stopped. Make the DataFrame in a new "
                f"one; with checkpoint= a fit continues."
            )

    def is_float(self, columns: Sequence[int]) -> bool:
        """Whether all columns are float, so that 4 bytes hold a number."""
        return all(self.frame.schema.fields[a].dataType.typeName() == "float" for a in columns)

    def cast(self, columns: Sequence[int], prefix: str) -> list[str]:
        """Return SQL that makes numbers of some columns, with new names."""
        names = [self.frame.columns[a].replace("`", "``") for a in columns]
        return [f"CAST(`{name}` AS DOUBLE) AS `{prefix}{i}`" for i, name in enumerate(names)]


def sent(task: Task) -> Task:
    """Return a function that Spark sends by its value, with the task in it.

    Spark asks for a plain function; the classes of the task are imported by the workers.
    """

    def run(batches: Iterable[Any]) -> Iterator[Any]:
        return task(batches)

    return run


def collected(frame: Any) -> list[Any]:
    """Return the rows of a small Spark DataFrame; Ctrl-C ends the jobs that make it.

    Raises
    ------
    RuntimeError
        If the workers cannot run mixtura.
    """
    with _cancelled_with_ctrl_c(frame.sparkSession):
        try:
            rows: list[Any] = frame.collect()
        except Exception as error:
            _explain(str(error), error)
            raise
    return rows


def _explain(report: str, error: Exception) -> None:
    """Raise an error that says what the workers lack, if that is why they failed."""
    found = re.search(r"(No module named '(mixtura|numpy|scipy|pyarrow)\b.*)", report)
    found = found or re.search(r"PYTHON_VERSION_MISMATCH\]?\s*(.*)", report)
    if found is not None:
        got = found[1].strip(" .")
        raise RuntimeError(
            f"Spark's workers must have what the driver has, {versions()}; got: {got}. "
            f"Install the same mixtura for the Python of all workers. PYSPARK_PYTHON says which "
            f"Python that is when the session starts."
        ) from error


@contextmanager
def _cancelled_with_ctrl_c(session: Any) -> Iterator[None]:
    """Name the jobs that this thread starts, and end them with Ctrl-C."""
    tag = f"mixtura-{token_hex(8)}"
    if hasattr(session, "_jsparkSession"):  # classic
        context = session.sparkContext
        add, remove, cancel = context.addJobTag, context.removeJobTag, context.cancelJobsWithTag
    else:
        add, remove, cancel = session.addTag, session.removeTag, session.interruptTag
    add(tag)
    try:
        yield
    except KeyboardInterrupt:
        cancel(tag)
        raise
    finally:
        remove(tag)
