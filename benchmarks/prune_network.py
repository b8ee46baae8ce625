"""
The claim: a trained network pruned to a tenth by ``prune_network`` predicts better than one pruned in other ways.

A dense network is trained for each task and pruned to a tenth of each hidden layer: by ``prune_network``, by the norm
of the weights, at random, and by Torch-Pruning (``pip install torch-pruning``) with its importances. Each result is
re-trained alike. Writes docs/benchmarks/prune_network.md. Steps can run one by one: what they found is kept.

    python benchmarks/prune_network.py --mnist mnist.npz
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import pickle
import tempfile
import time
import warnings
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _common import publish, seconds, table, versions
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from torch import nn

from sklearn_gfs import prune_network

SHARE = 0.1
N_HESSIAN = 256  # samples; Torch-Pruning wants a gradient of each
ABOUT = """\
Every hidden layer is pruned to a tenth on the training samples. `prune_network` sees no labels but where the page says
so. Each pruned network is re-trained alike: with the optimiser that trained the dense one, for half as many epochs.
Accuracies are those of test samples, where there are several seeds of the split and the networks their means with the
standard error. The time to prune is of the first seed, with two threads. A pickle of scikit-learn's dense network also
holds what its solver remembers, which is three quarters of it.\
"""
STEPS = ("train", "accuracy", "seconds", "sizes", "page")


class Task:
    """A dense network and its data, and how it is trained on; networks of scikit-learn go through torch and back."""

    def __init__(self, name, widths, load, n_seeds, n_epochs, n_retrain):
        self.name, self.widths, self.load = name, widths, load
        self.n_seeds, self.n_epochs, self.n_retrain = n_seeds, n_epochs, n_retrain

    @property
    def small_widths(self):
        return [max(round(SHARE * width), 1) for width in self.widths]


class MLPTask(Task):
    """scikit-learn's MLPClassifier."""

    def trained(self, X, y, seed, widths, n_epochs):
        return self.train_on(MLPClassifier(tuple(widths), random_state=seed), X, y, n_epochs)

    @staticmethod
    def train_on(network, X, y, n_epochs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for _ in range(n_epochs):
                network.partial_fit(X, y, classes=np.unique(y))
        return network

    @staticmethod
    def predict(network, X):
        return network.predict(X)

    @staticmethod
    def to_torch(network):
        layers = []
        for coef, intercept in zip(network.coefs_, network.intercepts_, strict=True):
            linear = nn.Linear(*coef.shape)
            linear.weight.data, linear.bias.data = torch.tensor(coef.T).float(), torch.tensor(intercept).float()
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    @staticmethod
    def from_torch(module, network):
        linears = [layer for layer in module if isinstance(layer, nn.Linear)]
        small = prune_network(network, np.zeros((2, network.n_features_in_), network.coefs_[0].dtype), k=1.0)
        small.hidden_layer_sizes = tuple(linear.out_features for linear in linears[:-1])
        dtype = network.coefs_[0].dtype
        small.coefs_ = [np.ascontiguousarray(linear.weight.detach().numpy().T, dtype) for linear in linears]
        small.intercepts_ = [linear.bias.detach().numpy().astype(dtype) for linear in linears]
        return small


class TorchTask(Task):
    """An nn.Sequential, trained by Adam."""

    def trained(self, X, y, seed, widths, n_epochs):
        torch.manual_seed(seed)
        sizes = [X.shape[1], *widths, len(np.unique(y))]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        return self.train_on(nn.Sequential(*layers[:-1]), X, y, n_epochs, seed=seed)

    @staticmethod
    def train_on(network, X, y, n_epochs, seed=0):
        X, y, generator = torch.from_numpy(X), torch.from_numpy(y), torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam(network.parameters())
        for _ in range(n_epochs):
            for rows in torch.randperm(len(X), generator=generator).split(128):
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
                optimiser.step()
        return network

    @staticmethod
    def predict(network, X):
        with torch.no_grad():
            return network(torch.from_numpy(X)).argmax(1).numpy()

    @staticmethod
    def to_torch(network):
        return copy.deepcopy(network)

    @staticmethod
    def from_torch(module, _network):
        return module


def digits(_path, seed):
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, random_state=seed)


@cache
def mnist(path, _seed):
    with np.load(path) as file:
        X, others = (file[name].reshape(-1, 784).astype(np.float32) / 255 for name in ("x_train", "x_test"))
        return X, others, file["y_train"].astype(np.int64), file["y_test"].astype(np.int64)


