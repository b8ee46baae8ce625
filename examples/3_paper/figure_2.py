"""
The paper's figure 2, by its own protocol
=========================================

How many iterations of pre-training a pruned network needs, against the number of samples, as Wolfe et al. measure it
(arXiv 2108.00259v2, section 6.1 and appendix C.1). There are two classes, the digits below five and the others. The
networks have ReLU, a sigmoid on the output and binary cross-entropy, and are trained by SGD with momentum. Every 1000
iterations they are pruned to 200 neurons, each pick on one mini-batch, and not re-trained. What counts is the training
accuracy of the pruned network. Beside the paper's way to pick stand two of this package: exactly by the squared error
on all samples, and by the log loss.
"""

# %%
# A step size means nothing without the way in which weights are drawn and inputs scaled, which the paper does not say.
# Here weights are those that ``torch.nn.Linear`` draws, without intercepts, and all pixels are standardised by one mean
# and one standard deviation. The experiment is run with the paper's step sizes, with those that do best on held-out
# samples, and with ten times the paper's.
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from _paper import finished_groups, laws, load, parse_arguments, save_figure, shuffled, write_table
from _stack import Stack, accuracies, batches, draw, picked, picked_by_log_loss

arguments = parse_arguments(
    "The paper's figure 2 by its own protocol.",
    device={"default": "cpu", "choices": ("cpu", "cuda"), "help": "where networks are trained and pruned"},
    n_hidden={"type": int, "nargs": "+", "help": "numbers of neurons, instead of the paper's"},
    sizes={"type": int, "nargs": "+", "help": "numbers of samples, instead of the paper's"},
    at_once={"type": int, "help": "networks that are trained side by side; default: one on a processor, all on a GPU"},
)
data = load(arguments)
if arguments.fast:
    widths, sizes, n_seeds, k, batch_size = [100, 200], [150, 300, 600, 1200], 2, 20, 32
    every, last, steps_tried, paper_steps = 50, 400, [1e-3, 1e-2, 1e-1], {}
