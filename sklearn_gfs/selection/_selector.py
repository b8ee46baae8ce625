"""
The transformer that keeps the columns greedy forward selection picks.

Here belongs what columns mean to scikit-learn: validation, names, masks. What y means is in ``_targets``, columns are
standardised in ``_standardized`` and chosen in ``_chosen_columns``. The selection of a mean is ``_greedy``'s, sums over
chunks are ``_statistics``'s.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_gfs._compat import unchanged_by_failure
from sklearn_gfs._plain import check_one_kind, check_plain, labels_of
from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs._version import VersionedState
from sklearn_gfs._warn import warn_caller
from sklearn_gfs._weights import check_weight, of_order_one

from ._checks import Weighing, check_keep, check_n_features, check_stopping, check_weights
from ._chosen_columns import Chosen, average_columns, correct_columns, select_columns
from ._greedy import greedy_forward_selection
from ._standardized import StandardizedColumns, standardized_samples
from ._statistics import SelectionStatistics
from ._targets import check_target_type, classes_of, target_of

_NONE_VARIES = "no column of X varies over the samples; with hull='l1' at least one must"


class GreedyForwardSelector(VersionedState, SelectorMixin, BaseEstimator):
    """
    Keep the columns that greedy forward selection with replacement picks.

    With ``hull="l1"`` columns are standardised and may enter with either sign, as in the lasso. After k picks y is
    approximated by a combination whose absolute coefficients add up to at most ``radius``. With ``hull="convex"`` the
    plain mean of the picked columns approximates y. This suits columns that are predictions of models, for an ensemble
    of a few of them. ``corrective=True`` is forward selection by orthogonal least squares: coefficients are free, and
    solved for again after every pick.

    Parameters
    ----------
    k : int, default=50
        Number of picks. A column can be picked more than once, so at most k columns are picked. With
        `n_features_to_select` the number of picks may be smaller, or a multiple.
    hull : {"l1", "convex"}, default="l1"
        What the picks are combined to. "l1" is a point of the l1 ball of the standardised columns; with several targets
        it is the ball of the group lasso. "convex" is the mean of the columns as they are.
    radius : float or "auto", default="auto"
        Radius of the l1 ball, in the units of y. "auto" means the sum of the absolute coefficients of matching pursuit,
        stopped when another step explains less than a hundredth of what is explained. It is 0 if y has nothing in
        common with the columns; all coefficients are then 0.
    tol : float, default=None
        Largest duality gap, in the units of y squared, at which the selection stops before k picks.
    target_type : {"auto", "continuous", "multiclass"}, default="auto"
        Whether y is continuous or holds the labels of two or more classes. "auto" follows the rule of
        ``GreedyPrunedMLP``: strings, booleans and whole numbers are labels, and several columns are continuous. Whole
        numbers stored as floats are continuous if they have more than 20 distinct values and fewer than 5 samples to
        each. ``partial_fit`` decides by the first chunk.
    n_features_to_select : int or float, default=None
        Number or share of columns to keep, with the columns of `keep`. The selection ends when this number of columns
        has been picked. If k picks are too few, the columns picked so far are kept like those of `keep`, and k more
        picks are made beside them. Once no other column lowers the loss, the columns that correlate most with y are
        added.
        With ``hull="convex"``, a mean of picks and of nothing else, too few picks lead to a warning. None means the
        columns of k picks, whatever their number.
    keep : array-like of str, int or bool, default=None
        Columns that are kept in any case, for ``hull="l1"``: their names, their indices, or a mask over all columns.
        Their coefficients are free, like the intercept: the best ones beside the picks. A pick is judged by what it
        adds to the kept columns.
    corrective : bool, default=False
        Whether the coefficients of all picked columns are solved for again after every pick. Columns are standardised,
        and each is picked at most once. The next pick is the column that leaves the least loss. `hull` and `radius`
        keep their defaults. The number of columns is `n_features_to_select`, or k by default. It is smaller if no other
        column lowers the loss.
    ridge : float, default=0.0
        Penalty on the coefficients of the standardised columns, for ``corrective=True``. The loss gets half the sum of
        their squares, times `ridge`, times the mean squared norm of what `keep` leaves of the columns. Columns of
        `keep` have no penalty.

    Attributes
    ----------
    selection_path_ : ndarray of shape (n_picks,)
        Index of the column of every pick, in order.
    selection_counts_ : ndarray of shape (n_features_in_,)
        How often each column was picked.
    selection_losses_ : ndarray of shape (n_picks,)
        Half the mean squared error after every pick, summed over the targets.
    duality_gaps_ : ndarray of shape (n_picks,)
        Upper bound, after every pick, on the loss minus the least loss over the hull. With ``corrective=True`` it is a
        bound on the penalised loss minus the least one over all coefficients, exact if `tol` is given.
    coef_ : ndarray of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients of the columns of X in the approximation of y. With `n_features_to_select` they may be solved once
        more after the last pick, and then have a loss below the last of `selection_losses_`.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term of the approximation.
    radius_ : float
        The radius used for the last picks, 0 if there are none. 1 for the convex hull and with ``corrective=True``.
    support_ : ndarray of shape (n_features_in_,)
        Mask of the columns that are kept.
    classes_ : ndarray of shape (n_classes,)
        The labels, if y holds labels.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    greedy_forward_selection : The selection alone, with more losses and shapes of atoms.
    SelectionStatistics : The sums that ``partial_fit`` keeps, to be computed on several machines.
    sklearn.feature_selection.SequentialFeatureSelector : Adds features by cross-validated score.
    sklearn.linear_model.OrthogonalMatchingPursuit : Picks by correlation and re-solves the coefficients.

    Notes
    -----
    ``sample_weight`` of an integer equals repeating the sample. Sparse X stays sparse.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    .. [2] Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gfs import GreedyForwardSelector
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> selector = GreedyForwardSelector(k=5).fit(X, y)
    >>> selector.get_feature_names_out().tolist()
    ['sex', 'bmi', 'bp', 's3', 's5']
    >>> selector = GreedyForwardSelector(n_features_to_select=4, keep=["age"]).fit(X, y)
    >>> selector.get_feature_names_out().tolist()
    ['age', 'bmi', 'bp', 's5']
    >>> selector = GreedyForwardSelector(n_features_to_select=4, corrective=True).fit(X, y)
    >>> X.columns[selector.selection_path_].tolist()
    ['bmi', 's5', 'bp', 's1']
    """

    def __init__(
        self,
        k: int = 50,
        *,
        hull: str = "l1",
        radius: float | str = "auto",
        tol: float | None = None,
        target_type: str = "auto",
        n_features_to_select: float | None = None,
        keep: Any = None,
        corrective: bool = False,
        ridge: float = 0.0,
    ) -> None:
        self.k = k
        self.hull = hull
        self.radius = radius
        self.tol = tol
        self.target_type = target_type
        self.n_features_to_select = n_features_to_select
        self.keep = keep
        self.corrective = corrective
        self.ridge = ridge

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GreedyForwardSelector:
        """
        Select columns of X.

        ``fit`` forgets what an earlier ``fit`` or ``partial_fit`` has seen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, or predictions of models.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        GreedyForwardSelector
            The fitted selector.

        Raises
        ------
        ValueError
            When a parameter, `X`, `y` or `sample_weight` is not as described. When `y` holds one class only. When no
            column varies, with `hull="l1"`.
        TypeError
            When `k`, `radius` or `tol` is of another type.

        See Also
        --------
        partial_fit : Add samples chunk by chunk.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn_gfs import GreedyForwardSelector
        >>> X, y = load_wine(return_X_y=True)
        >>> GreedyForwardSelector(k=4).fit(X, y).transform(X).shape
        (178, 4)
        """
        with unchanged_by_failure(self):
            self.__dict__.pop("_statistics", None)
            weighing = self._check_parameters()
            X, target, weight = self._check_chunk(X, y, sample_weight, signed=weighing.signed, first=True)
            weight = None if weight is None else of_order_one(weight)
            if not weighing.signed:
                path = greedy_forward_selection(X, target, self.k, sample_weight=weight, tol=self.tol)
                return self._store_means(path)
            return self._select(standardized_samples(X, target, weight, refusal=_NONE_VARIES), weighing)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None) -> GreedyForwardSelector:
        """
        Add a chunk of samples and select on all seen so far.

        The picks are those of one ``fit`` on all the chunks together. The selector keeps n_features_in_ squared
        values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, or predictions of models.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All labels. None means those of the first chunk.

        Returns
        -------
        GreedyForwardSelector
            The fitted selector.

        Raises
        ------
        ValueError
            As `fit`. Also when `y` holds other classes, or `X` another number of columns, than in the first call.
        TypeError
            As `fit`.

        See Also
        --------
        fit : Select on all the samples at once.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn_gfs import GreedyForwardSelector
        >>> X, y = load_wine(return_X_y=True)
        >>> selector = GreedyForwardSelector(k=4)
        >>> for start in range(2):
        ...     selector = selector.partial_fit(X[start::2], y[start::2])
        >>> selector.transform(X).shape
        (178, 4)
        """
        with unchanged_by_failure(self):
            weighing = self._check_parameters()
            statistics = getattr(self, "_statistics", SelectionStatistics())
            first = not statistics.n_samples
            X, target, weight = self._check_chunk(
                X, y, sample_weight, signed=weighing.signed, first=first, classes=classes
            )
            # What another object has, the chunk is not added to.
            self._statistics: SelectionStatistics = copy(statistics).update(X, target, weight)
            if not weighing.signed:
                return self._store_means(self._statistics.select(self.k, tol=self.tol))
            return self._select(self._statistics._standardized(_NONE_VARIES), weighing)

    def transform(self, X: Any) -> Any:
        """
        Keep the picked columns.

        The columns stay in the order of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, or predictions of models.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_selected)
            The columns that were picked at least once.

        Raises
        ------
        ValueError
            When X holds masked values, or another number of columns than in the fit.

        See Also
        --------
        fit : Select the columns.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import GreedyForwardSelector
        >>> X = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
        >>> GreedyForwardSelector(k=1).fit(X, [1.0, 2.0, 3.0]).transform(X).ravel().tolist()
        [1.0, 2.0, 3.0]
        """
        check_plain(X=X)
        return super().transform(X)

    def _check_parameters(self) -> Weighing:
        """Validate parameters; return how picks are weighed: columns that may be turned around are standardised."""
        check_stopping(self.k, self.tol)
        weighing = check_weights(self.corrective, self.ridge, self.hull, self.radius, default_hull="l1")
        if not weighing.signed and self.keep is not None:
            raise ValueError(f"keep={self.keep!r} needs hull='l1'; with hull='convex' it must be None")
        check_target_type(self.target_type)
        return weighing

    def _check_chunk(
        self, X: Any, y: Any, sample_weight: Any, *, signed: bool, first: bool, classes: Any = None
    ) -> tuple[Any, Float64Array, Float64Array | None]:
        """Validate data; return X, the targets as floats, and the weights."""
        asked = y
        check_plain(X=X, y=y)
        check_one_kind(y=y)
        X, y = validate_data(
            self, X, y, reset=first, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], multi_output=True
        )
        weight = check_weight(sample_weight, X.shape[0])
        if first and signed and X.shape[0] == 1:
            raise ValueError("X has n_samples = 1; hull='l1' needs at least two samples")
        if first:
            self.__dict__.pop("classes_", None)
            # As it was passed: validation makes floats of nullable integers and booleans.
            if classes is not None or check_target_type(self.target_type)(asked):
                self.classes_ = classes_of(y, classes)
        elif classes is not None and not np.array_equal(getattr(self, "classes_", []), labels_of(classes)):
            raise ValueError(f"classes={classes!r} is not the same as in the first call to partial_fit")
        self._asked_for()
        target = target_of(y, getattr(self, "classes_", None), averaged=not signed)
        return X, target, weight

    def _asked_for(self) -> tuple[NDArray[np.int64], int | None]:
        """Columns to keep in any case, and how many in all; None where that is left to the picks."""
        keep = check_keep(self.keep, self.n_features_in_, getattr(self, "feature_names_in_", None))
        return keep, check_n_features(self.n_features_to_select, self.n_features_in_, n_kept=len(keep))

    def _select(self, columns: StandardizedColumns, weighing: Weighing) -> GreedyForwardSelector:
        """Select among standardised columns."""
        keep, wanted = self._asked_for()
        k, tol = check_stopping(self.k, self.tol)
        if weighing.corrective:
            chosen = correct_columns(columns, k, tol, ridge=weighing.ridge, keep=keep, wanted=wanted)
        else:
            chosen = select_columns(columns, k, tol, radius=weighing.radius, keep=keep, wanted=wanted)
        return self._store(chosen)

    def _store_means(self, path: GreedyPath) -> GreedyForwardSelector:
        """Keep the columns of a selection in the convex hull; warn if they are fewer than asked for."""
        wanted = self._asked_for()[1]
        chosen = average_columns(path, wanted)
        n_kept = int(chosen.support.sum())
        if wanted is not None and n_kept < wanted:
            warn_caller(
                f"{n_kept} columns are kept, fewer than n_features_to_select, {wanted}: the k={self.k} picks have no "
                "other columns. Raise k",
                ConvergenceWarning,
            )
        return self._store(chosen)

    def _store(self, chosen: Chosen) -> GreedyForwardSelector:
        path, coef = chosen.path, chosen.coef
        self.selection_path_ = path.picks
        self.selection_counts_ = path.counts
        self.selection_losses_ = path.losses
        self.duality_gaps_ = path.gaps
        self.coef_ = np.ascontiguousarray(coef.T)
        self.intercept_ = chosen.intercept if coef.ndim == 2 else float(np.ravel(chosen.intercept)[0])
        self.radius_ = path.radius
        self.support_ = chosen.support
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
