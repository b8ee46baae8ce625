"""
Against other networks of the same size
=======================================

A subnetwork found by greedy forward selection is compared with others of as many neurons. Two are the dense network,
pruned by magnitude and at random. The third is trained from scratch with as many updates as all steps together. All are
scored with and without re-training, after several numbers of pre-training iterations.
"""

# %%
# All re-training is scikit-learn's MLP started from the pruned weights, with its own solver (Adam), so that only the
# choice of neurons differs. A seed decides on the samples, the initial weights and the batches.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from _paper import COLOURS, DASHES, MARKERS, finished_runs, load, parse_arguments, save_figure, subset, write_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sklearn_gfs import GreedyPrunedMLPClassifier

arguments = parse_arguments("Subnetworks beside magnitude pruning, random pruning and training from scratch.")
data = load(arguments)
if arguments.fast:
    sizes, n_seeds, n_hidden, ks, pretraining, n_retrain = [1280], 2, 300, [10, 20, 50], [0, 50, 200], 200
else:
    sizes, n_seeds, n_hidden, ks = [10000, 60000, 1000], 3, 1000, [10, 20, 50, 100]
    pretraining, n_retrain = [0, 100, 400, 1600], 400
n_seeds = arguments.seeds or n_seeds
BATCH = 128
NETWORKS = ("greedy forward selection", "magnitude", "random", "from scratch")


