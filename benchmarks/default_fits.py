"""
The claim: with default parameters a small pruned network is as good as scikit-learn's MLP of 50 neurons, or better.

Twelve data sets of scikit-learn and the seventeen of --tabular, or SKLEARN_GFS_TABULAR. A tenth is held out for
testing, of small sets a half. Beside the MLP stand marks that are no networks of this size: a linear model and gradient
boosting. Writes docs/benchmarks/default_fits.md. With --out, finished fits are kept and not repeated.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

import numpy as np
from _common import publish, table, versions
from _quality import Rows, load_all, paired, quality
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

# The data sets that rules and limits were chosen on; the others were looked at afterwards.
CHOSEN_ON = {"abalone", "airfoil", "breast_cancer", "california", "diabetes", "elevators", "friedman1", "friedman3"}
CHOSEN_ON |= {"iris", "mammography", "pendigits", "pol", "regression", "segment", "waveform"}
SIZES = {"pruned, 50": 50, "pruned, 20": 20, "pruned, 10": 10}
OURS, MLP, LINEAR, BOOSTING = "pruned, 50", "MLP(50)", "linear", "boosting"
METHODS = (*SIZES, MLP, LINEAR, BOOSTING)
# Larger sets, and some that have fewer samples for each class, keep nine tenths for training.
LARGE, KEPT = 4500, ("airfoil", "segment", "vowel", "abalone")


def data_sets(tabular):
    """Return name -> (X, y, whether y holds classes)."""
    found = load_all(None)
    with np.load(tabular, allow_pickle=True) as file:
        for name in sorted({key.split("/")[0] for key in file.files}):
            y = file[f"{name}/y"]
            found[name] = (file[f"{name}/X"], y, y.dtype.kind == "U")
    return found


def split(name, X, y, classes, seed):
    """Return X, y, X_test, y_test."""
    test_size = 0.1 if len(X) > LARGE or name in KEPT else 0.5
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=test_size, random_state=seed, stratify=y if classes else None
    )
    return X, y, X_test, y_test


def model_of(method, classes, seed):
    """Return an estimator with default parameters, but for the size."""
    if method in SIZES:
        return (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(k=SIZES[method], random_state=seed)
    if method == BOOSTING:
        return (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(random_state=seed)
    if method == LINEAR:
        model = LogisticRegression(max_iter=1000) if classes else RidgeCV(np.logspace(-3, 3, 7))
    elif classes:
        model = MLPClassifier(hidden_layer_sizes=(50,), random_state=seed)
    else:
        network = MLPRegressor(hidden_layer_sizes=(50,), random_state=seed)
        model = TransformedTargetRegressor(network, transformer=StandardScaler())
    return make_pipeline(StandardScaler(), model)


def measure(rows, found, names, n_splits):
    """Fit what is not finished, once all loops are compiled."""
    for method in SIZES:
        model_of(method, classes=True, seed=0).fit(np.eye(200, 5), np.arange(200) % 3)
        model_of(method, classes=False, seed=0).fit(np.eye(200, 5), np.arange(200.0))
    for seed in range(n_splits):
        for name in names:
            X, y, classes = found[name]
            X, y, X_test, y_test = split(name, X, y, classes, seed)
            for method in METHODS:
                if not rows.has(name, method, seed):
                    model, start = model_of(method, classes, seed), time.process_time()
                    model.fit(X, y)
                    seconds = time.process_time() - start
                    rows.add(
                        {"data": name, "method": method, "split": seed, "seconds": seconds}
                        | quality(model, X_test, y_test)
                    )


def mean(rows, entry, name, method):
    return float(np.mean(list(rows.column(entry, data=name, method=method).values())))


def scores_of(rows, names):
    lines = []
    for name in names:
        gap, error = paired(rows.column("score", data=name, method=OURS), rows.column("score", data=name, method=MLP))
        chosen = "yes" if name in CHOSEN_ON else ""
        means = [f"{mean(rows, 'score', name, method):.4f}" for method in METHODS]
        lines.append([name, chosen, *means, f"{gap:+.4f} ± {error:.4f}"])
    return table(["data", "chosen on", *METHODS, f"{OURS} above {MLP}"], lines)


def summary_of(rows, names):
    """Return sentences on all data sets, and on those that nothing was chosen on."""
    parts = []
    for what, some in (("all", names), ("those that no rule was chosen on", [n for n in names if n not in CHOSEN_ON])):
        as_good = [sum(mean(rows, "score", n, m) >= mean(rows, "score", n, MLP) for n in some) for m in SIZES]
        gaps = {
            n: paired(rows.column("score", data=n, method=OURS), rows.column("score", data=n, method=MLP)) for n in some
        }
        worse = [f"{n} ({gap:+.4f})" for n, (gap, error) in gaps.items() if -gap > error]
        of_classes = [n for n in some if rows.column("log_loss", data=n, method=OURS)]
        losses = [
            sum(mean(rows, "log_loss", n, OURS) < mean(rows, "log_loss", n, method) for n in of_classes)
            for method in (MLP, LINEAR)
        ]
        ratios = [mean(rows, "seconds", n, OURS) / mean(rows, "seconds", n, MLP) for n in some]
        counts = ", ".join(f"{picks} picks on {n}" for n, picks in zip(as_good, SIZES.values(), strict=True))
        parts.append(
            f"Of {what} ({len(some)} data sets) the mean score is at least that of {MLP} with {counts}. With 50 picks "
            f"it is worse by more than a standard error on {', '.join(worse) or 'none'}. The log loss is below that of "
            f"{MLP} on {losses[0]} and below that of LogisticRegression on {losses[1]} of {len(of_classes)}. A fit "
            f"takes {np.exp(np.mean(np.log(ratios))):.2f} of the processor's time of {MLP} in the geometric mean, "
            f"{max(ratios):.1f} at most ({some[int(np.argmax(ratios))]})."
        )
    return parts


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
    found = data_sets(arguments.tabular)
    names = sorted(arguments.only or found, key=lambda name: (not found[name][2], name))
    measure(rows, found, names, arguments.splits)
    of_classes = [name for name in names if found[name][2]]
    losses = [[n, *(f"{mean(rows, 'log_loss', n, m):.3f}" for m in METHODS)] for n in of_classes]
    seconds = [[n, *(f"{mean(rows, 'seconds', n, m):.2f}" for m in METHODS)] for n in names]
    publish(
        "default_fits",
        "Default parameters on many data sets",
        f"python benchmarks/default_fits.py --splits {arguments.splits}",
        f"Accuracy for classes, R² for numbers; means over {arguments.splits} splits. A tenth of the samples is for "
        "testing, of small data sets a half. All parameters are the defaults, but for the number of picks. The MLP and "
        "the linear model (logistic regression, ridge) get standardised features, the regressors' MLP standardised "
        "targets. Boosting is scikit-learn's histogram gradient boosting. With few splits a standard error is itself "
        "uncertain.",
        *summary_of(rows, names),
        scores_of(rows, names),
        "Log loss of the probabilities.",
        table(["data", *METHODS], losses),
        "Seconds of the processor for a fit, one thread.",
        table(["data", *METHODS], seconds),
        versions(),
    )


if __name__ == "__main__":
    main()
