"""What pruning leaves of scikit-learn's networks: the old one as it was, and a new one that is whole."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_gfs import prune_network

from .trained import KINDS, inputs, outputs, trained_mlp

SOLVERS = {"adam": {}, "sgd": {"learning_rate": "adaptive"}, "lbfgs": {}}


@pytest.mark.parametrize("kind", KINDS)
def test_the_old_network_is_untouched(kind):
    X = inputs()
    network = trained_mlp(X, kind, (12, 9)).set_params(random_state=np.random.RandomState(3))
    before = joblib.hash(network)
    for k in (4, [1.0, 4], 1.0):
        small = prune_network(network, X, KINDS[kind](X), k=k)
        for array in (*small.coefs_, *small.intercepts_):
            array[:] = 0.0
        small.partial_fit(X, KINDS[kind](X))
    assert joblib.hash(network) == before


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_random_is_used(kind):
    X = inputs()
    network = trained_mlp(X, kind, (12, 9))
    state = joblib.hash(np.random.get_state())  # noqa: NPY002
    one, other = (prune_network(network, X, KINDS[kind](X), k=4) for _ in range(2))
    assert joblib.hash(np.random.get_state()) == state  # noqa: NPY002
    np.testing.assert_array_equal(outputs(one, X), outputs(other, X))


@pytest.mark.parametrize("kind", KINDS)
def test_it_predicts_and_is_saved_as_any_other(kind):
    X = inputs()
    network = trained_mlp(X, kind, (12, 9), alpha=0.3, max_iter=7)
    small = prune_network(network, X, k=[5, 3])
    assert type(small) is type(network)
    assert small.get_params() == network.get_params() | {"hidden_layer_sizes": small.hidden_layer_sizes}
    loaded = pickle.loads(pickle.dumps(small))
    np.testing.assert_array_equal(loaded.predict(X), small.predict(X))
    assert len(pickle.dumps(small)) < len(pickle.dumps(network))
    assert set(small.predict(X).flat) <= set(network.predict(X).flat) or kind.startswith("number")
    assert small.score(X, KINDS[kind](X)) <= 1.0
    assert clone(small).hidden_layer_sizes == small.hidden_layer_sizes
    assert small.n_layers_ == network.n_layers_
    assert small.n_features_in_ == 4


def grown(model, X, y, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y) if how.get("fit") else model.partial_fit(X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["multiclass", "numbers"])
def test_a_warm_start_goes_on_from_the_pruned_weights(kind, solver, early_stopping):
    if early_stopping and kind == "multiclass":
        pytest.importorskip("sklearn", minversion="1.7", reason="early stopping of 1.6 fails on labels that are text")
    X = inputs()
    network = trained_mlp(X, kind, (12, 9))
    network.set_params(solver=solver, early_stopping=early_stopping, warm_start=True, **SOLVERS[solver])
    small = prune_network(network, X, k=4)
    before = outputs(small, X)
    grown(small.set_params(learning_rate_init=1e-9, max_iter=3, max_fun=1), X, KINDS[kind](X), fit=True)
    if solver != "lbfgs":  # which takes one step in any case
        np.testing.assert_allclose(outputs(small, X), before, atol=1e-6)
        assert len(small.loss_curve_) == small.n_iter_ == 3
    losses = [loss_of(small, X, kind)]
    grown(small.set_params(learning_rate_init=1e-3, max_iter=60, max_fun=1000), X, KINDS[kind](X), fit=True)
    assert loss_of(small, X, kind) < losses[0]
    assert small.coefs_[0].shape == (4, 4)


def loss_of(network, X, kind):
    y = KINDS[kind](X)
    if kind.startswith("number"):
        return np.mean((network.predict(X) - y) ** 2)
    return -np.mean(network.predict_log_proba(X)[np.arange(len(X)), np.searchsorted(network.classes_, y)])


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_forgets_what_the_solver_knew_of_the_large_network(solver):
    X, y = inputs(), KINDS["multiclass"](inputs())
    network = trained_mlp(X, "multiclass", (12, 9), solver=solver)
    for _ in range(5):
        network.partial_fit(X, y)
    small = prune_network(network, X, k=4)
    assert (small.t_, small.n_iter_, small.loss_curve_, small.best_loss_) == (0, 0, [], np.inf)
    # A network that was never anything else and got these weights takes the same steps.
    other = MLPClassifier(**small.get_params()).partial_fit(X, y, classes=small.classes_)
    other = pickle.loads(pickle.dumps(other))
    del other._optimizer
    other.coefs_ = [coef.copy() for coef in small.coefs_]
    other.intercepts_ = [intercept.copy() for intercept in small.intercepts_]
    for _ in range(3):
        np.testing.assert_array_equal(outputs(small.partial_fit(X, y), X), outputs(other.partial_fit(X, y), X))
    assert small.t_ == 3 * len(X)


def test_a_pipeline_is_kept_around_it():
    X = pd.DataFrame(100 + 10 * inputs(), columns=["a", "b", "c", "d"])
    y = KINDS["multiclass"](inputs())
    network = trained_mlp(inputs(), "multiclass", (12, 9))
    pipeline = Pipeline([("scale", StandardScaler()), ("turn", PCA(3)), ("network", network.set_params(max_iter=3))])
    grown(pipeline, X, y, fit=True)
    before = joblib.hash(pipeline)
    small = prune_network(pipeline, X, y, k=[5, 3])
    assert [name for name, _ in small.steps] == ["scale", "turn", "network"]
    assert small[-1].hidden_layer_sizes == (5, 3)
    np.testing.assert_array_equal(
        outputs(small[-1], small[:-1].transform(X)),
        outputs(prune_network(pipeline[-1], pipeline[:-1].transform(X), y, k=[5, 3]), pipeline[:-1].transform(X)),
    )
    assert small.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert small.predict(X).shape == (80,)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(small)).predict(X), small.predict(X))
    grown(small, X * 3, y, fit=True)
    assert joblib.hash(pipeline) == before


def test_pipelines_within_pipelines():
    X = inputs()
    network = trained_mlp(X)
    inner = make_pipeline(network)
    outer = make_pipeline(MaxAbsScaler().fit(np.eye(4)), inner)
    small = prune_network(outer, X, k=5)
    np.testing.assert_array_equal(small.predict(X), prune_network(network, X, k=5).predict(X))
    assert small[-1][-1].hidden_layer_sizes == (5,)
    assert network.hidden_layer_sizes == (20,)


def test_names_of_features_are_kept():
    X = pd.DataFrame(inputs(), columns=["a", "b", "c", "d"])
    network = grown(trained_mlp(inputs(), "number", (12,), max_iter=3), X, KINDS["number"](inputs()), fit=True)
    small = prune_network(network, X, k=4)
    assert small.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(small.predict(X), small.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        prune_network(network, X[["b", "a", "c", "d"]], k=4)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        prune_network(network, X.to_numpy(), k=4)


def test_a_subclass_stays_one():
    class Mine(MLPClassifier):
        """With an attribute of its own."""

    X, y = inputs(), KINDS["multiclass"](inputs())
    network = Mine((12,), random_state=0).partial_fit(X, y, classes=np.unique(y))
    network.notes_ = ["mine"]
    small = prune_network(network, X, k=4)
    assert type(small) is Mine
    assert small.notes_ == ["mine"]
    assert small.notes_ is not network.notes_
