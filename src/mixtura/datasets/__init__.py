"""Small real data sets, each in a CSV file beside this one.

Each call of a loader returns a new `Dataset`, whose arrays you can change.

>>> from mixtura import datasets
>>> faithful = datasets.load_faithful()
>>> faithful
Dataset('faithful': 272 rows, 2 features)
>>> faithful.feature_names
('eruption duration (min)', 'waiting time (min)')
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Dataset",
    "load_acidity",
    "load_banknote",
    "load_birthwt",
    "load_diabetes_reaven_miller",
    "load_faithful",
    "load_galaxies",
    "load_iris",
    "load_naples_crabs",
    "load_thyroid",
]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set: rows, names of the columns, and labels or weights of the rows.

    Parameters
    ----------
    name : str
        Short name, the name of its file.
    data : ndarray of shape (n_samples, n_features), float64
        One observation in each row, in the units given in `feature_names`.
    feature_names : tuple of str
        Name of each column, with its unit in parentheses where it has one.
    source : str
        Where the data were first published.
    labels : ndarray of shape (n_samples,), int64, or None
        Known class of each row, an index into `label_names`; None where no class is known. They
        can be used as ``fit_gmm(..., init=labels)``.
    label_names : tuple of str
        Names of the classes, in the order in which they first occur; empty without labels.
    sample_weight : ndarray of shape (n_samples,), float64, or None
        Number of times that each row was observed; None where all were observed once.
    edges : ndarray of shape (n_samples + 1,), float64, or None
        Edges of the bins whose middles the rows are, for `mixtura.fit_binned`; None where the rows
        are no middles of bins.

    Examples
    --------
    >>> import mixtura
    >>> iris = mixtura.datasets.load_iris()
    >>> iris.data.shape, iris.label_names
    ((150, 4), ('setosa', 'versicolor', 'virginica'))
    """

    name: str
    data: NDArray[np.float64]
    feature_names: tuple[str, ...]
    source: str
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    sample_weight: NDArray[np.float64] | None = None
    edges: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """Name and size, not the numbers."""
        n_samples, n_features = self.data.shape
        plural = "s" if n_features > 1 else ""
        return f"Dataset({self.name!r}: {n_samples} rows, {n_features} feature{plural})"


def load_faithful() -> Dataset:
    """Old Faithful: durations of eruptions, and waiting times to the next ones.

    Returns
    -------
    Dataset
        `data` (272, 2): eruption duration and waiting time, both in minutes.

    References
    ----------
    Azzalini and Bowman (1990). A look at some data on the Old Faithful geyser. Applied Statistics
    39, 357-365.

    Examples
    --------
    >>> from mixtura.datasets import load_faithful
    >>> dataset = load_faithful()
    >>> dataset.data.shape, dataset.feature_names
    ((272, 2), ('eruption duration (min)', 'waiting time (min)'))
    """
    return _load(
        "faithful",
        {"eruptions": "eruption duration (min)", "waiting": "waiting time (min)"},
        source="Azzalini and Bowman 1990",
    )


def load_naples_crabs() -> Dataset:
    """Forehead breadths of 1000 shore crabs of Naples, grouped: the first mixture ever fitted.

    Returns
    -------
    Dataset
        `data` (29, 1): middle of each bin of forehead breadth / body length, dimensionless, bins
        0.004 wide; `sample_weight` (29,): number of crabs in the bin, 1000 in all (one bin has
        none); `edges` (30,) of the bins.

    References
    ----------
    Weldon (1893). On certain correlated variations in Carcinus moenas. Proceedings of the Royal
    Society of London 54, 318-329.
    Pearson (1894). Contributions to the mathematical theory of evolution. Philosophical
    Transactions of the Royal Society of London A 185, 71-110.

    Examples
    --------
    >>> from mixtura.datasets import load_naples_crabs
    >>> dataset = load_naples_crabs()
    >>> dataset.data.shape, dataset.feature_names
    ((29, 1), ('forehead breadth / body length',))
    """
    return _load(
        "naples_crabs",
        {"ratio": "forehead breadth / body length"},
        source="Weldon 1893; Pearson 1894",
        weight_column="count",
        bin_width=0.004,
    )


