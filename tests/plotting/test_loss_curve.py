"""LossCurveDisplay: what it draws, read back from the artists."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, LossCurveDisplay, SelectionPathDisplay

pytest.importorskip("matplotlib")

SMALL = {"n_pretrain": 30, "k": 5, "n_hidden": 30, "n_retrain": 90, "random_state": 0}


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_a_fit_from_its_first_update_to_its_last():
    model = make_pipeline(StandardScaler(), GreedyPrunedMLPClassifier(**SMALL)).fit(*load_iris(return_X_y=True))
    display = LossCurveDisplay.from_estimator(model)
    network = model[-1]
    for line, losses, first in (
        (display.pretrain_line_, network.loss_curve_, 1),
        (display.retrain_line_, network.retrain_loss_curve_, 31),
    ):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(first, first + len(losses)))
        means = [np.mean(losses[max(0, end - 20) : end]) for end in range(1, len(losses) + 1)]
        np.testing.assert_allclose(line.get_ydata(), means)
    held_out = display.held_out_line_
    # The last look comes after the 90 updates that may be made, the others every 20.
    assert held_out.get_xdata().tolist() == [30, 50, 70, 90, 110, 120]
    np.testing.assert_array_equal(held_out.get_ydata(), network.validation_loss_curve_)
    assert set(display.pruning_line_.get_xdata()) == {30}
    assert display.ax_.get_yscale() == "log"
    assert labels(display) == [
        "Pre-training, dense network",
        "Re-training, subnetwork",
        "Held-out samples, trial subnetwork",
        "Pruning",
    ]


@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
def test_held_out_losses_stand_where_they_were_measured(solver):
    X, y = load_iris(return_X_y=True)
    model = GreedyPrunedMLPRegressor(n_pretrain=30, k=5, n_hidden=30, retrain_solver=solver, random_state=0)
    held_out = LossCurveDisplay.from_estimator(model.fit(X, y)).held_out_line_
    unit = {"lm": 1, "lbfgs": 5}[solver]
    assert held_out.get_xdata()[:3].tolist() == [30, 30 + unit, 30 + 2 * unit]
    np.testing.assert_array_equal(held_out.get_xdata(), 30 + np.array(model.validation_iterations_))
    np.testing.assert_array_equal(held_out.get_ydata(), model.validation_loss_curve_)


def test_phases_that_were_not_made_are_left_out():
    X, y = load_iris(return_X_y=True)
    unpruned = GreedyPrunedMLPClassifier(**SMALL | {"n_retrain": 0}).fit(X, y)
    display = LossCurveDisplay.from_estimator(unpruned)
    assert labels(display) == ["Pre-training, dense network"]
    assert (display.retrain_line_, display.held_out_line_, display.pruning_line_) == (None, None, None)
    untrained = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": 0}, early_stopping=False).fit(X, y)
    display = LossCurveDisplay.from_estimator(untrained)
    assert labels(display) == ["Re-training, subnetwork"]
    assert display.retrain_line_.get_xdata()[0] == 1


def test_the_network_of_scikit_learn_has_a_loss_curve_too():
    mlp = MLPClassifier(5, solver="sgd", max_iter=3, tol=0, n_iter_no_change=10, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp.fit(*load_iris(return_X_y=True))
    assert LossCurveDisplay.from_estimator(mlp).pretrain_line_.get_xdata().tolist() == [1, 2, 3]


def test_losses_of_zero_have_a_linear_axis():
    display = LossCurveDisplay(losses=[1.0, 0.0], held_out_losses=[0.5], held_out_updates=[0]).plot()
    assert display.ax_.get_yscale() == "linear"
    assert display.held_out_line_.get_marker() == "^"


def test_what_can_not_be_drawn_is_named():
    with pytest.raises(TypeError, match=r"must have a loss_curve_.*got Ridge"):
        LossCurveDisplay.from_estimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]))
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(GreedyPrunedMLPClassifier())


def test_a_moving_mean_keeps_small_losses_and_gets_over_what_is_none():
    line = LossCurveDisplay(losses=[1e4] * 5 + [1e-13] * 100).plot().pretrain_line_.get_ydata()
    np.testing.assert_allclose(line[-70:], 1e-13, rtol=1e-9)
    losses = np.array([1.0] * 5 + [np.nan] + [0.5] * 60)
    line = LossCurveDisplay(losses=losses).plot().pretrain_line_.get_ydata()
    assert np.flatnonzero(np.isnan(line)).tolist() == list(range(5, 25))
    assert line[4] == 1.0
    assert line[-1] == 0.5


def test_nothing_to_draw_is_drawn_in_silence(recwarn):
    assert LossCurveDisplay(losses=[]).plot().pretrain_line_ is None
    display = SelectionPathDisplay(losses=[], gaps=[]).plot()
    assert len(display.loss_line_.get_xdata()) == 0
    assert not [str(warning.message) for warning in recwarn]
