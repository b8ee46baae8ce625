"""
Is there a threshold, and does it grow with the logarithm of the data?
======================================================================

Wolfe et al. (TMLR 2024) show for greedy forward selection that beyond a number of pre-training iterations, logarithmic
in the number of samples, the pruned network's training error is already good. Here networks are trained on subsets of
several sizes and pruned, without re-training, after geometrically spaced numbers of iterations to several sizes at
once. Three questions are put to the numbers: where is the threshold, how does it grow, and how far off is the bound?
"""

# %%
# One training run per subset and seed serves all iterations and all sizes. SGD has batches of 128 and momentum;
# gradient descent, which the theory is about, uses all samples at once and no momentum.
import matplotlib.pyplot as plt
import numpy as np
from _paper import load, parse_arguments, save_figure, write_table

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdDisplay, ThresholdScalingDisplay, theory
from sklearn_gfs._curve_laws import fit_law

arguments = parse_arguments("Thresholds of pre-training over iterations, subnetwork sizes and numbers of samples.")
data = load(arguments)
if arguments.fast:
    sizes, n_seeds, n_hidden, ks = [160, 320, 640, 1280], 2, 300, [5, 10, 20, 50, 100]
    n_pretrain, goal, goal_k = [0, 5, 10, 20, 40, 80, 160, 320], 0.9, 50
else:
    sizes, n_seeds, n_hidden, ks = [1000, 2000, 4000, 8000, 16000, 32000, 60000], 3, 1000, [10, 20, 50, 100, 200]
    n_pretrain, goal, goal_k = [0, *(round(8 * 2 ** (step / 2)) for step in range(16))], 0.9, 100
sizes, n_seeds = arguments.sizes or sizes, arguments.seeds or n_seeds
REGIMES = {
    "SGD": {"solver": "sgd", "batch_size": 128, "momentum": 0.9},
    "gradient descent": {"solver": "sgd", "batch_size": None, "momentum": 0.0},
}


def spread_and_loss(dense, X, y):
    """Return the spread of the dense network's neurons around their mean, and its loss, on one-hot targets."""
    hidden = np.maximum(X @ dense.coefs_[0] + dense.intercepts_[0], 0)
    outputs = hidden @ dense.coefs_[1] + dense.intercepts_[1]
    targets = np.eye(outputs.shape[1])[y]
    loss = np.mean(np.sum((outputs - targets) ** 2, axis=1)) / 2
    return theory.hull_spread(hidden, output_weights=dense.coefs_[1] * hidden.shape[1]), loss


def run(regime, n_samples, seed):
    """Train once and return a row for every number of iterations and every k, the dense network's k being 0."""
    X, y = data.X_train[:n_samples], data.y_train[:n_samples]
    network = GreedyPrunedMLPClassifier(n_hidden=n_hidden, n_retrain=0, random_state=seed, **REGIMES[regime])
    rows = []
    for point in network.fit_path(X, y, n_pretrain=n_pretrain, k=ks):
        if point.k is None:
            spread, loss = spread_and_loss(point.estimator, X, y)
        else:
            loss = point.estimator.selection_losses_[-1]
        rows.append(
            {
                "regime": regime,
                "n_samples": n_samples,
                "seed": seed,
                "n_pretrain": point.n_pretrain,
                "k": point.k or 0,
                "train_accuracy": round(point.estimator.score(X, y), 5),
                "test_accuracy": round(point.estimator.score(data.X_test, data.y_test), 5),
                "loss": loss,
                "spread": spread,
            }
        )
    return rows


