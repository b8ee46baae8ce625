"""
Is there a threshold, and does it grow with the logarithm of the data?
======================================================================

Wolfe et al. say of greedy forward selection: beyond a number of pre-training iterations the pruned network's training
error is already good, and this number is logarithmic in the number of samples. :doc:`/guide/theory` tells what of that
is proved. This is a variant of their experiment: networks are trained on subsets of several sizes and pruned, without
re-training, after geometrically spaced numbers of iterations to several sizes at once. Four questions are put to the
numbers: where is the threshold, how does it grow, does too much pre-training hurt, and how far off is the bound?
"""

# %%
# One training run per subset and seed serves all iterations and all sizes. SGD has batches of 128 and momentum;
# gradient descent, which the theory is about, uses all samples at once, no momentum and no penalty; Adam is the
# estimators' default. A seed decides on the samples, the initial weights and the batches.
import matplotlib.pyplot as plt
import numpy as np
from _paper import COLOURS, crossing, finished_runs, grid, laws, load, parse_arguments, save_figure, subset, write_table

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdDisplay, ThresholdScalingDisplay, theory

arguments = parse_arguments("Thresholds of pre-training over iterations, subnetwork sizes and numbers of samples.")
data = load(arguments)
REGIMES = {
    "SGD": {"solver": "sgd", "batch_size": 128, "momentum": 0.9},
    "gradient descent": {"solver": "sgd", "batch_size": None, "momentum": 0.0, "alpha": 0.0},
    "Adam": {"solver": "adam", "batch_size": 128},
}
# Regime, number of hidden neurons, numbers of samples, last number of iterations; the turn of the first seed's runs and
# the turns to the next seed's. What tells most for its time comes first, so that an interrupted experiment has it.
if arguments.fast:
    cases = [("SGD", 300, [160, 320, 640, 1280], 256, 0, 2), ("gradient descent", 300, [160, 320, 640], 128, 1, 2)]
    n_seeds, ks = 2, [5, 10, 20, 50, 100]
else:
    cases = [
        ("SGD", 1000, [1000, 2000, 4000, 8000, 16000], 512, 0, 1),
        ("gradient descent", 1000, [500, 1000, 2000, 4000], 256, 0.1, 1),
        ("SGD", 1000, [32000, 60000], 512, 0.2, 2),
        ("Adam", 1000, [1000, 4000, 16000], 512, 0.3, 2),
        ("SGD", 10000, [1000, 2000, 4000], 256, 1.4, 2),
        ("gradient descent", 1000, [8000], 256, 2.5, 1),
        ("SGD", 10000, [8000, 16000], 256, 2.6, 1),
    ]
    n_seeds, ks = 3, [10, 20, 50, 100, 200, 400]
n_seeds = arguments.seeds or n_seeds
last_iteration = {case[:2]: case[3] for case in cases}
turns = [
    (first_turn + seed * step, (regime, n_hidden, n_samples, seed))
    for regime, n_hidden, sizes, _, first_turn, step in cases
    for n_samples in sizes
    for seed in range(n_seeds)
]
keys = [key for _, key in sorted(turns, key=lambda turn: turn[0])]


def measure(dense, networks, X, y):
    """Return the accuracies of the dense network and of its subnetworks, its activations and its output weights."""
    hidden = np.maximum(X @ dense.coefs_[0] + dense.intercepts_[0], 0)
    neurons = dense.coefs_[1] * hidden.shape[1]  # of which the dense network is the mean
    weights = [dense.coefs_[1], *(neurons * (n.selection_counts_ / n.k)[:, np.newaxis] for n in networks)]
    outputs = (hidden @ np.hstack(weights).astype(hidden.dtype)).reshape(len(X), len(weights), -1)
    outputs += dense.intercepts_[1]
    accuracies = np.mean(outputs.argmax(axis=2) == y[:, np.newaxis], axis=0)
    return accuracies, hidden, neurons


