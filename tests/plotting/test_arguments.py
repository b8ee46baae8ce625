"""What displays are given: where it can't be drawn, the message names the argument and what is allowed."""

import numpy as np
import pandas as pd
import pytest

from sklearn_gfs import (
    GreedyPath,
    LossCurveDisplay,
    NetworkBounds,
    PretrainThresholdDisplay,
    SelectionPathDisplay,
    ThresholdScalingDisplay,
    greedy_forward_selection,
)

plt = pytest.importorskip("matplotlib.pyplot")

BOUNDS = NetworkBounds(dense_loss=0.1, spread=1.0, k=np.array([5, 9]), thresholds=np.array([10.0, 20.0]))
# Each display with arguments that can be drawn.
DRAWN = {
    SelectionPathDisplay: {
        "losses": [1.0, 0.5, 0.4],
        "gaps": [0.9, 0.3, 0.1],
        "dense_loss": 0.3,
        "upper_bounds": {"one": [2.0, 1.0, 0.5]},
    },
    LossCurveDisplay: {
        "losses": [1.0, 0.5],
        "retrain_losses": [0.3],
        "held_out_losses": [0.6, 0.4],
        "held_out_updates": [0, 20],
    },
    PretrainThresholdDisplay: {
        "n_pretrain": [0, 10, 100],
        "k": [5, 9],
        "scores": np.ones((3, 2, 4)).tolist(),
        "dense_scores": np.ones((3, 4)).tolist(),
        "thresholds": [10, None],
        "target_score": 0.5,
        "predicted": [10.0, np.inf],
    },
    ThresholdScalingDisplay: {
        "train_sizes": [10, 100],
        "thresholds": [[2.0, 3.0], [4.0, np.nan]],
        "last_n_pretrain": [[9, 9], [9, 9]],
        "predicted": [3.0, np.inf],
    },
}


@pytest.mark.parametrize("cls", DRAWN)
def test_lists_are_drawn(cls):
    options = [{"kind": "curves"}, {"kind": "heatmap"}] if cls is PretrainThresholdDisplay else [{}]
    for some in options:
        assert cls(**DRAWN[cls]).plot(**some).ax_.get_xlabel()


