"""
The claim: with default parameters a small pruned network is as good as scikit-learn's MLP of 50 neurons, or better.

Twelve data sets of scikit-learn and the seventeen of --tabular, or SKLEARN_GFS_TABULAR. A tenth is held out for
testing, of small sets a half. Beside the MLP stand marks that are no networks of this size: a linear model, gradient
boosting and a Gaussian process. Writes docs/benchmarks/default_fits.md. With --out, finished fits are kept and not
repeated; RealMLP's rows come from _rivals.py with the same --out.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

import numpy as np
from _common import publish, table, versions
from _quality import BATCH, Rows, epochs_within, load_tabular, paired, quality, split_off, standardised_mlp
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

# The data sets that rules and limits were chosen on; the others were looked at afterwards.
CHOSEN_ON = {"abalone", "airfoil", "breast_cancer", "california", "diabetes", "elevators", "friedman1", "friedman3"}
CHOSEN_ON |= {"iris", "mammography", "pendigits", "pol", "regression", "segment", "waveform"}
# What neurons weigh in re-training: these would lose by weights of one.
CHOSEN_ON |= {"classification", "digits"}
# By how much other picks must be better.
CHOSEN_ON |= {"vowel", "wine"}
SIZES = {"pruned, 50": 50, "pruned, 20": 20, "pruned, 10": 10}
OURS, MLP, SAME, LINEAR, BOOSTING = "pruned, 50", "MLP(50)", "MLP(50), same seconds", "linear", "boosting"
PROCESS, REAL = "Gaussian process", "RealMLP"
METHODS = (*SIZES, MLP, SAME, LINEAR, BOOSTING, PROCESS, REAL)
# A Gaussian process takes the cube of the number of training samples.
MOST_FOR_PROCESS = 1000


def model_of(method, X, y, classes, seed, seconds=None):
    """Return an estimator with default parameters except the size, and except epochs that take about `seconds`."""
    if method in SIZES:
        return (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(k=SIZES[method], random_state=seed)
    if method == BOOSTING:
        return (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(random_state=seed)
    if method == PROCESS:
        kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel()
        return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed))
    if method == LINEAR:
        model = LogisticRegression(max_iter=1000) if classes else RidgeCV(np.logspace(-3, 3, 7))
        return make_pipeline(StandardScaler(), model)
    # The other MLP gets the time of our own fit.
    parameters = epochs_within(seconds, X, y, classes, n_units=50) if method == SAME else {}
    return standardised_mlp(classes, 50, seed, **parameters)


def measure(rows, found, names, n_splits):
    """Fit what is not finished, once all loops are compiled."""
    for method in SIZES:
        for y in (np.arange(200) % 3, np.arange(200.0)):
            X = np.eye(200, 5)
            model_of(method, X, y, y.dtype == int, seed=0).fit(X, y)
    for seed in range(n_splits):
        for name in names:
            X, y, classes = found[name]
            X, y, X_test, y_test = split_off(name, X, y, classes, seed)
            for method in METHODS[:-1]:
                fits = method != PROCESS or (not classes and len(X) <= MOST_FOR_PROCESS)
                if fits and not rows.has(name, method, seed):
                    ours = rows.column("seconds", data=name, method=OURS).get(seed)
                    model = model_of(method, X, y, classes, seed, seconds=ours)
                    start = time.process_time()
                    model.fit(X, y)
                    seconds = time.process_time() - start
                    rows.add(
                        {"data": name, "method": method, "split": seed, "seconds": seconds}
                        | quality(model, X_test, y_test)
                    )


def mean(rows, entry, name, method):
    """Return the mean over the splits, not a number where there are none."""
    found = list(rows.column(entry, data=name, method=method).values())
    return float(np.mean(found)) if found else np.nan


def cells(rows, entry, name, n_decimals):
    """Return a cell for each method; the number of splits in brackets where a method has fewer than ours."""
    found, n_splits = [], len(rows.column(entry, data=name, method=OURS))
    for method in METHODS:
        n_found = len(rows.column(entry, data=name, method=method))
        fewer = f" ({n_found})" if n_found < n_splits else ""
        found.append(f"{mean(rows, entry, name, method):.{n_decimals}f}{fewer}" if n_found else "")
    return found


def scores_of(rows, names):
    lines = []
    for name in names:
        gap, error = paired(rows.column("score", data=name, method=OURS), rows.column("score", data=name, method=MLP))
        chosen = "yes" if name in CHOSEN_ON else ""
        lines.append([name, chosen, *cells(rows, "score", name, 4), f"{gap:+.4f} ± {error:.4f}"])
    return table(["data", "chosen on", *METHODS, f"{OURS} above {MLP}"], lines)


def worse_than(rows, names, method):
    """Return the data sets on which this method is better by more than a standard error."""
    found = []
    for name in names:
        gap, error = paired(*(rows.column("score", data=name, method=m) for m in (OURS, method)))
        found += [f"{name} ({gap:+.4f})"] if -gap > error else []
    return ", ".join(found) or "none"


def summary_of(rows, names):
    """Return sentences on all data sets, and on those that nothing was chosen on."""
    parts = []
    for what, some in (("all", names), ("those that no rule was chosen on", [n for n in names if n not in CHOSEN_ON])):
        if not some:
            continue
        as_good = [sum(mean(rows, "score", n, m) >= mean(rows, "score", n, MLP) for n in some) for m in SIZES]
        worse = {method: worse_than(rows, some, method) for method in (MLP, SAME)}
        of_classes = [n for n in some if rows.column("log_loss", data=n, method=OURS)]
        losses = [
            sum(mean(rows, "log_loss", n, OURS) < mean(rows, "log_loss", n, method) for n in of_classes)
            for method in (MLP, LINEAR)
        ]
        ratios = [mean(rows, "seconds", n, OURS) / mean(rows, "seconds", n, MLP) for n in some]
        counts = ", ".join(f"{picks} picks on {n}" for n, picks in zip(as_good, SIZES.values(), strict=True))
        parts.append(
            f"Of {what} ({len(some)} data sets) the mean score is at least that of {MLP} with {counts}. With 50 picks "
            f"it is worse by more than a standard error on {worse[MLP]}, and worse than the MLP(50) that gets the same "
            f"seconds on {worse[SAME]}. The log loss is below that of {MLP} on {losses[0]} and below that of "
            f"LogisticRegression on {losses[1]} of {len(of_classes)}. A fit takes "
            f"{np.exp(np.mean(np.log(ratios))):.2f} of the processor's time of {MLP} in the geometric mean, "
            f"{max(ratios):.1f} at most ({some[int(np.argmax(ratios))]})."
        )
    return parts


def beside_real(rows, names):
    """Return a sentence on the sets where RealMLP has rows."""
    gaps = {}
    for name in names:
        ours, theirs = (rows.column("score", data=name, method=method) for method in (OURS, REAL))
        gaps |= {name: paired(ours, theirs)[0]} if theirs else {}
    if not gaps:
        return "RealMLP was not run."
    values = np.array(list(gaps.values()))
    below = ", ".join(f"{name} ({gap:+.3f})" for name, gap in sorted(gaps.items(), key=lambda item: item[1]) if gap < 0)
    return (
        f"The score with 50 picks minus RealMLP's, on the splits that it has, is {values.mean():+.4f} in the mean over "
        f"{len(values)} data sets and {np.median(values):+.4f} in the median. It is negative on {below or 'none'}."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabular", default=os.environ.get("SKLEARN_GFS_TABULAR"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    if not arguments.tabular:
        parser.error("name the file of data sets by --tabular or SKLEARN_GFS_TABULAR")
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = Rows(arguments.out, ("data", "method", "split"))
    found = load_tabular(arguments.tabular)
    names = sorted(arguments.only or found, key=lambda name: (not found[name][2], name))
    measure(rows, found, names, arguments.splits)
    of_classes = [name for name in names if found[name][2]]
    losses = [[n, *cells(rows, "log_loss", n, 3)] for n in of_classes]
    seconds = [[n, *cells(rows, "seconds", n, 2)] for n in names]
    publish(
        "default_fits",
        "Default parameters on many data sets",
        f"python benchmarks/default_fits.py --splits {arguments.splits}",
        f"Accuracy for classes, R² for numbers; means over {arguments.splits} splits. A tenth of the samples is for "
        "testing, of small data sets a half. All parameters are the defaults, but for the number of picks. The MLP and "
        "the linear model (logistic regression, ridge) get standardised features, the regressors' MLP standardised "
        f"targets. A second MLP makes updates of {BATCH} samples for as long as the fit with 50 picks took. Boosting "
        "is scikit-learn's histogram gradient boosting. The Gaussian process has a length scale for each feature and "
        f"noise, both fitted, and is left out above {MOST_FOR_PROCESS} training samples. RealMLP has three layers of "
        "256 neurons and defaults tuned on many data sets. In brackets: the number of splits, where there are fewer. "
        "With few splits a standard error is itself uncertain.",
        *summary_of(rows, names),
        beside_real(rows, names),
        scores_of(rows, names),
        "Log loss of the probabilities.",
        table(["data", *METHODS], losses),
        "Seconds of the processor for a fit, one thread.",
        table(["data", *METHODS], seconds),
        versions(),
    )


if __name__ == "__main__":
    main()
