"""
What early pruning saves
========================

The paper begins with a promise that it does not measure: a network that is pruned early costs less than one that is
trained to its end first. Here both are timed, for each number of samples: the pruned network, and the one that is
re-trained after pruning. Early is the first number of iterations whose network is as good as the one after all
iterations, up to a hundredth of the test accuracy.
"""

# %%
# A dense network of 1000 neurons is trained by Adam and pruned to 50 picks. Seconds are those of processors. The same
# dense network is trained twice: once its subnetworks are pruned only, once they are re-trained for 400 updates too.
import time

import matplotlib.pyplot as plt
import numpy as np
from _paper import COLOURS, MARKERS, finished_runs, load, parse_arguments, save_figure, subset, write_table

from sklearn_gfs import GreedyPrunedMLPClassifier

arguments = parse_arguments(
    "Updates and seconds of early pruning against pruning after full pre-training.",
    sizes={"type": int, "nargs": "+", "help": "numbers of samples, instead of the script's"},
)
data = load(arguments)
if arguments.fast:
    sizes, n_seeds, n_hidden, k, pretraining, n_retrain = [320, 1280], 2, 300, 20, [0, 25, 50, 100, 200, 400], 100
else:
    sizes, n_seeds, n_hidden, k = [1000, 2000, 4000, 8000, 16000, 32000, 60000], 3, 1000, 50
    pretraining, n_retrain = [0, 25, 50, 100, 200, 400, 800, 1600], 400
sizes, n_seeds = arguments.sizes or sizes, arguments.seeds or n_seeds
MARGIN = 0.01
STAGES = {"pruned": 0, "retrained": n_retrain}


def walk(X, y, n_updates, seed):
    """Yield the test accuracies of the dense network and of the subnetwork, and the seconds that each took."""
    network = GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, n_retrain=n_updates, early_stopping=False, loss="squared_error", activation="relu",
        random_state=seed,
    )  # fmt: skip
    points = network.fit_path(X, y, n_pretrain=pretraining, k=[k])
    for _ in pretraining:
        row = []
        for _ in ("dense", "subnetwork"):
            start = time.process_time()
            point = next(points)
            row.append((time.process_time() - start, point.estimator.score(data.X_test, data.y_test)))
        yield row


def run(_name, n_samples, seed):
    X, y = subset(data, n_samples, seed)
    in_training = 0.0
    for n_pretrain, pruned, retrained in zip(
        pretraining, walk(X, y, 0, seed), walk(X, y, n_retrain, seed), strict=True
    ):
        (first, dense_score), (pruning, pruned_score) = pruned
        (second, _), (both, retrained_score) = retrained
        in_training += (first + second) / 2
        yield {
            "n_samples": n_samples,
            "seed": seed,
            "n_pretrain": n_pretrain,
            "dense": round(dense_score, 4),
            "pruned": round(pruned_score, 4),
            "retrained": round(retrained_score, 4),
            "pretraining_seconds": f"{in_training:.4g}",
            "pruning_seconds": f"{pruning:.4g}",
            "pruning_and_retraining_seconds": f"{both:.4g}",
        }


# What is compiled or imported at first takes its time here, and is none of what is measured.
GreedyPrunedMLPClassifier(2, 3, n_hidden=10, n_retrain=2).fit(data.X_train[:200], data.y_train[:200])
keys = [("savings", n_samples, seed) for seed in range(n_seeds) for n_samples in sizes]
runs = finished_runs(arguments, keys, run)
table = [row for rows in runs.values() for row in rows]
write_table(arguments, f"savings_runs_{data.name}", table)
sizes = [n_samples for n_samples in sizes if ("savings", n_samples, 0) in runs]


def means(n_samples, name):
    """Return the means over seeds of a column, one for each number of iterations."""
    rows = [[float(row[name]) for row in one] for key, one in runs.items() if key[1] == n_samples]
    return np.mean(rows, axis=0)


# %%
# For each number of samples the first number of iterations that is as good as the last, by the means over seeds.
AFTERWARDS = {"pruned": "pruning_seconds", "retrained": "pruning_and_retraining_seconds"}
summary = []
for stage, afterwards in AFTERWARDS.items():
    for n_samples in sizes:
        scores = means(n_samples, stage)
        seconds = means(n_samples, "pretraining_seconds") + means(n_samples, afterwards)
        first = int(np.argmax(scores >= scores[-1] - MARGIN))
        row = {"stage": stage, "n_samples": n_samples, "n_seeds": sum(key[1] == n_samples for key in runs)}
        for name, place in (("early", first), ("full", -1)):
            row |= {f"{name}_n_pretrain": pretraining[place], f"{name}_updates": pretraining[place] + STAGES[stage]}
            row |= {f"{name}_accuracy": f"{scores[place]:.4f}", f"{name}_seconds": f"{seconds[place]:.3g}"}
        summary.append(row)
        print(", ".join(f"{name} {value}" for name, value in row.items()))
write_table(arguments, f"savings_{data.name}", summary)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for axis, (stage, afterwards) in zip(axes, AFTERWARDS.items(), strict=True):
    for place, n_samples in enumerate(dict.fromkeys((sizes[0], sizes[len(sizes) // 2], sizes[-1]))):
        seconds = means(n_samples, "pretraining_seconds") + means(n_samples, afterwards)
        style = {"color": COLOURS[place], "marker": MARKERS[place]}
        axis.plot(seconds, means(n_samples, stage), label=f"{n_samples} samples", **style)
    axis.set_xscale("log")
    axis.set_xlabel("Seconds of processors, in all")
    axis.set_title({"pruned": "Pruned only", "retrained": "Re-trained"}[stage], fontsize="medium")
axes[0].set_ylabel("Test accuracy")
axes[0].set_ylim(0.7, 1)
axes[0].legend(loc="lower right")
save_figure(arguments, f"savings_{data.name}", figure)
