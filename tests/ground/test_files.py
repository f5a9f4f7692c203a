"""Saved files: equal bits, whole or not at all, old ones still read, clear errors for bad ones."""

import dataclasses
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from hypothesis import given
from hypothesis import strategies as st

import mixtura
from mixtura import GaussianMixture, files, fit_gmm, fit_kmeans
from mixtura.covariance import FAMILIES, ONE_COLUMN

DATA = Path(__file__).parent.parent / "data"
X = clustered()[0]


def assert_same_bits(one: object, other: object, *, signed_zeros: bool = True) -> None:
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.flags.writeable) == (b.dtype, b.shape, b.flags.writeable)
            np.testing.assert_array_equal(a, b, err_msg=field.name)
            assert not signed_zeros or a.tobytes() == b.tobytes(), field.name
        elif isinstance(a, GaussianMixture):
            assert_same_bits(a, b, signed_zeros=signed_zeros)
        else:
            np.testing.assert_equal(b, a, err_msg=field.name)
            assert type(a) is type(b), field.name


def round_trip(thing: object, path: Path) -> object:
    thing.save(path)
    return mixtura.load(path)


@pytest.mark.parametrize("feature_names", [None, ("länge (cm)", "\ud800 <b>")])
@pytest.mark.parametrize("covariance_type", FAMILIES)
def test_mixture_comes_back_equal_to_the_bit(
    tmp_path: Path, covariance_type: str, feature_names: tuple[str, ...] | None
) -> None:
    d = 1 if covariance_type in ONE_COLUMN else 2
    fitted = fit_gmm(X[:, :d], 3, covariance_type=covariance_type, rng=0).model
    names = feature_names and feature_names[:d]
    model = GaussianMixture._of(covariance_type, fitted._parameters(), names)
    assert_same_bits(model, round_trip(model, tmp_path / "m.npz"))


def test_fit_comes_back_equal_to_the_bit_with_its_facts(tmp_path: Path) -> None:
    start = GaussianMixture([0.5, 0.5], [X[0], [1e4, 1e4]], [1.0, 1.0], "spherical")
    fit = fit_gmm(X, 2, covariance_type="spherical", init=start, on_collapse="drop")
    assert fit.events
    assert_same_bits(fit, round_trip(fit, tmp_path / "fit.npz"))
    unknown = dataclasses.replace(fit, log_likelihood=np.nan, entropy=np.nan)
    assert_same_bits(unknown, round_trip(unknown, tmp_path / "fit.npz"))


def test_kmeans_comes_back_equal_to_the_bit(tmp_path: Path) -> None:
    fit = fit_kmeans(X, 3, rng=0)
    assert_same_bits(fit, round_trip(fit, tmp_path / "k.npz"))
    named = dataclasses.replace(fit, feature_names=("a", "b"))
    assert_same_bits(named, round_trip(named, tmp_path / "k.npz"))


def test_subclass_is_saved_as_what_it_extends(tmp_path: Path) -> None:
    class Mine(GaussianMixture):
        pass

    loaded = round_trip(Mine([1.0], [[0.0]], [1.0], "spherical"), tmp_path / "m.npz")
    assert type(loaded) is GaussianMixture


def test_saved_class_owns_the_methods_of_its_private_bases_and_its_own_win(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {"save", "log_prob", "predict", "sample"} <= set(vars(GaussianMixture))
    monkeypatch.setattr(files, "KINDS", {})

    class _Private:
        def one(self) -> str:
            return "private"

        def two(self) -> str:
            return "private"

    class Public:
        def three(self) -> None: ...

    @files.saved_as("mine")
    class Mine(files.Saved, _Private, Public):
        def two(self) -> str:
            return "mine"

        def _contents(self) -> files.Contents:
            return files.Contents({}, {})

    assert vars(Mine).keys() >= {"save", "one", "two"}
    assert "three" not in vars(Mine)
    assert (Mine().one(), Mine().two()) == ("private", "mine")


def test_subclass_with_a_name_of_its_own_is_saved_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "KINDS", dict(files.KINDS))

    @files.saved_as("Mine")
    class Mine(GaussianMixture):
        pass

    loaded = round_trip(Mine([1.0], [[0.0]], [1.0], "spherical"), tmp_path / "m.npz")
    assert type(loaded) is Mine


