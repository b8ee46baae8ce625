"""
The threshold predicted from the network's kernel
=================================================

How many iterations are enough can be computed before training. In the linearised regime the extreme eigenvalues of the
network's tangent kernel give the rate at which gradient descent contracts the loss. The rate gives the threshold. Here
both are compared with what gradient descent then does. The kernel of a network with ten outputs allows few samples.
"""

# %%
# :func:`~sklearn_gfs.network_bounds` has the kernel in the units that the estimators train in, the data standardised.
# The step size is one over the kernel's largest eigenvalue. Pixels that never vary are left out.
import matplotlib.pyplot as plt
import numpy as np
from _paper import COLOURS, DASHES, MARKERS, finished_runs, load, parse_arguments, save_figure, subset, write_table

from sklearn_gfs import GreedyPrunedMLPClassifier, network_bounds, theory

arguments = parse_arguments("Thresholds predicted from the eigenvalues of the network's kernel.")
data = load(arguments)
if arguments.fast:
    sizes, n_seeds, n_hidden, ks, last = [20, 40, 80], 2, 300, [10, 50, 100], 512
else:
    sizes, n_seeds, n_hidden, ks, last = [20, 40, 80, 150], 3, 1000, [10, 50, 100, 200], 1024
n_seeds = arguments.seeds or n_seeds
n_pretrain = [0, *(2**step for step in range(int(np.log2(last)) + 1))]


def network_of(seed, **parameters):
    return GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, n_retrain=0, random_state=seed, solver="sgd", batch_size=None, momentum=0.0, alpha=0.0,
        loss="squared_error",
        **parameters,
    )  # fmt: skip


def run(_name, n_samples, seed):
    """Compute the kernel's eigenvalues, train, and yield a row for every number of iterations and every k."""
    X, y = subset(data, n_samples, seed)
    X = X[:, X.std(axis=0) > 0]
    predicted = network_bounds(network_of(seed), X, y, k=ks)
    network = network_of(seed, learning_rate_init=predicted.step_size)
    points = network.fit_path(X, y, n_pretrain=n_pretrain, k=ks)
    for t in n_pretrain:
        dense, *networks = (next(points).estimator for _ in [0, *ks])
        spread = network_bounds(dense, X, y).spread
        for k, pruned in zip(ks, networks, strict=True):
            yield {
                "n_samples": n_samples,
                "seed": seed,
                "smallest_eigenvalue": f"{predicted.eigenvalues[0]:.4g}",
                "largest_eigenvalue": f"{predicted.eigenvalues[1]:.4g}",
                "rate": f"{predicted.rate:.4g}",
                "n_pretrain": t,
                "k": k,
                "dense_loss": f"{pruned.dense_loss_:.6g}",
                "loss": f"{pruned.selection_losses_[-1]:.6g}",
                "spread": f"{spread:.6g}",
            }


keys = [("linearised", n_samples, seed) for seed in range(n_seeds) for n_samples in sizes]
runs = finished_runs(arguments, keys, run)
write_table(arguments, f"linearised_{data.name}", [row for rows in runs.values() for row in rows])


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


# %%
# The rate's promise for the dense loss, and the bound's for the subnetwork, against what happened; the first seed.
shown = [key for key in keys if key in runs and key[2] == 0]
figure, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 4), layout="constrained", sharey=True)
for axis, key in zip(axes, shown, strict=True):
    rows = [row for row in runs[key] if row["k"] == ks[-1]]
    dense, rate, spread = column(rows, "dense_loss"), float(rows[0]["rate"]), column(rows, "spread")
    promised = dense[0] * (1 - rate) ** np.array(n_pretrain)
    lines = {
        "dense network": dense,
        "promised by the rate": promised,
        f"subnetwork, k = {ks[-1]}": column(rows, "loss"),
        "promised from the dense loss": [
            float(theory.root_bound(ks[-1], *pair)) for pair in zip(dense, spread, strict=True)
        ],
    }
    for (label, values), *style in zip(lines.items(), COLOURS, DASHES, MARKERS, strict=False):
        colour, dash, marker = style
        axis.plot(n_pretrain, values, color=colour, linestyle=dash, marker=marker, markersize=4, label=label)
    axis.set_xscale("symlog", linthresh=1)
    axis.set(yscale="log", ylim=(1e-6, 2), title=f"{key[1]} samples", xlabel="Iterations")
axes[0].set_ylabel("Loss (mean over samples)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
save_figure(arguments, f"linearised_{data.name}", figure)

# %%
# Thresholds: the iterations after which the subnetwork's loss is at most ``2 V / k``, with the greatest spread V on the
# way. Predicted from the kernel; seen from the dense loss; measured on the subnetwork itself. Means over seeds.
print("samples    k    rate  predicted  from the dense loss  measured")
table = []
for n_samples in sizes:
    for k in ks:
        found = []
        for key in (key for key in runs if key[1] == n_samples):
            rows = [row for row in runs[key] if row["k"] == k]
            dense, spread, rate = column(rows, "dense_loss"), column(rows, "spread").max(), float(rows[0]["rate"])
            predicted = theory.pretrain_threshold(k, dense[0], spread, rate)
            seen = n_pretrain[int(np.argmax(dense <= spread / (2 * k)))]
            measured = n_pretrain[int(np.argmax(column(rows, "loss") <= 2 * spread / k))]
            found.append((predicted, seen, measured, rate))
            names = {"n_samples": n_samples, "seed": key[2], "k": k, "rate": rate}
            table.append(names | {"predicted": predicted, "from_dense_loss": seen, "measured": measured})
        if found:
            means = np.mean(found, axis=0)
            print(f"{n_samples:7d} {k:4d} {means[3]:7.2g} {means[0]:10.0f} {means[1]:20.0f} {means[2]:9.0f}")
write_table(arguments, f"linearised_thresholds_{data.name}", table)
