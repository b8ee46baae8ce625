"""Classes whose boundaries wind: re-training may begin from picks by least squares, with weights solved for."""

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp._corrected_steepest import pick_corrected
from sklearn_gfs.network import LOSSES


def board(n_samples, n_classes=2, seed=0):
    """Squares of a board, as many kinds as classes."""
    X = np.random.default_rng(seed).random((n_samples, 2)) * 4
    row, column = X.astype(int).T
    return X, (row + column) % 2 if n_classes == 2 else 2 * (row % 2) + column % 2


@pytest.fixture(scope="module")
def fitted():
    return GreedyPrunedMLPClassifier(random_state=0).fit(*board(600))


def test_a_board_of_two_colours_is_learnt(fitted):
    assert fitted.score(*board(2000, seed=1)) > 0.9


def test_what_is_told_of_the_picks_is_that_of_these(fitted):
    assert fitted.ridge_ > 0
    assert fitted.n_units_ == len(set(fitted.selection_path_)) == len(fitted.selection_path_) == 50
    assert set(np.flatnonzero(fitted.selection_counts_)) == set(fitted.selection_path_)
    assert fitted.selection_losses_[-1] < fitted.selection_losses_[0]
    assert np.isfinite(fitted.duality_gaps_).all()
    assert (fitted.duality_gaps_ >= 0).all()


@pytest.mark.parametrize("parameters", [{"n_retrain": 400}, {"retrain_solver": "lm"}, {"loss": "squared_error"}])
def test_who_asks_for_something_gets_the_mean_of_the_picks(parameters):
    model = GreedyPrunedMLPClassifier(random_state=0, **parameters).fit(*board(300))
    assert model.ridge_ is None
    assert model.selection_counts_.sum() == 50


def test_classes_that_are_learnt_well_keep_the_mean_of_the_picks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    assert GreedyPrunedMLPClassifier(random_state=0).fit(X, X[:, 0] > 0).ridge_ is None


@pytest.mark.parametrize("validated", [False, True])
def test_several_classes_and_validation_data(validated):
    X, y = board(300, 4)
    X_val, y_val = board(200, 4, seed=2)
    data = {"X_val": X_val, "y_val": y_val} if validated else {}
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y, **data)
    assert model.ridge_ > 0
    assert model.n_units_ == len(set(model.selection_path_))
    X_test, y_test = board(1000, 4, seed=1)
    shares = model.predict_proba(X_test)
    assert -np.mean(np.log(shares[np.arange(1000), y_test])) < 0.2


def test_one_run_gives_the_subnetwork_of_a_fit_of_its_own(fitted):
    model = GreedyPrunedMLPClassifier(random_state=0)
    points = list(model.fit_path(*board(600), n_pretrain=[fitted.n_pretrain_], k=[50]))
    for one, other in zip(points[-1].estimator.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert points[-1].estimator.ridge_ == fitted.ridge_


def test_all_neurons_of_a_choice_are_picked_those_that_add_nothing_last():
    rng = np.random.default_rng(0)
    hidden, targets = np.tanh(rng.normal(size=(200, 12))), rng.integers(0, 2, (200, 1)).astype(float)
    hidden[:, 3] = hidden[:, 5]
    among = np.array([1, 3, 5, 8])
    path = pick_corrected(hidden, targets, None, LOSSES["log_loss"], 4, among=among)
    assert sorted(path.picks) == among.tolist()
    assert (np.diff(path.losses) <= 1e-9).all()