else:
    widths, sizes, n_seeds, k, batch_size = [5000, 10_000, 20_000], [1000, *range(5000, 50_001, 5000)], 3, 200, 128
    every, last, steps_tried = 1000, 8000, [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
    paper_steps = {5000: 1e-5, 10_000: 1e-5, 20_000: 1e-6}
widths, sizes = arguments.n_hidden or widths, arguments.sizes or sizes
n_seeds = arguments.seeds or n_seeds
MOMENTUM = 0.9
# The estimators select by the log loss on so many samples; here the first ones of a run.
LOG_LOSS_SAMPLES = 2000
SELECTIONS = ("mini-batch", "mini-batch, linear", "exact", "log loss")
checkpoints = range(0, last + 1, every)

mean, spread = data.X_train.mean(), data.X_train.std()
X = (np.vstack([data.X_train, data.X_test]) - mean) / spread
y = (np.concatenate([data.y_train, data.y_test]) < 5).astype(np.float32)
test_rows = np.arange(len(data.X_train), len(X))


def new_stack(n_hidden, runs):
    """Return networks for runs of (step, number of samples, seed), and the batches that they are trained on."""
    seeds = {seed for _, _, seed in runs}
    starts = {seed: draw(X.shape[1], n_hidden, seed) for seed in seeds}
    rows = [shuffled(data, seed)[:n_samples] for _, n_samples, seed in runs]
    steps = [step for step, _, _ in runs]
    places = [batches(n_samples, last, min(batch_size, n_samples), seed) for _, n_samples, seed in runs]
    own = [starts[seed] for _, _, seed in runs]
    return Stack(X, y, own, rows, steps, MOMENTUM, arguments.device), np.stack(places)


def batches_for_picks(runs, n_pretrain, repeat=0):
    return np.stack([batches(n, k, min(batch_size, n), [seed, n_pretrain, repeat, 1]) for _, n, seed in runs])


def timed(task, *parts):
    """Return what a task returns, which is no tensor, and the seconds it took."""
    if arguments.device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    result = task(*parts)
    if arguments.device == "cuda":
        torch.cuda.synchronize()
    return result, time.perf_counter() - start


# %%
# The step. One network for each step is trained on as many samples as the largest number, and pruned as the paper does.
# Chosen is the step whose subnetwork has the best accuracy, over three selections, on the training samples left over.
def try_steps(keys):
    n_hidden, runs = keys[0][1], [(step, sizes[-1], 0) for _, _, step in keys]
    stack, places = new_stack(n_hidden, runs)
    stack.advance(places)
    counts = np.stack([stack.picked_on_batches(batches_for_picks(runs, last, repeat))[0] for repeat in range(3)])
    held_out = shuffled(data, 0)[sizes[-1] :]
    for network, key in enumerate(keys):
        dense, *pruned = accuracies(*stack.neurons(network, held_out), counts[:, network])
        row = {"n_hidden": n_hidden, "step": key[2], "n_samples": sizes[-1], "n_pretrain": last}
        yield key, [row | {"dense": f"{dense:.5f}", "pruned": f"{np.mean(pruned):.5f}"}]


step_groups = [[("figure_2_step", n_hidden, step) for step in steps_tried] for n_hidden in widths]
step_rows = [rows[0] for rows in finished_groups(arguments, step_groups, lambda keys: dict(try_steps(keys))).values()]
write_table(arguments, f"figure_2_steps_{data.name}", step_rows)
chosen = {}
for n_hidden in widths:
    tried = [(float(row["pruned"]), -row["step"]) for row in step_rows if row["n_hidden"] == n_hidden]
    chosen[n_hidden] = -max(tried)[1] if tried else None
print("accuracy on held-out samples after", last, "iterations, of the dense network and of the pruned one:")
for row in step_rows:
    mark = "  <- chosen" if row["step"] == chosen[row["n_hidden"]] else ""
    print("N = {n_hidden:5d}, step {step:7.0e}: {dense}, {pruned}".format(**row) + mark)


# %%
# The runs. A seed decides on the samples, the initial weights and the batches.
def row_of(key, n_pretrain, selection, accuracies, n_distinct, seconds):
    _, step, n_hidden, n_samples, seed = key
    names = {"n_hidden": n_hidden, "step": step, "n_samples": n_samples, "seed": seed, "n_pretrain": n_pretrain}
    train, test = (f"{accuracy:.5f}" for accuracy in accuracies)
    found = {"train_accuracy": train, "test_accuracy": test, "n_distinct": n_distinct, "seconds": f"{seconds:.4g}"}
    return names | {"selection": selection} | found


def counted(n_hidden, pick, *parts):
    """Return how often each neuron was picked, and the seconds it took."""
    picks, seconds = timed(pick, *parts)
    return np.bincount(picks, minlength=n_hidden), seconds


def on_samples(neurons, labels, key):
    """Return the names of the ways to pick on samples, how often they picked which neuron, and their seconds."""
    _, step, n_hidden, _, seed = key
    by_log_loss = counted(n_hidden, picked_by_log_loss, neurons[:LOG_LOSS_SAMPLES], labels[:LOG_LOSS_SAMPLES], k)
    found = [("log loss", *by_log_loss)]
    if seed == 0 or step == paper_steps.get(n_hidden):  # elsewhere once is enough for what it takes
        found.insert(0, ("exact", *counted(n_hidden, picked, neurons, labels, k)))
    return found


def train_and_prune(keys):
    """Return the rows of runs whose networks are trained side by side: each network's own share of the seconds."""
    _, _, n_hidden, _, _ = keys[0]
    runs = [(step, n_samples, seed) for _, step, _, n_samples, seed in keys]
    stack, places = new_stack(n_hidden, runs)
    rows, in_training = {key: [] for key in keys}, 0.0
    for n_pretrain in checkpoints:
        if n_pretrain:
            in_training += timed(stack.advance, places[:, n_pretrain - every : n_pretrain])[1]
        on_batches, seconds = timed(stack.picked_on_batches, batches_for_picks(runs, n_pretrain))
        batch_seconds = seconds / len(keys) / len(on_batches)
        for network, key in enumerate(keys):
            by_batch = [
                (name, counts[network], batch_seconds) for name, counts in zip(SELECTIONS, on_batches, strict=False)
            ]
            neurons, labels = stack.neurons(network)
            found = by_batch + on_samples(neurons, labels, key)
            weights = [counts for _, counts, _ in found]
            train = accuracies(neurons, labels, weights)
            del neurons
            test = accuracies(*stack.neurons(network, test_rows), weights)
            dense = ("dense", np.ones(n_hidden), in_training / len(keys))
            for (selection, counts, seconds), *pair in zip([dense, *found], train, test, strict=True):
                n_distinct = int(np.count_nonzero(counts))
                rows[key].append(row_of(key, n_pretrain, selection, pair, n_distinct, seconds))
    return rows


# Which step, for each width; what tells most comes first, so that an interrupted experiment has it.
KINDS = {
    "the paper's step": paper_steps,
    "the step chosen": chosen,
    "ten times the paper's": {n_hidden: 10 * step for n_hidden, step in paper_steps.items()},
}
wanted = [(kind, n_hidden) for kind in list(KINDS)[:2] for n_hidden in widths]
wanted = sorted(wanted, key=lambda case: case[1]) + [(list(KINDS)[2], n_hidden) for n_hidden in widths]
cases = list(dict.fromkeys((KINDS[kind].get(n_hidden), n_hidden) for kind, n_hidden in wanted))
cases = [case for case in cases if case[0] is not None]


def groups():
    at_once = arguments.at_once or (1 if arguments.device == "cpu" else len(sizes) * n_seeds)
    for step, n_hidden in cases:
        keys = [("figure_2", step, n_hidden, n_samples, seed) for seed in range(n_seeds) for n_samples in sizes]
        yield from (keys[start : start + at_once] for start in range(0, len(keys), at_once))


finished = finished_groups(arguments, list(groups()), train_and_prune)
table = [row for rows in finished.values() for row in rows]
write_table(arguments, f"figure_2_runs_{data.name}", table)


# %%
# The red line: for each number of samples the first checkpoint whose accuracy is that of the best pruned network on the
# most samples, all of them means over seeds. The numbers read off the paper's figure are in iterations.
PAPER_LINES = {
    5000: [1000, 3000, 3000, 4000, 5000, 5000, 6000, 6000, 6000, 6000, 7000],
    10_000: [2000, 3000, 3000, 4000, 4000, 5000, 5000, 6000, 5000, 8000, 8000],
    20_000: [2000, 5000, 5000, 7000, 8000, 8000, 8000, 8000, 8000, 8000, 7000],
}
PAPER_SIZES = [1000, *range(5000, 50_001, 5000)]


def scores(step, n_hidden, selection, part="train_accuracy"):
    """Return an array of (number of samples, checkpoint, seed), NaN where a run is missing."""
    values = np.full((len(sizes), len(checkpoints), n_seeds), np.nan)
    for row in table:
        if (float(row["step"]), row["n_hidden"], row["selection"]) == (step, n_hidden, selection):
            place = sizes.index(row["n_samples"]), row["n_pretrain"] // every, row["seed"]
            values[place] = float(row[part])
    return values


def line_of(values):
    """Return the goal, the line of the means, and the lines of the seeds: NaN where the goal is not reached."""
    means = np.nanmean(values, axis=-1, keepdims=True)
    goal = np.nanmax(means[-1])
    lines = []
    for some in (means, values):
        first = np.array(checkpoints, dtype=float)[np.argmax(some >= goal, axis=1)]
        lines.append(np.where((some >= goal).any(axis=1), first, np.nan))
    return goal, lines[0][:, 0], lines[1]


lines, law_rows = [], []
complete = [case for case in cases if not np.isnan(scores(*case, "mini-batch")).any()]
for step, n_hidden in complete:
    for selection in SELECTIONS:
        goal, mean_line, seed_lines = line_of(scores(step, n_hidden, selection))
        common = {"n_hidden": n_hidden, "step": step, "selection": selection}
        for n_samples, of_mean, of_seeds in zip(sizes, mean_line, seed_lines, strict=True):
            row = common | {"goal": f"{goal:.4f}", "n_samples": n_samples, "line": of_mean}
            lines.append(row | {"reached_by_seed": " ".join(f"{iterations:g}" for iterations in of_seeds)})
        n_samples = np.array(sizes, dtype=float)
        if len(set(mean_line[np.isfinite(mean_line)])) > 2:
            law_rows += [common | row for row in laws(n_samples, mean_line, np.full(len(sizes), float(last)))[1]]
if not arguments.fast:
    for n_hidden, line in PAPER_LINES.items():
        common = {"n_hidden": n_hidden, "step": paper_steps[n_hidden], "selection": "read off the paper's figure"}
        law_rows += [common | row for row in laws(np.array(PAPER_SIZES, dtype=float), np.array(line, dtype=float))[1]]
write_table(arguments, f"figure_2_lines_{data.name}", lines)
write_table(arguments, f"figure_2_laws_{data.name}", law_rows)
for row in lines:
    print(", ".join(f"{name} {value}" for name, value in row.items()))
print()
for row in law_rows:
    print(", ".join(f"{name} {value}" for name, value in row.items()))


# %%
# The panels, one for each width, in the paper's colours from 0.77 to 1.
def draw_panels(kind):
    steps = KINDS[kind]
    shown = [(steps[n_hidden], n_hidden) for n_hidden in widths if (steps.get(n_hidden), n_hidden) in complete]
    if not shown:
        return
    shape = {"figsize": (3.4 * len(shown) + 1.2, 8.4), "squeeze": False, "sharex": True, "sharey": True}
    figure, axes = plt.subplots(len(SELECTIONS), len(shown), layout="constrained", **shape)
    for row, selection in zip(axes, SELECTIONS, strict=True):
        for axis, (step, n_hidden) in zip(row, shown, strict=True):
            values = scores(step, n_hidden, selection)
            goal, line, _ = line_of(values)
            shares = np.nanmean(values, axis=-1).T
            image = axis.imshow(shares, origin="lower", aspect="auto", vmin=0.77, vmax=1, cmap="viridis")
            axis.plot(
                range(len(sizes)), line / every, color="red", linewidth=2, marker=".", label="best on the most samples"
            )
            if n_hidden in PAPER_LINES and sizes == PAPER_SIZES:
                read_off = np.array(PAPER_LINES[n_hidden]) / every
                axis.plot(range(len(sizes)), read_off, color="red", linewidth=1, linestyle=":", label="paper's line")
            axis.set_title(f"N = {n_hidden}, step {step:g}, {selection}: line at {goal:.3f}", fontsize="x-small")
            axis.set_xticks(range(len(sizes)), [f"{n_samples:g}" for n_samples in sizes], rotation=90, fontsize="small")
            axis.set_yticks(range(len(checkpoints)), checkpoints, fontsize="small")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower right", fontsize="small", ncols=2)
    figure.colorbar(image, ax=axes, label="Training accuracy of the pruned network", shrink=0.6)
    figure.supxlabel("Training samples", fontsize="medium")
    figure.supylabel("Pre-training (gradient updates)", fontsize="medium")
    figure.suptitle(f"Pruned to {k} picks, {kind}", fontsize="medium")
    save_figure(arguments, f"figure_2_{kind.replace(' ', '_').replace(chr(39), '')}_{data.name}", figure)


for kind in KINDS:
    draw_panels(kind)


# %%
# What earlier pruning saves. Early is the first checkpoint at which the pruned network is within a hundredth of what it
# is after all iterations, on test samples. The seconds are those of training and of one pruning, up to there and to the
# end.
savings = []
for step, n_hidden in complete:
    for selection in SELECTIONS:
        test, seconds = (scores(step, n_hidden, selection, part) for part in ("test_accuracy", "seconds"))
        test, pruning = np.nanmean(test, axis=-1), np.nanmean(seconds, axis=-1)
        training = scores(step, n_hidden, "dense", "seconds").mean(axis=-1)
        for place, n_samples in enumerate(sizes):
            first = int(np.argmax(test[place] >= test[place, -1] - 0.01))
            row = {"n_hidden": n_hidden, "step": step, "selection": selection, "n_samples": n_samples}
            for name, column in (("first", first), ("last", -1)):
                row |= {f"{name}_n_pretrain": checkpoints[column], f"{name}_accuracy": f"{test[place, column]:.4f}"}
                row[f"{name}_seconds"] = f"{training[place, column] + pruning[place, column]:.3g}"
            savings.append(row | {"pruning_seconds": f"{pruning[place].mean():.3g}"})
write_table(arguments, f"figure_2_savings_{data.name}", savings)


# %%
# The exact selection above and this package's pick the same, up to the rounding of float32, and take their time. The
# package also reports losses and a certificate.
def compare_with_package(keys):
    for key in keys:
        _, n_hidden, n_samples = key
        step = paper_steps.get(n_hidden, chosen[n_hidden])
        stack, places = new_stack(n_hidden, [(step, n_samples, 0)])
        stack.advance(places[:, :every])
        picks, seconds = timed(picked, *stack.neurons(0), k)
        by_package, package_seconds = timed(stack.picked_by_package, 0, k)
        row = {"n_hidden": n_hidden, "n_samples": n_samples, "n_pretrain": every, "k": k, "step": step}
        row |= {"seconds": f"{seconds:.4g}", "package_seconds": f"{package_seconds:.4g}"}
        yield key, [row | {"same_picks": int(np.sum(picks == by_package))}]


package_groups = [
    [("figure_2_package", n_hidden, n_samples)] for n_hidden in widths for n_samples in (sizes[0], sizes[-1])
]
package_runs = finished_groups(arguments, package_groups, lambda keys: dict(compare_with_package(keys)))
package_table = [rows[0] for rows in package_runs.values()]
write_table(arguments, f"figure_2_package_{data.name}", package_table)
for row in package_table:
    print(", ".join(f"{name} {value}" for name, value in row.items()))
