"""
Greedy forward selection against the arithmetic, against other packages, and against its own plan.

Each part prints one page of ratios taken in one run and writes it below docs/benchmarks: ``python
benchmarks/selection.py PART``. ``peers`` needs AutoGluon, AMLTK and DeepHyper in the environment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tracemalloc
from itertools import product

import numpy as np
from _common import publish, seconds, table, versions
from _planned import planned_bytes
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection

LIMIT_SIZES = {(30_000, 1000, 10, 100): 2.5, (20_000, 5000, 1, 200): 2.5, (2000, 1000, 10, 50): 4.0}


def neurons(n_samples, n_atoms, n_outputs, dtype, seed=0):
    """Hidden activations, output weights and targets of a random network on a smooth problem."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 20))
    H = np.tanh(X @ rng.standard_normal((20, n_atoms)) / 4 + rng.standard_normal(n_atoms))
    B = rng.standard_normal((n_atoms, n_outputs))
    scores = np.tanh(X @ rng.standard_normal((20, n_outputs)) / 4)
    y = np.eye(n_outputs)[scores.argmax(axis=1)] if n_outputs > 1 else scores + 0.1 * rng.standard_normal(scores.shape)
    return H.astype(dtype), B.astype(dtype), y


def relus(n_samples, n_atoms, n_outputs, dtype, seed=0):
    """Rectified random combinations of 64 inputs, of which nearly every pick is another one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 64))
    H = np.maximum(X @ rng.standard_normal((64, n_atoms)) / 8, 0.0)
    scores = X @ rng.standard_normal((64, n_outputs)) / 8
    y = np.eye(n_outputs)[scores.argmax(axis=1)] if n_outputs > 1 else np.tanh(scores)
    return H.astype(dtype), rng.standard_normal((n_atoms, n_outputs)).astype(dtype), y


KINDS = {"tanh, 20 inputs": neurons, "relu, 64 inputs": relus}


def class_probabilities(n_samples, n_atoms, n_classes, seed=0):
    """Predictions of models of unequal skill whose errors are in part the same."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_samples)
    common = rng.standard_normal((n_samples, n_classes))
    P = np.empty((n_samples, n_atoms, n_classes))
    for i in range(n_atoms):
        logits = rng.uniform(0.5, 2.5) * np.eye(n_classes)[y] + rng.uniform(0, 1) * common
        logits += rng.standard_normal((n_samples, n_classes))
        p = np.exp(logits)
        P[:, i] = p / p.sum(axis=1, keepdims=True)
    return P, y


def limit():
    """Time against that of the matrix products that the distinct picks need."""
    rows = []
    for (kind, make), ((n, n_atoms, n_outputs, k), goal) in product(KINDS.items(), LIMIT_SIZES.items()):
        H, B, y = make(n, n_atoms, n_outputs, np.float32)
        weights = {"output_weights": B} if n_outputs > 1 else {}
        target = y.astype(np.float32)
        path = greedy_forward_selection(H, y, k, **weights)
        chosen = H[:, np.unique(path.picks)]
        square = np.ones((2000, 2000), dtype=np.float32)
        for threads in (1, 2):
            with threadpool_limits(threads):
                ours, products, peak = seconds(
                    lambda: greedy_forward_selection(H, y, k, **weights),  # noqa: B023
                    lambda: (chosen.T @ H, target.T @ H),  # noqa: B023
                    lambda: square @ square,  # noqa: B023
                    rest=0.15 * (threads - 1),
                )
            flops = 2 * n * n_atoms * (chosen.shape[1] + n_outputs)
            rows.append(
                [
                    kind,
                    f"({n}, {n_atoms}, {n_outputs}, {k})",
                    threads,
                    chosen.shape[1],
                    1e3 * ours,
                    1e3 * products,
                    ours / products,
                    ours / (flops * peak / 1.6e10),
                    goal,
                ]
            )
    header = ["neurons", "n_samples, n_atoms, n_outputs, k", "threads", "distinct", "selection, ms", "its products, ms"]
    header += ["ratio", "ratio at the rate of a square product", "goal"]
    publish("selection_limit", "Selection against the arithmetic limit", command(), versions(), table(header, rows))


