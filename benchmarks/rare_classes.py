"""
The claim: with class_weight="balanced" rare classes are found as well as by scikit-learn's MLP with balanced weights.

Balanced accuracy and average precision over stratified splits, three tenths of the samples for testing; beside both
networks of 50 neurons the pruned one without weights. Data sets of scikit-learn and, with --tabular or
SKLEARN_GFS_TABULAR, three more. Writes docs/benchmarks/rare_classes.md.
"""

from __future__ import annotations

import argparse
import os
import warnings

import numpy as np
from _common import publish, table, versions
from _quality import Rows, paired, standardised_mlp
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_gfs import GreedyPrunedMLPClassifier

OURS, MLP, UNWEIGHTED = "pruned, 50", "MLP(50)", "pruned, 50, no weights"
METHODS = (OURS, MLP, UNWEIGHTED)
MEASURES = {"balanced": "Balanced accuracy", "precision": "Average precision"}
# The data sets that the rules for uneven weights were chosen on.
CHOSEN_ON = {"mammography", "page_blocks"}


def data_sets(tabular):
    """Return name -> (X, y)."""
    X, y = load_digits(return_X_y=True)
    found = {"digits, 8 or not": (X, y == 8)}
    for share, n_samples, seed in ((0.01, 20_000, 40), (0.02, 5000, 41), (0.05, 5000, 42), (0.1, 2000, 43)):
        found[f"two classes, {share:.0%} of {n_samples}"] = make_classification(
            n_samples, 15, n_informative=8, n_clusters_per_class=3, weights=[1 - share], flip_y=0.005, random_state=seed
        )
    found["four classes, 4000"] = make_classification(
        4000, 15, n_informative=8, n_classes=4, weights=[0.8, 0.1, 0.06], flip_y=0.005, random_state=44
    )
    if tabular:
        with np.load(tabular, allow_pickle=True) as file:
            found["pendigits, 9 or not"] = file["pendigits/X"], file["pendigits/y"] == "9"
            found |= {name: (file[f"{name}/X"], file[f"{name}/y"]) for name in ("adult", "mammography", "page_blocks")}
    return found


def fit(method, X, y, seed):
    """Return the fitted model."""
    if method == MLP:
        weight = compute_sample_weight("balanced", y)
        name = "mlpclassifier__sample_weight"
        return standardised_mlp(True, 50, seed).fit(X, y, **{name: weight})
    weights = "balanced" if method == OURS else None
    return GreedyPrunedMLPClassifier(k=50, class_weight=weights, random_state=seed).fit(X, y)


def measured(model, X, y):
    """Return balanced accuracy, and average precision: of the rarer of two classes, or the mean over classes."""
    shares, indicators = model.predict_proba(X), y[:, None] == model.classes_
    if len(model.classes_) == 2:
        rare = int(np.argmin(indicators.mean(axis=0)))
        shares, indicators = shares[:, rare], indicators[:, rare]
    return {
        "balanced": float(balanced_accuracy_score(y, model.predict(X))),
        "precision": float(average_precision_score(indicators, shares)),
    }


def row_of(rows, name, measure):
    columns = [rows.column(measure, data=name, method=method) for method in METHODS]
    gap, error = paired(*columns[:2])
    means = [f"{np.mean(list(column.values())):.4f}" for column in columns]
    return [name, "yes" if name in CHOSEN_ON else "", *means, f"{gap:+.4f} ± {error:.4f}"], gap, error


def part_of(rows, names, measure):
    """Return the sentence and the table of a measure."""
    lines, gaps, errors = zip(*(row_of(rows, name, measure) for name in names), strict=True)
    worse = [name for name, gap, error in zip(names, gaps, errors, strict=True) if -gap > error]
    sentence = (
        f"{MEASURES[measure]}: the mean is at least the MLP's on {sum(gap >= 0 for gap in gaps)} of {len(names)}, and "
        f"lower by more than a standard error on {', '.join(worse) or 'none'}."
    )
    return sentence, table(["data", "chosen on", *METHODS, f"{OURS} above {MLP}"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabular", default=os.environ.get("SKLEARN_GFS_TABULAR"))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--out", help="file that keeps finished fits")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, found = Rows(arguments.out, ("data", "method", "split")), data_sets(arguments.tabular)
    for seed in range(arguments.splits):
        for name, (X, y) in found.items():
            X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
            for method in METHODS:
                if not rows.has(name, method, seed):
                    quality = measured(fit(method, X_train, y_train, seed), X_test, y_test)
                    rows.add({"data": name, "method": method, "split": seed} | quality)
    publish(
        "rare_classes",
        "Rare classes",
        f"python benchmarks/rare_classes.py --splits {arguments.splits}",
        f"Means over {arguments.splits} splits, three tenths for testing. The pruned network has "
        '`class_weight="balanced"` and default parameters, the MLP standardised features and balanced sample weights. '
        "Average precision is that of the rarer of two classes, or the mean over classes.",
        *(part for measure in MEASURES for part in part_of(rows, list(found), measure)),
        versions(),
    )


if __name__ == "__main__":
    main()
