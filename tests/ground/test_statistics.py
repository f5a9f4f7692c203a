"""Statistics add up, move to other centres and back, and never change."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    assert_same_statistics,
    assert_within,
    random_mixture,
    random_rows,
    statistics_bounds,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura import reference
from mixtura.shapes import Floats
from mixtura.statistics import Statistics, total

N, D, K = 90, 3, 4
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@dataclasses.dataclass(frozen=True)
class Example:
    """Rows with responsibilities, and statistics of any part of them about any centres."""

    covariance_type: str
    X: Floats
    resp: Floats
    sample_weight: Floats
    centres: Floats

    @classmethod
    def random(cls, covariance_type: str, offset: float = 0.0) -> "Example":
        rng = np.random.default_rng(1)
        mixture = random_mixture(rng, covariance_type, K, D)
        X = random_rows(rng, mixture, N)
        resp, _ = reference.responsibilities(X, **mixture.parameters)
        return cls(
            covariance_type, X + offset, resp, rng.exponential(size=N), mixture.means + offset
        )

    def statistics(self, rows: object = slice(None), centres: Floats | None = None) -> Statistics:
        return reference.accumulate_resp(
            self.X[rows],
            self.resp[rows],
            self.centres if centres is None else centres,
            covariance_type=self.covariance_type,
            sample_weight=self.sample_weight[rows],
        )

    def bounds(self, *moved_by: Floats) -> dict[str, Floats]:
        """Rounding that sums about centres this far off, on either side, may bring along."""
        reach = sum(np.abs(shift).max() for shift in moved_by)
        far = [self.centres - reach, self.centres + reach]
        both = [
            statistics_bounds(self.X, self.resp, c, self.covariance_type, self.sample_weight)
            for c in far
        ]
        return {name: both[0][name] + both[1][name] for name in both[0]}


@each_type
@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, N), max_size=6))
def test_statistics_of_a_whole_equal_the_sum_of_its_parts(
    covariance_type: str, cuts: list[int]
) -> None:
    example = Example.random(covariance_type)
    ends = [0, *sorted(cuts), N]
    parts = [
        example.statistics(slice(*ends[i : i + 2]))
        for i in range(len(ends) - 1)
        if ends[i] < ends[i + 1]
    ]
    total = sum(parts[1:], start=parts[0])
    assert_same_statistics(total, example.statistics(), example.bounds())


@each_type
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_parts_about_different_centres_add_up_about_those_of_the_first(
    covariance_type: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    example = Example.random(covariance_type)
    label = rng.integers(3, size=N)
    shifts = rng.normal(size=(3, K, D))
    parts = [example.statistics(label == p, example.centres + shifts[p]) for p in range(3)]
    total = parts[0] + parts[1] + parts[2]
    expected = example.statistics(centres=parts[0].centres)
    assert_same_statistics(total, expected, example.bounds(*shifts))


@each_type
def test_recentred_statistics_are_those_of_the_rows_about_the_new_centres(
    covariance_type: str,
) -> None:
    example = Example.random(covariance_type, offset=1e8)
    shift = np.random.default_rng(2).normal(size=(K, D))
    centres = example.centres + shift
    moved = example.statistics().recentred(centres)
    assert_same_statistics(moved, example.statistics(centres=centres), example.bounds(shift))


@each_type
def test_recentred_there_and_back_restores_the_statistics(covariance_type: str) -> None:
    example = Example.random(covariance_type)
    before = example.statistics()
    shift = 10.0 * np.random.default_rng(3).normal(size=(K, D))
    after = before.recentred(example.centres + shift).recentred(example.centres)
    assert_same_statistics(after, before, example.bounds(shift))


@each_type
def test_recentred_about_the_means_has_no_first_moment(covariance_type: str) -> None:
    example = Example.random(covariance_type)
    statistics = example.statistics()
    about_means = statistics.recentred(statistics.means())
    bound = example.bounds()["resp_x"]
    assert_within(about_means.resp_x, np.zeros((K, D)), bound, "resp_x")
    expected = example.statistics(centres=statistics.means())
    assert_same_statistics(about_means, expected, example.bounds())


@each_type
def test_centred_statistics_are_those_of_the_rows_about_the_means(covariance_type: str) -> None:
    example = Example.random(covariance_type)
    centred = example.statistics().centred()
    expected = example.statistics(centres=example.statistics().means())
    assert_same_statistics(centred, expected, example.bounds())
    assert not centred.resp_x.any()
    assert centred.centred() is centred


@each_type
def test_centred_statistics_leave_a_component_without_weight_as_it_is(covariance_type: str) -> None:
    example = Example.random(covariance_type)
    example.resp[:, 0] = 0.0
    np.testing.assert_array_equal(example.statistics().centred().centres[0], example.centres[0])


def test_means_are_weighted_averages_of_the_rows() -> None:
    example = Example.random("diag", offset=1e8)
    weighted = example.resp * example.sample_weight[:, None]
    expected = [np.average(example.X - 1e8, axis=0, weights=w) for w in weighted.T]
    np.testing.assert_allclose(example.statistics().means() - 1e8, expected, atol=3e-8)


def test_means_of_a_component_without_weight_stay_at_its_centre() -> None:
    resp = np.array([[1.0, 0.0], [1.0, 0.0]])
    centres = np.array([[0.0], [7.0]])
    statistics = reference.accumulate_resp([[1.0], [2.0]], resp, centres, covariance_type="diag")
    np.testing.assert_array_equal(statistics.means(), [[1.5], [7.0]])


@each_type
def test_blurred_statistics_are_those_of_rows_spread_out(covariance_type: str) -> None:
    # A row spread to both sides along each axis in turn has the variance asked for, exactly.
    example = Example.random(covariance_type)
    variance = np.array([0.25, 4.0, 1.0])
    steps = np.sqrt(D * variance) * np.eye(D)
    spread = np.concatenate([example.X + s for step in steps for s in (step, -step)])
    repeats = 2 * D
    expected = reference.accumulate_resp(
        spread,
        np.tile(example.resp, (repeats, 1)),
        example.centres,
        covariance_type=covariance_type,
        sample_weight=np.tile(example.sample_weight / repeats, repeats),
    )
    blurred = example.statistics().blurred(variance)
    assert_same_statistics(blurred, expected, example.bounds(steps))


def test_blurred_by_nothing_changes_no_bit() -> None:
    for covariance_type in COVARIANCE_TYPES:
        statistics = Example.random(covariance_type).statistics()
        np.testing.assert_array_equal(statistics.blurred(np.zeros(D)).resp_xx, statistics.resp_xx)


def with_extras(statistics: Statistics, outer: object, count: float) -> Statistics:
    return dataclasses.replace(statistics, extras={"outer": np.asarray(outer), "count": count})


@each_type
@pytest.mark.parametrize("factor", [0.0, 0.25, 3.0])
def test_scaled_statistics_are_those_of_rows_with_scaled_weights(
    covariance_type: str, factor: float
) -> None:
    example = Example.random(covariance_type)
    statistics = dataclasses.replace(example.statistics(), log_likelihood=-7.0)
    scaled = statistics.scaled(factor)
    heavier = dataclasses.replace(example, sample_weight=factor * example.sample_weight)
    if factor:
        expected = dataclasses.replace(heavier.statistics(), log_likelihood=factor * -7.0)
        assert_same_statistics(scaled, expected, heavier.bounds())
    else:
        assert not any(map(np.any, (scaled.resp_sum, scaled.resp_x, scaled.resp_xx)))
        assert (scaled.log_likelihood, scaled.weight_sum) == (0.0, 0.0)
    assert scaled.centres is statistics.centres


def test_scaled_and_added_statistics_are_a_running_average() -> None:
    """What streams need: old statistics fade, new ones come in."""
    example = Example.random("full")
    old, new = example.statistics(slice(50)), example.statistics(slice(50, None))
    average = old.scaled(0.75) + new.scaled(0.25)
    share = np.where(np.arange(N) < 50, 0.75, 0.25)
    expected = dataclasses.replace(example, sample_weight=share * example.sample_weight)
    assert_same_statistics(average, expected.statistics(), example.bounds())


def test_extras_are_added_and_scaled_and_survive_a_change_of_centres() -> None:
    plain = Example.random("diag").statistics()
    one, other = with_extras(plain, np.eye(2), 3.0), with_extras(plain, np.ones((2, 2)), 4.0)
    total = (one + other.recentred(plain.centres + 1.0)).scaled(0.5)
    np.testing.assert_array_equal(total.extras["outer"], [[1.0, 0.5], [0.5, 1.0]])
    assert total.extras["count"] == 3.5
    full = with_extras(Example.random("full").statistics(), np.eye(2), 3.0)
    for same in (
        one.centred(),
        one.blurred(np.ones(D)),
        one.recentred(plain.centres + 1.0),
        full.coarsened("tied"),
    ):
        assert same.extras["count"] == 3.0
        np.testing.assert_array_equal(same.extras["outer"], np.eye(2))
    assert dict(plain.extras) == {}


def test_adding_statistics_with_unlike_extras_is_an_error() -> None:
    plain = Example.random("diag").statistics()
    message = (
        "statistics of one kind are needed to add; got 'diag' with centres (4, 3) and extras "
        "['count', 'outer'] and 'diag' with centres (4, 3). Accumulate both for the same mixture."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        with_extras(plain, np.eye(2), 3.0) + plain


@each_type
def test_statistics_after_any_method_are_unchanged(covariance_type: str) -> None:
    example = Example.random(covariance_type)
    statistics = example.statistics()
    before = pickle.dumps(statistics)
    statistics + example.statistics(centres=example.centres + 1.0)
    statistics.recentred(example.centres + 1.0)
    statistics.blurred(np.ones(D))
    statistics.scaled(0.5)
    statistics.means()
    assert pickle.dumps(statistics) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        statistics.weight_sum = 0.0  # type: ignore[misc]


def test_statistics_keep_their_centres_when_the_caller_changes_his_array() -> None:
    example = Example.random("full")
    given, moved = example.centres.copy(), example.centres + 1.0
    statistics = example.statistics(centres=given)
    recentred = statistics.recentred(moved)
    given[:], moved[:] = np.nan, np.nan
    np.testing.assert_array_equal(statistics.centres, example.centres)
    np.testing.assert_array_equal(recentred.centres, example.centres + 1.0)


@pytest.mark.parametrize(
    ("other", "got"),
    [
        (("diag", (2, 1)), "'full' with centres (2, 1) and 'diag' with centres (2, 1)"),
        (("full", (3, 1)), "'full' with centres (2, 1) and 'full' with centres (3, 1)"),
    ],
)
def test_adding_unlike_statistics_is_an_error(other: tuple[str, tuple], got: str) -> None:
    def empty(covariance_type: str, shape: tuple[int, int]) -> Statistics:
        nothing = np.zeros((0, shape[0]))
        return reference.accumulate_resp(
            np.zeros((0, shape[1])), nothing, np.zeros(shape), covariance_type=covariance_type
        )

    message = f"statistics of one kind are needed to add; got {got}. Accumulate both for the same"
    with pytest.raises(ValueError, match=f"^{re.escape(message)} mixture.$"):
        empty("full", (2, 1)) + empty(*other)
    with pytest.raises(TypeError, match="unsupported operand"):
        empty("full", (2, 1)) + 1


def test_recentred_to_another_shape_is_an_error() -> None:
    message = (
        "centres must have shape (4, 3), as the centres of the statistics; got (3,). "
        "Give each component one row."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Example.random("full").statistics().recentred(np.zeros(D))


@pytest.mark.parametrize(("variance", "shape"), [(1.0, "()"), (np.ones(2), "(2,)")])
def test_blurred_by_another_shape_is_an_error(variance: object, shape: str) -> None:
    message = (
        f"variance must have shape (3,), one for each feature; got {shape}. "
        "Use numpy.full for the same variance everywhere."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Example.random("spherical").statistics().blurred(variance)


@each_type
def test_coarsened_full_statistics_are_those_of_a_pass_for_the_type(covariance_type: str) -> None:
    rng = np.random.default_rng(3)
    X, resp = rng.normal(size=(30, 3)), rng.dirichlet(np.ones(2), size=30)
    full, expected = (
        reference.accumulate_resp(X, resp, np.ones((2, 3)), covariance_type=type_)
        for type_ in ("full", covariance_type)
    )
    coarse = full.coarsened(covariance_type)
    assert coarse.covariance_type == covariance_type
    np.testing.assert_allclose(coarse.resp_xx, expected.resp_xx, rtol=1e-13)
    if covariance_type == "diag":
        spherical = full.coarsened("spherical")
        np.testing.assert_allclose(coarse.coarsened("spherical").resp_xx, spherical.resp_xx)
    if covariance_type != "full":
        with pytest.raises(ValueError, match="must be 'full' to be coarsened"):
            coarse.coarsened("full")


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_total_adds_pairs_of_equal_size_in_order(sizes: list[int]) -> None:
    """The sum of a text tells the order, and the pairs by their brackets."""
    added = total(Named(str(number)) for number in range(len(sizes)))
    assert [int(part) for part in re.findall(r"\d+", added.name)] == list(range(len(sizes)))
    assert added.name == paired([str(number) for number in range(len(sizes))])


@pytest.mark.parametrize("n_parts", [1, 2, 7, 8, 9, 63, 64, 65, 200])
@pytest.mark.parametrize("group", [2, 4, 8])
def test_total_of_totals_of_groups_is_the_same_to_the_bit(n_parts: int, group: int) -> None:
    parts = np.random.default_rng(0).normal(size=(n_parts, 3)) * 10.0 ** np.arange(3)
    groups = [parts[start : start + group] for start in range(0, n_parts, group)]
    np.testing.assert_array_equal(total(map(total, groups)), total(parts))


def test_total_of_nothing_raises() -> None:
    with pytest.raises(IndexError):
        total([])


@dataclasses.dataclass
class Named:
    """Something that can be added, and says how it was."""

    name: str

    def __add__(self, other: "Named") -> "Named":
        return Named(f"({self.name} + {other.name})")


def paired(names: list[str]) -> str:
    """The sum of some names: the largest power of two of them, and the others."""
    if len(names) == 1:
        return names[0]
    half = 1
    while 2 * half < len(names):
        half *= 2
    return f"({paired(names[:half])} + {paired(names[half:])})"
