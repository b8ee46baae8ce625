"""
The claim: default parameters are good on three small data sets, whatever the seed.

Writes docs/benchmarks/quickstart_spread.md. Seeds set the split or the folds, and the estimator.
"""

import argparse
import sys

import numpy as np
from _common import publish, table, versions
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP


def split_accuracy(load, seed):
    X, y = load(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=seed)
    model = make_pipeline(StandardScaler(), GreedyPrunedMLP(random_state=seed)).fit(X_train, y_train)
    return model.score(X_test, y_test)


def cross_validated_r2(load, seed):
    X, y = load(return_X_y=True)
    folds = KFold(5, shuffle=True, random_state=seed)
    return cross_val_score(make_pipeline(StandardScaler(), GreedyPrunedMLP(random_state=seed)), X, y, cv=folds).mean()


CLAIMS = (
    ("digits, accuracy on a quarter held out", split_accuracy, load_digits, 0.96),
    ("breast cancer, accuracy on a quarter held out", split_accuracy, load_breast_cancer, 0.96),
    ("diabetes, R² in 5-fold cross-validation", cross_validated_r2, load_diabetes, 0.40),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    n_seeds = parser.parse_args().seeds
    rows, met = [], True
    for name, measure, load, goal in CLAIMS:
        scores = np.array([measure(load, seed) for seed in range(n_seeds)])
        spread = [f"{value:.3f}" for value in (scores.mean(), scores.std(), scores.min(), scores.max())]
        rows.append([name, f"{goal:.2f}", *spread, f"{(scores >= goal).sum()} of {n_seeds}"])
        met &= bool(scores.mean() >= goal)
    header = ["data", "goal", "mean", "standard deviation", "least", "greatest", "seeds that reach the goal"]
    about = (
        "A `StandardScaler` and `GreedyPrunedMLP` with its defaults, 50 picks. "
        "The seed sets the split or the folds, and the estimator."
    )
    command = f"python benchmarks/quickstart_spread.py --seeds {n_seeds}"
    publish(
        "quickstart_spread", "Default parameters, over seeds", command, about, table(header, rows), versions("torch")
    )
    sys.exit(0 if met else "a mean is below its goal")


if __name__ == "__main__":
    main()
