"""
The threshold where the weights are solved again
================================================

The paper's selection gives each pick the weight 1/k. Corrective selection solves the output weights again after every
pick. How much earlier is a subnetwork good then, of which size, and does the threshold still grow with the number of
samples? The experiment is that of :doc:`thresholds </gallery/3_paper/thresholds>` under SGD; each dense network is
pruned in both ways, on the same samples, and nothing is re-trained.
"""

# %%
# A seed decides on the samples, the initial weights and the batches. Both selections see the activations on all
# training samples. The weights are solved with a penalty of a ten-thousandth of the Gram matrix's mean diagonal.
import matplotlib.pyplot as plt
import numpy as np
from _paper import (
    COLOURS,
    DASHES,
    MARKERS,
    crossing,
    finished_runs,
    grid,
    laws,
    load,
    parse_arguments,
    save_figure,
    subset,
    write_table,
)

from sklearn_gfs import GreedyPrunedMLPClassifier, SelectionStatistics, greedy_forward_selection

arguments = parse_arguments("Thresholds of pre-training under the paper's and under corrective selection.")
data = load(arguments)
if arguments.fast:
    sizes, n_hidden, n_seeds, last, ks = [160, 320, 640, 1280], 300, 2, 128, [5, 10, 20, 50]
else:
    sizes, n_hidden, n_seeds, last, ks = [1000, 2000, 4000, 8000], 1000, 3, 512, [10, 20, 50, 100, 200, 400]
n_seeds, RIDGE = arguments.seeds or n_seeds, 1e-4
n_pretrain = grid(last)
SELECTIONS = ("paper's", "corrective")


def run(_name, n_samples, seed):
    """Train once; for every number of iterations and every k yield a row for each selection, k being 0 for none."""
    X, y = subset(data, n_samples, seed)
    targets = np.eye(10)[y]
    network = GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, solver="sgd", batch_size=128, momentum=0.9, n_retrain=0, random_state=seed,
        loss="squared_error", activation="relu",
    )  # fmt: skip
    points = network.fit_path(X, y, n_pretrain=n_pretrain, k=[1])
    for t, dense in zip(n_pretrain, (point.estimator for point in points if point.k is None), strict=True):
        train, test = (np.maximum(part @ dense.coefs_[0] + dense.intercepts_[0], 0) for part in (X, data.X_test))
        neurons, intercept = dense.coefs_[1] * n_hidden, dense.intercepts_[1]
        path = greedy_forward_selection(train, targets, ks[-1], output_weights=neurons, offset=intercept)
        sums = SelectionStatistics().update(train, targets)  # of which every selection is made
        found = [("dense", 0, dense.coefs_[1], intercept, n_hidden)]
        for k in ks:
            counts = np.bincount(path.picks[:k], minlength=n_hidden)
            again = sums.select(k, output_weights=neurons, corrective=True, ridge=RIDGE)
            found.append(("paper's", k, neurons * (counts / k)[:, np.newaxis], intercept, np.count_nonzero(counts)))
            found.append(("corrective", k, again.weights, again.intercept, len(again.picks)))
        for selection, k, weights, base, n_distinct in found:
            accuracies = [
                np.mean((hidden @ weights + base).argmax(axis=1) == labels)
                for hidden, labels in ((train, y), (test, data.y_test))
            ]
            row = {"n_samples": n_samples, "seed": seed, "n_pretrain": t, "selection": selection, "k": k}
            row |= {"train_accuracy": round(accuracies[0], 5), "test_accuracy": round(accuracies[1], 5)}
            yield row | {"n_distinct": n_distinct}


keys = [("corrective", n_samples, seed) for seed in range(n_seeds) for n_samples in sizes]
runs = finished_runs(arguments, keys, run)
table = [row for rows in runs.values() for row in rows]
write_table(arguments, f"corrective_runs_{data.name}", table)
done = [n_samples for n_samples in sizes if ("corrective", n_samples, 0) in runs]


def scores(selection, k, n_samples, part):
    """Return an array of (n_pretrain, seed)."""
    seeds = sorted(key[2] for key in runs if key[1] == n_samples)
    columns = [
        [row[part] for row in runs["corrective", n_samples, seed] if (row["selection"], row["k"]) == (selection, k)]
        for seed in seeds
    ]
    return np.array(columns, dtype=float).T


