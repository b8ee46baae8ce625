"""Displays: what they draw, read back from the artists; never pixels."""

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline

from sklearn_gfs import (
    GreedyEnsembleRegressor,
    GreedyPath,
    NetworkBounds,
    PretrainThresholdDisplay,
    PretrainThresholdSearch,
    ScalingFit,
    SelectionPathDisplay,
    ThresholdCurve,
    ThresholdScalingDisplay,
)

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


def test_a_search_has_to_be_fitted():
    with pytest.raises(NotFittedError):
        PretrainThresholdDisplay.from_search(PretrainThresholdSearch(PathClassifier()))


def test_unknown_kind():
    display = PretrainThresholdDisplay(n_pretrain=np.array([1]), k=np.array([1]), scores=np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="kind must be 'auto', 'curves' or 'heatmap', got 'pie'"):
        display.plot(kind="pie")


@pytest.fixture
def curve():
    sizes = np.array([100, 200, 400, 800])
    thresholds = np.column_stack([5 * np.log(sizes), 5 * np.log(sizes) + 2])
    thresholds[0, 1] = np.nan
    columns = np.repeat(sizes, 2), thresholds.ravel()
    return ThresholdCurve(
        sizes,
        thresholds,
        np.ones((4, 2)),
        ScalingFit.from_thresholds("log", *columns),
        ScalingFit.from_thresholds("power", *columns),
    )


def test_scaling_shows_runs_means_and_laws(curve):
    display = ThresholdScalingDisplay.from_curve(curve)
    points = display.points_.get_offsets()
    assert points.shape == (7, 2)  # the run without a threshold has no point
    np.testing.assert_allclose(points[0], [100, 5 * np.log(100)])
    np.testing.assert_allclose(display.mean_line_.get_ydata(), 5 * np.log(curve.train_sizes[1:]) + 1)
    # The mean of a size of which a run has no threshold is marked as one of the others.
    np.testing.assert_allclose(display.part_line_.get_ydata(), 5 * np.log(100))
    assert display.part_line_.get_markerfacecolor() == "none"
    assert display.beyond_ is None  # how far that run went is not known
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "Training samples"
    assert display.ax_.get_ylabel() == "Pre-training threshold (gradient updates)"
    ends = display.log_line_.get_ydata()[[0, -1]]
    np.testing.assert_allclose(ends, curve.log_fit.predict([100, 800]))
    assert "ln n" in display.log_line_.get_label()
    assert "n$^{" in display.power_line_.get_label()
    assert display.band_ is not None


def test_scaling_shows_runs_that_never_reached_the_target(curve):
    last = np.where(np.isnan(curve.thresholds), 64.0, 99.0)
    display = ThresholdScalingDisplay.from_curve(curve._replace(last_n_pretrain=last))
    np.testing.assert_array_equal(display.beyond_.get_offsets(), [[100, 64]])
    assert "Not reached by then" in [text.get_text() for text in display.ax_.get_legend().get_texts()]
    whole = curve._replace(thresholds=curve.thresholds[1:], train_sizes=curve.train_sizes[1:], last_n_pretrain=last[1:])
    display = ThresholdScalingDisplay.from_curve(whole)
    assert display.beyond_ is display.part_line_ is None
    nothing = whole._replace(thresholds=np.full((3, 2), np.nan))
    display = ThresholdScalingDisplay.from_curve(nothing)
    assert len(display.beyond_.get_offsets()) == 6
    assert len(display.mean_line_.get_ydata()) == 0


def test_scaling_without_fits(curve):
    display = ThresholdScalingDisplay(train_sizes=curve.train_sizes, thresholds=curve.thresholds).plot()
    assert display.log_line_ is display.power_line_ is display.band_ is None
    nothing = ScalingFit.from_thresholds("log", [1, 1], [1.0, 2.0])
    display = ThresholdScalingDisplay(
        train_sizes=curve.train_sizes, thresholds=curve.thresholds, log_fit=nothing, power_fit=nothing
    ).plot()
    assert display.log_line_ is display.power_line_ is display.band_ is None
    two = ScalingFit.from_thresholds(
        "log", np.array([100, 800]), np.array([1.0, 2.0])
    )  # a line, but no confidence in it
    display = ThresholdScalingDisplay(train_sizes=curve.train_sizes, thresholds=curve.thresholds, log_fit=two).plot()
    assert display.log_line_ is not None
    assert display.band_ is None


def test_scaling_from_estimator():
    X, y = load_iris(return_X_y=True)
    display = ThresholdScalingDisplay.from_estimator(
        PathClassifier(), X, y, train_sizes=[50, 100], n_repeats=1, n_pretrain=[0, 9], target="best"
    )
    assert display.thresholds.shape == (2, 1)