def logits():
    """Log loss on logits, with screening against scoring every candidate."""
    import numba

    @numba.njit
    def straightforward(H, B, y, k):
        n, n_atoms = H.shape
        n_outputs = B.shape[1]
        total = np.zeros((n, n_outputs))
        picks = np.empty(k, np.int64)
        v = np.empty(n_outputs)
        for j in range(k):
            best = np.inf
            for i in range(n_atoms):
                loss = 0.0
                for s in range(n):
                    top = -np.inf
                    for c in range(n_outputs):
                        v[c] = (total[s, c] + H[s, i] * B[i, c]) / (j + 1)
                        top = max(top, v[c])
                    norm = 0.0
                    for c in range(n_outputs):
                        norm += np.exp(v[c] - top)
                    loss += top + np.log(norm) - v[y[s]]
                if loss < best:
                    best, picks[j] = loss, i
            for s in range(n):
                for c in range(n_outputs):
                    total[s, c] += H[s, picks[j]] * B[picks[j], c]
        return picks

    H, B, onehot = neurons(5000, 500, 10, np.float64)
    y, k = onehot.argmax(axis=1), 50
    straightforward(H[:50], B, y[:50], 2)
    start = time.perf_counter()
    picks = straightforward(H, B, y, k)
    plain = time.perf_counter() - start
    rows = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            path = greedy_forward_selection(H, y, k, output_weights=B, loss="log_loss")
            (ours,) = seconds(lambda: greedy_forward_selection(H, y, k, output_weights=B, loss="log_loss"))
        same = bool((path.picks == picks).all())
        rows.append([threads, len(set(picks.tolist())), 1e3 * plain, 1e3 * ours, plain / ours, same])
    header = ["threads", "distinct", "every candidate (once, one thread), ms", "selection, ms", "times faster"]
    publish(
        "selection_logits",
        "Log loss on logits, (5000, 500, 10, 50)",
        command(),
        versions(),
        table([*header, "same picks"], rows),
    )


def threads():
    """What a second thread brings, wherever one takes more than 20 ms."""
    P, classes = class_probabilities(5000, 500, 10)
    wide, many = class_probabilities(50_000, 200, 4)
    H, B, onehot = neurons(5000, 500, 10, np.float64)
    work = {
        f"squared error, {size} float32": (*neurons(*size[:3], np.float32), size[3], {}) for size in LIMIT_SIZES
    } | {
        "squared error, (10000, 1000, 1, 100) float64": (*neurons(10_000, 1000, 1, np.float64), 100, {}),
        "log loss of probabilities, (5000, 500, 10, 50) float64": (P, None, classes, 50, {"from_logits": False}),
        "log loss of probabilities, (50000, 200, 4, 50) float64": (wide, None, many, 50, {"from_logits": False}),
        "log loss of logits, (5000, 500, 10, 50) float64": (H, B, onehot.argmax(axis=1), 50, {"from_logits": True}),
    }
    rows = []
    for name, (atoms, weights, y, k, options) in work.items():
        options = {**options, "loss": "log_loss"} if options else {}
        if weights is not None and weights.shape[1] > 1:
            options["output_weights"] = weights
        times, paths = [], []
        for n_threads in (1, 2):
            with threadpool_limits(n_threads):
                paths.append(greedy_forward_selection(atoms, y, k, **options))
                times.append(seconds(lambda: greedy_forward_selection(atoms, y, k, **options))[0])  # noqa: B023
        same = bool((paths[0].picks == paths[1].picks).all())
        rows.append([name, 1e3 * times[0], 1e3 * times[1], times[0] / times[1], same])
    header = ["selection", "one thread, ms", "two threads, ms", "times faster", "same picks"]
    publish("selection_threads", "One thread and two", command(), versions(), table(header, rows))


FIRST_CALL = """
import sys, time
import numpy, scipy.sparse, sklearn.base
now = time.process_time
start = now()
import numba
imported = now()
from numba.core.registry import cpu_target
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
ready = now()
from sklearn_gfs.selection import greedy_forward_selection
rng = numpy.random.default_rng(0)
atoms, y = rng.random((300, 40, 3)), rng.integers(0, 3, 300)
options = {{"squared_error": {{}}, "logits": {{"loss": "log_loss", "offset": [0.0] * 3}},
    "probabilities": {{"loss": "log_loss", "from_logits": False}}}}[{kind!r}]
atoms, y = (atoms / atoms.sum(axis=2, keepdims=True), y) if options else (atoms[:, :, 0], rng.random(300))
begin = now()
greedy_forward_selection(atoms, y, 10, **options)
first = now()
greedy_forward_selection(atoms, y, 10, **options)
print(imported - start, ready - imported, begin - ready, first - begin, now() - first)
"""


