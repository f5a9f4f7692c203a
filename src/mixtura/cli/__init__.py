"""The command line, ``python -m mixtura``: arguments in, exit status out.

Exit status: 0 done, 1 the fit failed or nobody reads the output, 2 the arguments or the file are
wrong, 130 interrupted. An error is one line on the error stream; notes on how the file was
understood may stand above it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import mixtura
from mixtura.cli.demo import run_demo
from mixtura.cli.fitting import run_fit
from mixtura.cli.messages import (
    InputError,
    discard_output,
    prepare_streams,
    print_error,
    with_options,
)
from mixtura.cli.predicting import run_predict
from mixtura.data.missing import MISSING

__all__ = ["main"]

PROGRAM = "python -m mixtura"
TEXT_FILES = """\
text files: values between commas, semicolons, tabs or spaces, the same number in each line, in
UTF-8. A number is written as 12, -1.5, .5 or 1e-3. Decimal commas, as in 1,5, are read if
semicolons, tabs or spaces stand between the values. Empty, NA, N/A, NaN, null, none, ? and . are
missing. Missing values are refused, but for --missing em, and infinities are{except_for}.
Blank lines are skipped; in a file of one column, a missing value is written NA or "".
With --header auto the first line has names if there is text above all columns of numbers; if there
are only numbers it is data; a note says so. Otherwise --header must be given. A first column
without a name that counts the rows, or has no numbers, is left out; a note says so.
"""
FIT_EXAMPLES = f"""\
examples:
  {PROGRAM} fit geyser.csv -k 3
  {PROGRAM} fit iris.csv -k 3 --covariance tied --columns Petal.Length,Petal.Width
  {PROGRAM} fit crabs.csv -k 2 --columns ratio --weights count --out crabs
  {PROGRAM} fit points.npy -k 16 --covariance diag --seed 7

files written (an earlier one of the same name is replaced):
  model.npz             the mixture, for `{PROGRAM} predict` and mixtura.load
  summary.txt           the summary that is printed
  labels.csv            most probable component of each row, counted from 0
  responsibilities.csv  probability of each component given the row, a column for each component
  log_prob.csv          log-density of each row, in nats: low for outliers
  components.png        data and components (the first eight columns, where there are more)
  log_likelihood.png    log-likelihood against iteration

{TEXT_FILES.format(except_for=", except in rows of weight 0, whose label is then -1")}"""
PREDICT_EXAMPLES = f"""\
examples:
  {PROGRAM} predict mixtura-fit/model.npz new.csv --out new
  {PROGRAM} predict model.npz other.csv --columns 3,1

The columns are those with the names of the model's features. If the model or the file has no names,
or with --columns, they are taken by position, and a note says which for which.

files written (an earlier one of the same name is replaced):
  labels.csv            most probable component (or nearest center) of each row, counted from 0
  responsibilities.csv  probability of each component given the row; not for k-means
  log_prob.csv          log-density of each row, in nats: low for outliers; not for k-means

