"""The command ``demo``: three classic data sets fitted, summarised and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mixtura
from mixtura import datasets, plot
from mixtura.cli.output import save_picture

if TYPE_CHECKING:
    from mixtura.datasets import Dataset

__all__ = ["run_demo"]

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
Fits = dict[tuple[int, str], mixtura.GMMFit]


def run_demo(out: Path, seed: int) -> None:
    """Fit the data sets, print summaries and write pictures.

    Parameters
    ----------
    out : Path
        Folder for the pictures, made if it does not exist.
    seed : int
        Seed of the random starts.

    Raises
    ------
    OSError
        If a picture cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    faithful = datasets.load_faithful()
    crabs = datasets.load_naples_crabs()
    births = datasets.load_birthwt()

    print(_heading("Old Faithful: 272 eruptions and the waits that followed", faithful))
    fits = {
        (k, covariance_type): _fit(faithful, k, seed, covariance_type)
        for k in (2, 3, 4)
        for covariance_type in COVARIANCE_TYPES
    }
    bic = {key: fit.model.bic(faithful.data) for key, fit in fits.items()}
    best = min(bic, key=bic.__getitem__)
    print(_table("log-likelihood (nats)", {key: fit.log_likelihood for key, fit in fits.items()}))
    print(_table("BIC (lower is better)", bic, marked=best))
    print(f"The best BIC is that of {best[0]} components with {best[1]} covariance:\n")
    print(f"{fits[best].summary(faithful.feature_names)}\n")

    print(_heading("Naples crabs: 1000 crabs in 29 bins, weighted by their counts", crabs))
    crab_fit = _fit(crabs, 2, seed)
    print(f"{crab_fit.summary(crabs.feature_names)}\n")

    print(_heading("Birth weights: 189 children", births))
    # With variances of their own, one component sits on six rows that are nearly equal.
    birth_fit = _fit(births, 3, seed, "tied")
    print(f"{birth_fit.summary(births.feature_names)}\n")

    try:
        pictures = {
            "old_faithful": _scatter(fits[best], faithful),
            "old_faithful_bic": _curves(bic),
            "old_faithful_models": _all_scatters(fits, bic, faithful),
            "naples_crabs": _histogram(crab_fit, crabs),
            "birth_weights": _histogram(birth_fit, births),
            "log_likelihood": _histories(
                {
                    f"Old Faithful, {best[0]} components, {best[1]}": fits[best],
                    "Naples crabs, 2 components": crab_fit,
                    "Birth weights, 3 components, tied": birth_fit,
                }
            ),
        }
    except ImportError as error:
        print(f"no pictures: {error}")
        return
    for name, display in pictures.items():
        print(f"wrote {save_picture(display, out / f'{name}.png')}")


def _fit(
    dataset: Dataset, n_components: int, seed: int, covariance_type: str = "full"
) -> mixtura.GMMFit:
    return mixtura.fit_gmm(
        dataset.data,
        n_components,
        covariance_type=covariance_type,
        sample_weight=dataset.sample_weight,
        rng=seed,
    )


def _heading(title: str, dataset: Dataset) -> str:
    line = f"{title} ({dataset.source})"
    return f"{line}\n{'=' * len(line)}\n"


def _table(
    title: str, values: dict[tuple[int, str], float], marked: tuple[int, str] | None = None
) -> str:
    """Lay out a number for each number of components (rows) and covariance type (columns)."""
    lines = [title, "  components" + "".join(f"{name:>13}" for name in COVARIANCE_TYPES)]
    for k in dict.fromkeys(k for k, _ in values):
        cells = [
            f"{values[k, name]:>12.2f}{'*' if (k, name) == marked else ' '}"
            for name in COVARIANCE_TYPES
        ]
        lines.append(f"{k:>12}{''.join(cells)}".rstrip())
    return "\n".join(lines) + "\n"


def _scatter(fit: mixtura.GMMFit, dataset: Dataset) -> plot.ScatterDisplay:
    return plot.ScatterDisplay.from_fit(fit, dataset.data, feature_names=dataset.feature_names)


def _curves(bic: dict[tuple[int, str], float]) -> plot.CriterionDisplay:
    n_components = sorted({k for k, _ in bic})
    table = [[bic[k, name] for name in COVARIANCE_TYPES] for k in n_components]
    display = plot.CriterionDisplay(
        n_components=n_components, covariance_types=COVARIANCE_TYPES, table=table
    )
    return display.plot()


def _all_scatters(
    fits: Fits, bic: dict[tuple[int, str], float], dataset: Dataset
) -> plot.ScatterDisplay:
    """Draw each model in its own panel: components downwards, covariance types across."""
    axes = plot.new_axes(
        len(fits) // len(COVARIANCE_TYPES), len(COVARIANCE_TYPES), panel_size=(4.4, 3.4)
    )
    best = min(bic, key=bic.__getitem__)
    lowest, highest = dataset.data.min(axis=0), dataset.data.max(axis=0)
    margin = 0.15 * (highest - lowest)
    for ax, (key, fit) in zip(axes.flat, fits.items(), strict=True):
        display = plot.ScatterDisplay.from_fit(
            fit, dataset.data, feature_names=dataset.feature_names, ax=ax
        )
        # The same limits in all panels, so that they can be compared.
        ax.set_xlim(lowest[0] - margin[0], highest[0] + margin[0])
        ax.set_ylim(lowest[1] - margin[1], highest[1] + margin[1])
        ax.get_legend().remove()
        ax.set_title(
            f"{key[0]} components, {key[1]}: BIC {bic[key]:.1f}" + ", the lowest" * (key == best),
            fontweight="bold" if key == best else "normal",
        )
        ax.label_outer()
    return display


def _histogram(fit: mixtura.GMMFit, dataset: Dataset) -> plot.HistogramDisplay:
    return plot.HistogramDisplay.from_fit(
        fit,
        dataset.data,
        sample_weight=dataset.sample_weight,
        feature_names=dataset.feature_names,
    )


def _histories(fits: dict[str, mixtura.GMMFit]) -> plot.HistoryDisplay:
    """Draw each history in its own panel."""
    axes = plot.new_axes(1, len(fits), panel_size=(5.2, 4.0))
    for ax, (title, fit) in zip(axes.flat, fits.items(), strict=True):
        display = plot.HistoryDisplay.from_fit(fit, ax=ax)
        ax.set_title(title)
    return display