def first():
    """First call in a new process whose cache of compiled loops is warm, in processor time."""
    rows = []
    for kind in ("squared_error", "probabilities", "logits"):
        runs = []
        for _ in range(6):
            script = [sys.executable, "-c", FIRST_CALL.format(kind=kind)]
            runs.append(subprocess.run(script, check=True, capture_output=True, text=True).stdout.split())
        rows.append([kind, *np.median(np.array(runs[1:], dtype=float) * 1e3, axis=0).tolist()])  # the first warms
    header = ["selection", "import numba, ms", "numba's own registries, ms", "import of the selection, ms"]
    note = (
        "(300, 40) atoms, k=10. Numba imports its implementations of Python and NumPy when the first compiled "
        "function of a process is compiled or loaded, whoever's it is; the columns after that are this package's own."
    )
    publish(
        "selection_first",
        "The first call of a process",
        command(),
        versions(),
        note,
        table([*header, "first call, ms", "second call, ms"], rows),
    )


def features():
    """Ordinary feature matrices: time, and the test error of a least-squares fit on what was selected."""
    from sklearn.datasets import load_diabetes, make_regression
    from sklearn.feature_selection import SequentialFeatureSelector
    from sklearn.linear_model import LinearRegression, orthogonal_mp
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import PolynomialFeatures

    X, y = load_diabetes(return_X_y=True)
    sets = {
        "diabetes, squares and products": (PolynomialFeatures(2, include_bias=False).fit_transform(X), y),
        "sparse, 500 x 100": make_regression(500, 100, n_informative=10, noise=20.0, random_state=0),
        "dense, 500 x 60": make_regression(500, 60, n_informative=40, noise=20.0, random_state=0),
        "correlated, 500 x 60": make_regression(500, 60, n_informative=20, effective_rank=20, noise=2, random_state=0),
    }
    rows = []
    for name, (data, target) in sets.items():
        X, X_test, y, y_test = train_test_split(data, target, random_state=0)
        mean, scale = X.mean(axis=0), X.std(axis=0)
        Z, Z_test, centre = (X - mean) / scale, (X_test - mean) / scale, y.mean()
        selector = GreedyForwardSelector(k=50).fit(X, y)
        n = int(selector.get_support().sum())
        sequential = SequentialFeatureSelector(LinearRegression(), n_features_to_select=n, cv=2)
        start = time.perf_counter()
        sequential.fit(Z, y)
        slow = time.perf_counter() - start
        ours, omp = seconds(
            lambda: GreedyForwardSelector(k=50).fit(X, y),  # noqa: B023
            lambda: orthogonal_mp(Z, y - centre, n_nonzero_coefs=n),  # noqa: B023
        )
        supports = {
            "greedy": selector.get_support(),
            "omp": orthogonal_mp(Z, y - centre, n_nonzero_coefs=n) != 0,
            "sequential": sequential.get_support(),
        }
        errors = []
        for support in supports.values():
            model = LinearRegression().fit(Z[:, support], y)
            errors.append(float(np.mean((model.predict(Z_test[:, support]) - y_test) ** 2) / y_test.var()))
        rows.append([name, n, 1e3 * ours, 1e3 * omp, 1e3 * slow, *errors])
    header = ["data", "columns kept", "selector k=50, ms", "orthogonal_mp, ms", "SequentialFeatureSelector cv=2, ms"]
    header += [f"test error / variance: {name}" for name in ("selector", "orthogonal_mp", "sequential")]
    publish("selection_features", "Feature selection with hull='l1'", command(), versions(), table(header, rows))


def memory():
    """Peak memory beyond the input against what the plan says it needs, and a float64 copy of y."""
    rows = []
    for (n, n_atoms, n_outputs, k), dtype in (
        *((size, np.float32) for size in LIMIT_SIZES),
        ((1000, 500, 1, 50), np.float64),
        ((10_000, 1000, 1, 100), np.float64),
        ((100_000, 200, 1, 400), np.float64),
    ):
        H, B, y = neurons(n, n_atoms, n_outputs, dtype)
        weights = {"output_weights": B} if n_outputs > 1 else {}
        greedy_forward_selection(H[:100], y[:100], 3, **weights)
        tracemalloc.start()
        path = greedy_forward_selection(H, y, k, **weights)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        directions = "several" if n_outputs > 1 else "one"
        planned = planned_bytes(n, n_atoms, np.dtype(dtype).itemsize, k, directions) + 8 * y.size
        rows.append(
            [
                f"({n}, {n_atoms}, {n_outputs}, {k}) {np.dtype(dtype)}",
                int((path.counts > 0).sum()),
                H.nbytes / 2**20,
                planned / 2**20,
                peak / 2**20,
                peak / planned,
            ]
        )
    header = ["n_samples, n_atoms, n_outputs, k", "distinct", "atoms, MiB", "planned, MiB", "peak, MiB", "ratio"]
    publish("selection_memory", "Memory beyond the input", command(), versions(), table(header, rows))


