"""What the scripts of this folder share: arguments, data, runs that outlive an interruption, tables with versions."""

import argparse
import csv
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
import torch
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.datasets import load_digits

import sklearn_gfs
from sklearn_gfs import ScalingFit

_START = time.monotonic()
# Lines differ by dash and marker as well as by colour. The colours are those of Okabe and Ito.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


class Data(NamedTuple):
    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def parse_arguments(description, **more):
    """Return the arguments of all scripts, and those of one script: names, and what argparse is told of them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SKLEARN_GFS_MNIST"),
        help="MNIST as an npz file in Keras' layout; without it, and without SKLEARN_GFS_MNIST, the digits",
    )
    parser.add_argument("--fast", action="store_true", help="the digits and a small grid, whatever --data says")
    parser.add_argument("--seeds", type=int, help="number of seeds, instead of the script's")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for figures, tables and finished runs, which are not repeated; without it none are kept",
    )
    parser.add_argument(
        "--stop-after", type=float, metavar="MINUTES", default=np.inf, help="begin no run later; use what is finished"
    )
    for name, settings in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    arguments = parser.parse_args()
    arguments.fast = arguments.fast or arguments.data is None
    return arguments


def load(arguments):
    """Return the data in float32, scaled to [0, 1]."""
    if arguments.fast:
        X, y = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(X))
        X, y, name = X[order] / 16, y[order], "digits"
        X_train, X_test, y_train, y_test = X[450:], X[:450], y[450:], y[:450]
    else:
        with np.load(arguments.data) as file:
            X_train, X_test = (file[part].reshape(len(file[part]), -1) / 255 for part in ("x_train", "x_test"))
            y_train, y_test, name = file["y_train"], file["y_test"], "MNIST"
    return Data(name, X_train.astype(np.float32), y_train, X_test.astype(np.float32), y_test)


def shuffled(data, seed):
    """Return the training samples' numbers, shuffled with the seed."""
    return np.random.default_rng(seed).permutation(len(data.X_train))


def subset(data, n_samples, seed):
    """Return training samples drawn with the seed; those of a smaller number are among those of a larger one."""
    rows = shuffled(data, seed)[:n_samples]
    return data.X_train[rows], data.y_train[rows]


def finished_runs(arguments, keys, run):
    """
    Return the rows of each run, by key, in the order of the keys; a run takes the parts of its key.

    With ``--out`` every run is kept in a file of its own as soon as it is finished, and one that is there is not
    repeated. Runs that ``--stop-after`` leaves no time for are missing.
    """
    return finished_groups(arguments, [[key] for key in keys], lambda group: {group[0]: run(*group[0])})


def finished_groups(arguments, groups, run):
    """Do the same for groups of keys; ``run`` takes those of a group that are missing and returns the rows of each."""
    finished = {}
    for group in groups:
        files = {key: _file_of(arguments, key) for key in group}
        there = [key for key in group if files[key] and files[key].exists()]
        finished |= {key: read_table(files[key]) for key in there}
        missing = [key for key in group if key not in finished]
        if missing and time.monotonic() - _START < 60 * arguments.stop_after:
            start = time.process_time(), time.monotonic()
            made = {key: list(rows) for key, rows in run(missing).items()}
            for key, rows in made.items():
                if files[key]:
                    _write(files[key], rows, {made_by()})
            finished |= made
            name = ", ".join(str(part) for part in missing[0]) + (
                f" and {len(missing) - 1} more" if missing[1:] else ""
            )
            seconds = f"{time.process_time() - start[0]:.0f} s of processors, {time.monotonic() - start[1]:.0f} s"
            print(f"{name}: {seconds}", flush=True)
    keys = [key for group in groups for key in group]
    print(f"{len(finished)} of {len(keys)} runs are finished")
    return {key: finished[key] for key in keys if key in finished}


def _file_of(arguments, key):
    """Return where a run is kept, None where none are."""
    return arguments.out and arguments.out / "runs" / f"{'_'.join(str(part) for part in key).replace(' ', '-')}.csv"


def grid(last):
    """Return 0 and numbers of iterations that grow by the root of 2, from 256 on by 2."""
    steps = [*range(2, 17), *range(18, 40, 2)]
    return [0, *(round(2 ** (step / 2)) for step in steps if 2 ** (step / 2) <= last)]


