"""What the tests of the selection share: problems, outputs of models, and a tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_gfs import greedy_forward_selection

LOSS = {"rtol": 1e-9, "atol": 1e-14}
# Labels of 60 samples; probabilities and logits that eight models give the three classes.
CLASSES = np.tile([0, 1, 2], 20)
P = np.random.default_rng(0).dirichlet(np.ones(3), (60, 8))
Z = np.log(P)


def factorised(case, k=None, **options):
    """Select from the neurons of a case without ever forming their outputs."""
    options = {"output_weights": case.B, "sample_weight": case.weight, **options}
    return greedy_forward_selection(case.H, case.y, case.k if k is None else k, **options)


def tensor(atoms):
    """Return atoms as a tensor of torch; without torch the test is skipped."""
    return pytest.importorskip("torch").tensor(atoms)


def make(n_samples=200, n_atoms=40, seed=0):
    """Atoms and one noisy target in their hull's neighbourhood."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_samples, n_atoms))
    return atoms, 0.5 * atoms[:, 1] + 0.2 * atoms[:, 2] + 0.3 * rng.standard_normal(n_samples)


def regression(n_samples=120, n_features=14, n_targets=1, seed=0):
    """Columns of other units, correlated with each other, of which some matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) @ (np.eye(n_features) + 0.3 * rng.random((n_features, n_features)))
    X = X * 10.0 ** rng.integers(-2, 3, n_features) + rng.normal(size=n_features)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = Z[:, :5] @ rng.uniform(-2, 2, (5, n_targets)) + 0.3 * rng.standard_normal((n_samples, n_targets))
    return X, y[:, 0] if n_targets == 1 else y