def growth():
    """How the cost grows with each size, over two decades."""
    rows = []
    base = {"n_samples": 10_000, "n_atoms": 500, "k": 50}
    ranges = {
        "n_samples": [1000, 3162, 10_000, 31_623, 100_000],
        "n_atoms": [50, 158, 500, 1581, 5000],
        "k": [10, 32, 100, 316, 1000],
    }
    for name, sizes in ranges.items():
        times, distinct = [], []
        for size in sizes:
            at = {**base, name: size}
            H, _, y = neurons(at["n_samples"], at["n_atoms"], 1, np.float32)
            distinct.append(int((greedy_forward_selection(H, y, at["k"]).counts > 0).sum()))
            times.append(seconds(lambda: greedy_forward_selection(H, y, at["k"]))[0])  # noqa: B023
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        rows.append(
            [name, ", ".join(map(str, sizes)), ", ".join(f"{1e3 * t:.3g}" for t in times), distinct, float(slope)]
        )
    header = ["size that grows", "values", "ms", "distinct picks", "fitted exponent"]
    note = f"The others stay at {base}; float32, one output."
    publish("selection_growth", "How the cost grows", command(), versions(), note, table(header, rows))


def costs():
    """Constants of the cost model in sklearn_gfs/selection/_gram_columns.py."""
    from sklearn_gfs.selection._gram import ArrayAtoms

    rows = []
    with threadpool_limits(1):
        for dtype in (np.float32, np.float64):
            for n, n_atoms in ((1000, 500), (1800, 1000), (1800, 4000), (30_000, 1000)):
                H = np.random.default_rng(0).standard_normal((n, n_atoms)).astype(dtype)
                source = ArrayAtoms(H, np.zeros((n, 1)), None)
                one, sixteen, sixty_four = seconds(
                    lambda: source.columns(np.arange(1)),  # noqa: B023
                    lambda: source.columns(np.arange(16)),  # noqa: B023
                    lambda: source.columns(np.arange(64)),  # noqa: B023
                )
                (whole,) = seconds(source.whole, repeats=3)
                small = np.ones((16, 16), dtype)
                (call,) = seconds(lambda: small[0] @ small, repeats=1000)  # noqa: B023
                rows.append(
                    [
                        np.dtype(dtype).name,
                        f"{n} x {n_atoms}",
                        H.nbytes / 2**20,
                        1e9 * one / H.nbytes,
                        1e9 * (sixty_four - sixteen) / 48 / H.nbytes,
                        1e9 * whole / n_atoms / H.nbytes,
                        1e9 * call,
                    ]
                )
    header = ["dtype", "atoms", "MiB", "one column, ns/byte", "one more column of several, ns/byte"]
    header += ["each column of the whole matrix, ns/byte", "smallest call, ns"]
    publish("selection_costs", "What Gram columns cost", command(), versions(), table(header, rows))


def trained(n_atoms, n_samples=None, n_outputs=10):
    """Activations, output weights and targets of a network trained on digits: what pruning selects from."""
    from sklearn.datasets import load_digits

    from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

    X, y = load_digits(return_X_y=True)
    Estimator = GreedyPrunedMLPClassifier if n_outputs > 1 else GreedyPrunedMLPRegressor
    path = Estimator(n_hidden=n_atoms, random_state=0).fit_path(X, y.astype(float), n_pretrain=[300])
    dense = next(path).estimator
    if n_samples is not None:  # more of the same digits, with noise
        rng = np.random.default_rng(0)
        some = rng.integers(0, len(X), n_samples)
        X, y = X[some] + rng.standard_normal((n_samples, X.shape[1])), y[some]
    H = np.maximum(X @ dense.coefs_[0] + dense.intercepts_[0], 0)
    B = n_atoms * dense.coefs_[1].reshape(n_atoms, -1)
    targets = np.eye(10)[y] if n_outputs > 1 else y[:, None]
    return H if n_outputs > 1 else H * B[:, 0], B, targets - dense.intercepts_[1]


