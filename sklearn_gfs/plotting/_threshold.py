"""
PretrainThresholdDisplay: the picture of a search.

Like the other displays (``_scaling``, ``_selection``) it holds arrays and draws them, in ``_curves`` or ``_heatmap``.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._version import VersionedState

from ._checks import check_grid
from ._curves import draw_curves
from ._heatmap import draw_heatmap
from ._searched import predicted_for, score_name_of
from ._style import new_axes

# Largest number of sizes for which curves are drawn; more curves could not be distinguished.
_MOST_CURVES = 4


class PretrainThresholdDisplay(VersionedState):
    """
    Picture of how the score depends on pre-training and on the size of the subnetwork.

    Few sizes are drawn as curves with bands over folds, many as a heat map with a line where the
    target is first reached.

    Parameters
    ----------
    n_pretrain : ndarray of shape (n_budgets,)
        Numbers of pre-training iterations, ascending.
    k : ndarray of shape (n_sizes,)
        Numbers of picks, ascending.
    scores : ndarray of shape (n_budgets, n_sizes, n_folds)
        Scores of the subnetworks.
    dense_scores : ndarray of shape (n_budgets, n_folds), default=None
        Scores of the dense network.
    thresholds : sequence of (int or None), default=None
        Threshold of each size, in the order of ``k``.
    target_score : float, default=None
        The score that was to be reached.
    score_name : str, default="Score"
        Label of the scores.
    param : str, default="n_pretrain"
        Name of the parameter that ``n_pretrain`` holds values of, for the label.
    predicted : sequence of float, default=None
        Predicted threshold of each size, in the order of ``k``; infinite ones are left out. A heat map has no place for
        those beyond the last number of iterations.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    lines_ : list of matplotlib Line2D
        The curves, one for each size, then the dense network's; empty for a heat map.
    bands_ : list of matplotlib PolyCollection
        One standard deviation over folds to either side of each curve.
    image_ : matplotlib QuadMesh or None
        The heat map; None for curves.
    threshold_line_ : matplotlib Line2D or None
        The heat map's line, or the stars on the curves; None where no size has a threshold.
    predicted_lines_ : list of matplotlib Line2D
        Predicted thresholds: upright lines in the colours of the curves, or the heat map's one line.
    colorbar_ : matplotlib Colorbar or None
        The heat map's key.

    See Also
    --------
    PretrainThresholdSearch : What measures the scores.
    ThresholdScalingDisplay : Thresholds against the number of samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import PretrainThresholdDisplay
    >>> scores = np.array([[[0.5, 0.6]], [[0.8, 0.9]], [[0.9, 0.9]]])
    >>> display = PretrainThresholdDisplay(
    ...     n_pretrain=np.array([0, 10, 100]), k=np.array([5]), scores=scores, thresholds=[10]
    ... )
    >>> display.plot().ax_.get_xlabel()
    'Pre-training (gradient updates)'
    """

    def __init__(
        self,
        *,
        n_pretrain: Any,
        k: Any,
        scores: Any,
        dense_scores: Any = None,
        thresholds: Any = None,
        target_score: float | None = None,
        score_name: str = "Score",
        param: str = "n_pretrain",
        predicted: Any = None,
    ) -> None:
        self.n_pretrain = n_pretrain
        self.k = k
        self.scores = scores
        self.dense_scores = dense_scores
        self.thresholds = thresholds
        self.target_score = target_score
        self.score_name = score_name
        self.param = param
        self.predicted = predicted

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        kind: str = "auto",
        score_name: str | None = None,
        predicted: Any = None,
        ax: Any = None,
    ) -> PretrainThresholdDisplay:
        """
        Draw a fitted search.

        The scores are those that the search's threshold compares.

        Parameters
        ----------
        search : PretrainThresholdSearch
            Fitted.
        kind : {"auto", "curves", "heatmap"}, default="auto"
            As in :meth:`plot`.
        score_name : str, default=None
            Label of the scores. None derives it from the search.
        predicted : NetworkBounds or sequence of float, default=None
            Predicted thresholds: what :func:`network_bounds` returned for the search's numbers of picks, or one number
            for each of them.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        PretrainThresholdDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the search has not been fitted.
        TypeError
            If `search` is not a PretrainThresholdSearch.
        ValueError
            If the predicted thresholds are of other numbers of picks.

        See Also
        --------
        from_estimator : The same from an estimator and data.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdDisplay, PretrainThresholdSearch
        >>> network = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=10, random_state=0)
        >>> search = PretrainThresholdSearch(network, n_pretrain=[0, 20], k=[5, 10], cv=2, target="best")
        >>> display = PretrainThresholdDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
        >>> len(display.lines_)
        3
        """
        from sklearn_gfs.search import PretrainThresholdSearch

        if not isinstance(search, PretrainThresholdSearch):
            raise TypeError(f"search must be a PretrainThresholdSearch, got {type(search).__name__}.")
        check_is_fitted(search, "scores_")
        display = cls(
            n_pretrain=search.n_pretrain_values_,
            k=search.k_values_,
            scores=search.scores_,
            dense_scores=search.dense_scores_,
            thresholds=list(search.thresholds_.values()),
            target_score=search.target_score_,
            score_name=score_name_of(search) if score_name is None else score_name,
            param=search.param,
            predicted=predicted_for(search, predicted),
        )
        return display.plot(ax=ax, kind=kind)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "auto",
        score_name: str | None = None,
        predicted: Any = None,
        ax: Any = None,
        **search_params: Any,
    ) -> PretrainThresholdDisplay:
        """
        Run a search, without a final fit, and draw it.

        Use :meth:`from_search` if you want the search itself too.

        Parameters
        ----------
        estimator : estimator
            What :class:`PretrainThresholdSearch` takes.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or continuous targets to predict.
        kind : {"auto", "curves", "heatmap"}, default="auto"
            As in :meth:`plot`.
        score_name : str, default=None
            Label of the scores. None derives it from the search.
        predicted : NetworkBounds or sequence of float, default=None
            Predicted thresholds, as in :meth:`from_search`.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.
        **search_params : dict
            Further parameters of :class:`PretrainThresholdSearch`.

        Returns
        -------
        PretrainThresholdDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As the search's `fit`.

        See Also
        --------
        from_search : The same from a fitted search.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdDisplay
        >>> network = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=10, random_state=0)
        >>> X, y = load_iris(return_X_y=True)
        >>> display = PretrainThresholdDisplay.from_estimator(
        ...     network, X, y, n_pretrain=[0, 20], k=[5, 10], cv=2, target="best", kind="heatmap"
        ... )
        >>> display.scores.shape
        (2, 2, 2)
        """
        from sklearn_gfs.search import PretrainThresholdSearch

        search_params.setdefault("refit", False)
        search = PretrainThresholdSearch(estimator, **search_params).fit(X, y)
        return cls.from_search(search, kind=kind, score_name=score_name, predicted=predicted, ax=ax)

    def plot(self, ax: Any = None, *, kind: str = "auto") -> PretrainThresholdDisplay:
        """
        Draw the display.

        Curves show the spread over folds, a heat map shows many sizes at once.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.
        kind : {"auto", "curves", "heatmap"}, default="auto"
            What to draw; "auto" takes curves for up to four sizes.

        Returns
        -------
        PretrainThresholdDisplay
            The display itself.

        Raises
        ------
        TypeError
            If an argument of the display holds no numbers, or `ax` is no Axes.
        ValueError
            If ``kind`` is not one of these values, or an array has another shape.

        See Also
        --------
        from_search : Draw a fitted search.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import PretrainThresholdDisplay
        >>> display = PretrainThresholdDisplay(
        ...     n_pretrain=np.array([0, 10]), k=np.array([5, 9]), scores=np.ones((2, 2, 1)), thresholds=[0, 10]
        ... )
        >>> display.plot(kind="heatmap").ax_.get_ylabel()
        'Picks k'
        """
        if str(kind) not in {"auto", "curves", "heatmap"}:
            raise ValueError(f"kind must be 'auto', 'curves' or 'heatmap', got {kind!r}.")
        given = ("dense_scores", "thresholds", "target_score", "predicted")
        check_grid(self.n_pretrain, self.k, self.scores, **{name: getattr(self, name) for name in given})
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        if kind == "heatmap" or (kind == "auto" and len(self.k) > _MOST_CURVES):
            heatmap = draw_heatmap(self.ax_, self, self._budget_label())
            self.lines_: list[Any] = []
            self.bands_: list[Any] = []
            self.image_, self.colorbar_, self.threshold_line_, self.predicted_lines_ = heatmap
        else:
            curves = draw_curves(self.ax_, self, self._budget_label())
            self.lines_, self.bands_, self.threshold_line_, self.predicted_lines_ = curves
            self.image_ = self.colorbar_ = None
        return self

    def _budget_label(self) -> str:
        own = self.param.rpartition("__")[2] == "n_pretrain"
        return "Pre-training (gradient updates)" if own else self.param