def train(start, n_units, X, y, n_updates, seed):
    """Train the network of the given coefficients and intercepts, None for scikit-learn's own; return it trained."""
    network = MLPClassifier(
        (n_units,), batch_size=BATCH, learning_rate_init=0.005, max_iter=1, warm_start=True, random_state=seed
    )
    if start is not None:
        network.partial_fit(X[:BATCH], y[:BATCH], classes=np.unique(data.y_train))  # makes room for the weights
        network.coefs_, network.intercepts_ = [[array.copy() for array in arrays] for arrays in start]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(X)) for _ in range(-(-n_updates * BATCH // len(X)))]
    rows = np.concatenate(orders)[: n_updates * BATCH]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one pass over these rows is what was asked for
        return network.fit(X[rows], y[rows])


def keep(dense, chosen):
    """Return the weights of the mean of the chosen neurons, in place of the mean of all."""
    share = len(dense.intercepts_[0]) / len(chosen)
    coefs = [dense.coefs_[0][:, chosen], dense.coefs_[1][chosen] * share]
    return coefs, [dense.intercepts_[0][chosen], dense.intercepts_[1]]


def accuracy(coefs, intercepts):
    hidden = np.maximum(data.X_test @ coefs[0] + intercepts[0], 0)
    return float(np.mean(np.argmax(hidden @ coefs[1] + intercepts[1], axis=1) == data.y_test))


def run(_name, n_samples, seed):
    """Train once and yield a row for every number of iterations, every k and every way to get so small a network."""
    X, y = subset(data, n_samples, seed)
    rng = np.random.default_rng(seed)
    model = GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, n_retrain=0, loss="squared_error", activation="relu", random_state=seed
    )
    for point in model.fit_path(X, y, n_pretrain=pretraining, k=ks):
        network = point.estimator
        common = {"n_samples": n_samples, "seed": seed, "n_pretrain": point.n_pretrain, "k": point.k or 0}
        if point.k is None:
            dense = network
            strength = np.linalg.norm(dense.coefs_[0], axis=0) * np.linalg.norm(dense.coefs_[1], axis=1)
            score = round(accuracy(dense.coefs_, dense.intercepts_), 4)
            yield common | {"n_units": n_hidden, "network": "dense", "pruned": score, "retrained": ""}
            continue
        common["n_units"] = n_units = network.n_units_
        candidates = {
            "greedy forward selection": (network.coefs_, network.intercepts_),
            "magnitude": keep(dense, np.argsort(-strength)[:n_units]),
            "random": keep(dense, rng.choice(n_hidden, n_units, replace=False)),
        }
        for name, weights in candidates.items():
            score = train(weights, n_units, X, y, n_retrain, seed).score(data.X_test, data.y_test)
            pruned = round(accuracy(*weights), 4)
            yield common | {"network": name, "pruned": pruned, "retrained": round(score, 4)}
        scratch = train(None, n_units, X, y, point.n_pretrain + n_retrain, seed)
        score = round(scratch.score(data.X_test, data.y_test), 4)
        yield common | {"network": "from scratch", "pruned": "", "retrained": score}


keys = [("same size", n_samples, seed) for seed in range(n_seeds) for n_samples in sizes]
runs = finished_runs(arguments, keys, run)
rows = [row for run_rows in runs.values() for row in run_rows]
write_table(arguments, f"same_size_{data.name}", rows)
sizes = [n_samples for n_samples in sorted(sizes) if any(key[1] == n_samples for key in runs)]


def values(stage, **wanted):
    """Return the test accuracies of the rows that have these values, one for each seed."""
    chosen = [row[stage] for row in rows if all(row[name] == value for name, value in wanted.items())]
    return np.array([value for value in chosen if value != ""], dtype=float)


def draw(axis, across, stage, **wanted):
    """Draw mean and standard deviation over seeds of each network along a parameter; print the means."""
    name, positions = across
    for style in zip(NETWORKS, COLOURS, DASHES, MARKERS, strict=False):
        network, colour, dash, marker = style
        found = [values(stage, network=network, **wanted, **{name: position}) for position in positions]
        if all(len(scores) for scores in found):
            means, spread = [scores.mean() for scores in found], [scores.std() for scores in found]
            look = {"color": colour, "linestyle": dash, "marker": marker, "capsize": 3, "label": network}
            axis.errorbar(range(len(positions)), means, spread, **look)
            print(f"  {stage:9} {network:25}", " ".join(f"{mean:.3f}" for mean in means))
    axis.set_xticks(range(len(positions)), positions)
    axis.grid(alpha=0.3)


# %%
# Test accuracy against the size of the network, after one number of iterations; mean and standard deviation over seeds.
middle = pretraining[-2] if len(pretraining) > 3 else pretraining[-1]
figure, axes = plt.subplots(
    2, len(sizes), figsize=(4 * len(sizes) + 1, 7.3), layout="constrained", sharex=True, sharey="row", squeeze=False
)
for column, n_samples in enumerate(sizes):
    print(f"\n{n_samples} samples, {middle} iterations of pre-training: test accuracy by k {ks}")
    for axis, stage in zip(axes[:, column], ("pruned", "retrained"), strict=True):
        draw(axis, ("k", ks), stage, n_samples=n_samples, n_pretrain=middle)
        dense = values("pruned", network="dense", n_samples=n_samples, n_pretrain=middle).mean()
        axis.axhline(dense, color="black", linestyle=":", label="dense network")
    print(f"  dense {dense:.3f}")
    axes[0, column].set_title(f"{n_samples} samples, pruned", fontsize="medium")
    axes[1, column].set_title(f"{n_samples} samples, re-trained", fontsize="medium")
    axes[1, column].set_xlabel("Picks k")
for axis in axes[:, 0]:
    axis.set_ylabel("Test accuracy")
figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
save_figure(arguments, f"same_size_{data.name}", figure)

# %%
# Test accuracy after re-training against the iterations of pre-training: is pre-training of use where re-training
# follows?
shown = ks[1:3]
figure, axes = plt.subplots(
    len(shown), len(sizes), figsize=(4 * len(sizes) + 1, 7.3), layout="constrained", sharex=True, squeeze=False
)
for line, k in enumerate(shown):
    for axis, n_samples in zip(axes[line], sizes, strict=True):
        print(f"\n{n_samples} samples, k = {k}: test accuracy by iterations of pre-training {pretraining}")
        draw(axis, ("n_pretrain", pretraining), "retrained", n_samples=n_samples, k=k)
        axis.set_title(f"{n_samples} samples, k = {k}, re-trained", fontsize="medium")
for axis in axes[-1]:
    axis.set_xlabel("Pre-training (gradient updates)")
for axis in axes[:, 0]:
    axis.set_ylabel("Test accuracy")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
save_figure(arguments, f"same_size_pretraining_{data.name}", figure)