def crossing(iterations, accuracies, goal):
    """Return where a goal is first reached, NaN where it never is: linearly in the logarithm of the iterations."""
    if not (accuracies >= goal).any():
        return np.nan
    after = int(np.argmax(accuracies >= goal))
    if after == 0:
        return 0.0
    share = (goal - accuracies[after - 1]) / (accuracies[after] - accuracies[after - 1])
    low, high = np.log1p(iterations[after - 1]), np.log1p(iterations[after])
    return float(np.expm1(low + share * (high - low)))


def laws(n_samples, thresholds, beyond=None):
    """
    Return the fit of each law with coefficients of its own, and a row of the table for each law.

    ``beyond`` are the last iterations of runs that did not reach the goal, whose thresholds are NaN.
    """
    beyond = np.full(len(thresholds), np.nan) if beyond is None else beyond
    known, censored = np.isfinite(thresholds), np.isnan(thresholds) & np.isfinite(beyond)
    fits = {law: ScalingFit.from_thresholds(law, n_samples, thresholds, beyond) for law in ("log", "power")}
    rows = []
    for law in (*fits, "constant"):
        fit = fits.get(law)
        if fit is None:
            first = thresholds[known].mean()
            if censored.any():
                value = minimize_scalar(
                    lambda level: _misfit(thresholds[known], level, beyond[censored], level), (first, 2 * first)
                )
                first = value.x
            numbers = {"first": first, "second": "", "second_low": "", "second_high": "", "r2": 0.0}
            predicted = np.full(len(n_samples), first)
        else:
            names = ("first", "second", "second_low", "second_high", "r2")
            numbers = dict(zip(names, (*fit.coef, fit.low[1], fit.high[1], fit.r2), strict=True))
            predicted = fit.predict(n_samples)
        n_coefficients = 2 if fit is None else 3  # the variance is one of them
        misfit = _misfit(thresholds[known], predicted[known], beyond[censored], predicted[censored])
        row = {"law": law, "n_thresholds": int(known.sum()), "n_beyond": int(censored.sum())}
        row["aic"] = round(2 * misfit - known.sum() + 2 * n_coefficients, 2)
        rows.append(row | {name: number if number == "" else f"{number:.4g}" for name, number in numbers.items()})
    return fits, rows


def _misfit(thresholds, predicted, beyond, predicted_beyond):
    """Return minus the logarithm of the likelihood at the best deviation, without a constant."""
    errors = thresholds - predicted
    least = np.sqrt(np.mean(errors**2))
    if not len(beyond):
        return len(errors) * (np.log(least) + 0.5)

    def at(log_deviation):
        deviation = np.exp(log_deviation)
        unlikely = -norm.logcdf((predicted_beyond - beyond) / deviation).sum()
        return 0.5 * np.sum((errors / deviation) ** 2) + len(errors) * log_deviation + unlikely

    return minimize_scalar(at, bounds=(np.log(least) - 3, np.log(least) + 5), method="bounded").fun


def made_by():
    versions = {"sklearn-gfs": sklearn_gfs, "scikit-learn": sklearn, "torch": torch, "numpy": np}
    packages = ", ".join(f"{package} {module.__version__}" for package, module in versions.items())
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"# {packages}, Python {platform.python_version()}, threads: {torch.get_num_threads()}{gpu}"


def read_table(file):
    with file.open(encoding="utf-8") as lines:
        table = csv.DictReader(line for line in lines if not line.startswith("#"))
        return [{name: _value(text) for name, text in row.items()} for row in table]


def _value(text):
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def write_table(arguments, name, rows):
    """Write rows, which are dictionaries with the same keys, as CSV below the versions that made them."""
    if arguments.out is not None and rows:
        runs = (arguments.out / "runs").glob("*.csv")
        stamps = {file.read_text(encoding="utf-8").splitlines()[0] for file in runs} or {made_by()}
        _write(arguments.out / f"paper_{name}.csv", rows, stamps)


def _write(file, rows, stamps):
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("w", newline="", encoding="utf-8") as target:
        target.writelines(f"{stamp}\n" for stamp in sorted(stamps))
        table = csv.DictWriter(target, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    unfinished.replace(file)


def save_figure(arguments, name, figure):
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        file = arguments.out / f"paper_{name}.png"
        figure.savefig(file, dpi=100)
        with Image.open(file) as picture:
            reduced = picture.convert("RGB").quantize(96)
        reduced.save(file, optimize=True)  # a third of the size
