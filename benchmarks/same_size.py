"""
The claim: at equal size, the pruned network is the best, whatever the data.

Default parameters, 5 x 2 repeated splits. Writes docs/benchmarks/same_size.md. MNIST takes part where --data or
SKLEARN_GFS_MNIST names its npz file. With --out, finished fits are kept and not repeated, and the table covers what is
finished; other packages' rows come from _rivals.py with the same --out.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
import warnings
from contextlib import contextmanager
from unittest import mock

import numpy as np
from _common import publish, table, versions
from _quality import BATCH, Rows, epochs_within, halves, load_all, paired, quality, standardised_mlp
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs import GreedyPath, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._candidates import uncorrected
from sklearn_gfs.mlp._inner_products import InnerProducts
from sklearn_gfs.mlp._searches import SearchByGradient
from sklearn_gfs.network._training import Training

K = 50
# Numbers of pre-training iterations among which the best is looked for afterwards, beside the default, "auto".
FIXED = (10, 30, 100, 300, 1000, 3000)
# Largest number of iterations times features for which the number of pre-training iterations is varied.
MOST_WORK = 1e6
LOSSES = ("squared_error", "log_loss")
OTHER_LOSS = next(loss for loss in LOSSES if loss != GreedyPrunedMLPClassifier().loss)
OTHER, MLP, SAME = f"pruned, {OTHER_LOSS}", "MLP", "MLP, same seconds"
MAGNITUDE, RANDOM = "by magnitude", "at random"
RANKED = ("pruned", MLP, SAME, MAGNITUDE, RANDOM, "OP-ELM")
DENSE = "dense, 300 updates"
BEYOND = ("dense", DENSE, "convex", "RealMLP")


@contextmanager
def chosen_otherwise(how, seed):
    """Patch in a training path that keeps neurons by magnitude or at random, each once, in place of the greedy one."""

    def chosen(network, k):
        strength = np.linalg.norm(network.hidden_coef, axis=0) * np.linalg.norm(network.output_coef, axis=1)
        if how == RANDOM:
            strength = np.random.default_rng(seed).uniform(size=len(strength))
        return np.argsort(-strength, kind="stable")[:k]

    def by_products(_samples, network, k):
        picks = chosen(network, k)
        counts = np.bincount(picks, minlength=len(network.weights))
        return GreedyPath(picks, np.zeros(len(picks)), np.zeros(len(picks)), counts, counts / len(picks))

    def by_gradient(_selection, _hidden, _drawn, _part, network, k, _ridges):
        return [uncorrected(by_products(None, network, k))]

    with (
        mock.patch.object(InnerProducts, "select", by_products),
        mock.patch.object(SearchByGradient, "_by_gradient", by_gradient),
        mock.patch.object(SearchByGradient, "by_squares", return_value=None),  # would choose again
    ):
        yield


def fit(model, X, y):
    """Fit a model of ours; return the gradient updates that were made, the trial's and those gone back on included."""
    n_updates, advance = 0, Training.advance

    @functools.wraps(advance)
    def counted(training, n_iterations):
        nonlocal n_updates
        before = len(training.losses)
        advance(training, n_iterations)
        n_updates += len(training.losses) - before

    with mock.patch.object(Training, "advance", counted):
        model.fit(X, y)
    return n_updates


def measured(make, data):
    """Return the quality of the model that `make` fits, with the processor's seconds."""
    start = time.process_time()
    model, more = make()
    seconds = time.process_time() - start
    return {"seconds": seconds, **more, **quality(model, *data[2:])}