def run(regime, n_hidden, n_samples, seed):
    """Train once and yield a row for every number of iterations and every k, the dense network's k being 0."""
    X, y = subset(data, n_samples, seed)
    network = GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, n_retrain=0, loss="squared_error", activation="relu", random_state=seed, **REGIMES[regime]
    )
    n_pretrain = grid(last_iteration[regime, n_hidden])
    points = network.fit_path(X, y, n_pretrain=n_pretrain, k=ks)
    for t in n_pretrain:
        dense, *networks = (next(points).estimator for _ in [0, *ks])
        train, hidden, neurons = measure(dense, networks, X, y)
        test, _, _ = measure(dense, networks, data.X_test, data.y_test)
        losses = [networks[0].dense_loss_, *(n.selection_losses_[-1] for n in networks)]
        spread = theory.hull_spread(hidden, output_weights=neurons)
        for column, k in enumerate([0, *ks]):
            yield {
                "regime": regime,
                "n_hidden": n_hidden,
                "n_samples": n_samples,
                "seed": seed,
                "n_pretrain": t,
                "k": k,
                "train_accuracy": round(train[column], 5),
                "test_accuracy": round(test[column], 5),
                "loss": f"{losses[column]:.6g}",
                "spread": f"{spread:.6g}",
            }


runs = finished_runs(arguments, keys, run)

# %%
# The finished runs of a regime and a width, by number of samples.
SERIES = list(dict.fromkeys(key[:2] for key in sorted(runs, key=lambda key: list(REGIMES).index(key[0]))))
write_table(arguments, f"runs_{data.name}", [row for rows in runs.values() for row in rows])


def title(regime, n_hidden):
    return f"{regime}, width {n_hidden}"


def sizes_of(series):
    return sorted({key[2] for key in runs if key[:2] == series})


def seeds_of(series, n_samples):
    return sorted(key[3] for key in runs if key[:3] == (*series, n_samples))


def scores(series, n_samples, part):
    """Return an array of (n_pretrain, k, seed), the dense network's k first."""
    seeds = [runs[*series, n_samples, seed] for seed in seeds_of(series, n_samples)]
    columns = [np.array([float(row[part]) for row in rows]).reshape(-1, len(ks) + 1) for rows in seeds]
    return np.stack(columns, axis=-1)


def first(reached, iterations):
    """Return the first number of iterations at which something is so, None where it never is."""
    return iterations[int(np.argmax(reached))] if np.any(reached) else None