TASKS = {
    task.name: task
    for task in (
        MLPTask("digits, MLPClassifier(1000)", [1000], digits, 5, 60, 30),
        MLPTask("MNIST, MLPClassifier(1000)", [1000], mnist, 1, 8, 4),
        TorchTask("MNIST, torch 784-300-100-10", [300, 100], mnist, 1, 8, 4),
    )
}


def importances():
    """Torch-Pruning's importances by the name on the page."""
    import torch_pruning as tp

    return {
        "Torch-Pruning, L1 norm": tp.importance.GroupMagnitudeImportance(p=1),
        "Torch-Pruning, L2 norm": tp.importance.GroupMagnitudeImportance(p=2),
        "Torch-Pruning, Taylor": tp.importance.GroupTaylorImportance(),
        "Torch-Pruning, Hessian": tp.importance.GroupHessianImportance(),
    }


def by_torch_pruning(task, network, X, y, name):
    """Prune every hidden layer to the share, as Torch-Pruning's documentation says."""
    import torch_pruning as tp

    module, importance = task.to_torch(network), importances()[name]
    X, y = torch.from_numpy(X).float(), torch.from_numpy(y).long()
    last = [layer for layer in module if isinstance(layer, nn.Linear)][-1]
    pruner = tp.pruner.BasePruner(
        module, X[:1], importance=importance, pruning_ratio=1 - SHARE, ignored_layers=[last], global_pruning=False
    )
    if "Taylor" in name:
        nn.functional.cross_entropy(module(X), y).backward()
    elif "Hessian" in name:
        rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:N_HESSIAN]
        importance.zero_grad()
        for loss in nn.functional.cross_entropy(module(X[rows]), y[rows], reduction="none"):
            module.zero_grad()
            loss.backward(retain_graph=True)
            importance.accumulate_grad(module)
    pruner.step()
    module.zero_grad()
    return task.from_torch(module, network)


def without_some(task, network, X, y, how, seed=0):  # noqa: ARG001
    """Prune by the norms of all weights of a neuron, or at random."""
    module, rng = task.to_torch(network), np.random.default_rng(seed)
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for linear, after, width in zip(linears[:-1], linears[1:], task.small_widths, strict=True):
            scores = linear.weight.norm(dim=1) * after.weight.norm(dim=0)
            kept = scores.argsort(descending=True)[:width]
            if how == "random":
                kept = torch.from_numpy(rng.permutation(len(scores))[:width])
            linear.weight, linear.bias = nn.Parameter(linear.weight[kept]), nn.Parameter(linear.bias[kept])
            after.weight = nn.Parameter(after.weight[:, kept])
            linear.out_features, after.in_features = width, width
    return task.from_torch(module, network)


def by_us(task, network, X, y, *, for_y=False, corrective=True):  # noqa: ARG001
    """Prune by this package."""
    return prune_network(network, X, y if for_y else None, SHARE, corrective=corrective)


METHODS = {
    "prune_network": by_us,
    "prune_network, with y": partial(by_us, for_y=True),
    "prune_network, corrective=False": partial(by_us, corrective=False),
    "largest weights": partial(without_some, how="magnitude"),
    "random": partial(without_some, how="random"),
} | {
    name: partial(by_torch_pruning, name=name)
    for name in ("Torch-Pruning, L1 norm", "Torch-Pruning, L2 norm", "Torch-Pruning, Taylor", "Torch-Pruning, Hessian")
}


class Kept:
    """The folder of what earlier steps have found."""

    def __init__(self, folder, path):
        self.folder, self.path = Path(folder), path
        self.folder.mkdir(parents=True, exist_ok=True)

    def data(self, task, seed):
        return task.load(self.path, seed)

    def dense(self, task, seed, widths=None):
        """Return the network trained from the start, which is trained once."""
        widths = widths or task.widths
        file = self.folder / f"{task.name}, {widths}, {seed}.pkl".replace("/", "-")
        if not file.is_file():
            X, _, y, _ = self.data(task, seed)
            file.write_bytes(pickle.dumps(task.trained(X, y, seed, widths, task.n_epochs)))
        return pickle.loads(file.read_bytes())

    def rows(self, step, task):
        file = self.folder / f"{step}, {task.name}.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def keep(self, step, task, rows):
        (self.folder / f"{step}, {task.name}.json").write_text(json.dumps(rows), encoding="utf-8")


def train(kept, task):
    """Train the dense network, and one as small as the pruned ones."""
    for seed in range(task.n_seeds):
        for widths in (task.widths, task.small_widths):
            kept.dense(task, seed, widths)