# %%
# Accuracy against pre-training, by both selections, for the least and the greatest number of samples.
shown = sorted({done[0], done[-1]})
parts = {"train_accuracy": "training", "test_accuracy": "test"}
figure, axes = plt.subplots(
    len(parts),
    len(shown),
    figsize=(4.6 * len(shown) + 1.6, 6.4),
    layout="constrained",
    sharex=True,
    sharey=True,
    squeeze=False,
)
for line, (part, word) in zip(axes, parts.items(), strict=True):
    for axis, n_samples in zip(line, shown, strict=True):
        for place, k in enumerate(ks[: len(COLOURS)]):
            for selection, dash in zip(SELECTIONS, DASHES, strict=False):
                means = scores(selection, k, n_samples, part).mean(axis=1)
                style = {"color": COLOURS[place], "linestyle": dash, "marker": MARKERS[place], "markersize": 3}
                axis.plot(n_pretrain, means, label=f"{k}, {selection}", **style)
        dense = scores("dense", 0, n_samples, part).mean(axis=1)
        axis.plot(n_pretrain, dense, color="0.4", linewidth=2, label="dense")
        axis.set_xscale("symlog", linthresh=2)
        axis.set_title(f"{n_samples} samples, {word} accuracy", fontsize="medium")
        axis.set_ylim(0.3, 1.01)
figure.legend(
    *axes[0, 0].get_legend_handles_labels(), fontsize="small", loc="outside right center", title="picks, selection"
)
figure.supxlabel("Pre-training (gradient updates)", fontsize="medium")
save_figure(arguments, f"corrective_curves_{data.name}", figure)

# %%
# The thresholds: iterations until the training accuracy of the pruned network reaches a goal, interpolated.
GOALS = [(k, goal) for goal in (0.85, 0.9, 0.95) for k in ks]
thresholds, law_rows = [], []
for k, goal in GOALS:
    for selection in SELECTIONS:
        reached = {
            n_samples: [crossing(n_pretrain, one, goal) for one in scores(selection, k, n_samples, "train_accuracy").T]
            for n_samples in done
        }
        common = {"selection": selection, "k": k, "goal": goal}
        for n_samples, values in reached.items():
            row = common | {"n_samples": n_samples, "threshold": " ".join(f"{value:.1f}" for value in values)}
            thresholds.append(row | {"median": f"{np.median(np.nan_to_num(values, nan=np.inf)):.1f}"})
        n_samples = np.concatenate([np.full(len(values), n, dtype=float) for n, values in reached.items()])
        values = np.concatenate(list(reached.values()))
        known = np.isfinite(values)
        if len(set(n_samples[known])) > 2 and len(set(values[known])) > 3:
            law_rows += [common | row for row in laws(n_samples, values, np.full(len(values), float(last)))[1]]
write_table(arguments, f"corrective_thresholds_{data.name}", thresholds)
write_table(arguments, f"corrective_laws_{data.name}", law_rows)
for row in thresholds:
    print(", ".join(str(value) for value in row.values()))
for row in law_rows:
    print(", ".join(str(value) for value in row.values()))

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
for axis, goal in zip(axes, (0.85, 0.9, 0.95), strict=True):
    for place, k in enumerate(ks[: len(COLOURS)]):
        for selection, dash in zip(SELECTIONS, DASHES, strict=False):
            rows = [row for row in thresholds if (row["selection"], row["k"], row["goal"]) == (selection, k, goal)]
            medians = [float(row["median"]) for row in rows]
            style = {"color": COLOURS[place], "linestyle": dash, "marker": MARKERS[place], "markersize": 4}
            axis.plot(done, np.where(np.isfinite(medians), medians, np.nan), label=f"{k}, {selection}", **style)
    axis.set_xscale("log")
    axis.set_yscale("symlog", linthresh=2)
    axis.set_xticks(done, [f"{n_samples:g}" for n_samples in done])
    axis.minorticks_off()
    axis.set_title(f"training accuracy {goal}", fontsize="medium")
figure.legend(
    *axes[0].get_legend_handles_labels(), fontsize="small", loc="outside right center", title="picks, selection"
)
axes[0].set_ylabel("Threshold (gradient updates), median")
figure.supxlabel("Training samples", fontsize="medium")
save_figure(arguments, f"corrective_thresholds_{data.name}", figure)