# %%
# Accuracy over iterations and size, one panel for each number of samples, with the line where the mean over seeds first
# reaches the goal.
def draw_map(series, part, goal):
    sizes, iterations = sizes_of(series), grid(last_iteration[series])
    n_columns = min(4, len(sizes))
    n_rows = -(-len(sizes) // n_columns)
    shape = {"figsize": (3 * n_columns + 1, 2.6 * n_rows + 0.6), "squeeze": False, "sharey": True}
    figure, axes = plt.subplots(n_rows, n_columns, layout="constrained", **shape)
    for axis in axes.flat[len(sizes) :]:
        axis.set_axis_off()
    for axis, n_samples in zip(axes.flat, sizes, strict=False):
        values = scores(series, n_samples, part)[:, 1:]
        thresholds = [first(means >= goal, iterations) for means in values.mean(axis=-1).T]
        display = PretrainThresholdDisplay(
            n_pretrain=np.array(iterations), k=np.array(ks), scores=values, thresholds=thresholds
        ).plot(axis, kind="heatmap")
        display.colorbar_.remove()
        display.image_.set_clim(0.4, 1)
        if axis.get_legend():
            axis.get_legend().remove()
        axis.set_title(f"{n_samples} samples", fontsize="medium")
        axis.set(xlabel="", ylabel="")
        shown = range(0, len(iterations), 2)
        axis.set_xticks([column + 0.5 for column in shown], [iterations[column] for column in shown], rotation=90)
        axis.tick_params(labelsize="small")
    figure.colorbar(
        display.image_,
        ax=axes,
        label={"train_accuracy": "Training accuracy", "test_accuracy": "Test accuracy"}[part],
        shrink=0.8,
    )
    figure.supxlabel("Pre-training (gradient updates)", fontsize="medium")
    figure.supylabel("Picks k", fontsize="medium")
    figure.suptitle(f"{title(*series)}: line where {goal} is reached", fontsize="medium")
    return figure


for series in SERIES:
    for part in ("train_accuracy", "test_accuracy"):
        name = "_".join(str(word) for word in (part, *series, data.name)).replace(" ", "_")
        save_figure(arguments, f"map_{name}", draw_map(series, part, 0.9))

# %%
# Too much pre-training: test accuracy of the subnetworks and of the dense network, for the least, a middle and the
# greatest number of samples, with the standard deviation over seeds.
figure, axes = plt.subplots(
    len(SERIES),
    3,
    figsize=(12, 3.3 * len(SERIES) + 0.6),
    layout="constrained",
    sharey=True,
    sharex="row",
    squeeze=False,
)
for line, series in zip(axes, SERIES, strict=True):
    iterations, sizes = grid(last_iteration[series]), sizes_of(series)
    shown = sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
    for axis in line[len(shown) :]:
        axis.set_axis_off()
    for axis, n_samples in zip(line, shown, strict=False):
        values = scores(series, n_samples, "test_accuracy")
        PretrainThresholdDisplay(
            n_pretrain=np.array(iterations), k=np.array(ks), scores=values[:, 1:], dense_scores=values[:, 0]
        ).plot(axis, kind="curves")
        axis.get_legend().remove()
        axis.set_title(f"{title(*series)}, n = {n_samples}", fontsize="medium")
        axis.set(ylim=(0.3, 1), xlabel="", ylabel="")
figure.supxlabel("Pre-training (gradient updates)", fontsize="medium")
figure.supylabel("Test accuracy", fontsize="medium")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
save_figure(arguments, f"too_much_{data.name}", figure)

too_much = []
for series in SERIES:
    iterations = grid(last_iteration[series])
    for n_samples in sizes_of(series):
        means = scores(series, n_samples, "test_accuracy").mean(axis=-1)
        for k, column in zip([0, *ks], means.T, strict=True):
            best = int(np.argmax(column))
            row = {"regime": series[0], "n_hidden": series[1], "n_samples": n_samples, "k": k}
            row |= {"best_at": iterations[best], "best": round(column[best], 4), "last": round(column[-1], 4)}
            too_much.append(row | {"last_at": iterations[-1]})
write_table(arguments, f"too_much_{data.name}", too_much)
print("\ntest accuracy at the best and at the last number of iterations, SGD, mean over seeds")
for row in too_much:
    if (row["regime"], row["n_hidden"]) == SERIES[0]:
        print("{n_samples:7d} samples, k = {k:3d}: {best:.3f} at {best_at}, {last:.3f} at {last_at}".format(**row))

# %%
# The threshold against the number of samples: a logarithm, a power law and a constant, with Akaike's criterion for
# each. A run that did not reach the goal counts as one whose threshold is beyond its last iteration.
# Differences of less than about 2 decide nothing. A threshold is interpolated between the two numbers of
# iterations where the accuracy passes the goal, linearly in the accuracy and the logarithm of the iterations.


GOALS = [(50, 0.85), (100, 0.9), (ks[-1], 0.95)]
long = [series for series in SERIES if len(sizes_of(series)) > 2]
summary, thresholds_table = [], []
figure, axes = plt.subplots(
    max(len(long), 1),
    len(GOALS),
    figsize=(3.3 * len(GOALS), 2.8 * len(long) + 0.3),
    layout="constrained",
    squeeze=False,
)
for line, series in zip(axes, long, strict=False):
    iterations, used = grid(last_iteration[series]), sizes_of(series)
    for axis, (k, goal) in zip(line, GOALS, strict=True):
        common = {"regime": series[0], "n_hidden": series[1], "k": k, "goal": goal}
        thresholds, ends = np.full((2, len(used), n_seeds), np.nan)
        for place, n_samples in enumerate(used):
            accuracies = scores(series, n_samples, "train_accuracy")[:, 1 + ks.index(k)]
            for seed, values in zip(seeds_of(series, n_samples), accuracies.T, strict=True):
                thresholds[place, seed], ends[place, seed] = crossing(iterations, values, goal), iterations[-1]
                row = common | {"n_samples": n_samples, "seed": seed, "threshold": round(thresholds[place, seed], 1)}
                thresholds_table.append(row)
        fits = {}
        if np.isfinite(thresholds).any(axis=1).sum() > 2 and np.isfinite(thresholds).sum() > 3:
            fits, rows = laws(np.repeat(used, n_seeds).astype(float), thresholds.ravel(), ends.ravel())
            summary += [common | row for row in rows]
        ThresholdScalingDisplay(
            train_sizes=np.array(used),
            thresholds=thresholds,
            last_n_pretrain=ends,
            log_fit=fits.get("log"),
            power_fit=fits.get("power"),
        ).plot(axis)
        axis.get_legend().remove()
        if fits:
            handles, labels = axis.get_legend_handles_labels()
            named = [i for i, label in enumerate(labels) if " n" in label]
            axis.legend([handles[i] for i in named], [labels[i] for i in named], fontsize="small", loc="upper left")
        axis.set(
            xlabel="", ylabel="", ylim=(0, 1.6 * np.nanmax(np.where(np.isnan(thresholds), ends, thresholds), initial=1))
        )
        axis.tick_params(axis="x", rotation=40, labelsize="small")
        axis.set_title(f"{title(*series)}\ntraining accuracy {goal} at k = {k}", fontsize="medium")
figure.supxlabel("Training samples", fontsize="medium")
figure.supylabel("Threshold (gradient updates)", fontsize="medium")
write_table(arguments, f"laws_{data.name}", summary)
write_table(arguments, f"thresholds_{data.name}", thresholds_table)
save_figure(arguments, f"laws_{data.name}", figure)
print("\nlaws of the threshold: a + b ln n, c n^p, a constant")
for row in summary:
    print(", ".join(str(value) for value in row.values()))

# %%
# The bound. From the first iteration on at which the dense loss is at most ``V / (2 k)``, with the spread V of its
# neurons, the subnetwork's loss is at most ``2 V / k``. The first can be seen without knowing any rate; the second is
# what happened.
bound_rows = []
for key, rows in runs.items():
    iterations = grid(last_iteration[key[:2]])
    losses = np.array([float(row["loss"]) for row in rows]).reshape(-1, len(ks) + 1)
    spreads = np.array([float(row["spread"]) for row in rows]).reshape(-1, len(ks) + 1)[:, 0]
    for column, k in enumerate(ks, start=1):
        bound = [float(theory.root_bound(k, *pair)) for pair in zip(losses[:, 0], spreads, strict=True)]
        promised = first(losses[:, 0] <= spreads / (2 * k), iterations)
        measured = first(losses[:, column] <= 2 * spreads / k, iterations)
        row = dict(zip(("regime", "n_hidden", "n_samples", "seed"), key, strict=True)) | {"k": k}
        row |= {"promised": "never" if promised is None else promised}
        row |= {"measured": "never" if measured is None else measured}
        shares = losses[:, column] / bound
        row |= {"promised_loss_at_the_end": round(2 * spreads[-1] / k, 4), "loss_at_the_end": losses[-1, column]}
        bound_rows.append(row | {"largest_share_of_bound": round(shares.max(), 3)})
write_table(arguments, f"bound_{data.name}", bound_rows)

figure, axes = plt.subplots(
    1, max(len(SERIES), 1), figsize=(3.6 * len(SERIES) + 0.4, 4), layout="constrained", sharey=True, squeeze=False
)
for axis, series in zip(axes[0], SERIES, strict=False):
    chosen = [row for row in bound_rows if (row["regime"], row["n_hidden"]) == series]
    never = 2 * last_iteration[series]
    for name, marker, colour, shift in (("promised", "^", COLOURS[1], 0.12), ("measured", "o", COLOURS[0], -0.12)):
        heights = [never if row[name] == "never" else row[name] for row in chosen]
        spots = [ks.index(row["k"]) + shift for row in chosen]
        axis.scatter(spots, heights, marker=marker, color=colour, alpha=0.5, linewidth=0, s=30, label=name)
    axis.axhline(1.4 * last_iteration[series], color="0.6", linewidth=1, linestyle=":")
    axis.set_yscale("symlog", linthresh=2)
    axis.set_xticks(range(len(ks)), ks)
    axis.set_title(title(*series), fontsize="medium")
    axis.set_xlabel("Picks k")
axes[0, 0].set_ylabel("First iteration (above the dotted line: never)")
axes[0, 0].legend()
save_figure(arguments, f"bound_{data.name}", figure)
print(
    "\nlargest share of the bound that a subnetwork's loss had:", max(r["largest_share_of_bound"] for r in bound_rows)
)
