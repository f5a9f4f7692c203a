"""A stream of rows: those that wait for the start, then what was learned; and its file."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data import ArrayRows, Block, RowSource, open_rows
from mixtura.data.checks import check_option
from mixtura.data.frames import Names
from mixtura.exceptions import FitError
from mixtura.files import Contents, count, fact, feature_names_of, numbers
from mixtura.fitting.streams.learner import Learner, check_near, start_learner
from mixtura.fitting.streams.learning import PriorBasis, learning_of
from mixtura.fitting.streams.options import Options
from mixtura.mixture import GaussianMixture
from mixtura.mixture.checks import check_factored
from mixtura.mixture.table import counted
from mixtura.parameters import Parameters
from mixtura.posterior import GMMPosterior
from mixtura.shapes import Floats
from mixtura.starts import INIT_METHODS, Means
from mixtura.statistics import Statistics
from mixtura.updates import Event

__all__ = ["Stream", "stream_contents", "stream_of", "together"]

PARAMETERS = ("weights", "means", "covariances", "precisions_cholesky")
SUMS = ("centres", "resp_sum", "resp_x", "resp_xx")
PLAIN_OPTIONS = (  # those that JSON can write
    "n_components", "covariance_type", "step_power", "half_life", "n_init", "n_start",
    "on_collapse", "missing", "seed", "n_threads", "backend",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stream:
    """What has come so far; each batch makes another one, so that a failed batch changes nothing.

    Attributes
    ----------
    options : Options
    feature_names : tuple of str or None
    n_features : int or None
        None before the first batch.
    n_updates : int
    n_samples : int
        Rows of positive weight.
    weight_sum : float
    waiting : tuple of Block
        Copies of the rows that wait for the start.
    learner : Learner or None
        From the start on.
    """

    options: Options
    feature_names: Names | None = None
    n_features: int | None = None
    n_updates: int = 0
    n_samples: int = 0
    weight_sum: float = 0.0
    waiting: tuple[Block, ...] = ()
    learner: Learner | None = None

    def after(self, source: RowSource) -> Stream:
        """Return the stream after each block of some rows, checked."""
        stream = self
        if self.n_features is None or (source.feature_names and not self.feature_names):
            names = self.feature_names or source.feature_names
            stream = replace(self, n_features=source.n_features, feature_names=names)
            self.options.estimate(source.n_features)  # refuses arguments of another number
        for X, weight, _, extras in source.blocks():
            rows = ArrayRows(X, weight, form=source.form, extras=extras)
            if weight is not None and not weight.all():
                rows = rows.subset(weight > 0.0)
            if rows.n_samples:
                stream = stream._after(rows)
        return self if stream.n_updates == self.n_updates else stream

    def _after(self, rows: ArrayRows) -> Stream:
        """Return the stream after one batch of rows of positive weight."""
        (block,) = rows.blocks()
        weight, learner = self.weight_sum + rows.weight_sum, self.learner
        n_samples, number = self.n_samples + rows.n_samples, self.n_updates + 1
        waiting: tuple[Block, ...] = ()
        if learner is not None:
            learner = learner.learned(rows, self.weight_sum, number)
        elif n_samples >= self.options.start_rows(rows.n_features):
            learner = start_learner(self.options, _opened((*self.waiting, block), self.options))
        else:
            check_near(block.X)  # or they would wait for a start that can never be made
            own = None if block.sample_weight is None else block.sample_weight.copy()
            waiting = (*self.waiting, Block(np.array(block.X, order="C"), own))
        return replace(
            self, n_updates=number, n_samples=n_samples, weight_sum=weight, waiting=waiting,
            learner=learner,
        )  # fmt: skip

    @property
    def awaited(self) -> str:
        """What the start waits for, in words."""
        if self.n_features is None:
            return "the first rows; got none"
        needed = self.options.start_rows(self.n_features)
        return f"{counted(needed, 'row')} of positive weight; got {self.n_samples}"

    @cached_property
    def now(self) -> Learner:
        """What was learned; before the start, from the rows that wait for it."""
        if self.learner is not None:
            return self.learner
        options, needed = self.options, self.options.n_components
        if self.n_features is not None:
            needed = options.least_rows(self.n_features)
        if self.n_samples < needed:
            raise FitError(
                f"the mixture needs {counted(needed, 'row')} of positive weight or more; got "
                f"{self.n_samples}. Call update with more rows."
            )
        return start_learner(options, _opened(self.waiting, options))

    @cached_property
    def model(self) -> GaussianMixture:
        """The mixture; before the start, that of the rows that wait for it."""
        options = self.options
        return GaussianMixture._of(
            options.covariance_type, self.now.mixture, self.feature_names, options.missing
        )

    @cached_property
    def posterior(self) -> GMMPosterior:
        """The posterior; before the start, that of the rows that wait for it."""
        learner, options = self.now, self.options
        assert isinstance(learner.basis, PriorBasis)
        prior = learner.basis.prior
        return GMMPosterior._of(
            prior,
            prior.laws_of(learner.parameters, learner.counted),
            options.covariance_type,
            self.feature_names,
            options.missing,
            learner.counted * learner.parameters.weights,
            1.0 / learner.rows_per_weight,
        )


def together(blocks: tuple[Block, ...]) -> Block:
    """Return rows that have waited for the start, and their weights, as one block."""
    weights: Floats | None = None
    if any(block.sample_weight is not None for block in blocks):
        weights = np.concatenate(
            [np.ones(len(X)) if weight is None else weight for X, weight, *_ in blocks]
        )
    X = blocks[0].X if len(blocks) == 1 else np.concatenate([block.X for block in blocks])
    return Block(X, weights)


def _opened(blocks: tuple[Block, ...], options: Options) -> RowSource:
    """The rows of the start as one source."""
    X, weights, *_ = together(blocks)
    return open_rows(X, weights, missing=options.missing)


# ---- files ----


def stream_contents(stream: Stream) -> Contents:
    """Return all that is needed to continue a stream with the same bits."""
    options, learner = stream.options, stream.learner
    facts = {name: getattr(options, name) for name in PLAIN_OPTIONS}
    facts |= {
        name: getattr(stream, name)
        for name in ("n_features", "n_updates", "n_samples", "weight_sum")
    }
    facts |= options.learning.contents().facts
    facts["feature_names"] = _listed(stream.feature_names)
    arrays: dict[str, NDArray[Any]] = {"reg_covar": np.asarray(options.reg_covar)}
    arrays |= options.learning.contents().arrays
    init = options.init
    facts["init"] = init if isinstance(init, str) else type(init).__name__
    if isinstance(init, Means):
        arrays["init_means"] = init.means
    if isinstance(init, GaussianMixture):
        own = init._contents()
        facts["init_facts"] = own.facts | {"feature_names": _listed(init.feature_names)}
        arrays |= {f"init_{name}": array for name, array in own.arrays.items()}
    if stream.waiting:
        (block,) = _opened(stream.waiting, options).blocks()
        arrays["waiting"] = block.X
        if block.sample_weight is not None:
            arrays["waiting_weight"] = block.sample_weight
    if learner is not None:
        facts["unit"] = learner.unit
        facts["rows_per_weight"] = learner.rows_per_weight
        facts["counted_weight"] = learner.counted
        facts["running_weight"] = learner.statistics.weight_sum
        facts["events"] = [astuple(event) for event in learner.events]
        arrays |= {name: getattr(learner.parameters, name) for name in PARAMETERS}
        arrays |= {name: getattr(learner.statistics, name) for name in SUMS}
        arrays |= {name: getattr(learner, name) for name in ("scale", "history", "sizes")}
        basis = learner.basis.contents()
        facts, arrays = facts | basis.facts, arrays | basis.arrays
    return Contents(facts, arrays)


def _listed(names: Names | None) -> list[str] | None:
    """Names as JSON returns them."""
    return None if names is None else list(names)


def stream_of(contents: Contents) -> Stream:
    """Return the stream that these contents describe; raise an exception of `DAMAGE` for others."""
    facts, arrays = contents
    options = _options_of(contents)
    d = None if facts["n_features"] is None else count(facts, "n_features")
    stream = Stream(
        options,
        None if d is None else feature_names_of(facts, d),
        d,
        count(facts, "n_updates"),
        count(facts, "n_samples"),
        fact(facts, "weight_sum", float),
    )
    if not 0.0 <= stream.weight_sum < math.inf:
        raise ValueError(f"its weight_sum is {stream.weight_sum}")
    if "waiting" in arrays and d is not None:
        X, weight = arrays["waiting"], None
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        X = numbers(arrays, "waiting", (-1, d), dtype, finite=options.missing == "raise")
        if "waiting_weight" in arrays:
            weight = numbers(arrays, "waiting_weight", (len(X),))
        check_near(X)
        (block,) = open_rows(X, weight, missing=options.missing).blocks()
        stream = replace(stream, waiting=(block,))
    if "resp_sum" in arrays and d is not None:
        stream = replace(stream, learner=_learner_of(contents, options, d))
    if stream.n_samples and stream.learner is None and not stream.waiting:
        raise ValueError(f"it is of {stream.n_samples} rows, and holds neither these nor a fit")
    return stream


def _options_of(contents: Contents) -> Options:
    """The arguments, checked as far as a start does not check them again."""
    facts, arrays = contents
    init: Any = fact(facts, "init", str)
    if init == Means.__name__:
        init = Means(numbers(arrays, "init_means", (-1, -1)))
    elif init == GaussianMixture.__name__:
        own = {name: arrays[f"init_{name}"] for name in PARAMETERS}
        init = GaussianMixture._from_contents(Contents(facts["init_facts"], own))
    else:
        init = check_option("init", init, INIT_METHODS)
    if not isinstance(init, str):
        shape = (facts["n_components"], facts["n_features"])
        if init.means.shape != shape or not all(shape):
            raise ValueError(f"its init has means of shape {init.means.shape}, not {shape}")
    ridge: Any = arrays["reg_covar"]
    ridge = (
        float(ridge) if ridge.ndim == 0 else numbers(arrays, "reg_covar", (facts["n_features"],))
    )
    values = {name: facts[name] for name in PLAIN_OPTIONS}
    if values["half_life"] == math.inf:
        values["half_life"] = None
    options = Options.checked(**values, init=init, reg_covar=ridge, learning=learning_of(contents))
    d = options.n_features if facts["n_features"] is None else facts["n_features"]
    if d is not None:
        options.estimate(d)
    return options


def _learner_of(contents: Contents, options: Options, d: int) -> Learner:
    facts, arrays = contents
    family = options.family(d)
    k = len(numbers(arrays, "means", (-1, d)))
    kept = family.shape.array_shape(k, d)
    parameters = Parameters(
        numbers(arrays, "weights", (k,)),
        numbers(arrays, "means", (k, d)),
        numbers(arrays, "covariances", kept),
        numbers(arrays, "precisions_cholesky", kept),
        family.shape,
    )
    check_factored(family, *parameters.arrays())
    statistics = Statistics(
        family.shape.name,
        numbers(arrays, "centres", (k, d)),
        numbers(arrays, "resp_sum", (k,)),
        numbers(arrays, "resp_x", (k, d)),
        numbers(arrays, "resp_xx", kept),
        0.0,
        fact(facts, "running_weight", float),
    )
    unit, rows_per_weight = (fact(facts, name, float) for name in ("unit", "rows_per_weight"))
    scale, weight = numbers(arrays, "scale", (d,)), fact(facts, "counted_weight", float)
    positive = [
        unit,
        rows_per_weight,
        weight,
        statistics.weight_sum,
        contents.facts["weight_sum"],
        *scale,
    ]
    if not (np.isfinite(positive).all() and min(positive) > 0.0):
        raise ValueError("its unit, scale or weights are not positive")
    if statistics.resp_sum.min() < 0.0:
        raise ValueError("its resp_sum is negative")
    if not np.allclose([statistics.weight_sum, statistics.resp_sum.sum()], 1.0, rtol=0, atol=1e-6):
        raise ValueError("its running statistics are not of weight one")
    with np.errstate(over="ignore"):  # rows whose squares overflow were never learned
        squares = np.square([parameters.means, statistics.centres, statistics.means()])
    if not np.isfinite(squares).all():
        raise ValueError("its means or centres are too far from zero")
    history = numbers(arrays, "history", (-1,), finite=False)
    if not (history < math.inf).all():  # the density of rows far away may be zero
        raise ValueError("its history has nan or inf")
    sizes = numbers(arrays, "sizes", history.shape)
    if not (sizes > 0.0).all():
        raise ValueError("its sizes of batches are not positive")
    return Learner(
        options,
        parameters,
        statistics,
        options.learning.basis_of(contents, options, scale),
        scale,
        unit,
        rows_per_weight,
        weight,
        history,
        sizes,
        tuple(Event.checked(event) for event in fact(facts, "events", list)),
    )
