"""
ThresholdScalingDisplay: the picture of a scaling curve.

It draws what it is given; thresholds are measured in ``search._curve``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_gfs._version import VersionedState

from ._checks import as_numbers, check_fit
from ._style import COLOURS, log_axis, name_axes, new_axes, shade


class ThresholdScalingDisplay(VersionedState):
    """
    Picture of the pre-training threshold against the number of samples.

    Every run is a point. The mean of the repeats, the logarithmic law with its confidence band and the power law are
    lines. Runs that reached no threshold are arrows at the last number of iterations that they had. A mean that leaves
    such runs out is drawn hollow.

    Parameters
    ----------
    train_sizes : ndarray of shape (n_sizes,)
        Numbers of training samples.
    thresholds : ndarray of shape (n_sizes, n_repeats)
        Thresholds, in gradient updates; NaN where a run reached none.
    last_n_pretrain : ndarray of shape (n_sizes, n_repeats), default=None
        The largest number of iterations of each run. None leaves out the runs that reached no threshold.
    log_fit : ScalingFit, default=None
        Fit of a + b ln(n_samples).
    power_fit : ScalingFit, default=None
        Fit of c n_samples^p.
    predicted : array-like of shape (n_sizes,), default=None
        Predicted thresholds, as :func:`network_bounds` gives them; what is infinite is left out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    points_ : matplotlib PathCollection
        One point for each run that has a threshold.
    beyond_ : matplotlib PathCollection or None
        An arrow for each run that has none; None where all have one.
    mean_line_ : matplotlib Line2D
        Mean of the repeats, of all of which the thresholds are known.
    part_line_ : matplotlib Line2D or None
        Mean of the others, where some of the repeats have a threshold; None where there is none.
    log_line_, power_line_ : matplotlib Line2D or None
        The laws; None where there is no fit.
    band_ : matplotlib PolyCollection or None
        95 % confidence band of the logarithmic law.
    predicted_line_ : matplotlib Line2D or None
        The predicted thresholds; None where none are given.

    See Also
    --------
    pretrain_threshold_curve : What measures the thresholds.
    PretrainThresholdDisplay : Picture of one search.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import ThresholdScalingDisplay
    >>> display = ThresholdScalingDisplay(
    ...     train_sizes=np.array([100, 1000]), thresholds=np.array([[20, 23], [45, 45]])
    ... )
    >>> display.plot().ax_.get_xlabel()
    'Training samples'
    """

    def __init__(
        self,
        *,
        train_sizes: Any,
        thresholds: Any,
        last_n_pretrain: Any = None,
        log_fit: Any = None,
        power_fit: Any = None,
        predicted: Any = None,
    ) -> None:
        self.train_sizes = train_sizes
        self.thresholds = thresholds
        self.last_n_pretrain = last_n_pretrain
        self.log_fit = log_fit
        self.power_fit = power_fit
        self.predicted = predicted

    @classmethod
    def from_curve(cls, curve: Any, *, predicted: Any = None, ax: Any = None) -> ThresholdScalingDisplay:
        """
        Draw what :func:`pretrain_threshold_curve` returned.

        The fits it holds are drawn with it.

        Parameters
        ----------
        curve : ThresholdCurve
            Sizes, thresholds and fits.
        predicted : array-like of shape (n_sizes,), default=None
            Predicted thresholds, as :func:`network_bounds` gives them.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        ThresholdScalingDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `curve` is not a ThresholdCurve.

        See Also
        --------
        from_estimator : The same from an estimator and data.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import ScalingFit, ThresholdCurve, ThresholdScalingDisplay
        >>> sizes, thresholds = np.array([10, 100, 1000]), np.array([[9.0], [17.0], [30.0]])
        >>> coefs = {"log": np.array([-2.33, 4.56]), "power": np.array([5.43, 0.25])}
        >>> laws = [ScalingFit(law, c, c - 1, c + 1, np.eye(2), 0.98, 3) for law, c in coefs.items()]
        >>> curve = ThresholdCurve(sizes, thresholds, np.ones((3, 1)), *laws)
        >>> display = ThresholdScalingDisplay.from_curve(curve)
        >>> display.log_line_.get_label()
        '-2.33 + 4.56 ln n, R² = 0.98'
        """
        if not all(hasattr(curve, name) for name in ("train_sizes", "thresholds", "log_fit", "power_fit")):
            raise TypeError(f"curve must be what pretrain_threshold_curve returned, got {type(curve).__name__}.")
        display = cls(
            train_sizes=curve.train_sizes,
            thresholds=curve.thresholds,
            last_n_pretrain=getattr(curve, "last_n_pretrain", None),
            log_fit=curve.log_fit,
            power_fit=curve.power_fit,
            predicted=predicted,
        )
        return display.plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **curve_params: Any
    ) -> ThresholdScalingDisplay:
        """
        Measure a curve and draw it.

        Use :meth:`from_curve` if you want the curve itself too.

        Parameters
        ----------
        estimator : estimator
            What :func:`pretrain_threshold_curve` takes.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or continuous targets to predict.
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.
        **curve_params : dict
            Further parameters of :func:`pretrain_threshold_curve`.

        Returns
        -------
        ThresholdScalingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As :func:`pretrain_threshold_curve`.

        See Also
        --------
        from_curve : The same from a curve that was measured before.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, ThresholdScalingDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> network = GreedyPrunedMLPClassifier(n_hidden=30, k=10, n_retrain=10, random_state=0)
        >>> display = ThresholdScalingDisplay.from_estimator(
        ...     network, X, y, train_sizes=[50, 100], n_repeats=1, n_pretrain=[0, 20], target="best"
        ... )
        >>> display.thresholds.shape
        (2, 1)
        """
        from sklearn_gfs.search import pretrain_threshold_curve

        return cls.from_curve(pretrain_threshold_curve(estimator, X, y, **curve_params), ax=ax)

    def plot(self, ax: Any = None) -> ThresholdScalingDisplay:
        """
        Draw the display.

        The axis of samples is logarithmic, so that the logarithmic law is a straight line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None means a new figure.

        Returns
        -------
        ThresholdScalingDisplay
            The display itself.

        Raises
        ------
        TypeError
            If an argument of the display holds no numbers, a law is no `ScalingFit`, or `ax` is no Axes.
        ValueError
            If an array has another shape.

        See Also
        --------
        from_curve : Draw a measured curve.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import ThresholdScalingDisplay
        >>> display = ThresholdScalingDisplay(train_sizes=np.array([10, 99]), thresholds=np.array([[2], [3]]))
        >>> display.plot().ax_.get_xscale()
        'log'
        """
        sizes, n_sizes = np.asarray(self.train_sizes), len(as_numbers("train_sizes", self.train_sizes, ("n_sizes",)))
        thresholds = as_numbers("thresholds", self.thresholds, (n_sizes, "n_repeats"))
        last = self.last_n_pretrain
        last = None if last is None else as_numbers("last_n_pretrain", last, thresholds.shape, "thresholds")
        predicted = self.predicted
        predicted = None if predicted is None else as_numbers("predicted", predicted, (n_sizes,), "train_sizes")
        check_fit("log_fit", self.log_fit)
        check_fit("power_fit", self.power_fit)
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        known = np.isfinite(thresholds)
        # Repeats often coincide, for thresholds are values of a grid: transparent points add up.
        self.points_ = self.ax_.scatter(
            np.repeat(sizes, known.sum(axis=1)), thresholds[known], s=28, color=COLOURS[0], alpha=0.35, linewidth=0,
            label="One run", zorder=2,
        )  # fmt: skip
        self._plot_beyond(sizes, known, last)
        whole, part = known.all(axis=1), known.any(axis=1) & ~known.all(axis=1)
        style = {"color": COLOURS[0], "marker": "o", "markersize": 7, "linewidth": 0, "zorder": 4}
        self.mean_line_ = self.ax_.plot(sizes[whole], thresholds[whole].mean(axis=1), label="Mean", **style)[0]
        self.part_line_ = None
        if part.any():
            means, label = np.nanmean(thresholds[part], axis=1), "Mean of those that reached it"
            self.part_line_ = self.ax_.plot(sizes[part], means, markerfacecolor="none", label=label, **style)[0]
        self._plot_laws(np.geomspace(sizes.min(), sizes.max(), 200))
        self.predicted_line_ = None
        if predicted is not None:
            self.predicted_line_ = self.ax_.plot(
                sizes, np.where(np.isfinite(predicted), predicted, np.nan), color=COLOURS[2], linestyle=":", marker="D",
                label="Predicted", zorder=3,
            )[0]  # fmt: skip
        log_axis(self.ax_, sizes)
        name_axes(self.ax_, "Training samples", "Pre-training threshold (gradient updates)")
        return self

    def _plot_beyond(self, sizes: Any, known: Any, last: Any) -> None:
        self.beyond_ = None
        if last is not None and not known.all():
            self.beyond_ = self.ax_.scatter(
                np.repeat(sizes, (~known).sum(axis=1)), last[~known], s=40, color=COLOURS[1], marker="^", alpha=0.6,
                linewidth=0, label="Not reached by then", zorder=2,
            )  # fmt: skip

    def _plot_laws(self, sizes: Any) -> None:
        self.log_line_ = self.power_line_ = self.band_ = None
        if self.log_fit is not None and np.isfinite(self.log_fit.coef).all():
            a, b = self.log_fit.coef
            label = f"{a:.3g} {'+' if b >= 0 else '-'} {abs(b):.3g} ln n{_r2(self.log_fit)}"
            self.log_line_ = self.ax_.plot(
                sizes, self.log_fit.predict(sizes), color="black", linestyle="-", label=label, zorder=3
            )[0]
            low, high = self.log_fit.band(sizes)
            if np.isfinite(low).all():
                self.band_ = shade(self.ax_, sizes, low, high, colour="black", label="Its 95 % band")
        if self.power_fit is not None and np.isfinite(self.power_fit.coef).all():
            c, p = self.power_fit.coef
            label = f"{c:.3g} n$^{{{p:.2g}}}${_r2(self.power_fit)}"
            self.power_line_ = self.ax_.plot(
                sizes, self.power_fit.predict(sizes), color=COLOURS[1], linestyle="--", label=label, zorder=3
            )[0]


def _r2(fit: Any) -> str:
    return f", R² = {fit.r2:.2f}" if np.isfinite(fit.r2) else ""