def test_saved_file_is_read_by_numpy_without_pickle_and_says_what_it_is(tmp_path: Path) -> None:
    fit = fit_gmm(X, 3, rng=0)
    fit.save(tmp_path / "fit.npz")
    with np.load(tmp_path / "fit.npz", allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        np.testing.assert_array_equal(file["means"], fit.model.means)
    assert header["format"] == "mixtura"
    assert header["format_version"] == 1
    assert header["library_version"] == mixtura.__version__
    assert header["kind"] == "GMMFit"
    assert header["covariance_type"] == "full"
    assert header["log_likelihood"] == fit.log_likelihood


def made_for_the_files() -> dict[str, object]:
    """What the files of format version 1 in tests/data hold; made of numbers without rounding."""
    names = ["length", "größe"]
    weights, means = [0.25, 0.75], [[0.0, 1.5], [-2.0, 8.0]]
    matrix = [[4.0, 0.0], [0.0, 0.25]]
    models = {
        "full": GaussianMixture(weights, means, [matrix, np.eye(2)], feature_names=names),
        "tied": GaussianMixture(weights, means, matrix, "tied"),
        "diag": GaussianMixture(weights, means, [[4.0, 0.25], [1.0, 16.0]], "diag"),
        "spherical": GaussianMixture(weights, means, [4.0, 0.25], "spherical"),
    }
    fit = mixtura.GMMFit(
        models["full"], -12.5, np.array([-3.5, -3.25, -3.125]), 3, True, "converged",
        (mixtura.Event(2, 1, "empty", "reseeded"),), 4, 4.5, 0.0625,
    )  # fmt: skip
    kmeans = mixtura.KMeansFit(
        np.array(means), np.array([0, 1, 1, 0]), 2.5, 7, False, ("length", "größe")
    )
    return {**models, "fit": fit, "kmeans": kmeans}


@pytest.mark.parametrize("name", made_for_the_files())
def test_file_of_format_version_1_loads_for_ever(name: str) -> None:
    # Whoever factors the covariances decides how a zero is signed.
    loaded = mixtura.load(DATA / f"{name}-v1.npz")
    assert_same_bits(made_for_the_files()[name], loaded, signed_zeros=False)


def test_save_replaces_a_file_and_leaves_no_other(tmp_path: Path) -> None:
    one, other = (GaussianMixture([1.0], [[m]], [1.0], "spherical") for m in (0.0, 1.0))
    one.save(tmp_path / "m.npz")
    other.save(str(tmp_path / "m.npz"))
    assert mixtura.load(str(tmp_path / "m.npz")) == other
    (tmp_path / "link").symlink_to(tmp_path / "m.npz")
    one.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert mixtura.load(tmp_path / "m.npz") == one
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "m.npz"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failure_while_writing_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    model = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    model.save(tmp_path / "m.npz")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        GaussianMixture([1.0], [[1.0]], [1.0], "spherical").save(tmp_path / "m.npz")
    assert mixtura.load(tmp_path / "m.npz") == model
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]


def test_kill_at_any_moment_of_a_save_leaves_a_whole_file(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, mixtura\n"
        "d = 120\n"
        "models = [mixtura.GaussianMixture([1.0], np.full((1, d), m), np.eye(d), 'tied')"
        " for m in (0.0, 1.0)]\n"
        "i = 0\n"
        "while True:\n"
        "    models[i % 2].save(sys.argv[1]); i += 1\n"
        "    if i == 2: print('go', flush=True)\n"
    )
    path = tmp_path / "m.npz"
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        assert mixtura.load(path).means[0, 0] in (0.0, 1.0)


def header(**changes: object) -> dict[str, object]:
    facts = {
        "format": "mixtura", "format_version": 1, "library_version": "0.1.0",
        "kind": "GaussianMixture", "covariance_type": "spherical", "feature_names": None,
    }  # fmt: skip
    return {name: value for name, value in (facts | changes).items() if value is not ...}


ARRAYS = {
    "weights": np.array([0.5, 0.5]),
    "means": np.array([[0.0], [1.0]]),
    "covariances": np.array([1.0, 4.0]),
    "precisions_cholesky": np.array([1.0, 0.5]),
}


def npz(facts: object = None, save: Callable[..., None] = np.savez, **arrays: object) -> bytes:
    file = io.BytesIO()
    text = facts if isinstance(facts, str) else json.dumps(header() if facts is None else facts)
    members = {"header": np.array(text), **ARRAYS, **arrays}
    save(file, **{name: array for name, array in members.items() if array is not None})
    return file.getvalue()


