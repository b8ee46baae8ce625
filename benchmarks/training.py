"""
The claim: an update costs little more than the matrix products in it, and less than in other packages.

Writes docs/benchmarks/training.md. skorch is compared with where it is installed.
"""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import torch
from _common import publish, seconds, table, versions
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._losses import LOSSES
from sklearn_gfs.network._parameters import initial_network
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import Training, TrainingSettings

N_UPDATES = 50
# n_features, n_hidden, n_outputs, batch size
CASES = (
    (784, 1000, 10, 128),
    (10, 1000, 2, 128),
    (20, 100, 2, 32),
    *((20, 50, n_outputs, 128) for n_outputs in (1, 3, 10)),
    *((64, n_hidden, 10, 128) for n_hidden in (10, 50)),
)


def data(n_features, n_outputs, batch_size):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_UPDATES * batch_size, n_features)).astype(np.float32)
    return X, rng.integers(0, n_outputs, size=len(X))


def start(case):
    return initial_network(
        case[:3], ACTIVATIONS["relu"], squared_norm=12.0, dtype=np.float32, rng=np.random.RandomState(0)
    )


def ours(case, solver, loss):
    n_features, _, n_outputs, batch_size = case
    X, y = data(n_features, n_outputs, batch_size)
    targets = np.eye(n_outputs, dtype=np.float32)[y]
    standardisation = Standardisation(np.zeros(n_features, np.float32), np.ones(n_features, np.float32))
    samples = Samples(X, targets, standardisation, np.arange(len(X)))
    settings = TrainingSettings(ACTIVATIONS["relu"], LOSSES[loss], SOLVERS[solver], 0.001, 0.0, batch_size, 0.0)
    training = Training(start(case), samples, settings, 0, name="training")
    return lambda: training.advance(N_UPDATES)


def products(case):
    """
    Do the five products of an update, each in whichever of NumPy and torch is faster in it.

    They are those of the coefficients and X', of B and the activations, of the residual and the activations, of B' and
    the residual, and of the slopes and X.
    """
    n_features, n_hidden, n_outputs, batch_size = case
    A, B = np.ones((n_hidden, n_features), np.float32), np.ones((n_outputs, n_hidden), np.float32)
    X, residual = np.ones((batch_size, n_features), np.float32), np.ones((n_outputs, batch_size), np.float32)
    hidden = np.ones((n_hidden, batch_size), np.float32)
    pairs = ((A, X.T), (B, hidden), (residual, hidden.T), (B.T, residual), (hidden, X))
    calls = [faster_product(*pair) for pair in pairs]
    return lambda: [call() for call in calls for _ in range(N_UPDATES)]


def faster_product(left, right):
    """Return a call that multiplies two matrices, in NumPy or in torch."""
    out = np.empty((left.shape[0], right.shape[1]), np.float32)
    tensors = [torch.from_numpy(array) for array in (left, right, out)]
    calls = (lambda: np.dot(left, right, out), lambda: torch.mm(*tensors[:2], out=tensors[2]))
    times = seconds(*(lambda call=call: [call() for _ in range(N_UPDATES)] for call in calls))
    return calls[int(np.argmin(times))]


def scikit_learn(case, solver):
    n_features, n_hidden, n_outputs, batch_size = case
    X, y = data(n_features, n_outputs, batch_size)
    model = MLPClassifier(n_hidden, solver=solver, batch_size=batch_size, max_iter=1, random_state=0)
    model.partial_fit(X, y, classes=np.arange(n_outputs))
    return lambda: model.partial_fit(X, y)


def skorch(case, solver):
    from skorch import NeuralNetClassifier

    n_features, n_hidden, n_outputs, batch_size = case
    X, y = data(n_features, n_outputs, batch_size)
    module = torch.nn.Sequential(
        torch.nn.Linear(n_features, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_outputs)
    )
    model = NeuralNetClassifier(
        module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam if solver == "adam" else torch.optim.SGD,
        batch_size=batch_size,
        train_split=None,
        verbose=0,
        max_epochs=1,
    ).initialize()
    return lambda: model.partial_fit(X, y)


def updates_of(case):
    for solver in ("sgd", "adam"):
        calls = [products(case), ours(case, solver, "squared_error"), ours(case, solver, "log_loss")]
        calls.append(scikit_learn(case, solver))
        if importlib.util.find_spec("skorch"):
            calls.append(skorch(case, solver))
        times = [time / N_UPDATES for time in seconds(*calls)]
        row = [case, solver, times[1] * 1e6, times[0] / times[1], times[0] / times[2], times[3] / times[2]]
        yield [*row, times[4] / times[2] if len(times) > 4 else ""]


def updates():
    rows = []
    for n_threads in sorted({1, torch.get_num_threads()}):
        with threadpool_limits(n_threads):
            rows += [[n_threads, *row] for case in CASES for row in updates_of(case)]
    return table(
        [
            "threads",
            "n_features, n_hidden, n_outputs, batch",
            "solver",
            "update, us",
            "rate over that of its products",
            "the same, log loss",
            "times scikit-learn's rate, log loss",
            "times skorch's rate, log loss",
        ],
        rows,
    )


def whole_fits():
    X, y = load_digits(return_X_y=True)
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y)
    # Those that are kept: the other network is not charged for the trial, nor for iterations that were gone back on.
    n_updates = model.n_pretrain_ + model.n_retrain_
    n_epochs = round(n_updates / np.ceil(len(X) / 200))
    other = MLPClassifier(1000, max_iter=n_epochs, n_iter_no_change=n_epochs, random_state=0)
    mine, theirs = seconds(lambda: model.fit(X, y), lambda: other.fit(X, y))
    single = X[:1]
    small = MLPClassifier(50, max_iter=5, random_state=0).fit(X, y)
    many = np.tile(X, (6, 1))[:10_000]
    n_calls = 500

    def repeated(estimator):
        return lambda: [estimator.predict(single) for _ in range(n_calls)]

    one, one_theirs = seconds(repeated(model), repeated(small))
    all_, all_theirs, dense = (
        time for time in seconds(lambda: model.predict(many), lambda: small.predict(many), lambda: other.predict(many))
    )
    return table(
        ["on the digits", "this package, ms", "the other, ms", "ratio"],
        [
            [
                "fit, default parameters, against MLPClassifier(1000) after as many updates",
                mine * 1e3,
                theirs * 1e3,
                mine / theirs,
            ],
            [
                "predict one row, against MLPClassifier(50)",
                one / n_calls * 1e3,
                one_theirs / n_calls * 1e3,
                one / one_theirs,
            ],
            ["predict 10 000 rows, against MLPClassifier(50)", all_ * 1e3, all_theirs * 1e3, all_ / all_theirs],
            ["predict 10 000 rows, against MLPClassifier(1000)", all_ * 1e3, dense * 1e3, all_ / dense],
        ],
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    threads = f"torch uses {torch.get_num_threads()} thread(s)."
    publish(
        "training",
        "Training and predicting, against the arithmetic and other packages",
        "python benchmarks/training.py",
        "Medians of five rounds in turn; float32 in the first table, float64 in the second. " + threads,
        updates(),
        whole_fits(),
        versions("torch"),
    )
