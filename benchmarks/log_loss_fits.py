"""
The claim: a fit by the log loss takes about as long as one by squared error; and what its selection gains and loses.

Two tables: whole fits by both losses, in turns; and the selection by the loss's gradient on a sample against the exact
selection on all samples, with re-training and without. Writes docs/benchmarks/log_loss_fits.md. With --out, finished
fits are kept and not repeated. Data sets of the file that --tabular (or SKLEARN_GFS_TABULAR) names are left out without
it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from functools import partial
from unittest import mock

import numpy as np
from _common import publish, seconds, table, versions
from _quality import Rows, halves, load_all, paired, quality

from sklearn_gfs import GreedyPrunedMLPClassifier, greedy_forward_selection
from sklearn_gfs.mlp._drawn import Drawn

TIMED = ("digits", "pendigits", "adult")
OF_THE_FILE = ("adult", "page_blocks", "pendigits", "segment", "vowel", "waveform")
BUNDLED = ("wine", "breast_cancer", "digits", "classification", "hastie")
PICKS = (10, 50)


def load(tabular):
    """Return name -> (X, y), features standardised."""
    found = {name: (X, y) for name, (X, y, _) in load_all(None).items() if name in BUNDLED}
    if tabular:
        with np.load(tabular, allow_pickle=True) as file:
            found |= {name: (file[f"{name}/X"], file[f"{name}/y"]) for name in OF_THE_FILE}
    return found


def every_sample(targets, rows, weight, n_drawn, dtype):  # noqa: ARG001
    """Draw all samples."""
    return Drawn(rows, None if weight is None else weight[rows])


def exact_picks(hidden, targets, weight, layer, loss, k):  # noqa: ARG001
    """Pick by the exact log loss."""
    y = targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0].astype(int)
    neurons = {"output_weights": layer.coef, "offset": layer.intercept}
    path = greedy_forward_selection(hidden, y, k, loss="log_loss", sample_weight=weight, **neurons)
    return path.picks, path.losses


@contextlib.contextmanager
def exactly():
    """Select neurons by the exact log loss on all samples."""
    with (
        mock.patch("sklearn_gfs.mlp._searches.draw", every_sample),
        mock.patch("sklearn_gfs.mlp._searches.pick_steepest", exact_picks),
    ):
        yield


SELECTIONS = {"steepest": contextlib.nullcontext, "exact": exactly}
RETRAINED = {"re-trained": {}, "not": {"n_retrain": 0, "early_stopping": False}}


def fits(rows, found, n_splits):
    """Fit what has not been fitted."""
    for name, (X, y) in found.items():
        for split, (X_train, y_train, X_test, y_test) in enumerate(halves(X, y, True, n_splits, random_state=2)):
            mean, scale = X_train.mean(axis=0), X_train.std(axis=0)
            scale[scale == 0] = 1
            for k in PICKS:
                for kind, changes in RETRAINED.items():
                    for selection, patched in SELECTIONS.items():
                        if rows.has(name, k, kind, selection, split):
                            continue
                        model = GreedyPrunedMLPClassifier(k=k, loss="log_loss", random_state=split, **changes)
                        if kind == "not":  # the same dense network for both
                            model.set_params(n_pretrain=320)
                        start = time.process_time()
                        with patched():
                            model.fit((X_train - mean) / scale, y_train)
                        row = {"data": name, "k": k, "kind": kind, "selection": selection, "split": split}
                        row["seconds"] = time.process_time() - start
                        row["selected"] = float(model.selection_losses_[-1])
                        rows.add(row | quality(model, (X_test - mean) / scale, y_test))


def compared(rows, name, k, kind, entry):
    """Return the mean of an entry with the steepest selection, and its difference from the exact one's."""
    ours, exact = (
        rows.column(entry, data=name, k=k, kind=kind, selection=selection) for selection in ("steepest", "exact")
    )
    mean, error = paired(ours, exact)
    return f"{np.mean(list(ours.values())):.4f}", f"{mean:+.4f} ± {error:.4f}"


def line_of(rows, name, k):
    ours, exact = (
        rows.column("selected", data=name, k=k, kind="not", selection=selection) for selection in ("steepest", "exact")
    )
    ratio = np.exp(np.mean([np.log(ours[split] / exact[split]) for split in ours]))
    entries = [("re-trained", "score"), ("re-trained", "log_loss"), ("not", "score"), ("not", "log_loss")]
    return [name, k, f"{ratio:.2f}", *(c for kind, entry in entries for c in compared(rows, name, k, kind, entry))]


def timed(found, repeats):
    """Time whole fits by both losses."""
    for name in TIMED:
        if name not in found:
            continue
        X, y = found[name]
        X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
        for n_pretrain in ("auto", 300):
            models = [
                GreedyPrunedMLPClassifier(n_pretrain, loss=loss, random_state=0)
                for loss in ("squared_error", "log_loss")
            ]
            squared, log_loss = seconds(*(partial(m.fit, X, y) for m in models), repeats=repeats)
            updates = [m.n_pretrain_ + m.n_retrain_ for m in models]
            yield [name, n_pretrain, squared, log_loss, f"{log_loss / squared:.2f}", *updates]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tabular", default=os.environ.get("SKLEARN_GFS_TABULAR"), help="npz file of data sets")
    parser.add_argument("--only", nargs="*", help="names of data sets whose fits to make, without a page")
    parser.add_argument("--out", help="file that keeps finished fits")
    arguments = parser.parse_args()
    found = load(arguments.tabular)
    rows = Rows(arguments.out, ("data", "k", "kind", "selection", "split"))
    if arguments.only:
        fits(rows, {name: found[name] for name in arguments.only}, arguments.splits)
        return
    times = table(
        [
            "data",
            "n_pretrain",
            "squared error, s",
            "log loss, s",
            "ratio",
            "updates, squared error",
            "updates, log loss",
        ],
        timed(found, arguments.repeats),
    )
    fits(rows, found, arguments.splits)
    header = ["data", "k", "selected"]
    for kind in ("re-trained", "not re-trained"):
        header += [f"{kind}: accuracy", "change", f"{kind}: log loss", "change"]
    publish(
        "log_loss_fits",
        "Fits by the log loss",
        f"python benchmarks/log_loss_fits.py --splits {arguments.splits} --repeats {arguments.repeats}",
        "Whole fits by either loss, medians of fits in turns, and the updates of the dense network and the subnetwork "
        "together.",
        times,
        "The selection of the estimators against the exact one, of which every pick is the best of all neurons on all "
        "samples. *selected*: the loss of the picks over all training samples as a multiple of the exact selection's, "
        "from the same dense networks after 320 iterations; below 1 the picks are better than the exact ones, which "
        "are best one by one and not together. Then test accuracy and log loss, each with the mean difference from "
        f"what the exact selection gives and its standard error, over {arguments.splits} splits into halves.",
        table(header, [line_of(rows, name, k) for name in found for k in PICKS]),
        versions("torch"),
    )


if __name__ == "__main__":
    main()
