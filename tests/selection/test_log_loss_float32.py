"""float32 atoms are scored in float64 where that decides: the path is that of the same values in float64."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _log_loss as search

K = 250


def close_atoms(n_outputs, seed=0):
    """Outputs of models that hardly differ, so that late picks are decided by the last digits."""
    rng = np.random.default_rng(seed)
    n_samples, n_atoms = 14, 16
    shared = 2 * rng.standard_normal((n_samples, 1, n_outputs))
    atoms = shared + rng.standard_normal((n_samples, n_atoms, n_outputs)) * rng.choice([1e-3, 0.3, 2.0], (n_atoms, 1))
    return atoms.astype(np.float32), rng.integers(0, max(n_outputs, 2), n_samples)


def softmax(z):
    """Shares of the classes, as float32."""
    z = np.concatenate([np.zeros_like(z), z], axis=2) if z.shape[2] == 1 else z
    p = np.exp(z - z.max(axis=2, keepdims=True))
    return (p / p.sum(axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "kind", ["three classes", "two classes", "one logit", "offset", "l1", "output_weights", "one output weight"]
)
def test_hundreds_of_float32_logits_are_picked_as_the_oracle_does(kind, weighted):
    n_outputs = {"two classes": 2, "one logit": 1, "one output weight": 1}.get(kind, 3)
    atoms, classes = close_atoms(n_outputs)
    rng = np.random.default_rng(1)
    options = {"sample_weight": rng.uniform(0.1, 3.0, len(classes))} if weighted else {}
    asked = {}
    if kind == "offset":
        options["offset"] = rng.standard_normal(n_outputs)
        asked["offset"] = options["offset"]
    if kind == "l1":
        options.update(hull="l1", radius=1.7)
        asked.update(signs=(1.0, -1.0), radius=1.7)
    whole = atoms.astype(float)
    if "output" in kind:
        atoms, options["output_weights"] = atoms[:, :, 0], rng.standard_normal((16, n_outputs)).astype(np.float32)
        whole = atoms.astype(float)[:, :, None] * options["output_weights"].astype(float)
    picks, losses, gaps = naive.greedy(
        whole, classes, K, loss="log_loss", weight=options.get("sample_weight"), tie=1e-14, **asked
    )
    path = greedy_forward_selection(atoms, classes, K, loss="log_loss", **options)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["three classes", "second class", "output_weights", "one output weight"])
def test_hundreds_of_float32_probabilities_are_picked_as_the_oracle_does(kind, order, weighted):
    n_outputs = 3 if kind == "three classes" else 1
    logits, classes = close_atoms(n_outputs, seed=2)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.1, 3.0, len(classes)) if weighted else None
    atoms = softmax(logits) if n_outputs > 1 else softmax(logits)[:, :, 1]
    whole, options = atoms.astype(float), {"sample_weight": weight}
    if kind == "output_weights":
        options["output_weights"] = rng.dirichlet(np.ones(3), 16).astype(np.float32)
        classes = rng.integers(0, 3, len(classes))
    elif kind == "one output weight":
        options["output_weights"] = rng.uniform(0.1, 0.9, (16, 1)).astype(np.float32)
    if "output_weights" in options:
        whole = whole[:, :, None] * options["output_weights"].astype(float)
    elif n_outputs == 1:
        whole = whole[:, :, None]
    picks, losses, gaps = naive.greedy(whole, classes, K, loss="probability_loss", weight=weight)
    path = greedy_forward_selection(
        np.asarray(atoms, order=order), classes, K, loss="log_loss", from_logits=False, **options
    )
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_a_thousand_neurons_give_one_path_in_both_types(hull, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 6))
    H = np.maximum(X @ rng.standard_normal((6, 300)) + rng.standard_normal(300), 0).astype(np.float32)
    B = (3 * rng.standard_normal((300, 3))).astype(np.float32)
    classes = np.argmax(X[:, :3] + 0.1 * rng.standard_normal((400, 3)), axis=1)
    options = {"loss": "log_loss", "offset": [0.1, 0.0, -0.1], "hull": hull, "radius": 4.0 if hull == "l1" else None}
    path = greedy_forward_selection(H, classes, 400, output_weights=B, **options)
    double = greedy_forward_selection(H.astype(float), classes, 400, output_weights=B.astype(float), **options)
    np.testing.assert_array_equal(path.picks, double.picks)
    np.testing.assert_array_equal(path.losses, double.losses)
    np.testing.assert_allclose(path.gaps, double.gaps, rtol=1e-9, atol=1e-14)
    stop = path.gaps[200]
    short = greedy_forward_selection(H, classes, 400, output_weights=B, tol=stop, **options)
    assert len(short.picks) == 1 + np.flatnonzero(path.gaps <= stop)[0]


@given(cases(), st.booleans(), st.booleans(), st.sampled_from([1e-30, 1.0, 1e30]))
def test_both_types_give_one_path(case, from_logits, with_weights, unit):
    """Units at which float32 squares leave their range included."""
    classes = case.y.argmax(axis=1) if case.y.shape[1] > 1 else (case.y[:, 0] > 0).astype(int)
    options = {"loss": "log_loss", "sample_weight": case.weight}
    if from_logits and with_weights:
        atoms, options["output_weights"] = (unit * case.H).astype(np.float32), case.B
    elif from_logits:
        atoms, options["offset"] = (unit * case.atoms).astype(np.float32), np.zeros(case.y.shape[1])
    else:
        atoms = softmax(case.atoms)
        options["from_logits"] = False
    path = greedy_forward_selection(atoms, classes, case.k, **options)
    same = atoms if from_logits else np.maximum(atoms, np.finfo(np.float32).eps)
    double = greedy_forward_selection(same.astype(float), classes, case.k, **options)
    np.testing.assert_array_equal(path.picks, double.picks)
    np.testing.assert_array_equal(path.losses, double.losses)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_slopes_as_wrong_as_their_slack_allows_change_nothing(hull, n_outputs, monkeypatch):
    atoms, classes = close_atoms(n_outputs)
    options = {"loss": "log_loss", "hull": hull, "radius": 1.7 if hull == "l1" else None}
    expected = greedy_forward_selection(atoms, classes, 100, **options)
    rng, exact = np.random.default_rng(0), search.LogitSearch._slopes

    def wrong(self):
        slopes, slack = exact(self)
        slack = slack + 0.3 * np.abs(slopes) + 1e-4
        return slopes + rng.choice([-1.0, 1.0], 16) * slack, slack

    monkeypatch.setattr(search.LogitSearch, "_slopes", wrong)
    path = greedy_forward_selection(atoms, classes, 100, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)
    np.testing.assert_allclose(path.gaps, expected.gaps, rtol=1e-9, atol=1e-14)