def ours(data, classes, seed, **parameters):
    model = (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(random_state=seed, **parameters)

    def make():
        n_updates = fit(model, *data[:2])
        return model, {"updates": n_updates, "n_units": model.n_units_, "n_pretrain": model.n_pretrain_}

    return measured(make, data)


def kept_otherwise(data, classes, seed, n_units, n_pretrain, how):
    with chosen_otherwise(how, seed):
        return ours(data, classes, seed, k=n_units, n_pretrain=n_pretrain)


def scikit_learns(data, classes, seed, n_units, seconds=None):
    """Return the measures of an MLP of this size after standardisation, with its defaults or after `seconds`."""
    parameters = {} if seconds is None else epochs_within(seconds, *data[:2], classes, n_units)
    model = standardised_mlp(classes, n_units, seed, **parameters)
    return measured(lambda: (model.fit(*data[:2]), {"n_units": n_units}), data)


def dense(data, classes, seed, n_pretrain):
    model = (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(random_state=seed)
    return measured(lambda: (next(model.fit_path(*data[:2], n_pretrain=[n_pretrain])).estimator, {}), data)


def fixed(data, classes, seed):
    """Yield n_pretrain, row for each fixed number of iterations, from one run."""
    model = (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(random_state=seed)
    numbers = [n for n in FIXED if n * data[0].shape[1] <= MOST_WORK]
    for point in model.fit_path(*data[:2], n_pretrain=numbers):
        fitted = point.estimator
        if point.k is not None:
            tried = max(fitted.validation_iterations_, default=0)
            updates = fitted.n_pretrain_ + tried + fitted.n_retrain_
            yield point.n_pretrain, {"updates": updates, **quality(fitted, *data[2:])}


def once(rows, name, data, classes, seed):
    """Return a function that measures a method on this split unless its row is there, and returns the row."""

    def row_of(method, measure, *more, **parameters):
        if not rows.has(name, method, seed):
            rows.add(
                {"data": name, "method": method, "split": seed, **measure(data, classes, seed, *more, **parameters)}
            )
        return rows.get(name, method, seed)

    return row_of


def run_split(rows, name, data, classes, seed):
    """Measure every method but those that vary the pre-training."""
    row_of = once(rows, name, data, classes, seed)
    pruned = row_of("pruned", ours)
    n_units, n_pretrain = pruned["n_units"], pruned["n_pretrain"]
    row_of(MLP, scikit_learns, n_units)
    row_of(SAME, scikit_learns, n_units, pruned["seconds"])
    for how in (MAGNITUDE, RANDOM):
        row_of(how, kept_otherwise, n_units, n_pretrain, how)
    row_of("dense", dense, n_pretrain)
    row_of(DENSE, dense, 300)
    if classes:
        row_of(OTHER, ours, loss=OTHER_LOSS)


def run_split_of_fixed(rows, name, data, classes, seed):
    """Measure fixed numbers of pre-training iterations."""
    if not rows.has(name, f"fixed, {FIXED[0]}", seed):
        found = list(fixed(data, classes, seed))
        for n_pretrain, row in reversed(found):  # the first last: it tells that all are there
            rows.add({"data": name, "method": f"fixed, {n_pretrain}", "split": seed, **row})


def measured_splits(rows, name, method, entry="score"):
    """Return the entry on those splits of a data set that the pruned network has finished."""
    there = rows.column("score", data=name, method="pruned")
    return np.array([value for split, value in rows.column(entry, data=name, method=method).items() if split in there])


def mean_spread(rows, name, method):
    values = measured_splits(rows, name, method)
    if not len(values):
        return ""
    fewer = "" if len(values) == len(measured_splits(rows, name, "pruned")) else f" ({len(values)})"
    return f"{values.mean():.3f} ± {values.std():.3f}{fewer}"


def means(rows, names, method, entry="score"):
    """Return the mean of an entry for each data set; NaN where there is none."""
    columns = [measured_splits(rows, name, method, entry) for name in names]
    return np.array([column.mean() if len(column) else np.nan for column in columns])


def mean_ranks(rows, names, methods):
    scores = np.array([means(rows, names, method) for method in methods])
    return dict(zip(methods, rankdata(-scores, axis=0).mean(axis=1), strict=True))


def scores_part(rows, names):
    """Return the table of scores with mean ranks."""
    complete = [method for method in RANKED if np.isfinite(means(rows, names, method)).all()]
    ranks = mean_ranks(rows, names, complete)
    shown = ("pruned", OTHER, *RANKED[1:], *BEYOND)
    shown = [method for method in shown if np.isfinite(means(rows, names, method)).any()]
    lines = [
        [name, len(rows.column("score", data=name, method="pruned")), *(mean_spread(rows, name, m) for m in shown)]
        for name in names
    ]
    lines.append(["mean rank", "", *(f"{ranks[method]:.2f}" if method in ranks else "" for method in shown)])
    return table(["data", "splits", *shown], lines)


def against_part(rows, names):
    """Return the table that holds the pruned network against every other method."""
    lines = []
    for method in (OTHER, *RANKED[1:], *BEYOND):
        here = [name for name in names if rows.column("score", data=name, method=method)]
        if not here:
            continue
        gaps = [
            paired(rows.column("score", data=n, method="pruned"), rows.column("score", data=n, method=method))
            for n in here
        ]
        better = sum(mean > error for mean, error in gaps)
        worse = [f"{n} ({mean:+.3f})" for n, (mean, error) in zip(here, gaps, strict=True) if -mean > error]
        near = sum(-mean <= (0.01 if of_classes(rows, n) else 0.02) for n, (mean, _) in zip(here, gaps, strict=True))
        mean = f"{np.mean([mean for mean, _ in gaps]):+.4f}"
        lines.append([method, len(here), mean, better, len(worse), ", ".join(worse), f"{near} of {len(here)}"])
    header = ["against", "data sets", "mean gap", "better", "worse", "worse on", "not worse by over 0.01 (R²: 0.02)"]
    return table(header, lines)


def of_classes(rows, name):
    return bool(rows.column("brier", data=name, method="pruned"))


def chosen_on_other_repeats(scores):
    """Return the score on each split of the number that is best on the splits of the other repeats."""
    found = {}
    for split in next(iter(scores.values())):
        others = {t: [s for i, s in column.items() if i // 2 != split // 2] for t, column in scores.items()}
        found[split] = scores[max(others, key=lambda t: np.mean(others[t]))][split]
    return found


def fixed_part(rows, names):
    """Return the table of the best of the fixed numbers beside "auto"."""
    lines, within, within_other, cheap = [], 0, 0, 0
    for name in names:
        scores = {t: rows.column("score", data=name, method=f"fixed, {t}") for t in FIXED}
        scores = {t: column for t, column in scores.items() if column}
        if not scores:
            continue
        best = max(scores, key=lambda t: np.mean(list(scores[t].values())))
        own, its = rows.column("score", data=name, method="pruned"), scores[best]
        gap, error = paired(own, its)
        other_gap, other_error = paired(own, chosen_on_other_repeats(scores)) if len(its) > 2 else (np.nan, np.nan)
        updates = [rows.column("updates", data=name, method=method) for method in (f"fixed, {best}", "pruned")]
        updates = [np.mean([column[split] for split in its]) for column in updates]
        within += gap >= -error
        within_other += other_gap >= -other_error
        cheap += updates[1] < 2 * updates[0]
        chosen = rows.column("n_pretrain", data=name, method="pruned")
        chosen = " ".join(map(str, sorted(chosen[split] for split in its)))
        gaps = [f"{gap:+.3f} ± {error:.3f}", f"{other_gap:+.3f} ± {other_error:.3f}"]
        score = f"{np.mean(list(its.values())):.3f}"
        lines.append(
            [name, best, score, chosen, *gaps, *(f"{n:.0f}" for n in updates), f"{updates[1] / updates[0]:.1f}"]
        )
    header = ["data", "best fixed", "its score", "auto's choices", "gap ± standard error", "gap, chosen on others"]
    summary = (
        f'"auto" is within one standard error of the best fixed number, or above it, on {within} of {len(lines)} data '
        f"sets, of the number chosen on other splits on {within_other}, and takes less than twice the best one's "
        f"updates on {cheap}."
    )
    return table([*header, "its updates", "auto's", "ratio"], lines), summary


def costs_part(rows, names):
    """Return the tables of processor time per fit, and of the probabilities of the two losses."""
    shown = ("pruned", OTHER, *RANKED[1:], *BEYOND)
    shown = [method for method in shown if np.isfinite(means(rows, names, method, "seconds")).any()]
    seconds = {method: means(rows, names, method, "seconds") for method in shown}
    lines = [[name, *(_number(seconds[method][i]) for method in shown)] for i, name in enumerate(names)]
    # Of the data sets that a method was fitted on.
    ratios = [np.exp(np.nanmean(np.log(seconds[method] / seconds["pruned"]))) for method in shown]
    lines.append(["geometric mean of the ratios to the first", *map(_number, ratios)])
    compared = ("pruned", OTHER, SAME)
    probabilities = [
        [name, *(f"{means(rows, [name], m, entry)[0]:.3f}" for entry in ("brier", "log_loss") for m in compared)]
        for name in names
        if of_classes(rows, name)
    ]
    header = ["data", *(f"{method}, {entry}" for entry in ("Brier score", "log loss") for method in compared)]
    return table(["data", *shown], lines), table(header, probabilities)


def _number(value):
    return "" if np.isnan(value) else f"{value:.2f}"


def write(rows, names, command):
    about = (
        "Test accuracy, or R² where y holds numbers: mean ± standard deviation over the splits, half of the samples "
        "training each time; in brackets the number of splits where a method has fewer than the pruned network. "
        f"Default parameters. Those from MLP to OP-ELM have the neurons that {K} picks left (OP-ELM: at most {K}) and "
        "are ranked among each other. scikit-learn's MLP gets standardised features and targets: with its defaults, "
        f"and with batches of {BATCH} samples for as many seconds of the processor as the pruned network's whole fit "
        "took. Second-order steps are no updates of a batch, so updates are not compared. "
        "Pruning by magnitude and at random starts from the same dense network and re-trains in the same way. dense is "
        f"that network, often after few updates; beside it stands {DENSE}. OP-ELM "
        "is hpelm's optimally pruned extreme learning machine; convex is pyscnn's network of 50 gates, which comes to "
        "up to 50 neurons for each output; RealMLP is pytabkit's, with its tuned defaults. "
        "`python benchmarks/_rivals.py` makes those three, in an environment of its own; convex was left "
        "out on 10 000 images for its cost, RealMLP got fewer splits of the images."
    )
    fixed_numbers, summary = fixed_part(rows, names)
    seconds, probabilities = costs_part(rows, names)
    against = (
        "Paired over the splits: data sets where the pruned network is better, or worse, by more than one standard "
        "error of the mean difference; from a single split nothing follows."
    )
    about_fixed = (
        f"The best of {', '.join(map(str, FIXED))} iterations (MNIST: without the last) is chosen afterwards, by the "
        "test scores themselves: the best of several noisy means is too good. For the next column it is chosen for "
        "each split by the splits of the other repeats, as somebody who had tried all numbers would. Updates count "
        f"all: pre-training, the trial, re-training. {summary}"
    )
    about_probabilities = (
        "Brier score (summed over classes) and log loss on the test samples. The squared error's probabilities are "
        "the outputs' projection onto the simplex, so some are 0 and the log loss is large."
    )
    parts = [about, scores_part(rows, names), "## The pruned network against each of them", against]
    parts += [
        against_part(rows, names),
        '## "auto" beside the best fixed number of pre-training iterations',
    ]
    parts += [about_fixed, fixed_numbers, "## Seconds of processor time per fit", seconds, "## Probabilities"]
    parts += [about_probabilities, probabilities]
    publish("same_size", "Networks of the same size", command, *parts, versions("torch"))


PARTS = {"methods": run_split, "fixed": run_split_of_fixed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of data sets")
    parser.add_argument("--out", help="file that keeps finished fits")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="what to fit; the rest is read")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    found = load_all(arguments.data)
    names = [name for name in found if not arguments.only or name in arguments.only]
    rows = Rows(arguments.out, ("data", "method", "split"))
    for loss in LOSSES:  # compiles, so that no fit below is charged for it
        GreedyPrunedMLPClassifier(1, 2, loss=loss, n_hidden=5).fit([[0.0], [1.0]] * 10, [0, 1] * 10)
    # Split by split, so that all data sets have about the same number of splits if the run ends early.
    for part in arguments.parts:
        for seed in range(2 * arguments.repeats):
            for name in names:
                *_, data = halves(*found[name], seed + 1, random_state=0)
                PARTS[part](rows, name, data, found[name][2], seed)
    write(rows, names, f"python benchmarks/same_size.py --repeats {arguments.repeats}")


if __name__ == "__main__":
    main()