class Trap:
    """A pickle that leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("sprung",)


def with_header_of_array(text: bytes, data: bytes = b"\0" * 16) -> bytes:
    """Return a file whose weights have this header."""
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data
    file = io.BytesIO(npz(weights=None))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("weights.npy", member)
    return file.getvalue()


FIT_FACTS = {
    "log_likelihood": -1.0, "converged": True, "stop_reason": "converged", "n_samples": 4,
    "weight_sum": 4.0, "entropy": 0.5, "events": [[1, 0, "empty", "kept"]],
}  # fmt: skip
KMEANS_FACTS = {"inertia": 1.0, "n_iter": 3, "converged": True}


def fit_file(**changes: object) -> bytes:
    return npz(header(kind="GMMFit", **(FIT_FACTS | changes)), history=np.array([-1.0]))


def kmeans_file(labels: object = (0, 1), **changes: object) -> bytes:
    arrays = {"centers": ARRAYS["means"], "labels": np.array(labels)}
    return npz(header(kind="KMeansFit", **(KMEANS_FACTS | changes)), **arrays)


def full_file(covariances: list[object], **changes: object) -> bytes:
    """Return the file of a mixture with two features, whose factors are those of unit matrices."""
    arrays = {"means": np.zeros((2, 2)), "precisions_cholesky": np.array([np.eye(2)] * 2)}
    facts = header(**({"covariance_type": "full"} | changes))
    return npz(facts, covariances=np.array(covariances, dtype=float), **arrays)


EYE = [[1, 0], [0, 1]]
NO_INVERSE = "covariances must be positive definite and fit precisions_cholesky: U.T @ covariance"
PLAIN = b"{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
NO_ARRAY = "a member is not a plain array of numbers or strings"
GOOD = npz()
BAD = {
    "empty": (b"", "File is not a zip file"),
    "text": (b"weights,means\n1,2\n", "File is not a zip file"),
    "cut short": (GOOD[:-10], "File is not a zip file"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "File is not a zip file"),
    "a bit flipped": (GOOD.replace(b"\0\0\xf0?", b"\0\0\xf1?", 1), "Bad CRC-32"),
    "pickle": (pickle.dumps(Trap()), "File is not a zip file"),
    "header no JSON": (npz("{"), "Expecting property name"),
    "header of another program": (npz(header(format="other")), "its format is 'other'"),
    "header no object": (npz("[1, 2]"), ""),
    "header of no characters": (
        npz(header=np.array([0x110000], np.uint32).view("U1").reshape(())),
        "a string in it has characters that are none",
    ),
    "header deep": (npz("[" * 100_000), ""),
    "header without kind": (npz(header(kind=...)), "'kind'"),
    "version below one": (npz(header(format_version=-1)), "its format_version is -1"),
    "factors whose squares overflow": (
        npz(precisions_cholesky=np.full(2, 1e300)), f"{NO_INVERSE} @ U must be the identity",
    ),
    "version no number": (npz(header(format_version="1")), "its format_version is '1'"),
    "objects": (npz(weights=np.array([Trap(), None])), NO_ARRAY),
    "records": (npz(weights=np.zeros(2, "f8,f8")), NO_ARRAY),
    "compressed": (npz(save=np.savez_compressed), "its member 'header.npy' is compressed"),
    "weights missing": (npz(weights=None), "'weights'"),
    "weights of another length": (
        npz(weights=np.ones(1)),
        "its weights should be float64 of shape (2,) and are float64 of shape (1,)",
    ),
    "weights whole numbers": (npz(weights=np.array([1, 0])), "and are int64 of shape (2,)"),
    "weights that are nan": (npz(weights=np.full(2, np.nan)), "its weights are not finite"),
    "weights that sum to two": (npz(weights=np.ones(2)), "weights must sum to one"),
    "no means": (npz(means=np.zeros((0, 1))), "means must have shape"),
    "factors below zero": (
        npz(precisions_cholesky=np.array([1.0, -0.5])),
        "precisions_cholesky must be positive on the diagonal",
    ),
    "covariances below zero": (
        npz(covariances=np.array([1.0, -4.0])),
        f"{NO_INVERSE} @ U must be the identity; for component 1 it is off by 2. Set both, or make",
    ),
    "covariances of zero": (npz(covariances=np.zeros(2)), f"{NO_INVERSE} @ U must be the identity"),
    "covariances of other factors": (npz(covariances=np.array([1.0, 9.0])), "it is off by 1.2. S"),
    "matrices not positive definite": (full_file([EYE, [[1, 2], [2, 1]]]), "it is off by 2. Set"),
    "matrices that are zero": (full_file([EYE, [[0, 0], [0, 0]]]), "component 1 it is off by nan"),
    "matrices not symmetric": (
        full_file([EYE, [[1, 0.5], [0, 1]]]), "covariances must be symmetric; row 0, column 1 of",
    ),
    "a matrix for all that does not fit": (
        npz(
            header(covariance_type="tied"), means=np.zeros((2, 2)),
            covariances=np.diag([1.0, 2.0]), precisions_cholesky=np.eye(2),
        ),
        "for the covariance that all share it is off by 1. Set both",
    ),
    "matrices of another family": (
        npz(
            header(covariance_type="EII"), covariances=np.array([1.0, 4.0]),
        ),
        "covariances must be of covariance_type 'EII'; that of component",
    ),
    "a fit that ended for no reason": (
        fit_file(stop_reason="tired"), "its stop_reason is 'tired' and its converged True",
    ),
    "a fit that converged and did not": (
        fit_file(converged=False), "its stop_reason is 'converged' and its converged False",
    ),
    "a fit of rows below zero": (fit_file(n_samples=-1), "its n_samples is -1"),
    "a fit of no weight": (fit_file(weight_sum=0.0), "its weight_sum is 0.0"),
    "a fit with an event of another kind": (
        fit_file(events=[[1, 0, "bored", "kept"]]), "an event in it is [1, 0, 'bored', 'kept']",
    ),
    "a fit with half an event": (fit_file(events=[[1, 0]]), "not enough values to unpack"),
    "k-means with a label too many": (
        kmeans_file([0, 2]), "labels must lie between 0 and 1, or be -1 for none; row 1 has 2",
    ),
    "k-means with inertia below zero": (kmeans_file(inertia=-1.0), "its inertia is -1.0"),
    "k-means that iterated backwards": (kmeans_file(n_iter=-3), "its n_iter is -3"),
    "covariance type unknown": (npz(header(covariance_type="round")), "'round'"),
    "names too many": (npz(header(feature_names=["a", "b"])), "its feature_names are ['a', 'b']"),
    "names no words": (npz(header(feature_names=[1])), "its feature_names are [1]"),
    "a fit without facts": (npz(header(kind="GMMFit")), "'stop_reason'"),
    "a header that claims 8 TB": (
        with_header_of_array(PLAIN % b"(10**12,)"),
        "",
    ),
    "a shape that claims 8 TB": (
        with_header_of_array(PLAIN % b"(1000000000000,)"),
        "should have shape (1000000000000,) and has another size",
    ),
    "a shape below zero": (
        with_header_of_array(PLAIN % b"(-1, -2)"),
        "",
    ),
    "a shape of code": (
        with_header_of_array(PLAIN % b"__import__('os').mkdir('sprung')"),
        "",
    ),
    "a header too deep": (with_header_of_array(b"(" * 5000), ""),
    "too many members": (
        npz(**{f"a{i}": np.zeros(0) for i in range(10_000)}),
        "it has 10005 members, more than 10000",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD)
def test_bad_file_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.npz").write_bytes(data)
    tracemalloc.start()
    message = (
        f"^m.npz must be a complete file written by mixtura; it is damaged or from another "
        f"program: .*{re.escape(why)}"
    )
    with pytest.raises(ValueError, match=f"(?s){message}.* Pass a file that `save` wrote\\.$"):
        mixtura.load("m.npz")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]


def test_good_files_of_these_facts_load(tmp_path: Path) -> None:
    for name, data in (("fit", fit_file()), ("kmeans", kmeans_file()), ("m", full_file([EYE] * 2))):
        (tmp_path / name).write_bytes(data)
        assert mixtura.load(tmp_path / name) is not None


@pytest.mark.parametrize("covariance_type", ["full", "tied", "EEV"])
def test_nearly_singular_mixture_in_mixed_units_loads(tmp_path: Path, covariance_type: str) -> None:
    units = np.array([1e-80, 1.0, 1e80])
    root = np.array([[1.0, 1.0, 1.0], [0.0, 1e-6, 1.0], [0.0, 0.0, 1e-1]]) * units
    matrix = root.T @ root
    means = np.zeros((1 if covariance_type == "EEV" else 2, 3))
    covariances = matrix if covariance_type == "tied" else [matrix] * len(means)
    weights = np.ones(len(means)) / len(means)
    model = GaussianMixture(weights, means, covariances, covariance_type)
    inverse = model.precisions_cholesky @ model.precisions_cholesky.swapaxes(-1, -2)
    assert (inverse * matrix)[..., range(3), range(3)].max() > 1e11  # a variance inflation
    assert_same_bits(model, round_trip(model, tmp_path / "m.npz"))


def test_good_file_of_these_arrays_loads(tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(GOOD)
    assert mixtura.load(tmp_path / "m.npz").covariances.tolist() == [1.0, 4.0]


def test_bomb_is_refused_before_it_swells(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"\0" * 200_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"its member 'header\.npy' is compressed"):
        mixtura.load(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_newer_file_says_to_upgrade(tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(npz(header(format_version=2, library_version="9.0")))
    message = (
        f"m.npz must be of format version 1 or earlier; it is of version 2, written by mixtura "
        f"9.0. Upgrade mixtura, which is {mixtura.__version__} here."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        mixtura.load(tmp_path / "m.npz")


def test_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(npz(header(kind="checkpoint")))
    with pytest.raises(ValueError, match=r"hold one of GaussianMixture, .* holds 'checkpoint'"):
        mixtura.load(tmp_path / "m.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_file_of_somebody_else_is_named_with_its_arrays(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    save(tmp_path / "m.npz", **{name: np.zeros(2) for name in "abcdefgh"})
    message = (
        f"{tmp_path / 'm.npz'} must be a file written by mixtura; it is an archive of a.npy, "
        f"b.npy, c.npy, d.npy, e.npy and 3 more, without a header of mixtura. Open it with the "
        f"program that wrote it, or with numpy.load."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        mixtura.load(tmp_path / "m.npz")
    assert type(caught.value) is ValueError
    assert caught.value.__suppress_context__


def test_missing_file_is_the_error_of_the_system_with_the_path_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    model = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: 'm\.npz'$"):
        mixtura.load("m.npz")
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: 'no/m\.npz'$"):
        model.save("no/m.npz")
    with pytest.raises(IsADirectoryError, match=r"Is a directory: 'folder'$"):
        model.save(Path("folder"))
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")
def test_save_keeps_the_mode_of_the_file_that_it_replaces(tmp_path: Path) -> None:
    path, model = tmp_path / "m.npz", GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    before = os.umask(0o022)
    try:
        model.save(path)
        assert path.stat().st_mode & 0o777 == 0o644
        for mode in (0o600, 0o640, 0o666):
            path.chmod(mode)
            model.save(path)
            assert path.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")
def test_secret_file_is_never_readable_while_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = tmp_path / "m.npz", GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    model.save(path)
    path.chmod(0o600)
    modes: list[int] = []

    def savez(file: io.BufferedWriter, **_: object) -> None:
        modes.append(os.fstat(file.fileno()).st_mode & 0o777)

    monkeypatch.setattr(np, "savez", savez)
    model.save(path)
    assert modes == [0o600]


@pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")
def test_pipe_is_neither_replaced_nor_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    message = (
        f"{path} must be an ordinary file or a new name; it is a pipe, a device or another special "
        f"file. Name another one."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        GaussianMixture([1.0], [[0.0]], [1.0], "spherical").save(path)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mixtura.load(path)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_gmm(X, 2, checkpoint=path)
    assert path.is_fifo()


@given(st.data())
def test_damaged_bytes_load_as_what_was_saved_or_not_at_all(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(GOOD))) or None]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.npz"
        file.write_bytes(damaged)
        try:
            loaded = mixtura.load(file)
        except ValueError:
            return
    assert loaded.means.shape[1] == 1


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (3, TypeError, r"^path must be the name of a file; got 3 \(int\)\. Pass a string or"),
        ("", ValueError, r"^path must be the name of a file; got ''\. Pass one, such as"),
    ],
)
def test_path_that_is_no_name_is_refused(path: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GaussianMixture([1.0], [[0.0]], [1.0], "spherical").save(path)
    with pytest.raises(error, match=message):
        mixtura.load(path)