{TEXT_FILES.format(except_for="")}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status.
    """
    os.environ["MPLBACKEND"] = "Agg"  # pictures go to files; no window is ever opened
    prepare_streams()
    try:
        try:
            return _run(_parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has closed it, as `head` does
        discard_output()
        return 1
    except OSError as error:
        discard_output()
        return print_error(f"the output cannot be written: {error.strerror or error}", 1)


def _run(arguments: argparse.Namespace) -> int:
    try:
        with warnings.catch_warnings(record=True) as caught:
            COMMANDS[arguments.command](arguments)
        for warning in caught:
            print(f"mixtura: warning: {with_options(warning.message)}", file=sys.stderr)
    except InputError as error:
        return print_error(str(error), 2)
    except OSError as error:
        if error.filename is None:  # of a stream
            raise
        return print_error(f"{error.filename}: {error.strerror}", 2)
    except mixtura.FitError as error:
        return print_error(with_options(error), 1)
    except MemoryError as error:
        return print_error(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return print_error("interrupted", 130)
    return 0


def _demo(arguments: argparse.Namespace) -> None:
    run_demo(arguments.out, arguments.seed)


def _config(_: argparse.Namespace) -> None:
    for name, value in mixtura.build_config().items():
        print(f"{name}: {value}")


COMMANDS = {"demo": _demo, "fit": run_fit, "predict": run_predict, "config": _config}


class _OneLineParser(argparse.ArgumentParser):
    """A parser that does not print its usage above the error."""

    def error(self, message: str) -> NoReturn:
        self.exit(print_error(f"{message} (see {self.prog} --help)", 2))


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog=PROGRAM, description="Fit Gaussian mixtures to examples or to your data."
    )
    parser.add_argument("--version", action="version", version=f"mixtura {mixtura.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    demo = commands.add_parser(
        "demo",
        help="fit three classic data sets, print summaries, draw pictures",
        description="Fit Old Faithful, the Naples crabs of Weldon and Pearson, and birth weights.",
    )
    _add_out(demo, "mixtura-demo")
    _add_seed(demo)

    fit = commands.add_parser(
        "fit",
        help="fit a CSV, NPY or Parquet file",
        usage=f"{PROGRAM} fit FILE -k K [options]",
        description="Fit a Gaussian mixture to the rows of a file.",
        epilog=FIT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # for the rest the library has defaults
    )
    _add_file(fit)
    fit.add_argument(
        "-k",
        "--components",
        type=int,
        required=True,
        metavar="K",
        dest="n_components",
        help="number of components",
    )
    fit.add_argument(
        "--covariance",
        metavar="TYPE",
        dest="covariance_type",
        help="full, tied, diag, spherical, or EII, VII, ... VVV (default: full)",
    )
    fit.add_argument(
        "--weights",
        metavar="NAME",
        default=None,
        help="column with the number of times that each row was observed (default: once)",
    )
    _add_seed(fit)
    _add_out(fit, "mixtura-fit")
    fit.add_argument(
        "--n-init", type=int, metavar="N", help="effort of the search: number of starts"
    )
    fit.add_argument("--max-iter", type=int, metavar="N", help="largest number of iterations")
    fit.add_argument(
        "--tol",
        type=float,
        metavar="NATS",
        help="stop when the predicted remaining gain per row is below this",
    )
    fit.add_argument(
        "--reg-covar",
        type=float,
        metavar="SHARE",
        help="share of each column's variance added to the variances of the components",
    )
    fit.add_argument("--threads", type=int, metavar="N", dest="n_threads", help="number of threads")

    predict = commands.add_parser(
        "predict",
        help="assign the rows of a file to the components of a saved model",
        usage=f"{PROGRAM} predict MODEL FILE [options]",
        description="Assign the rows of a file to the components of a model that was saved.",
        epilog=PREDICT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("model", type=Path, metavar="MODEL", help="a .npz file of a model")
    _add_file(predict)
    _add_out(predict, "mixtura-predict")

    commands.add_parser("config", help="print how this copy of mixtura was built")
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a .csv, .tsv or .txt file of numbers; a .npy array with a row for each sample; or a "
        ".parquet file (needs pyarrow)",
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        default=None,
        help="columns to use, by name or by number counted from 1, separated by commas or spaces; "
        "a name with spaces in quotes (default: all)",
    )
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the first line of a text file has the names of the columns (default: auto)",
    )
    parser.add_argument(
        "--missing",
        choices=MISSING,
        default=argparse.SUPPRESS,
        help="refuse missing values, or use what is observed of each row: em (default: raise; "
        "predict does as a mixture was fitted)",
    )


def _add_out(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(default),
        metavar="FOLDER",
        help=f"folder to write to, made if it does not exist (default: {default})",
    )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected an integer, 0 or more; got {text}. Use 0.")
    return int(text)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="seed of the random starts; the same seed gives the same result (default: 0)",
    )