def load_birthwt() -> Dataset:
    """Birth weights of 189 children.

    Returns
    -------
    Dataset
        `data` (189, 1): birth weight in grams. The file also holds covariates of the mothers,
        which are not loaded.

    References
    ----------
    Hosmer and Lemeshow (1989). Applied Logistic Regression. Wiley.

    Examples
    --------
    >>> from mixtura.datasets import load_birthwt
    >>> dataset = load_birthwt()
    >>> dataset.data.shape, dataset.feature_names
    ((189, 1), ('birth weight (g)',))
    """
    return _load("birthwt", {"bwt": "birth weight (g)"}, source="Hosmer and Lemeshow 1989")


def load_iris() -> Dataset:
    """Anderson's irises: four lengths of 150 flowers of three species (the values R ships).

    Returns
    -------
    Dataset
        `data` (150, 4): length and width of sepals and petals in centimetres; `labels`: setosa,
        versicolor, virginica, 50 of each.

    References
    ----------
    Anderson (1935). The irises of the Gaspe Peninsula. Bulletin of the American Iris Society 59,
    2-5.
    Fisher (1936). The use of multiple measurements in taxonomic problems. Annals of Eugenics 7,
    179-188.

    Examples
    --------
    >>> from mixtura.datasets import load_iris
    >>> dataset = load_iris()
    >>> dataset.data.shape, dataset.feature_names
    ((150, 4), ('sepal length (cm)', 'sepal width (cm)', 'petal length (cm)', 'petal width (cm)'))
    """
    return _load(
        "iris",
        {
            "Sepal.Length": "sepal length (cm)",
            "Sepal.Width": "sepal width (cm)",
            "Petal.Length": "petal length (cm)",
            "Petal.Width": "petal width (cm)",
        },
        source="Anderson 1935; Fisher 1936",
        label_column="Species",
    )


def load_galaxies() -> Dataset:
    """Velocities of 82 galaxies in the region of Corona Borealis.

    Returns
    -------
    Dataset
        `data` (82, 1): velocity in km/s. Row 77 is 26690 as in R; Roeder prints 26960.

    References
    ----------
    Roeder (1990). Density estimation with confidence sets exemplified by superclusters and voids
    in the galaxies. Journal of the American Statistical Association 85, 617-624.

    Examples
    --------
    >>> from mixtura.datasets import load_galaxies
    >>> dataset = load_galaxies()
    >>> dataset.data.shape, dataset.feature_names
    ((82, 1), ('velocity (km/s)',))
    """
    return _load("galaxies", {"velocity": "velocity (km/s)"}, source="Roeder 1990")


def load_acidity() -> Dataset:
    """Acid-neutralizing capacity of 155 lakes, on a logarithmic scale.

    Returns
    -------
    Dataset
        `data` (155, 1): logarithm of the capacity, dimensionless.

    References
    ----------
    Crawford (1994). An application of the Laplace method to finite mixture distributions. Journal
    of the American Statistical Association 89, 259-267.

    Examples
    --------
    >>> from mixtura.datasets import load_acidity
    >>> dataset = load_acidity()
    >>> dataset.data.shape, dataset.feature_names
    ((155, 1), ('log acid-neutralizing capacity',))
    """
    return _load("acidity", {"log_anc": "log acid-neutralizing capacity"}, source="Crawford 1994")


def load_thyroid() -> Dataset:
    """Five laboratory tests of the thyroid on 215 patients in three clinical classes.

    Returns
    -------
    Dataset
        `data` (215, 5): T3 resin uptake in percent, total serum thyroxin, total serum
        triiodothyronine, basal thyroid-stimulating hormone (TSH), and the largest change of TSH
        after an injection of thyrotropin-releasing hormone, the last four in the units of the
        source; `labels`: clinical class.

    References
    ----------
    Coomans, Broeckaert, Jonckheer and Massart (1983). Comparison of multivariate discriminant
    techniques for clinical data: application to the thyroid functional state. Methods of
    Information in Medicine 22, 93-101.

    Examples
    --------
    >>> from mixtura.datasets import load_thyroid
    >>> dataset = load_thyroid()
    >>> dataset.data.shape, dataset.feature_names
    ((215, 5), ('T3 resin uptake (%)', 'thyroxin', 'triiodothyronine', 'TSH', 'change of TSH'))
    """
    return _load(
        "thyroid",
        {
            "RT3U": "T3 resin uptake (%)",
            "T4": "thyroxin",
            "T3": "triiodothyronine",
            "TSH": "TSH",
            "DTSH": "change of TSH",
        },
        source="Coomans, Broeckaert, Jonckheer and Massart 1983",
        label_column="Diagnosis",
    )


