"""The first call ever: how much is compiled, counted in a fresh process with an empty cache, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numba
import pytest

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")

PREPARED = """
    import json, logging, sys, warnings
    import numpy as np
    import sklearn_gfs as gfs
    from numba.core import event

    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y, classes = X[:, 0] + X[:, 1] ** 2, (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)
    wide, doubled = rng.normal(size=(8000, 600)), np.tile(X.astype(np.float32), 2)
    atoms = rng.normal(size=(200, 40, 3))
    shares = np.exp(atoms) / np.exp(atoms).sum(axis=2, keepdims=True)
    options = {"n_pretrain": 20, "k": 10, "n_hidden": 60, "random_state": 0}
    recorded = event.RecordingListener()
    event.register("numba:compile", recorded)
"""
COUNTED = """
    compiled = [e.data["dispatcher"].py_func for _, e in recorded.buffer if e.is_start]
    own = [function.__name__ for function in compiled if function.__module__.startswith("sklearn_gfs.")]
    print(json.dumps([own, len(compiled)]))
"""


def subprocess_of(code, cache):
    """Run the code in a process with a numba cache of its own."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", textwrap.dedent(PREPARED) + textwrap.dedent(code)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


# How many loops of this package, and functions of numba's that those need. Where the second number grows, an operation
# on whole arrays has come into a loop: numba compiles several functions for each.
CALLS = {
    "gfs.GreedyPrunedMLPClassifier(loss='squared_error', **options).fit(X, classes)": (8, 1),
    "gfs.GreedyPrunedMLPClassifier(loss='log_loss', **options).fit(X, classes)": (3, 0),
    "gfs.PretrainThresholdSearch(gfs.GreedyPrunedMLPRegressor(**options), n_pretrain=[5, 10], cv=2).fit(X, y)": (8, 1),
    "gfs.GreedyForwardSelector().fit(X, y)": (6, 1),
    "gfs.greedy_forward_selection(wide, wide[:, :9].sum(axis=1), 30)": (7, 2),
    "gfs.greedy_forward_selection(atoms, classes, 10)": (6, 1),
    "gfs.greedy_forward_selection(atoms, classes, 10, loss='log_loss')": (6, 5),
    "gfs.greedy_forward_selection(shares, classes, 10, loss='log_loss', from_logits=False)": (8, 5),
    "gfs.greedy_forward_selection(doubled, y, 10)": (7, 1),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_first_call_compiles_little(call, tmp_path):
    n_own, n_others = CALLS[call]
    own, n_compiled = json.loads(subprocess_of(f"{call}\n{textwrap.dedent(COUNTED)}", tmp_path).stdout)
    assert 0 < len(own) <= n_own, own
    assert n_compiled - len(own) <= n_others


ESTIMATOR = "gfs.GreedyPrunedMLPRegressor(**options)"
SEARCH = f"gfs.PretrainThresholdSearch({ESTIMATOR}, n_pretrain=[2, 4], cv=2)"


@pytest.mark.parametrize(
    ("model", "verbose", "n_lines"), [(ESTIMATOR, False, 0), (ESTIMATOR, True, 1), (SEARCH, 0, 0), (SEARCH, 1, 1)]
)
def test_compiling_is_said_once(model, verbose, n_lines, tmp_path):
    code = f"""
        logging.basicConfig(level="INFO", stream=sys.stderr)
        model = {model}.set_params(verbose={verbose})
        model.fit(X, y)
        model.fit(X.astype("float32"), y)
    """
    first, second = (subprocess_of(code, tmp_path) for _ in range(2))
    said = "Compiling loops for the first time"
    assert first.stdout.count(said) == n_lines
    assert first.stderr.count(f"INFO:sklearn_gfs:{said}") == 1
    assert said not in second.stdout + second.stderr


def test_no_garbage_is_looked_for_while_loops_are_compiled(tmp_path):
    code = f"""
        import gc
        states = []

        class Listener(event.Listener):
            def on_start(self, _):
                states.append(gc.isenabled())

            on_end = on_start

        event.register("numba:run_pass", Listener())
        {ESTIMATOR}.fit(X, y)
        print(json.dumps([len(states), sum(states), gc.isenabled()]))
    """
    n_states, n_enabled, afterwards = json.loads(subprocess_of(code, tmp_path).stdout)
    assert n_states > 0
    assert n_enabled == 0
    assert afterwards
