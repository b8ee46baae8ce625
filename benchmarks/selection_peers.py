"""
Ensemble selection as AutoGluon, AMLTK and DeepHyper ship it, for ``selection.py peers``.

Each package runs with the metric it ships or, where the user has to bring one, scikit-learn's; each gets its
favourite layout, one contiguous array a model. Slow ones run for fewer picks and are scaled linearly.
"""

from __future__ import annotations

import time

import numpy as np
from _common import publish, seconds, table, versions
from threadpoolctl import threadpool_limits

from sklearn_gfs import greedy_forward_selection


def autogluon(predictions, y, k, kind):
    """AutoGluon's picks."""
    from autogluon.core.metrics import log_loss, mean_squared_error
    from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection

    metric, problem = (log_loss, "multiclass") if kind == "log_loss" else (mean_squared_error, "regression")
    selection = EnsembleSelection(ensemble_size=k, problem_type=problem, metric=metric)
    selection.use_best = False
    return [int(i) for i in selection.fit(predictions, y).indices_]


def amltk(predictions, y, k, kind):
    """AMLTK's picks, with scikit-learn's metric."""
    from amltk.ensembling.weighted_ensemble_caruana import weighted_ensemble_caruana
    from sklearn.metrics import log_loss, mean_squared_error

    _, trajectory, _ = weighted_ensemble_caruana(
        model_predictions=dict(enumerate(predictions)),
        targets=y,
        size=k,
        metric=log_loss if kind == "log_loss" else mean_squared_error,
        select=min,
        seed=0,
    )
    return [int(i) for i, _ in trajectory]


def deephyper(predictions, y, k, kind):
    """DeepHyper's counts: it tells no order."""
    from deephyper.ensemble.aggregator import MeanAggregator
    from deephyper.ensemble.loss import CategoricalCrossEntropy, SquaredError
    from deephyper.ensemble.selector import GreedySelector

    loss = CategoricalCrossEntropy() if kind == "log_loss" else SquaredError()
    selector = GreedySelector(
        loss, MeanAggregator(), k=len(predictions) + 1, k_init=1, max_it=k - 1, early_stopping=False
    )
    indices, weights = selector.select(y, predictions)
    return dict(zip(indices, np.rint(np.array(weights) * k).astype(int).tolist(), strict=True))


PROBLEMS = [
    # sizes, loss, how many of the picks each package runs, goal against the fastest or the first
    ((1000, 500, 1, 50), "squared_error", {autogluon: 50, amltk: 50, deephyper: 50}, "600 x the fastest"),
    ((10_000, 1000, 1, 100), "squared_error", {autogluon: 10, amltk: 10, deephyper: 20}, "200 x the fastest"),
    ((5000, 500, 10, 50), "log_loss", {autogluon: 6, amltk: 6, deephyper: 10}, "3000 x AutoGluon"),
]


def run(neurons, class_probabilities, command):
    """Time all of them on one thread, and compare the picks."""
    rows = []
    with threadpool_limits(1):
        for (n, n_atoms, n_outputs, k), kind, peers, goal in PROBLEMS:
            if kind == "log_loss":
                atoms, y = class_probabilities(n, n_atoms, n_outputs)
                options = {"loss": "log_loss", "from_logits": False}
                predictions = [np.ascontiguousarray(atoms[:, i]) for i in range(n_atoms)]
            else:
                H, B, targets = neurons(n, n_atoms, n_outputs, np.float64)
                atoms, y, options = H * B[:, 0], targets[:, 0], {}
                predictions = list(np.ascontiguousarray(atoms.T))
            (ours,) = seconds(lambda: greedy_forward_selection(atoms, y, k, **options), repeats=7)  # noqa: B023
            path = greedy_forward_selection(atoms, y, k, **options)
            for peer, some in peers.items():
                start = time.perf_counter()
                picks = peer(predictions, y, some, kind)
                theirs = (time.perf_counter() - start) * k / some
                (again,) = seconds(lambda: greedy_forward_selection(atoms, y, k, **options), repeats=5)  # noqa: B023
                own = path.picks[:some].tolist()
                if isinstance(picks, dict):
                    same = "same counts" if picks == {i: own.count(i) for i in set(own)} else "other counts"
                else:
                    differ = [a != b for a, b in zip(picks, own, strict=True)]
                    same = f"differ from pick {differ.index(True) + 1}" if any(differ) else "same"
                size = f"({n}, {n_atoms}, {n_outputs}, {k})"
                mine = (ours + again) / 2
                rows.append(
                    [
                        size,
                        kind,
                        int((path.counts > 0).sum()),
                        peer.__name__,
                        some,
                        theirs,
                        1e3 * mine,
                        theirs / mine,
                        same,
                        goal,
                    ]
                )
                print(rows[-1], flush=True)
        machine = versions("autogluon.core", "amltk", "deephyper")
    header = ["n_samples, n_atoms, n_outputs, k", "loss", "distinct", "package", "picks it ran", "its s for k picks"]
    header += ["selection, ms", "times faster", "picks", "goal"]
    publish(
        "selection_peers",
        "Against ensemble selection as others ship it, one thread",
        command,
        machine,
        "The packages' times are of one run, scaled linearly from the picks they ran.",
        table(header, rows),
    )