def load_banknote() -> Dataset:
    """Six lengths of 200 old Swiss 1000-franc notes, half of them forged.

    Returns
    -------
    Dataset
        `data` (200, 6): length, width at the left and at the right edge, bottom and top margin,
        and diagonal of the image, in millimetres; `labels`: genuine, counterfeit, 100 of each.

    References
    ----------
    Flury and Riedwyl (1988). Multivariate Statistics: A Practical Approach. Chapman and Hall.

    Examples
    --------
    >>> from mixtura.datasets import load_banknote
    >>> dataset = load_banknote()
    >>> dataset.data.shape, dataset.feature_names
    ((200, 6), ('length (mm)', 'left width (mm)', ..., 'diagonal (mm)'))
    """
    return _load(
        "banknote",
        {
            "Length": "length (mm)",
            "Left": "left width (mm)",
            "Right": "right width (mm)",
            "Bottom": "bottom margin (mm)",
            "Top": "top margin (mm)",
            "Diagonal": "diagonal (mm)",
        },
        source="Flury and Riedwyl 1988",
        label_column="Status",
    )


def load_diabetes_reaven_miller() -> Dataset:
    """Glucose and insulin of 145 adults in three clinical classes (the version mclust 6.0 ships).

    Returns
    -------
    Dataset
        `data` (145, 3): fasting plasma glucose, and the areas under the curves of plasma glucose
        and insulin after a meal of glucose, in the units of the source; `labels`: clinical class.
        mclust names these columns glucose, insulin and sspg; Andrews and Herzberg have the right
        names.

    References
    ----------
    Reaven and Miller (1979). An attempt to define the nature of chemical diabetes using a
    multidimensional analysis. Diabetologia 16, 17-24.

    Andrews and Herzberg (1985). Data: a collection of problems from many fields for the student and
    research worker. Springer, table 36.

    Examples
    --------
    >>> from mixtura.datasets import load_diabetes_reaven_miller
    >>> dataset = load_diabetes_reaven_miller()
    >>> dataset.data.shape, dataset.feature_names
    ((145, 3), ('fasting glucose', 'glucose area', 'insulin area'))
    """
    return _load(
        "diabetes_reaven_miller",
        {"glucose": "fasting glucose", "insulin": "glucose area", "sspg": "insulin area"},
        source="Reaven and Miller 1979",
        label_column="class",
    )


def _load(
    name: str,
    features: dict[str, str],
    *,
    source: str,
    label_column: str | None = None,
    weight_column: str | None = None,
    bin_width: float | None = None,
) -> Dataset:
    """Read one file; `features` maps its columns to names of features."""
    file = resources.files(__name__).joinpath(f"{name}.csv")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))

    def numbers(column: str) -> NDArray[np.float64]:
        return np.array([float(row[column]) for row in rows])

    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    if label_column is not None:
        classes = [row[label_column] for row in rows]
        label_names = tuple(dict.fromkeys(classes))
        labels = np.array([label_names.index(each) for each in classes], dtype=np.int64)
    data = np.column_stack([numbers(column) for column in features])
    edges: NDArray[np.float64] | None = None
    if bin_width is not None:  # rounded: the file has four decimals, and so have edges
        middles, half = data[:, 0], 0.5 * bin_width
        edges = np.round(np.append(middles - half, middles[-1] + half), 4)
    return Dataset(
        name=name,
        data=data,
        feature_names=tuple(features.values()),
        source=source,
        labels=labels,
        label_names=label_names,
        sample_weight=None if weight_column is None else numbers(weight_column),
        edges=edges,
    )
