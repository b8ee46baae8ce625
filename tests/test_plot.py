"""Displays: what they draw, read back from the artists; never pixels."""

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from sklearn.datasets import load_iris

from sklearn_gfs import PretrainThresholdDisplay, PretrainThresholdSearch

pytest.importorskip("matplotlib")


@pytest.fixture
def search():
    estimator = PathClassifier(random_state=0)
    return PretrainThresholdSearch(estimator, n_pretrain=[0, 5, 50], k=[1, 4], target=0.8, tol=0).fit(
        *load_iris(return_X_y=True)
    )


def test_curves_are_the_means_over_folds(search):
    display = PretrainThresholdDisplay.from_search(search)
    assert len(display.lines_) == len(display.bands_) == 3
    table = search.cv_results_["mean_test_score"].reshape(2, 3)  # k varies slowest
    for line, means in zip(display.lines_, [*table, search.cv_results_["mean_dense_test_score"][:3]], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0, 5, 50])
        np.testing.assert_allclose(line.get_ydata(), means)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["Subnetwork, k = 1", "Subnetwork, k = 4", "Dense network", "Threshold"]
    assert display.ax_.get_xlabel() == "Pre-training (gradient updates)"
    assert display.ax_.get_ylabel() == "Accuracy (held-out folds)"
    assert display.figure_ is display.ax_.figure


def test_stars_stand_at_the_thresholds(search):
    display = PretrainThresholdDisplay.from_search(search)
    reached = [value for value in search.thresholds_.values() if value is not None]
    assert reached
    assert display.threshold_line_.get_xdata().tolist() == reached


def test_heat_map_shows_the_table(search):
    display = PretrainThresholdDisplay.from_search(search, kind="heatmap", score_name="right")
    np.testing.assert_allclose(display.image_.get_array(), search.scores_.mean(axis=-1).T)
    assert display.colorbar_.ax.get_ylabel() == "right"
    assert display.lines_ == []
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["1", "4"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["0", "5", "50"]


def test_threshold_line_follows_the_cells():
    display = PretrainThresholdDisplay(
        n_pretrain=np.array([0, 10, 20]), k=np.array([1, 2, 3]), scores=np.zeros((3, 3, 1)), thresholds=[None, 20, 0]
    ).plot(kind="heatmap")
    across, up = display.threshold_line_.get_data()
    np.testing.assert_array_equal(across, [3, np.nan, 3, 2, 2, 2, 0, 0, 0])
    np.testing.assert_array_equal(up, [0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3])


@pytest.mark.parametrize("thresholds", [None, [None, None]])
@pytest.mark.parametrize("kind", ["curves", "heatmap"])
def test_no_line_without_a_threshold(kind, thresholds):
    display = PretrainThresholdDisplay(
        n_pretrain=np.array([0, 10]), k=np.array([1, 2]), scores=np.zeros((2, 2, 2)), thresholds=thresholds
    ).plot(kind=kind)
    assert display.threshold_line_ is None


def test_many_sizes_become_a_heat_map():
    display = PretrainThresholdDisplay(n_pretrain=np.arange(20), k=np.arange(1, 6), scores=np.zeros((20, 5, 1)))
    assert display.plot().image_ is not None
    assert display.plot(kind="curves").image_ is None


def test_one_fold_has_no_band():
    display = PretrainThresholdDisplay(n_pretrain=np.array([1, 2]), k=np.array([1]), scores=np.zeros((2, 1, 1))).plot()
    assert display.bands_ == []


def test_draws_on_the_axes_it_is_given(search):
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2)
    assert PretrainThresholdDisplay.from_search(search, ax=axes[1]).ax_ is axes[1]


def test_from_estimator_runs_the_search():
    X, y = load_iris(return_X_y=True)
    display = PretrainThresholdDisplay.from_estimator(
        OnlyFit(random_state=0), X, y, n_pretrain=[1, 9], k=[2], scoring="neg_log_loss", score_on="train", target="best"
    )
    assert display.scores.shape == (2, 1, 5)
    assert display.ax_.get_ylabel() == "Log loss, negative (training folds)"
    assert len(display.lines_) == 1


def test_unknown_kind():
    display = PretrainThresholdDisplay(n_pretrain=np.array([1]), k=np.array([1]), scores=np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="kind must be 'auto', 'curves' or 'heatmap', got 'pie'"):
        display.plot(kind="pie")