NUMBERS = r"must be an array of numbers of shape .*, got "
WRONG = [
    (SelectionPathDisplay, "losses", 0.5, ValueError, r"losses must be of shape \(n_picks,\), got \(\)"),
    (SelectionPathDisplay, "losses", "abc", TypeError, rf"losses {NUMBERS}str"),
    (SelectionPathDisplay, "gaps", [[1.0], [2.0, 3.0]], TypeError, rf"gaps {NUMBERS}list"),
    (SelectionPathDisplay, "dense_loss", np.ones(3), ValueError, r"dense_loss must be a single number, got .*\(3,\)"),
    (SelectionPathDisplay, "dense_loss", "low", TypeError, r"dense_loss must be a single number, got str"),
    (SelectionPathDisplay, "upper_bounds", np.ones(3), TypeError, r"upper_bounds must be a dict .*, got ndarray"),
    (SelectionPathDisplay, "upper_bounds", [1.0], TypeError, r"of names to arrays, or NetworkBounds, got list"),
    (SelectionPathDisplay, "upper_bounds", 2.0, TypeError, r"of names to arrays, or NetworkBounds, got float"),
    (SelectionPathDisplay, "upper_bounds", {"a": ["x"] * 3}, TypeError, rf"upper_bounds\['a'\] {NUMBERS}list"),
    (SelectionPathDisplay, "upper_bounds", {"a": 2.0}, ValueError, r"upper_bounds\['a'\] must be of shape \(3,\)"),
    (LossCurveDisplay, "losses", np.ones((2, 2)), ValueError, r"losses must be of shape \(n_pretrain,\), got \(2, 2\)"),
    (LossCurveDisplay, "losses", 3.0, ValueError, r"losses must be of shape \(n_pretrain,\), got \(\)"),
    (LossCurveDisplay, "retrain_losses", "abc", TypeError, rf"retrain_losses {NUMBERS}str"),
    (
        LossCurveDisplay,
        "held_out_losses",
        [1.0] * 3,
        ValueError,
        r"updates must be of shape \(3,\), as held_out_losses",
    ),
    (LossCurveDisplay, "held_out_updates", None, ValueError, r"updates must be of shape \(2,\).* got \(0,\)"),
    (PretrainThresholdDisplay, "n_pretrain", 3, ValueError, r"n_pretrain must be of shape \(n_budgets,\), got \(\)"),
    (PretrainThresholdDisplay, "k", 5, ValueError, r"k must be of shape \(n_sizes,\), got \(\)"),
    (PretrainThresholdDisplay, "scores", np.ones((3, 2)), ValueError, r"scores must be of shape \(3, 2, n_folds\)"),
    (PretrainThresholdDisplay, "scores", np.ones((2, 3, 4)), ValueError, r"\(3, 2, n_folds\), got \(2, 3, 4\)"),
    (PretrainThresholdDisplay, "dense_scores", np.ones(3), ValueError, r"dense_scores must be of shape \(3, n_folds\)"),
    (PretrainThresholdDisplay, "thresholds", [10], ValueError, r"thresholds must be of shape \(2,\), as k is, got \(1"),
    (PretrainThresholdDisplay, "thresholds", 10, ValueError, r"thresholds must be of shape \(2,\), as k is, got \(\)"),
    (PretrainThresholdDisplay, "thresholds", [7, None], ValueError, r"thresholds must hold values of n_pretrain .* 7"),
    (PretrainThresholdDisplay, "thresholds", [np.nan, 10], ValueError, r"values of n_pretrain or None, got nan"),
    (PretrainThresholdDisplay, "target_score", [1.0, 2.0], ValueError, r"target_score must be a single number"),
    (PretrainThresholdDisplay, "predicted", [3.0], ValueError, r"predicted must be of shape \(2,\), as k is, got \(1,"),
    (PretrainThresholdDisplay, "predicted", 3.0, ValueError, r"predicted must be of shape \(2,\), as k is, got \(\)"),
    (PretrainThresholdDisplay, "predicted", BOUNDS, TypeError, rf"predicted {NUMBERS}NetworkBounds"),
    (ThresholdScalingDisplay, "train_sizes", 10, ValueError, r"train_sizes must be of shape \(n_sizes,\), got \(\)"),
    (ThresholdScalingDisplay, "thresholds", [1.0, 2.0], ValueError, r"thresholds must be of shape \(2, n_repeats\)"),
    (ThresholdScalingDisplay, "thresholds", "abc", TypeError, rf"thresholds {NUMBERS}str"),
    (ThresholdScalingDisplay, "last_n_pretrain", [9, 9], ValueError, r"must be of shape \(2, 2\), as thresholds is"),
    (ThresholdScalingDisplay, "log_fit", [1.0, 2.0], TypeError, r"log_fit must be a ScalingFit, got list"),
    (ThresholdScalingDisplay, "power_fit", 2.0, TypeError, r"power_fit must be a ScalingFit, got float"),
    (ThresholdScalingDisplay, "predicted", BOUNDS, TypeError, rf"predicted {NUMBERS}NetworkBounds"),
    (ThresholdScalingDisplay, "predicted", [1.0] * 3, ValueError, r"predicted must be of shape \(2,\), as train_sizes"),
]


@pytest.mark.parametrize(("cls", "name", "value", "error", "message"), WRONG)
def test_an_argument_that_can_not_be_drawn_is_named(cls, name, value, error, message):
    display = cls(**{**DRAWN[cls], name: value})
    kinds = [{"kind": "curves"}, {"kind": "heatmap"}] if cls is PretrainThresholdDisplay else [{}]
    for kind in kinds:
        with pytest.raises(error, match=message):
            display.plot(**kind)
    assert not plt.get_fignums()  # nothing is left half drawn


def test_the_ways_to_a_display_name_the_argument_too():
    path = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=3)
    assert isinstance(path, GreedyPath)
    with pytest.raises(TypeError, match=r"upper_bounds must be a dict of names to arrays, or NetworkBounds, got ndarr"):
        SelectionPathDisplay.from_path(path, upper_bounds=np.ones(3))


def test_bounds_may_come_in_other_tables():
    arguments = DRAWN[SelectionPathDisplay]
    for table in (pd.DataFrame(arguments["upper_bounds"]), BOUNDS):
        display = SelectionPathDisplay(**{**arguments, "upper_bounds": table}).plot()
        assert len(display.bound_lines_) == (2 if table is BOUNDS else 1)


@pytest.mark.parametrize("cls", DRAWN)
def test_axes_must_be_axes(cls):
    display = cls(**DRAWN[cls])
    figure, axes = plt.subplots(1, 2)
    for wrong in (axes, figure, [axes[0]], 3):
        with pytest.raises(TypeError, match=rf"ax must be matplotlib Axes, got {type(wrong).__name__}"):
            display.plot(ax=wrong)


@pytest.mark.parametrize("kind", [["curves"], np.array(["curves", "heatmap"]), None])
def test_a_kind_that_is_no_text_is_refused(kind):
    with pytest.raises(ValueError, match="kind must be 'auto', 'curves' or 'heatmap', got"):
        PretrainThresholdDisplay(**DRAWN[PretrainThresholdDisplay]).plot(kind=kind)