def test_selection_path():
    losses, gaps = np.array([1.0, 0.6, 0.5, 0.45]), np.array([2.0, 0.2, 0.3, 0.0])
    path = GreedyPath(np.zeros(4), losses, gaps, np.array([4]), np.array([1.0]))
    bounds = {"one": losses * 2, "other": losses * 3}
    display = SelectionPathDisplay.from_path(path, dense_loss=0.3, upper_bounds=bounds)
    np.testing.assert_array_equal(display.loss_line_.get_ydata(), losses)
    np.testing.assert_array_equal(display.gap_line_.get_ydata(), [2.0, 0.2, 0.3, np.nan])
    assert [line.get_label() for line in display.bound_lines_] == ["one", "other"]
    np.testing.assert_array_equal(display.bound_lines_[1].get_ydata(), losses * 3)
    assert display.dense_line_.get_ydata() == [0.3, 0.3]
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("log", "log")
    # The lower edge of the region: -1, 0.4, 0.2 and 0.45 as running maxima, cut at a tenth of the least loss.
    lower = {tuple(vertex) for vertex in display.certificate_.get_paths()[0].vertices}
    for pick, bound in zip([1, 2, 3, 4], [0.045, 0.4, 0.4, 0.45], strict=True):
        assert any(x == pick and abs(y - bound) < 1e-12 for x, y in lower)


def test_selection_path_that_reaches_zero_has_a_linear_axis():
    display = SelectionPathDisplay(losses=np.array([1.0, 0.0]), gaps=np.array([1.0, 0.0])).plot()
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("linear", "linear")
    assert (display.dense_line_, display.bound_lines_) == (None, [])


def test_selection_of_an_estimator():
    fitted = PathClassifier()
    with pytest.raises(NotFittedError):
        SelectionPathDisplay.from_estimator(fitted)
    fitted.selection_losses_, fitted.duality_gaps_ = np.array([0.5, 0.4]), np.array([0.2, 0.1])
    assert SelectionPathDisplay.from_estimator(fitted).dense_line_ is None
    fitted.dense_loss_ = 0.1
    assert SelectionPathDisplay.from_estimator(fitted).dense_line_ is not None
    # What contains it is looked through.
    holder = PretrainThresholdSearch(PathClassifier())
    holder.best_estimator_ = Pipeline([("network", fitted)])
    assert SelectionPathDisplay.from_estimator(holder).losses is fitted.selection_losses_


FITTED = PathClassifier().fit(*load_iris(return_X_y=True))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: PretrainThresholdDisplay.from_search(FITTED), "search must be a .*, got PathClassifier"),
        (lambda: PretrainThresholdDisplay.from_search(None), "search must be a .*, got NoneType"),
        (lambda: ThresholdScalingDisplay.from_curve(FITTED), "curve must be .*, got PathClassifier"),
        (lambda: SelectionPathDisplay.from_path(FITTED), "path must be .*, got PathClassifier"),
        (lambda: SelectionPathDisplay.from_estimator(FITTED), "estimator must have made a selection.*PathClassifier"),
        (lambda: SelectionPathDisplay.from_estimator(None), "None is not an estimator instance"),
    ],
)
def test_what_can_not_be_drawn_is_named(draw, message):
    with pytest.raises(TypeError, match=message):
        draw()


def test_a_search_without_a_final_fit_has_no_selection_to_draw(search):
    with pytest.raises(TypeError, match=r"estimator must have made a selection.*PretrainThresholdSearch"):
        SelectionPathDisplay.from_estimator(clone(search).set_params(refit=False).fit(*load_iris(return_X_y=True)))
    with pytest.raises(NotFittedError):
        SelectionPathDisplay.from_estimator(PretrainThresholdSearch(PathClassifier()))


def test_bounds_of_a_network_are_drawn_over_its_selection():
    bounds = NetworkBounds(0.1, 2.0)
    path = GreedyPath(*(np.ones(3) for _ in range(5)))
    drawn = {
        line.get_label(): line.get_ydata().tolist()
        for line in SelectionPathDisplay.from_path(path, upper_bounds=bounds).bound_lines_
    }
    assert drawn == {name: values.tolist() for name, values in bounds.upper_bounds([1, 2, 3]).items()}
    estimator = PathClassifier().fit(*load_iris(return_X_y=True))
    estimator.selection_losses_, estimator.duality_gaps_ = np.ones(4), np.ones(4)
    display = SelectionPathDisplay.from_estimator(estimator, upper_bounds=bounds)
    assert [line.get_label() for line in display.bound_lines_] == list(drawn)
    assert display.bound_lines_[0].get_ydata().tolist()[:3] == drawn["Bound along the path"]


