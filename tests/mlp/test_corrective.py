"""Estimators whose selection re-solves output weights: what is fitted, at which ridge, and that nothing is missing."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes

from mlp.small import ALL, SMALL, assert_equal_fits, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, PretrainThresholdSearch
from sklearn_gfs.mlp import _candidates, _path, _pruning, _searches
from sklearn_gfs.mlp._candidates import RIDGES
from sklearn_gfs.network._losses import LogLoss
from sklearn_gfs.selection import ComputedRows, pick_corrected

CORRECTIVE = {**SMALL, "corrective": True}
# Nothing is held out, nothing is re-trained, and in full batch nothing is rounded to float32 but activations.
PLAIN = {**CORRECTIVE, "n_retrain": 0, "early_stopping": False, "batch_size": None}


def numbers(n_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, np.stack([np.abs(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3]], axis=1) + 0.1 * rng.normal(size=(n_samples, 2))


def activations(model, X):
    return np.tanh(X @ model.coefs_[0] + model.intercepts_[0])


def penalised_optimum(hidden, y, weight, penalty):
    """Return output weights and intercept of least half mean squares plus half the penalty times squared weights."""
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    centred, y_mean = hidden - share @ hidden, share @ y
    gram = (centred * share[:, None]).T @ centred + penalty * np.eye(hidden.shape[1])
    coef = np.linalg.solve(gram, (centred * share[:, None]).T @ (y - y_mean))
    return coef, y_mean - (share @ hidden) @ coef


@pytest.mark.parametrize("selection_samples", [None, 80])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("memory", [1024, 0.01])
def test_output_weights_are_solved_on_all_samples(monkeypatch, selection_samples, weighted, memory):
    """Without a penalty they are those of least squares, whatever the samples that neurons were selected on."""
    monkeypatch.setattr(_candidates, "RIDGES", (0.0,))
    monkeypatch.setattr(_pruning, "RIDGES", (0.0,))
    X, y = numbers()
    weight = np.random.default_rng(1).uniform(0.2, 2, len(y)) if weighted else None
    with config_context(working_memory=memory):
        model = GreedyPrunedMLPRegressor(**PLAIN, selection_samples=selection_samples).fit(X, y, weight)
    assert model.ridge_ == 0.0
    assert len(np.unique(model.selection_path_)) == model.n_units_ == 8
    coef, intercept = penalised_optimum(activations(model, X), y, weight, 0.0)
    np.testing.assert_allclose(model.coefs_[1], coef, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.intercepts_[1], intercept, rtol=1e-3, atol=1e-4)
    scaled = (model.predict(X) - y) / (np.sqrt(np.cov(y.T, aweights=weight, ddof=0).diagonal()))
    losses = 0.5 * np.sum(scaled**2, axis=1)
    assert model.selection_losses_[-1] == pytest.approx(np.average(losses, weights=weight), rel=1e-5)
    assert (np.diff(model.selection_losses_) < 0).all()


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_fewer_picks_have_weights_of_their_own(loss):
    """Each point of a path is a fit, so that its weights are those of its picks alone."""
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**CORRECTIVE, loss=loss)
    points = [point for point in model.fit_path(X, y, n_pretrain=[5, 20], k=[2, 3, 8]) if point.k is not None]
    assert len(points) == 6
    for point in points:
        alone = clone(model).set_params(n_pretrain=point.n_pretrain, k=point.k).fit(X, y)
        assert_equal_fits(point.estimator, alone)
        assert point.estimator.ridge_ == alone.ridge_
        assert point.estimator.n_units_ == point.k


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("n_retrain", [0, 40])
@pytest.mark.parametrize("given", [False, True])
def test_the_ridge_is_that_of_the_least_held_out_loss(monkeypatch, loss, n_retrain, given):
    X, y = blobs(200)
    seen, choose = [], _candidates.choose

    def spied(candidates, k, judge, **worth):
        chosen, least = choose(candidates, k, judge, **worth)
        seen.append((chosen.ridge, least, {each.ridge: judge(each.prefix(k)) for each in candidates}))
        return chosen, least

    monkeypatch.setattr(_path, "choose", spied)
    model = GreedyPrunedMLPClassifier(**CORRECTIVE | {"n_retrain": n_retrain}, loss=loss)
    model.fit(X[:150], y[:150], **({"X_val": X[150:], "y_val": y[150:]} if given else {}))
    ((ridge, least, losses),) = seen
    assert model.ridge_ == ridge
    assert list(losses) == [ridge for ridge in RIDGES if ridge or loss == "squared_error"]
    assert least == pytest.approx(losses[ridge])
    assert least == min(losses.values())
    assert model.validation_loss_curve_[0] == pytest.approx(least)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_little_noisy_data_get_a_large_ridge(loss):
    X, y = load_diabetes(return_X_y=True)
    y = (y > 140).astype(int) if loss == "log_loss" else y
    model = GreedyPrunedMLP(100, 50, n_retrain=0, corrective=True, loss=loss, random_state=0)
    for early_stopping in (True, False):
        model.set_params(early_stopping=early_stopping).fit(X[::2], y[::2])
        assert model.ridge_ >= 1e-3
        assert model.score(X[1::2], y[1::2]) > (0.65 if loss == "log_loss" else 0.35)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "weighted"])
@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_in_little_memory_and_elsewhere_the_same_is_fitted(monkeypatch, loss, kind, device):
    X, y = blobs(400)
    weight = np.arange(400) % 3 + 0.5 if kind == "weighted" else None
    X = sparse.csr_array(np.where(np.abs(X) < 0.5, 0, X)) if kind == "sparse" else X
    model = GreedyPrunedMLPClassifier(**CORRECTIVE | {"n_hidden": 200, "n_retrain": 0}, loss=loss)
    picks, coefs = model.fit(X, y, weight).selection_path_, model.coefs_
    monkeypatch.setattr("sklearn_gfs.mlp._parameters.find_device", lambda _: device)
    with config_context(working_memory=0.2):
        model.fit(X, y, weight)
    np.testing.assert_array_equal(model.selection_path_, picks)
    np.testing.assert_allclose(model.coefs_[0], coefs[0], rtol=1e-4, atol=1e-5)
    # Of the log loss weights are solved on the samples that there is room for.
    np.testing.assert_allclose(model.coefs_[1], coefs[1], rtol=1e-3, atol=1e-4 if loss == "squared_error" else 0.05)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_integer_weights_are_repetitions(monkeypatch, loss):
    scores, choose = [], _candidates.choose
    monkeypatch.setattr(_path, "choose", lambda *a, **k: scores.append(choose(*a, **k)[1]) or choose(*a, **k))
    X, y = blobs(90)
    weight = np.random.default_rng(0).integers(1, 4, size=90)
    model = GreedyPrunedMLPClassifier(**PLAIN, loss=loss)
    weighted = model.fit(X, y, weight).predict_proba(X)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(repeated.selection_path_, model.selection_path_)
    assert repeated.ridge_ == model.ridge_
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    np.testing.assert_allclose(repeated.predict_proba(X), weighted, rtol=1e-3, atol=1e-5)


def test_the_certificate_is_what_the_best_weights_of_all_neurons_would_gain():
    X, y = numbers()
    model = GreedyPrunedMLPRegressor(**PLAIN).fit(X, y)
    dense = next(iter(model.fit_path(X, y, n_pretrain=[20]))).estimator
    scale = y.std(axis=0)
    hidden, targets = activations(dense, X), (y - y.mean(axis=0)) / scale
    penalty = model.ridge_ * np.var(hidden, axis=0).mean()

    def penalised(hidden, coef, intercept):
        loss = 0.5 * np.mean(np.sum((hidden @ coef + intercept - targets) ** 2, axis=1))
        return loss + 0.5 * penalty * np.sum(coef**2)

    least = penalised(hidden, *penalised_optimum(hidden, targets, None, penalty))
    picked = activations(model, X)
    after = penalised(picked, *penalised_optimum(picked, targets, None, penalty))
    assert model.duality_gaps_[-1] == pytest.approx(after - least, rel=1e-3, abs=1e-6)
    assert (np.diff(model.duality_gaps_) < 0).all()


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_gaps_of_wide_networks_are_bounds(monkeypatch, loss):
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**PLAIN, loss=loss)
    exact = model.fit(X, y).duality_gaps_
    monkeypatch.setattr(_searches, "_CERTIFIED", 10)
    bounds = model.fit(X, y).duality_gaps_
    assert (bounds >= exact * (1 - 1e-6)).all()
    assert np.isfinite(bounds).all()


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("corrective", [True, "auto"])
@pytest.mark.parametrize("n_pretrain", [20, "auto"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_way_of_fitting(estimator, corrective, n_pretrain, early_stopping):
    X, y = blobs(150)
    settings = {"corrective": corrective, "n_pretrain": n_pretrain, "early_stopping": early_stopping}
    model = estimator(**SMALL | settings, warm_start=True).fit(X, y)
    assert model.ridge_ is None or model.ridge_ in RIDGES
    model.set_params(n_pretrain=model.n_pretrain_ + 10).fit(X, y)
    for part in range(3):
        model.set_params(n_pretrain=20).partial_fit(X[50 * part : 50 * part + 50], y[50 * part : 50 * part + 50])
    assert model.score(X, y) > 0.5
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    model.set_params(warm_start=False).fit(sparse.csr_array(X), y, np.arange(150) % 2 + 0.5)
    model.set_params(k=60, early_stopping=True).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert model.n_units_ <= 40


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_multilabel_and_class_weights(loss):
    X, y = blobs(150)
    labels = np.stack([y == 0, y > 1], axis=1).astype(int)
    model = GreedyPrunedMLPClassifier(**CORRECTIVE, loss=loss, class_weight="balanced").fit(X, labels[:, 0])
    assert model.score(X, labels[:, 0]) > 0.8
    assert model.set_params(class_weight=None).fit(X, labels).score(X, labels) > 0.7


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("n_retrain", [0, 40])
def test_where_there_is_nothing_to_learn_nothing_comes_of_it(early_stopping, n_retrain):
    X, _ = blobs(60)
    model = GreedyPrunedMLPRegressor(**CORRECTIVE | {"n_retrain": n_retrain}, early_stopping=early_stopping)
    np.testing.assert_allclose(model.fit(X, np.full(60, 3.0)).predict(X), 3.0, rtol=1e-3)
    assert model.n_units_ >= 1


@pytest.mark.parametrize("n_retrain", [0, "auto"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_pretraining_ends_soon_where_nothing_is_picked(loss, n_retrain):
    model = GreedyPrunedMLPClassifier(
        corrective=True, loss=loss, early_stopping=False, n_retrain=n_retrain, random_state=0
    ).fit(np.ones((20, 2)), np.arange(20) % 2)
    assert len(model.selection_path_) == 0
    assert model.n_pretrain_ == 20
    np.testing.assert_allclose(model.predict_proba(np.ones((1, 2))), 0.5)


@pytest.mark.parametrize(("n_retrain", "worth"), [(40, 0.7), (0, 1.0)])
def test_auto_corrects_where_it_takes_enough_of_the_loss(monkeypatch, n_retrain, worth):
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_retrain": n_retrain}, corrective="auto")
    choose = _candidates.choose
    for part, corrects in ((worth - 0.01, True), (worth + 0.01, False)):

        def least(candidates, k, judge, part=part, **given):
            return choose(candidates, k, lambda path: 1.0 if path.intercept is None else part, **given)

        monkeypatch.setattr(_path, "choose", least)
        assert (model.fit(X, y).ridge_ is not None) == corrects


def test_auto_is_one_of_the_two():
    X, y = blobs(300)
    fits = {
        corrective: GreedyPrunedMLPClassifier(**SMALL, corrective=corrective).fit(X, y)
        for corrective in (False, True, "auto")
    }
    assert fits[False].ridge_ is None
    assert fits[True].ridge_ is not None
    assert_equal_fits(fits["auto"], fits[fits["auto"].ridge_ is not None])


def test_the_search_takes_it():
    X, y = blobs(120)
    model = GreedyPrunedMLPClassifier(n_hidden=40, n_retrain=10, corrective=True, random_state=0)
    search = PretrainThresholdSearch(model, n_pretrain=[0, 20], k=[3, 6], cv=2).fit(X, y)
    assert search.best_estimator_.ridge_ in RIDGES


@pytest.mark.parametrize("value", ["yes", None, 2])
def test_other_values_are_refused(value):
    X, y = blobs(60)
    with pytest.raises(ValueError, match=r"The 'corrective' parameter of GreedyPrunedMLP must be"):
        GreedyPrunedMLP(**SMALL, corrective=value).fit(X, y)


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridges_of_float32_activations_are_shares_of_their_exact_variance(computed, weighted):
    rng = np.random.default_rng(0)
    hidden = (rng.standard_normal((3000, 4)) + 30.0).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[rng.integers(0, 2, len(hidden))]
    weight = np.where(np.arange(len(hidden)) == 7, 3e4, 1.0).astype(np.float32) if weighted else None
    share = np.full(len(hidden), 1 / len(hidden)) if weight is None else weight / weight.sum(dtype=float)
    expected = (share @ (hidden - share @ hidden.astype(float)) ** 2).mean()

    def compute(samples, atoms):
        return hidden[samples] if atoms is None else hidden[samples][:, atoms]

    atoms = ComputedRows(compute, hidden.shape, hidden.dtype) if computed else hidden
    path = pick_corrected(atoms, targets, weight, LogLoss(), 2)
    np.testing.assert_allclose(path.variance, expected, rtol=1e-9)