rows = []
for regime in REGIMES:
    # Gradient descent costs as much for one iteration as SGD for an epoch: the smaller half of the sizes is enough.
    for n_samples in sizes if regime == "SGD" else sizes[: max(1, len(sizes) // 2)]:
        for seed in range(n_seeds):
            rows += run(regime, n_samples, seed)
            write_table(arguments, f"thresholds_{data.name}", rows)  # so that an interrupted experiment keeps its runs
            print(f"{regime}, {n_samples} samples, seed {seed}: trained", flush=True)


def scores(regime, n_samples, part):
    """Return an array of (n_pretrain, k, seed)."""
    chosen = [row for row in rows if (row["regime"], row["n_samples"]) == (regime, n_samples)]
    table = {(row["n_pretrain"], row["k"], row["seed"]): row[part] for row in chosen}
    return np.array([[[table[t, k, seed] for seed in range(n_seeds)] for k in [0, *ks]] for t in n_pretrain])


# %%
# Accuracy over iterations and size, with the line where it first reaches the goal, one column for each number of
# samples; training accuracy above, test accuracy below.
figure, axes = plt.subplots(2, len(sizes), figsize=(4.2 * len(sizes), 7), layout="constrained", squeeze=False)
for column, n_samples in enumerate(sizes):
    for axis, part in zip(axes[:, column], ("train_accuracy", "test_accuracy"), strict=True):
        values = scores("SGD", n_samples, part)[:, 1:]
        reached = values.mean(axis=-1) >= goal
        display = PretrainThresholdDisplay(
            n_pretrain=np.array(n_pretrain),
            k=np.array(ks),
            scores=values,
            thresholds=[n_pretrain[np.argmax(up)] if up.any() else None for up in reached.T],
            target_score=goal,
            score_name=part.replace("_", " "),
        ).plot(axis, kind="heatmap")
        display.ax_.set_title(f"{n_samples} samples", loc="left")
        if display.ax_.get_legend():
            display.ax_.get_legend().remove()
save_figure(arguments, f"thresholds_{data.name}", figure)

# %%
# Too much pre-training: how much accuracy a subnetwork has lost by the last iteration, from its best before.
print("\ntest accuracy at the best and at the last number of iterations, SGD, mean over seeds")
print("samples    k    best at    best    last")
for n_samples in sizes:
    for column, k in enumerate(ks, start=1):
        means = scores("SGD", n_samples, "test_accuracy")[:, column].mean(axis=-1)
        best = int(np.argmax(means))
        print(f"{n_samples:7d} {k:4d} {n_pretrain[best]:10d} {means[best]:7.3f} {means[-1]:7.3f}")

# %%
# The threshold against the number of samples: a logarithm and a power law, with Akaike's criterion for each. Both have
# two coefficients; a difference of less than about 2 decides nothing.
print(f"\niterations to a training accuracy of {goal} at k = {goal_k}")
figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
summary = []
for axis, regime in zip(axes, REGIMES, strict=True):
    used = [n for n in sizes if any(row["regime"] == regime and row["n_samples"] == n for row in rows)]
    thresholds = np.full((len(used), n_seeds), np.nan)
    for line, n_samples in enumerate(used):
        for seed, accuracy in enumerate(scores(regime, n_samples, "train_accuracy")[:, 1 + ks.index(goal_k)].T):
            if (accuracy >= goal).any():
                thresholds[line, seed] = n_pretrain[int(np.argmax(accuracy >= goal))]
        print(f"{regime:17} {n_samples:7d} samples: {thresholds[line].tolist()}")
    columns = np.repeat(used, n_seeds).astype(float), thresholds.ravel()
    fits = {}
    if len(used) > 2 and np.isfinite(thresholds).sum() > 2:
        fits = {law: fit_law(law, *columns) for law in ("log", "power")}
    for law, fit in fits.items():
        known = np.isfinite(columns[1])
        errors = columns[1][known] - fit.predict(columns[0][known])
        aic = known.sum() * np.log(np.mean(errors**2) + 1e-12) + 2 * 3
        row = {"regime": regime, "law": law, "a_or_c": fit.coef[0], "b_or_p": fit.coef[1]}
        row |= {"low": fit.low[1], "high": fit.high[1], "r2": fit.r2, "aic": aic}
        summary.append(row)
        print(
            f"  {law:5} law: exponent or slope {fit.coef[1]:.3g} ({fit.low[1]:.3g} to {fit.high[1]:.3g}), AIC {aic:.1f}"
        )
    ThresholdScalingDisplay(
        train_sizes=np.array(used), thresholds=thresholds, log_fit=fits.get("log"), power_fit=fits.get("power")
    ).plot(axis)
    axis.set_title(regime)
if summary:
    write_table(arguments, f"laws_{data.name}", summary)
save_figure(arguments, f"laws_{data.name}", figure)

# %%
# The bound. From the first iteration on at which the dense loss is at most ``V / (2 k)``, with the spread V of
# its neurons, the subnetwork's loss is at most ``2 V / k``. The first can be seen without knowing any rate; the second
# is what happened.
print("\nfirst iteration with a subnetwork's loss of at most 2 V / k, seed 0: promised by the bound, and measured")
predicted = []
for regime in REGIMES:
    for n_samples in [n for n in sizes if any(row["regime"] == regime and row["n_samples"] == n for row in rows)]:
        losses, spreads = (scores(regime, n_samples, name)[:, :, 0] for name in ("loss", "spread"))
        for column, k in enumerate(ks, start=1):
            promised = losses[:, 0] <= spreads[:, 0] / (2 * k)
            happened = losses[:, column] <= 2 * spreads[:, 0] / k
            found = [n_pretrain[int(np.argmax(up))] if up.any() else None for up in (promised, happened)]
            names = {"regime": regime, "n_samples": n_samples, "k": k}
            predicted.append(names | {"promised": found[0], "measured": found[1]})
            print(f"{regime:17} {n_samples:7d} samples, k = {k:3d}: {found[0]!s:>6} {found[1]!s:>6}")
write_table(arguments, f"bound_{data.name}", predicted)