def accuracy(kept, task):
    """Prune in each way, and train on; what is known already is not repeated."""
    found = kept.rows("accuracy", task) or {}
    for seed in range(task.n_seeds):
        X, others, y, other_y = kept.data(task, seed)
        dense = kept.dense(task, seed)
        scores = found.setdefault(str(seed), {})

        def score(network):
            return float(np.mean(task.predict(network, others) == other_y))  # noqa: B023

        scores["dense"], scores["small"] = score(dense), score(kept.dense(task, seed, task.small_widths))
        for name, method in METHODS.items():
            if name not in scores:
                pruned = method(task, dense, X, y)
                before = score(pruned)
                scores[name] = before, score(task.train_on(pruned, X, y, task.n_retrain))
                print(task.name, seed, name, *scores[name], flush=True)
            kept.keep("accuracy", task, found)


def take_times(kept, task):
    """Take the time of each way, once, after one on a few samples that loads and compiles what there is to."""
    X, _, y, _ = kept.data(task, 0)
    dense, taken = kept.dense(task, 0), {}
    for name, method in METHODS.items():
        method(task, dense, X[:500], y[:500])
        start = time.perf_counter()
        method(task, dense, X, y)
        taken[name] = time.perf_counter() - start
        print(name, taken[name], flush=True)
    kept.keep("seconds", task, taken)


def sizes(kept, task):
    """Size of the pickle, and time of predictions, of the dense network and of the pruned one."""
    X, others, _, _ = kept.data(task, 0)
    dense = kept.dense(task, 0)
    both = (dense, prune_network(dense, X, k=SHARE))
    many = np.resize(others, (10_000, others.shape[1]))
    ones = seconds(*(partial(task.predict, network, others[:1]) for network in both), repeats=201)
    lots = seconds(*(partial(task.predict, network, many) for network in both), repeats=11)
    kept.keep(
        "sizes",
        task,
        [
            [name, len(pickle.dumps(network)) / 1000, 1e6 * one, 1e3 * lot]
            for name, network, one, lot in zip(("dense", "pruned"), both, ones, lots, strict=True)
        ],
    )


def page(kept, tasks):
    """Write the page of all that has been found."""
    parts = [ABOUT]
    for task in tasks:
        found, taken, measured = (kept.rows(step, task) for step in ("accuracy", "seconds", "sizes"))
        scores = {name: np.array([scores[name] for scores in found.values()]).T for name in next(iter(found.values()))}
        epochs = f"{task.n_epochs} epochs, re-trained for {task.n_retrain}; {task.n_seeds} seed(s)"
        rows = [
            ["dense", spread(scores["dense"]), "", ""],
            [f"{'-'.join(map(str, task.small_widths))} trained from the start", spread(scores["small"]), "", ""],
            *([name, *map(spread, scores[name]), taken[name]] for name in METHODS),
        ]
        header = ["network", "accuracy", "re-trained", "seconds to prune"]
        parts += [f"## {task.name}", f"Trained for {epochs}.", table(header, rows)]
        parts.append(table(["network", "pickle, kB", "one row, µs", "10 000 rows, ms"], measured))
    publish(
        "prune_network",
        "Networks trained elsewhere, pruned to a tenth",
        "python benchmarks/prune_network.py",
        *parts,
        versions("torch", "torch-pruning"),
    )


def spread(values):
    """Return mean and standard error."""
    error = f" ± {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    parser.add_argument("--keep", default=str(Path(tempfile.gettempdir()) / "prune_network"), help="folder of results")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="all by default")
    parser.add_argument("--tasks", type=int, nargs="+", default=list(range(len(TASKS))), help="numbers from 0; all")
    arguments = parser.parse_args()
    kept = Kept(arguments.keep, arguments.mnist)
    tasks = [list(TASKS.values())[number] for number in arguments.tasks]
    if not arguments.mnist:
        tasks = [task for task in tasks if task.load is not mnist]
        print("MNIST is left out: name its npz file by --mnist PATH, or the environment variable SKLEARN_GFS_MNIST")
    steps = {"train": train, "accuracy": accuracy, "seconds": take_times, "sizes": sizes}
    for name, step in steps.items():
        for task in tasks if name in arguments.steps else ():
            start = time.perf_counter()
            step(kept, task)
            print(f"{name}, {task.name}: {time.perf_counter() - start:.0f} s", flush=True)
    if "page" in arguments.steps:
        page(kept, tasks)


if __name__ == "__main__":
    main()
