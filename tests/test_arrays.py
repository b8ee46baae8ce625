"""Arrays that would lose something on the way to floats are refused wherever they come in; all others are converted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.neural_network import MLPRegressor

from sklearn_gfs import (
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
    SelectionStatistics,
    greedy_forward_selection,
    pretrain_threshold_curve,
    prune_network,
    theory,
)

SMALL = {"n_hidden": 6, "n_pretrain": 2, "n_retrain": 2, "k": 2, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 4))
Y = X[:, 0] + 0.1 * RNG.standard_normal(40)
LABELS = (Y > 0).astype(int)
ONES = np.ones(40)
W = np.ones((4, 1))
TRAINED = MLPRegressor(hidden_layer_sizes=6, random_state=0).partial_fit(X, Y)


def regressor(**options):
    return GreedyPrunedMLPRegressor(**{**SMALL, **options})


def search(**options):
    return PretrainThresholdSearch(regressor(), n_pretrain=[1, 2], cv=2, **options)


# What takes arrays, by the arrays that it takes.
ENTRIES = {
    "greedy_forward_selection": (
        lambda atoms, y, sample_weight, output_weights, offset: greedy_forward_selection(
            atoms, y, 2, sample_weight=sample_weight, output_weights=output_weights, offset=offset
        ),
        {"atoms": X, "y": Y, "sample_weight": ONES, "output_weights": W, "offset": np.ones(1)},
    ),
    "greedy_forward_selection, log loss": (
        lambda atoms, y, sample_weight: greedy_forward_selection(
            atoms, y, 2, loss="log_loss", sample_weight=sample_weight
        ),
        {"atoms": X, "y": LABELS, "sample_weight": ONES},
    ),
    "SelectionStatistics.update": (SelectionStatistics().update, {"atoms": X, "y": Y, "sample_weight": ONES}),
    "SelectionStatistics.select": (
        lambda output_weights: SelectionStatistics().update(X, Y).select(2, output_weights=output_weights),
        {"output_weights": W},
    ),
    "GreedyForwardSelector.fit": (GreedyForwardSelector(k=2).fit, {"X": X, "y": Y, "sample_weight": ONES}),
    "GreedyForwardSelector.partial_fit": (
        GreedyForwardSelector(k=2).partial_fit,
        {"X": X, "y": Y, "sample_weight": ONES},
    ),
    "GreedyForwardSelector.transform": (
        lambda X: GreedyForwardSelector(k=2).fit(globals()["X"], Y).transform(X),
        {"X": X},
    ),
    "GreedyPrunedMLP.fit": (GreedyPrunedMLP(**SMALL).fit, {"X": X, "y": Y, "sample_weight": ONES}),
    "GreedyPrunedMLPClassifier.fit": (
        GreedyPrunedMLPClassifier(**SMALL).fit,
        {"X": X, "y": LABELS, "sample_weight": ONES},
    ),
    "GreedyPrunedMLPRegressor.fit": (regressor().fit, {"X": X, "y": Y, "sample_weight": ONES}),
    "GreedyPrunedMLPRegressor.fit, validation": (
        lambda X_val, y_val, sample_weight_val: regressor(early_stopping=True).fit(
            X, Y, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val
        ),
        {"X_val": X, "y_val": Y, "sample_weight_val": ONES},
    ),
    "GreedyPrunedMLPClassifier.fit, validation": (
        lambda y_val: GreedyPrunedMLPClassifier(**SMALL, early_stopping=True).fit(X, LABELS, X_val=X, y_val=y_val),
        {"y_val": LABELS},
    ),
    "GreedyPrunedMLPRegressor.partial_fit": (
        lambda X, y, sample_weight: regressor().partial_fit(X, y, sample_weight),
        {"X": X, "y": Y, "sample_weight": ONES},
    ),
    "GreedyPrunedMLPRegressor.fit_path": (
        lambda X, y, sample_weight: list(
            regressor().fit_path(X, y, n_pretrain=[1], k=[1], sample_weight=sample_weight)
        ),
        {"X": X, "y": Y, "sample_weight": ONES},
    ),
    "GreedyPrunedMLPRegressor.predict": (lambda X: regressor().fit(globals()["X"], Y).predict(X), {"X": X}),
    "PretrainThresholdSearch.fit": (lambda X, y: search().fit(X, y), {"X": X, "y": Y}),
    "pretrain_threshold_curve": (
        lambda X, y: pretrain_threshold_curve(regressor(), X, y, n_pretrain=[1, 2], train_sizes=[10, 20]),
        {"X": X, "y": Y},
    ),
    "prune_network": (
        lambda X, y, sample_weight: prune_network(TRAINED, X, y, 3, sample_weight=sample_weight),
        {"X": X, "y": Y, "sample_weight": ONES},
    ),
    "theory.hull_spread": (
        lambda atoms, output_weights, sample_weight: theory.hull_spread(
            atoms, output_weights=output_weights, sample_weight=sample_weight
        ),
        {"atoms": X, "output_weights": W, "sample_weight": ONES},
    ),
    "theory.hull_optimum": (theory.hull_optimum, {"atoms": X, "y": Y}),
    "theory.duality_gap": (theory.duality_gap, {"atoms": X, "y": Y, "prediction": Y}),
    "theory.network_kernel": (
        theory.network_kernel,
        {"X": X, "hidden_weights": np.ones((4, 2)), "hidden_intercepts": np.ones(2), "output_weights": np.ones((2, 1))},
    ),
    "theory.extreme_eigenvalues": (theory.extreme_eigenvalues, {"kernel": np.eye(3)}),
}
CASES = [(entry, name) for entry, (_, arrays) in ENTRIES.items() for name in arrays]


@pytest.mark.parametrize(("entry", "name"), CASES)
def test_masked_values_are_refused(entry, name):
    call, arrays = ENTRIES[entry]
    masked = np.ma.masked_array(arrays[name], mask=np.zeros(arrays[name].shape, dtype=bool))
    masked[(0,) * masked.ndim] = np.ma.masked
    with pytest.raises(ValueError, match=rf"{name} .*masked"):
        call(**{**arrays, name: masked})


@pytest.mark.parametrize(("entry", "name"), CASES)
def test_complex_numbers_are_refused(entry, name):
    call, arrays = ENTRIES[entry]
    with pytest.raises(ValueError, match="Complex data not supported"):
        call(**{**arrays, name: arrays[name] * (1 + 1j)})
    if name in ("atoms", "X", "X_val") and "theory" not in entry and "log loss" not in entry:
        with pytest.raises(ValueError, match="Complex data not supported"):
            call(**{**arrays, name: sparse.csr_array(arrays[name] * (1 + 1j))})


@pytest.mark.parametrize(("entry", "name"), CASES)
def test_matrices_are_refused_as_scikit_learn_does(entry, name):
    call, arrays = ENTRIES[entry]
    matrix = sparse.csr_array(np.atleast_2d(arrays[name].T).T)
    matrix = sparse.csr_matrix(matrix).todense()
    with pytest.raises(TypeError, match=r"np\.matrix is not supported"):
        call(**{**arrays, name: matrix})


def test_a_masked_array_without_masked_values_is_an_array():
    expected = greedy_forward_selection(X, Y, 5, sample_weight=1 + LABELS)
    path = greedy_forward_selection(
        np.ma.masked_array(X), np.ma.masked_array(Y), 5, sample_weight=np.ma.masked_array(1 + LABELS)
    )
    np.testing.assert_array_equal(path.losses, expected.losses)
    assert type(path.losses) is np.ndarray


def test_rows_in_a_list_are_looked_at():
    rows = [np.ma.masked_array(row, mask=[True, False, False, False]) for row in X]
    with pytest.raises(ValueError, match=r"atoms.* masked"):
        greedy_forward_selection(rows, Y, 2)
    for rows in (list(X * 1j), (X * 1j).tolist()):
        with pytest.raises(ValueError, match="Complex data not supported"):
            greedy_forward_selection(rows, Y, 2)
    with pytest.raises(TypeError, match=r"np\.matrix"):
        greedy_forward_selection([sparse.csr_matrix(row[None]).todense() for row in X], Y, 2)


@pytest.mark.parametrize("name", ["y", "sample_weight", "output_weights", "offset"])
def test_only_atoms_may_be_sparse(name):
    call, arrays = ENTRIES["greedy_forward_selection"]
    with pytest.raises(TypeError, match=f"{name} is sparse; it must be dense"):
        call(**{**arrays, name: sparse.csr_array(np.atleast_2d(arrays[name]))})


def test_sparse_atoms_have_two_dimensions():
    with pytest.raises(ValueError, match=r"atoms has shape \(4,\)"):
        greedy_forward_selection(sparse.coo_array(np.ones(4)), np.ones(4), 1)


DTYPES = ["bool", "int8", "uint8", "int16", "int32", "int64", "float16"]
WHOLE = RNG.integers(0, 128, (300, 20))
SUM = WHOLE[:, :3].sum(axis=1) // 3


def held(atoms, dtype):
    """Atoms of a dtype, and the same values in float64."""
    held = atoms > 60 if dtype == "bool" else atoms.astype(dtype)
    return held, held.astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_numbers_of_every_width_are_read_as_floats(dtype):
    atoms, floats = held(WHOLE, dtype)
    y, target = held(SUM, dtype)
    weight, count = held(WHOLE[:, 5], dtype)
    expected = greedy_forward_selection(floats, target, 20, sample_weight=count)
    path = greedy_forward_selection(atoms, y, 20, sample_weight=weight)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)
    turned = greedy_forward_selection(atoms, y, 20, output_weights=atoms[:20, :1])
    np.testing.assert_array_equal(
        turned.losses, greedy_forward_selection(floats, target, 20, output_weights=floats[:20, :1]).losses
    )
    statistics = SelectionStatistics().update(atoms, y, weight).select(20)
    np.testing.assert_array_equal(statistics.picks, expected.picks)
    if dtype != "float16":  # which SciPy has not
        for update in (greedy_forward_selection, lambda *data: SelectionStatistics().update(*data[:2]).select(data[2])):
            path, expected = (update(sparse.csr_array(a), b, 20) for a, b in ((atoms, y), (floats, target)))
            np.testing.assert_array_equal(path.picks, expected.picks)
            np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-12)


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_tensors_of_whole_and_of_half_numbers_are_read_as_floats(dtype):
    torch = pytest.importorskip("torch")
    atoms = torch.tensor(WHOLE > 60) if dtype == "bool" else torch.tensor(WHOLE).to(getattr(torch, dtype))
    y = atoms[:, :3].to(torch.float64).mean(dim=1).to(atoms.dtype)
    expected = greedy_forward_selection(atoms.double(), y.double(), 20)
    for target in (y, y.double().numpy()):
        path = greedy_forward_selection(atoms, target, 20)
        np.testing.assert_array_equal(path.losses, expected.losses)
    logits = greedy_forward_selection(atoms, SUM > 60, 5, loss="log_loss")
    expected = greedy_forward_selection(atoms.double().numpy(), SUM > 60, 5, loss="log_loss")
    np.testing.assert_array_equal(logits.losses, expected.losses)


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_tensors_of_every_width_are_weights(dtype):
    torch = pytest.importorskip("torch")
    weight = torch.tensor(WHOLE[:, 5] > 60) if dtype == "bool" else torch.tensor(WHOLE[:, 5]).to(getattr(torch, dtype))
    expected = greedy_forward_selection(WHOLE, SUM, 20, sample_weight=weight.double().numpy())
    path = greedy_forward_selection(WHOLE, SUM, 20, sample_weight=weight)
    np.testing.assert_array_equal(path.losses, expected.losses)
    path = SelectionStatistics().update(WHOLE, SUM, weight).select(20)
    np.testing.assert_array_equal(path.picks, expected.picks)


def test_theory_takes_tensors():
    torch = pytest.importorskip("torch")
    optimum = theory.hull_optimum(torch.tensor(X).bfloat16(), torch.tensor(Y).bfloat16())
    expected = theory.hull_optimum(torch.tensor(X).bfloat16().double().numpy(), torch.tensor(Y).bfloat16().double())
    assert optimum.loss == expected.loss


def test_tensors_that_are_no_numbers_or_sparse_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="Complex data not supported"):
        greedy_forward_selection(torch.tensor(X) * 1j, Y, 2)
    with pytest.raises(ValueError, match="Complex data not supported"):
        greedy_forward_selection(X, torch.tensor(Y) * 1j, 2)
    with pytest.raises(TypeError, match="atoms is a sparse tensor"):
        greedy_forward_selection(torch.tensor(X).to_sparse(), Y, 2)
    for whole in (torch.tensor([1] * len(Y)), torch.ones(len(Y))):
        with pytest.raises(TypeError, match="y is a sparse tensor"):
            greedy_forward_selection(X, whole.to_sparse(), 2)
        with pytest.raises(TypeError, match="sample_weight is a sparse tensor"):
            greedy_forward_selection(X, Y, 2, sample_weight=whole.to_sparse())
    with pytest.raises(ValueError, match="atoms has shape"):
        greedy_forward_selection(torch.tensor(Y), Y, 2)