def predicting(**values):
    """Return a display of three sizes with predicted thresholds."""
    shape = {"n_pretrain": np.array([0, 10, 40]), "k": np.array([2, 5, 9]), "scores": np.ones((3, 3, 1))}
    return PretrainThresholdDisplay(**shape, **values)


def test_predicted_thresholds_are_upright_lines_over_curves():
    display = predicting(predicted=[7.5, 400, np.inf]).plot(kind="curves")
    assert [line.get_xdata()[0] for line in display.predicted_lines_] == [7.5, 400]
    assert display.ax_.get_xlim()[1] > 400
    colours = [line.get_color() for line in display.lines_[:2]]
    assert [line.get_color() for line in display.predicted_lines_] == colours
    assert predicting().plot(kind="curves").predicted_lines_ == []


def test_predicted_thresholds_are_a_line_over_a_heat_map():
    (line,) = predicting(predicted=[7.5, 40, np.inf]).plot(kind="heatmap").predicted_lines_
    edges = line.get_xdata()
    # The first number of iterations that is not below the prediction: 10, then 40; the last size's lies beyond.
    np.testing.assert_array_equal(edges, [1, 1, 1, 2, 2, 2, 3, np.nan, 3])
    assert predicting(predicted=[99, 99, np.inf]).plot(kind="heatmap").predicted_lines_ == []
    both = predicting(predicted=[0, 0, 0], thresholds=[0, 10, None]).plot(kind="heatmap")
    assert [text.get_text() for text in both.ax_.get_legend().get_texts()] == ["Predicted", "Threshold"]


def test_predictions_for_a_search_are_matched_by_their_numbers_of_picks(search):
    bounds = NetworkBounds(0.1, 1.0, np.array([1, 4]), np.array([5.0, 15.0]))
    assert PretrainThresholdDisplay.from_search(search, predicted=bounds).predicted == [5.0, 15.0]
    assert PretrainThresholdDisplay.from_search(search, predicted=[1, 2]).predicted == [1, 2]
    with pytest.raises(ValueError, match=r"a threshold for each number of picks of the search.* got 1 for"):
        PretrainThresholdDisplay.from_search(search, predicted=5.0)
    assert PretrainThresholdDisplay.from_search(search).predicted is None
    settings = {"n_pretrain": [0, 5, 50], "k": [1, 4], "cv": 2, "target": 0.8}
    display = PretrainThresholdDisplay.from_estimator(
        PathClassifier(random_state=0), *load_iris(return_X_y=True), predicted=bounds, **settings
    )
    assert len(display.predicted_lines_) == 2
    for wrong in (bounds._replace(k=np.array([4, 1])), [1, 2, 3], NetworkBounds(0.1, 1.0)):
        with pytest.raises(ValueError, match=r"for each number of picks of the search, \[1, 4\]"):
            PretrainThresholdDisplay.from_search(search, predicted=wrong)


def test_predicted_thresholds_are_drawn_beside_measured_ones():
    sizes = np.array([10, 100, 1000])
    display = ThresholdScalingDisplay(train_sizes=sizes, thresholds=np.ones((3, 1)), predicted=[5, 7, np.inf]).plot()
    np.testing.assert_array_equal(display.predicted_line_.get_ydata(), [5, 7, np.nan])
    assert ThresholdScalingDisplay(train_sizes=sizes, thresholds=np.ones((3, 1))).plot().predicted_line_ is None


def test_of_several_bags_one_selection_is_drawn():
    X, y = load_diabetes(return_X_y=True)
    models = [("line", LinearRegression()), ("mean", DummyRegressor()), ("ridge", Ridge(10.0))]
    bags = GreedyEnsembleRegressor(models, k=4, cv=2, n_bags=3, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"estimator made 3 selections, one for each bag.*selection_losses_\[0\]"):
        SelectionPathDisplay.from_estimator(bags)
    one = SelectionPathDisplay(losses=bags.selection_losses_[0], gaps=bags.duality_gaps_[0]).plot()
    np.testing.assert_array_equal(one.loss_line_.get_ydata(), bags.selection_losses_[0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"losses": np.ones((2, 3)), "gaps": np.ones((2, 3))}, r"losses must be of shape \(n_picks,\), got \(2, 3\)"),
        ({"losses": np.ones(3), "gaps": np.ones(2)}, r"gaps must be of shape \(3,\), as losses is, got \(2,\)"),
        (
            {"losses": np.ones(3), "gaps": np.ones(3), "upper_bounds": {"root": [1.0]}},
            r"upper_bounds\['root'\] must be of shape \(3,\), as losses is, got \(1,\)",
        ),
    ],
)
def test_what_does_not_fit_the_losses_is_named(arrays, message):
    with pytest.raises(ValueError, match=message):
        SelectionPathDisplay(**arrays).plot()
