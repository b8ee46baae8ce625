"""
When the hull of the neurons holds the targets
==============================================

The mean of k picks comes arbitrarily near to the targets if these lie in the hull of the neurons' outputs. Wolfe et al.
(arXiv 2108.00259v2, appendix B, table 3) test that by a linear program after every epoch of training: sigmoid neurons,
a sigmoid on the output, batches of one sample. They test a relaxed form: every sample on its right side. Here both
forms are tested, the relaxed and the exact one, and every answer comes with its proof.
"""

# %%
# Two classes, the digits below five and the others, targets -1 and 1 for the outputs before the sigmoid. Weights are
# those that ``torch.nn.Linear`` draws, without intercepts; pixels are standardised by one mean and one deviation.
import time

import matplotlib.pyplot as plt
import numpy as np
from _paper import COLOURS, MARKERS, finished_runs, load, parse_arguments, save_figure, subset, write_table
from _stack import draw
from scipy.special import expit

from sklearn_gfs import theory

QUESTIONS = ("signs", "exact")
arguments = parse_arguments(
    "Whether the hull of the neurons holds the targets, epoch by epoch.",
    sizes={"type": int, "nargs": "+", "help": "numbers of samples, instead of the script's"},
    steps={"type": float, "nargs": "+", "help": "step sizes, instead of the script's"},
    questions={"nargs": "+", "choices": QUESTIONS, "help": "which questions to ask, instead of both"},
    epochs={"type": int, "nargs": "+", "help": "after which epochs to look, ascending, instead of the script's"},
)
data = load(arguments)
if arguments.fast:
    widths, steps, epochs, n_seeds = {100: 130, 150: 195}, [0.1], [0, 1, 2, 5, 10, 20], 1
else:
    widths, steps, epochs, n_seeds = {1000: 1300, 2000: 6000, 3000: 12_000}, [0.01, 0.1], range(6), 1
sizes, steps, epochs = arguments.sizes or list(widths), arguments.steps or steps, arguments.epochs or epochs
n_seeds, questions = arguments.seeds or n_seeds, arguments.questions or QUESTIONS
mean, spread = data.X_train.mean(), data.X_train.std()


def train(X, y, hidden, output, step, rng):
    """Yield the weights after no, one, two, ... epochs of SGD, one sample at a time, on the binary cross-entropy."""
    hidden, output = hidden.astype(np.float64), output[:, 0].astype(np.float64)
    while True:
        yield hidden, output
        for i in rng.permutation(len(X)):
            activations = expit(X[i] @ hidden)
            residual = expit(activations @ output) - (y[i] > 0)
            slopes = residual * output * activations * (1 - activations)
            output -= step * residual * activations
            hidden -= step * np.outer(X[i], slopes)


# The training that the last run was part of, and how far it is; the next epoch goes on from there.
underway = {}


def weights_after(epoch, X, y, step, seed):
    """Return the weights after so many epochs."""
    key = len(X), step, seed
    done, states = underway.get(key, (epoch, None))
    if states is None or done >= epoch:
        start = draw(X.shape[1], widths[len(X)], seed)
        done, states = -1, train(X, y, *start, step, np.random.default_rng(seed))
    for _ in range(done, epoch):
        found = next(states)
    underway.clear()
    underway[key] = epoch, states
    return found


def ask(neurons, y, *, relaxed):
    """
    Return what the program says, of how many neurons, and the seconds of processors that it took.

    A point of the hull of some neurons is one of the hull of all. So the signs are first asked of 1.3 neurons a sample,
    the paper's share for 1000 samples, and of all neurons where these do not do.
    """
    start = time.process_time()
    n_all = neurons.shape[1]
    for n_asked in [min(13 * len(y) // 10, n_all), n_all] if relaxed else [n_all]:
        found = theory.hull_membership(neurons[:, :n_asked], y, relaxed)
        if found.inside:
            break
    return found, n_asked, time.process_time() - start


def run(_name, n_samples, step, epoch, seed):
    X, y = subset(data, n_samples, seed)
    X, y, n_hidden = (X - mean) / spread, np.where(y < 5, 1.0, -1.0), widths[n_samples]
    hidden, output = weights_after(epoch, X, y, step, seed)
    neurons = expit(X @ hidden) * (n_hidden * output)
    row = {"n_samples": n_samples, "n_hidden": n_hidden, "step": step, "seed": seed, "epoch": epoch}
    row["dense_accuracy"] = round(np.mean((neurons.mean(axis=1) > 0) == (y > 0)), 4)
    for name in QUESTIONS:
        row |= {f"{name}_{part}": "" for part in ("answer", "least", "most", "neurons", "seconds")}
    for name in questions:
        found, n_asked, seconds = ask(neurons, y, relaxed=name == "signs")
        row[f"{name}_answer"] = "open" if found.inside is None else "inside" if found.inside else "outside"
        row |= {f"{name}_least": f"{found.least:.4g}", f"{name}_most": f"{found.most:.4g}"}
        row |= {f"{name}_neurons": n_asked, f"{name}_seconds": f"{seconds:.3g}"}
    yield row


keys = [
    ("table_3", n_samples, step, epoch, seed)
    for n_samples in sizes
    for seed in range(n_seeds)
    for step in steps
    for epoch in epochs
]
runs = finished_runs(arguments, keys, run)
table = [row for rows in runs.values() for row in rows]
write_table(arguments, f"table_3_{data.name}", table)

# %%
# The first epoch after which the hull holds the targets, and how far it is from that before. The distance is the mean
# absolute difference of the targets, of size one, from the nearest point of the hull.
for n_samples, step, seed in dict.fromkeys((key[1], key[2], key[4]) for key in runs):
    rows = [row for row in table if (row["n_samples"], row["step"], row["seed"]) == (n_samples, step, seed)]
    for name in QUESTIONS:
        answers = ", ".join(f"{row[f'{name}_answer']} after {row['epoch']}" for row in rows if row[f"{name}_answer"])
        print(f"{n_samples} samples, step {step}, {name}: {answers}")

figure, axis = plt.subplots(figsize=(5, 3.4), layout="constrained")
for line, (n_samples, step) in enumerate(dict.fromkeys((row["n_samples"], row["step"]) for row in table)):
    rows = [row for row in table if (row["n_samples"], row["step"], row["seed"]) == (n_samples, step, 0)]
    style = {"color": COLOURS[line % len(COLOURS)], "marker": MARKERS[line % len(MARKERS)]}
    rows = [row for row in rows if row["exact_answer"]]
    distances = [max(float(row["exact_most"]), 1e-6) for row in rows]
    axis.plot([row["epoch"] for row in rows], distances, label=f"{n_samples} samples, step {step}", **style)
axis.set_yscale("log")
axis.set(xlabel="Epoch", ylabel="Distance of the targets from the hull")
axis.legend()
save_figure(arguments, f"table_3_{data.name}", figure)
