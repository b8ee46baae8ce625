"""
LossCurveDisplay: the picture of one fit, from the first update to the last.

It draws what it is given; nothing here trains.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._version import VersionedState

from ._checks import as_numbers
from ._inside import innermost
from ._style import COLOURS, DASHES, MARKERS, log_losses, name_axes, new_axes

# Number of updates over which losses of batches are averaged.
_WINDOW = 20


class LossCurveDisplay(VersionedState):
    """
    Picture of the losses of a fit: pre-training, re-training, and the held-out samples.

    Losses of single batches are noisy, so a line is the mean over the last 20 updates. A vertical line marks where the
    network was pruned. The held-out losses are those of the trial. The trial is re-trained on the other samples, and
    for longer than the final subnetwork.

    Parameters
    ----------
    losses : array-like of shape (n_pretrain,)
        Loss of the batch at each update of pre-training.
    retrain_losses : array-like of shape (n_retrain,), default=None
        Loss of the batch at each update of re-training.
    held_out_losses : array-like of shape (n_looks,), default=None
        Losses on held-out samples.
    held_out_updates : array-like of shape (n_looks,), default=None
        Numbers of re-training updates before each held-out loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    pretrain_line_, retrain_line_, held_out_line_ : matplotlib Line2D or None
        The losses; None where there are none.
    pruning_line_ : matplotlib Line2D or None
        Where the network was pruned; None where nothing follows.

    See Also
    --------
    SelectionPathDisplay : Picture of the selection in between.
    PretrainThresholdDisplay : Picture of a search over the length of pre-training.

    Examples
    --------
    >>> from sklearn_gfs import LossCurveDisplay
    >>> display = LossCurveDisplay(losses=[1.0, 0.5, 0.4], retrain_losses=[0.3, 0.2]).plot()
    >>> display.ax_.get_xlabel()
    'Gradient updates'
    """

    def __init__(
        self, *, losses: Any, retrain_losses: Any = None, held_out_losses: Any = None, held_out_updates: Any = None
    ) -> None:
        self.losses = losses
        self.retrain_losses = retrain_losses
        self.held_out_losses = held_out_losses
        self.held_out_updates = held_out_updates

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> LossCurveDisplay:
        """
        Draw the losses of a fitted estimator.

        Anything with ``loss_curve_`` is possible.

        Parameters
        ----------
        estimator : GreedyPrunedMLP or the like
            A fitted estimator, a pipeline that ends in one, or a search that has fitted one.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        TypeError
            If the fitted estimator keeps no losses.

        See Also
        --------
        plot : Draw the display.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, LossCurveDisplay
        >>> model = GreedyPrunedMLPClassifier(n_pretrain=20, k=5, n_hidden=50, n_retrain=40, random_state=0)
        >>> display = LossCurveDisplay.from_estimator(model.fit(*load_iris(return_X_y=True)))
        >>> len(display.losses)
        20
        """
        estimator = innermost(estimator)
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(
                "estimator must have a loss_curve_, as GreedyPrunedMLP has, or hold one that has; got "
                f"{type(estimator).__name__}, which is fitted and has none."
            )
        display = cls(
            losses=estimator.loss_curve_,
            retrain_losses=getattr(estimator, "retrain_loss_curve_", None),
            held_out_losses=getattr(estimator, "validation_loss_curve_", None),
            held_out_updates=getattr(estimator, "validation_iterations_", None),
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> LossCurveDisplay:
        """
        Draw the display.

        The axis of the losses is logarithmic if all losses are positive.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        LossCurveDisplay
            The display itself.

        Raises
        ------
        TypeError
            If an argument of the display holds no numbers, or `ax` is no Axes.
        ValueError
            If an array has another shape.

        See Also
        --------
        from_estimator : Draw a fitted estimator's losses.

        Examples
        --------
        >>> from sklearn_gfs import LossCurveDisplay
        >>> display = LossCurveDisplay(losses=[1.0, 0.5], held_out_losses=[0.6, 0.4], held_out_updates=[0, 20])
        >>> display.plot().held_out_line_.get_xdata().tolist()
        [2.0, 22.0]
        """
        first = as_numbers("losses", self.losses, ("n_pretrain",))
        second, held_out = (
            as_numbers(name, [] if values is None else values, (length,))
            for name, values, length in (
                ("retrain_losses", self.retrain_losses, "n_retrain"),
                ("held_out_losses", self.held_out_losses, "n_looks"),
            )
        )
        updates = [] if self.held_out_updates is None else self.held_out_updates
        updates = as_numbers("held_out_updates", updates, held_out.shape, "held_out_losses")
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        n_before = len(first)
        self.pretrain_line_ = self._line(np.arange(1, n_before + 1), _smooth(first), 0, "Pre-training, dense network")
        after = n_before + np.arange(1, len(second) + 1)
        self.retrain_line_ = self._line(after, _smooth(second), 1, "Re-training, subnetwork")
        self.held_out_line_ = self._line(n_before + updates, held_out, 2, "Held-out samples, trial subnetwork")
        if self.held_out_line_ is not None and len(held_out) < 30:
            self.held_out_line_.set_marker(MARKERS[2])
        self.pruning_line_ = None
        if n_before and len(second) + len(held_out):
            self.pruning_line_ = self.ax_.axvline(n_before, color="black", linestyle=":", label="Pruning", zorder=2)
        shown = np.concatenate([first, second, held_out])
        if len(shown) and (shown > 0).all():
            log_losses(self.ax_)
        name_axes(self.ax_, "Gradient updates", "Loss (mean over samples)")
        return self

    def _line(self, x: Any, y: Any, i: int, label: str) -> Any:
        """Draw a curve in the i-th style and return its line; None if there is no curve."""
        if not len(y):
            return None
        return self.ax_.plot(x, y, color=COLOURS[i], linestyle=DASHES[i], label=label, zorder=3)[0]


def _smooth(losses: Any) -> Any:
    """Return the moving average of the losses: the mean of each loss and the losses before it in the window."""
    first = [losses[:end].mean() for end in range(1, min(_WINDOW, len(losses) + 1))]
    if len(losses) < _WINDOW:
        return np.array(first)
    return np.concatenate([first, sliding_window_view(losses, _WINDOW).mean(axis=-1)])