def cases_of_plans():
    """Yield a name, activations, output weights, targets and numbers of picks: of trained and of random networks."""
    for sizes, dtype, ks in (
        ((1000,), np.float32, (10, 50, 100, 200, 400)),
        ((200,), np.float32, (10, 50, 200)),
        ((4000,), np.float32, (50, 400)),
        ((1000, 30_000), np.float32, (50, 200, 400)),
        ((1000, None, 1), np.float32, (50, 200)),
        ((1000, 30_000, 1), np.float32, (50, 200)),
        ((1000,), np.float64, (50, 200)),
    ):
        H, B, y = trained(*sizes)
        yield "trained", H.astype(dtype), B, y, ks
    for sizes, dtype, ks in (
        ((1437, 1000, 10), np.float32, (50, 200, 400)),
        ((1437, 1000, 1), np.float32, (50, 200)),
        ((30_000, 1000, 10), np.float32, (10, 50, 100, 200, 400)),
        ((30_000, 1000, 1), np.float32, (50, 200)),
        ((5000, 4000, 10), np.float32, (50, 400)),
        ((100_000, 200, 10), np.float32, (50, 400)),
        ((100_000, 200, 1), np.float32, (10, 400)),
        ((1000, 500, 1), np.float64, (50, 400)),
        ((10_000, 1000, 10), np.float64, (50, 200)),
    ):
        yield "random", *neurons(*sizes, dtype), ks


def by_plan(plan, *arguments, **weights):
    """Return the path of a selection by a plan, its least time of three, and the number of columns of each pass."""
    from unittest import mock

    from sklearn_gfs.selection import _gram_columns

    passes, room = [], _gram_columns.GramColumns._room

    def count(self, atoms):
        passes.append(len(atoms))
        return room(self, atoms)

    with mock.patch.object(_gram_columns, "plan", mock.Mock(return_value=plan)):
        with mock.patch.object(_gram_columns.GramColumns, "_room", count):
            path = greedy_forward_selection(*arguments, **weights)
        taken = np.inf
        for _ in range(3):
            start = time.process_time()
            greedy_forward_selection(*arguments, **weights)
            taken = min(taken, time.process_time() - start)
    return path, taken, passes


def plans():
    """Every plan on the same selections: what the shares of distinct and foreseen atoms in the cost model rest on."""
    from sklearn_gfs.selection import _gram_columns

    rows = []
    for name, H, B, y, ks in cases_of_plans():
        weights = {"output_weights": B} if B.shape[1] > 1 else {}
        for k in ks:
            chosen = _gram_columns.plan(*H.shape, H.itemsize, k, "several" if weights else "one")
            times = {plan: by_plan(plan, H, y, k, **weights)[1] for plan in ("column", "whole")}
            path, times["blocks"], passes = by_plan("blocks", H, y, k, **weights)
            foreseen, single = sum(n for n in passes if n > 1), passes.count(1)
            rows.append(
                [
                    f"{name} ({len(H)}, {H.shape[1]}, {B.shape[1]}) {H.dtype}",
                    k,
                    int((path.counts > 0).sum()),
                    1e3 * times["column"],
                    f"{foreseen} + {single}",
                    1e3 * times["blocks"],
                    1e3 * times["whole"],
                    chosen,
                    times[chosen] / min(times.values()),
                ]
            )
    header = ["n_samples, n_atoms, n_outputs", "k", "distinct", "column, ms", "columns in blocks + single"]
    header += ["blocks, ms", "whole, ms", "chosen", "chosen / best"]
    ratios = np.array([row[-1] for row in rows])
    note = (
        "Networks trained on digits (30000: with noise), and random ones; processor time, the least of three. "
        "Foreseen atoms that were not picked are in vain: where they are many, blocks go over to single columns. "
        f"The plan chosen takes {ratios.max():.2f} times as long as the best one at most, {np.median(ratios):.2f} "
        "times in the median."
    )
    publish("selection_plans", "The plans", command(), versions(), note, table(header, rows))


def peers():
    """Ensemble selection as others ship it, on the same matrix."""
    import selection_peers

    selection_peers.run(neurons, class_probabilities, command())


def command():
    """Command that makes the page."""
    return f"python benchmarks/selection.py {' '.join(sys.argv[1:])}"


PARTS = {f.__name__: f for f in (limit, logits, threads, first, features, memory, growth, costs, plans, peers)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    PARTS[parser.parse_args().part]()
