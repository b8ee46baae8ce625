"""
SelectionPathDisplay: the picture of one greedy forward selection.

It draws what it is given; selections are made elsewhere, and upper bounds come from ``theory``.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._version import VersionedState

from ._checks import as_bounds, as_number, as_numbers
from ._inside import innermost
from ._style import COLOURS, DASHES, log_losses, name_axes, new_axes, shade


class SelectionPathDisplay(VersionedState):
    """
    Picture of the loss along a selection, with what bounds it.

    The gap certifies how far the loss can be from the least one that any weights of the atoms
    reach: the shaded region holds that least loss.

    Parameters
    ----------
    losses : ndarray of shape (n_picks,)
        Loss after each pick, a mean over samples.
    gaps : ndarray of shape (n_picks,)
        Frank-Wolfe gap after each pick, in units of the loss.
    dense_loss : float, default=None
        Loss of the dense network.
    upper_bounds : dict of str to array-like of shape (n_picks,), default=None
        Bounds on the loss by name, for instance of :func:`sklearn_gfs.theory.root_bound`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    loss_line_, gap_line_ : matplotlib Line2D
        The loss and the gap.
    certificate_ : matplotlib PolyCollection
        Between the loss and the greatest lower bound known so far.
    dense_line_ : matplotlib Line2D or None
        The dense network's loss; None where it was not given.
    bound_lines_ : list of matplotlib Line2D
        The bounds, in the order given.

    See Also
    --------
    greedy_forward_selection : The selection whose path is drawn.
    PretrainThresholdDisplay : Picture of a search.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import SelectionPathDisplay
    >>> display = SelectionPathDisplay(losses=np.array([1.0, 0.5, 0.4]), gaps=np.array([0.9, 0.3, 0.1]))
    >>> display.plot().ax_.get_xlabel()
    'Picks k'
    """

    def __init__(self, *, losses: Any, gaps: Any, dense_loss: float | None = None, upper_bounds: Any = None) -> None:
        self.losses = losses
        self.gaps = gaps
        self.dense_loss = dense_loss
        self.upper_bounds = upper_bounds

    @classmethod
    def from_path(
        cls, path: Any, *, dense_loss: float | None = None, upper_bounds: Any = None, ax: Any = None
    ) -> SelectionPathDisplay:
        """
        Draw what :func:`greedy_forward_selection` returned.

        A dense network's loss can be given for comparison.

        Parameters
        ----------
        path : GreedyPath
            The path.
        dense_loss : float, default=None
            Loss of the dense network.
        upper_bounds : NetworkBounds, or dict of str to array-like of shape (n_picks,), default=None
            Bounds on the loss, as :func:`network_bounds` returns them or by name.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        SelectionPathDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `path` is not a GreedyPath, or `upper_bounds` are no bounds.

        See Also
        --------
        from_estimator : The same from a fitted estimator.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionPathDisplay, greedy_forward_selection
        >>> path = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=3)
        >>> len(SelectionPathDisplay.from_path(path).loss_line_.get_xdata())
        3
        """
        if not (hasattr(path, "losses") and hasattr(path, "gaps")):
            raise TypeError(f"path must be what greedy_forward_selection returned, got {type(path).__name__}.")
        upper_bounds = None if upper_bounds is None else as_bounds(upper_bounds, len(path.losses))
        display = cls(losses=path.losses, gaps=path.gaps, dense_loss=dense_loss, upper_bounds=upper_bounds)
        return display.plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator: Any, *, upper_bounds: Any = None, ax: Any = None) -> SelectionPathDisplay:
        """
        Draw the selection of a fitted estimator.

        Anything with ``selection_losses_`` and ``duality_gaps_`` is possible.

        Parameters
        ----------
        estimator : GreedyPrunedMLP, GreedyForwardSelector or the like
            A fitted estimator, a pipeline that ends in one, or a search that has fitted one.
        upper_bounds : NetworkBounds, or dict of str to array-like of shape (n_picks,), default=None
            Bounds on the loss, as :func:`network_bounds` returns them or by name.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        SelectionPathDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        TypeError
            If the fitted estimator made no selection, or `upper_bounds` are no bounds.
        ValueError
            If it made several, as an ensemble with ``n_bags`` above 1 does.

        See Also
        --------
        from_path : The same from the function's result.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, SelectionPathDisplay
        >>> network = GreedyPrunedMLPClassifier(n_pretrain=20, k=5, n_hidden=50, n_retrain=0, random_state=0)
        >>> display = SelectionPathDisplay.from_estimator(network.fit(*load_iris(return_X_y=True)))
        >>> display.losses.shape
        (5,)
        """
        estimator = innermost(estimator)
        check_is_fitted(estimator)
        if not (hasattr(estimator, "selection_losses_") and hasattr(estimator, "duality_gaps_")):
            raise TypeError(
                "estimator must have made a selection, as GreedyPrunedMLP and GreedyForwardSelector do, or hold one "
                f"that has; got {type(estimator).__name__}, which is fitted and has none."
            )
        if np.ndim(estimator.selection_losses_) == 2:
            raise ValueError(
                f"estimator made {len(estimator.selection_losses_)} selections, one for each bag; a display draws one: "
                "SelectionPathDisplay(losses=estimator.selection_losses_[0], gaps=estimator.duality_gaps_[0])"
            )
        if upper_bounds is not None:
            upper_bounds = as_bounds(upper_bounds, len(estimator.selection_losses_))
        display = cls(
            losses=estimator.selection_losses_,
            gaps=estimator.duality_gaps_,
            dense_loss=getattr(estimator, "dense_loss_", None),
            upper_bounds=upper_bounds,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> SelectionPathDisplay:
        """
        Draw the display.

        Both axes are logarithmic, as far as the losses are positive.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        SelectionPathDisplay
            The display itself.

        Raises
        ------
        TypeError
            If an argument of the display holds no numbers, or `ax` is no Axes.
        ValueError
            If the gaps or a bound do not have one number for each loss.

        See Also
        --------
        from_estimator : Draw a fitted estimator's selection.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionPathDisplay
        >>> display = SelectionPathDisplay(losses=np.array([1.0, 0.5]), gaps=np.array([0.9, 0.3]), dense_loss=0.4)
        >>> display.plot().dense_line_.get_label()
        'Dense network'
        """
        losses = as_numbers("losses", self.losses, ("n_picks",))
        gaps = as_numbers("gaps", self.gaps, losses.shape, "losses")
        dense_loss, bounds = as_number("dense_loss", self.dense_loss), as_bounds(self.upper_bounds, len(losses))
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        picks = np.arange(1, len(losses) + 1)
        # Every gap bounds the same least loss from below, so the greatest of the bounds so far holds.
        least = np.maximum.accumulate(np.maximum(losses - gaps, 0))
        logarithmic = len(losses) > 0 and bool((losses > 0).all())
        # A lower bound of zero has no place on a logarithmic axis: the region reaches its lower edge.
        edge = losses.min() / 10 if logarithmic else 0.0
        label = "Where the least loss of any weights lies"
        self.certificate_ = shade(self.ax_, picks, np.maximum(least, edge), losses, colour=COLOURS[0], label=label)
        self.loss_line_ = self.ax_.plot(picks, losses, color=COLOURS[0], label="Subnetwork of k picks", zorder=4)[0]
        self.gap_line_ = self.ax_.plot(
            picks, np.where(gaps > 0, gaps, np.nan), color=COLOURS[1], linestyle="--", label="Gap", zorder=3
        )[0]
        self.dense_line_ = None
        if dense_loss is not None:
            self.dense_line_ = self.ax_.axhline(
                dense_loss, color="black", linestyle=":", label="Dense network", zorder=2
            )
        self.bound_lines_ = [
            self.ax_.plot(picks, bound, color=colour, linestyle=dashes, label=name, zorder=3)[0]
            for (name, bound), colour, dashes in zip(bounds.items(), cycle(COLOURS[2:]), cycle(DASHES[2:]))
        ]
        if len(picks) > 2:
            self.ax_.set_xscale("log")
        if logarithmic:
            log_losses(self.ax_)
            top = max(float(np.max(line.get_ydata())) for line in self.ax_.lines if np.isfinite(line.get_ydata()).all())
            self.ax_.set_ylim(edge, 1.5 * top)
        name_axes(self.ax_, "Picks k", "Loss (mean over samples)")
        return self
