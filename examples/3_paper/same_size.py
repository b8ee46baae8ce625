"""
Against other networks of the same size
=======================================

A subnetwork found by greedy forward selection beside others with as many neurons: the dense network pruned by magnitude
and at random, and a network of that size trained from scratch with as many updates as all steps together; pruned only,
and re-trained.
"""

# %%
# All re-training is scikit-learn's MLP started from the pruned weights, so that only the choice of neurons differs.
import matplotlib.pyplot as plt
import numpy as np
from _paper import load, parse_arguments, save_figure, write_table
from sklearn.neural_network import MLPClassifier

from sklearn_gfs import GreedyPrunedMLPClassifier

arguments = parse_arguments("Subnetworks beside magnitude pruning, random pruning and training from scratch.")
data = load(arguments)
if arguments.fast:
    sizes, n_seeds, n_hidden, ks, n_pretrain, n_retrain = [1280], 2, 300, [10, 20, 50], 200, 200
else:
    sizes, n_seeds, n_hidden, ks, n_pretrain, n_retrain = [10000], 3, 1000, [10, 20, 50, 100], 400, 400
sizes, n_seeds = arguments.sizes or sizes, arguments.seeds or n_seeds
BATCH = 128


def train(coefs, intercepts, X, y, n_updates, seed):
    """Train the network that these arrays make, for that many updates, and return it."""
    network = MLPClassifier((coefs[0].shape[1],), batch_size=BATCH, learning_rate_init=0.005, random_state=seed)
    network.partial_fit(X[:BATCH], y[:BATCH], classes=np.unique(data.y_train))
    network.coefs_, network.intercepts_ = [c.copy() for c in coefs], [c.copy() for c in intercepts]
    network._optimizer.params = network.coefs_ + network.intercepts_
    rng = np.random.default_rng(seed)
    for _ in range(n_updates):
        chosen = rng.choice(len(X), BATCH, replace=False)
        network.partial_fit(X[chosen], y[chosen])
    return network


def keep(dense, chosen):
    """Return the weights of the mean of the chosen neurons, in place of the mean of all."""
    share = len(dense.intercepts_[0]) / len(chosen)
    coefs = [dense.coefs_[0][:, chosen], dense.coefs_[1][chosen] * share]
    return coefs, [dense.intercepts_[0][chosen], dense.intercepts_[1]]


def accuracy(coefs, intercepts):
    hidden = np.maximum(data.X_test @ coefs[0] + intercepts[0], 0)
    return float(np.mean(np.argmax(hidden @ coefs[1] + intercepts[1], axis=1) == data.y_test))


def run(n_samples, seed):
    X, y = data.X_train[:n_samples], data.y_train[:n_samples]
    rng = np.random.default_rng(seed)
    model = GreedyPrunedMLPClassifier(n_hidden=n_hidden, n_retrain=0, random_state=seed)
    points = list(model.fit_path(X, y, n_pretrain=[n_pretrain], k=ks))
    dense = points[0].estimator
    strength = np.linalg.norm(dense.coefs_[0], axis=0) * np.linalg.norm(dense.coefs_[1], axis=1)
    for point in points[1:]:
        n_units = point.estimator.n_units_
        scratch = MLPClassifier((n_units,), batch_size=BATCH, learning_rate_init=0.005, random_state=seed)
        scratch.partial_fit(X[:BATCH], y[:BATCH], classes=np.unique(data.y_train))
        candidates = {
            "greedy forward selection": (point.estimator.coefs_, point.estimator.intercepts_),
            "magnitude": keep(dense, np.argsort(-strength)[:n_units]),
            "random": keep(dense, rng.choice(n_hidden, n_units, replace=False)),
        }
        common = {"n_samples": n_samples, "seed": seed, "k": point.k, "n_units": n_units}
        for name, (coefs, intercepts) in candidates.items():
            retrained = train(coefs, intercepts, X, y, n_retrain, seed)
            yield common | {"network": name, "pruned": round(accuracy(coefs, intercepts), 5),
                            "retrained": round(retrained.score(data.X_test, data.y_test), 5)}  # fmt: skip
        scratch = train(scratch.coefs_, scratch.intercepts_, X, y, n_pretrain + n_retrain, seed)
        score = round(scratch.score(data.X_test, data.y_test), 5)
        yield common | {"network": "from scratch", "pruned": "", "retrained": score}
        yield common | {"network": "dense", "pruned": round(dense.score(data.X_test, data.y_test), 5), "retrained": ""}


rows = [row for n_samples in sizes for seed in range(n_seeds) for row in run(n_samples, seed)]
write_table(arguments, f"same_size_{data.name}", rows)

# %%
# Test accuracy, mean over seeds.
NETWORKS = ("greedy forward selection", "magnitude", "random", "from scratch")
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for axis, stage in zip(axes, ("pruned", "retrained"), strict=True):
    print(f"\n{stage}: test accuracy by k {ks}")
    for marker, name in zip("os^D", NETWORKS, strict=True):
        values = [[r[stage] for r in rows if r["network"] == name and r["k"] == k] for k in ks]
        if values[0][0] != "":
            means, spread = np.mean(values, axis=1), np.std(values, axis=1)
            axis.errorbar(ks, means, spread, marker=marker, capsize=3, label=name)
            print(f"{name:25}", " ".join(f"{mean:.3f}" for mean in means))
    dense = np.mean([r["pruned"] for r in rows if r["network"] == "dense"])
    axis.axhline(dense, color="0.4", linestyle=":", label="dense network")
    axis.set(xscale="log", xticks=ks, xticklabels=ks, xlabel="Picks k", title=stage)
    axis.minorticks_off()
axes[0].set_ylabel("Test accuracy")
axes[1].legend()
save_figure(arguments, f"same_size_{data.name}", figure)
