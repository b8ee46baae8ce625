"""
The transformer that keeps the columns greedy forward selection picks.

Here belong what a column and a target mean to scikit-learn: validation, encoding of labels, standardisation,
masks. The selection itself is ``_greedy``'s, its sums over chunks are ``_statistics``'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import label_binarize
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_is_fitted, validate_data

from ._checks import check_hull, check_stopping, check_weight
from ._compat import type_of_target
from ._gram import ArrayAtoms
from ._gram_standardized import StandardizedAtoms, StandardizedSparseAtoms
from ._greedy import greedy_forward_selection
from ._plain import check_plain
from ._squared_error import SquaredErrorSearch
from ._statistics import SelectionStatistics, deviations, spread, varies
from ._typing import Float64Array, GreedyPath


class GreedyForwardSelector(SelectorMixin, BaseEstimator):
    """
    Keep the columns that greedy forward selection with replacement picks.

    With ``hull="l1"`` columns are standardised and may enter with either sign, as in the lasso: after k picks
    y is approximated by a combination whose coefficients' absolute values add up to at most ``radius``. With
    ``hull="convex"`` the plain mean of the picked columns approximates y, as when the columns are predictions
    of models and an ensemble of some of them is wanted.

    Parameters
    ----------
    k : int, default=50
        Number of picks. A column can be picked more than once, so at most k columns are kept.
    hull : {"l1", "convex"}, default="l1"
        What the picks are combined to: a point of the l1 ball of the standardised columns (with several targets,
        the ball of the group lasso), or the mean of the columns as they are.
    radius : float or "auto", default="auto"
        Radius of the l1 ball, in the units of y. With "auto" the sum of the absolute coefficients that matching
        pursuit reaches by the time another step explains less than a hundredth of what is explained.
    tol : float, default=None
        Stop before k picks once the duality gap is at most this, in the units of y squared.
    target_type : {"auto", "continuous", "multiclass"}, default="auto"
        Whether y holds numbers or the labels of two or more classes. With "auto" floats are numbers, and anything
        else is labels.

    Attributes
    ----------
    selection_path_ : ndarray of shape (n_picks,)
        Index of the column of every pick, in order.
    selection_counts_ : ndarray of shape (n_features_in_,)
        How often each column was picked.
    selection_losses_ : ndarray of shape (n_picks,)
        Half the mean squared error after every pick, summed over the targets.
    duality_gaps_ : ndarray of shape (n_picks,)
        Upper bound, after every pick, on the loss less the least loss over the hull.
    coef_ : ndarray of shape (n_features_in_,) or (n_features_in_, n_targets)
        Coefficients of the columns of X in the approximation of y.
    intercept_ : float or ndarray of shape (n_targets,)
        Its constant term.
    radius_ : float
        The radius used; 1 for the convex hull.
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
    """

    def __init__(
        self,
        k: int = 50,
        *,
        hull: str = "l1",
        radius: float | str = "auto",
        tol: float | None = None,
        target_type: str = "auto",
    ) -> None:
        self.k = k
        self.hull = hull
        self.radius = radius
        self.tol = tol
        self.target_type = target_type

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GreedyForwardSelector:
        """
        Select columns of X.

        Whatever an earlier ``fit`` or ``partial_fit`` has seen is forgotten.

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
            When a parameter, `X`, `y` or `sample_weight` is not as described, `y` holds one class only, or no column
            varies with `hull="l1"`.
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
        for name in ("_statistics", "classes_"):
            self.__dict__.pop(name, None)
        self._check_parameters()
        X, y, weight = self._check_chunk(X, y, sample_weight, reset=True)
        if self._holds_labels(y):
            check_classification_targets(y)
            self.classes_ = np.unique(y)
        target = self._encode(y)
        _, length = check_hull(self.hull, self.radius, n_targets=target.shape[1])
        if self.hull == "convex":
            path = greedy_forward_selection(X, target, self.k, sample_weight=weight, tol=self.tol)
            return self._store(path, None)
        mean, scale = _mean_and_scale(X, weight)
        atoms = self._varying(mean, scale, X.dtype)
        mean_y = np.average(target, axis=0, weights=weight)
        source = _standardized(X, target - mean_y, weight, (mean, scale), atoms)
        k, tol = check_stopping(self.k, self.tol)
        path = SquaredErrorSearch(source, k, signed=True, radius=length, tol=tol).run()
        return self._store(spread(path, atoms, X.shape[1]), (mean, scale, mean_y))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None) -> GreedyForwardSelector:
        """
        Add a chunk of samples and select on all seen so far.

        The picks are those of one ``fit`` on all the chunks together. It keeps n_features_in_ squared numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, or predictions of models.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All the labels there are; by default those of the first chunk.

        Returns
        -------
        GreedyForwardSelector
            The fitted selector.

        Raises
        ------
        ValueError
            As `fit`; also when `y` holds other classes, or `X` another number of columns, than at the first call.
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
        self._check_parameters()
        first = not hasattr(self, "_statistics")
        X, y, weight = self._check_chunk(X, y, sample_weight, reset=first)
        if first:
            self.__dict__.pop("classes_", None)
            if classes is not None or self._holds_labels(y):
                self.classes_ = np.unique(y if classes is None else classes)
        elif classes is not None and not np.array_equal(getattr(self, "classes_", []), np.unique(classes)):
            raise ValueError(f"classes={classes!r} is not the same as in the first call to partial_fit")
        target = self._encode(y)
        check_hull(self.hull, self.radius, n_targets=target.shape[1])
        if first:
            self._statistics: SelectionStatistics = SelectionStatistics()
        self._statistics.update(X, target, weight)
        standardize = self.hull == "l1"
        scale = deviations(self._statistics)
        if standardize:
            self._varying(self._statistics.mean_atoms, scale, np.float64)
        path = self._statistics.select(
            self.k, hull=self.hull, radius=self.radius, tol=self.tol, standardize=standardize
        )
        units = (self._statistics.mean_atoms, scale, self._statistics.mean_y) if standardize else None
        return self._store(path, units)

    def transform(self, X: Any) -> Any:
        """
        Keep the picked columns.

        Their order stays that of X.

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
            When X holds masked values, or another number of columns than at the fit.

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

    def _check_parameters(self) -> None:
        check_stopping(self.k, self.tol)
        check_hull(self.hull, self.radius, n_targets=1)
        if self.target_type not in ("auto", "continuous", "multiclass"):
            raise ValueError(
                f"target_type={self.target_type!r} is not known; it must be 'auto', 'continuous' or 'multiclass'"
            )

    def _check_chunk(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, NDArray[Any], Float64Array | None]:
        check_plain(X=X, y=y)
        X, y = validate_data(
            self, X, y, reset=reset, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], multi_output=True
        )
        return X, y, check_weight(sample_weight, X.shape[0])

    def _holds_labels(self, y: NDArray[Any]) -> bool:
        if self.target_type == "auto":
            return y.dtype.kind != "f" and type_of_target(y) in ("binary", "multiclass")
        return self.target_type == "multiclass"

    def _encode(self, y: NDArray[Any]) -> Float64Array:
        """Targets as numbers, (n_samples, n_targets): one indicator a class, two classes need one."""
        if not hasattr(self, "classes_"):
            return y.reshape(len(y), -1).astype(np.float64)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds labels {unknown.tolist()} that are not among the classes {self.classes_.tolist()}; the first "
                "call to partial_fit must have them all, in y or in classes"
            )
        if len(self.classes_) == 1:
            raise ValueError(f"y holds one class, {self.classes_.tolist()[0]!r}; at least two are needed")
        return label_binarize(y, classes=self.classes_).astype(np.float64)

    @staticmethod
    def _varying(mean: Float64Array, scale: Float64Array, dtype: Any) -> NDArray[np.int64]:
        atoms = np.flatnonzero(varies(mean, scale, dtype))
        if not len(atoms):
            raise ValueError("no column of X varies over the samples; with hull='l1' at least one must")
        return atoms

    def _store(
        self, path: GreedyPath, units: tuple[Float64Array, Float64Array, Float64Array] | None
    ) -> GreedyForwardSelector:
        """Keep the path; ``units`` are means and scales of the columns and means of the targets."""
        self.selection_path_ = path.picks
        self.selection_counts_ = path.counts
        self.selection_losses_ = path.losses
        self.duality_gaps_ = path.gaps
        coef, intercept = path.weights, np.zeros(1)
        if units is not None:
            mean, scale, mean_y = units
            coef = np.zeros_like(path.weights)
            picked = path.counts > 0
            coef[picked] = (path.weights[picked].T / scale[picked]).T
            intercept = mean_y - mean[picked] @ coef[picked]
        self.coef_ = coef
        self.intercept_ = intercept if coef.ndim == 2 else float(np.ravel(intercept)[0])
        self.radius_ = path.radius
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.selection_counts_ > 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags


def _mean_and_scale(X: Any, weight: Float64Array | None) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation of every column in float64, the second pass about the first's means."""
    if sparse.issparse(X):
        mean, variance = mean_variance_axis(X.astype(np.float64), axis=0, weights=weight)
        return mean, np.sqrt(variance)
    weight = np.ones(X.shape[0]) if weight is None else weight
    total = weight.sum()
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    blocks = list(gen_batches(X.shape[0], max(2**20 // X.shape[1], 1)))
    for rows in blocks:
        mean += weight[rows] @ X[rows].astype(np.float64) / total
    for rows in blocks:
        variance += weight[rows] @ (X[rows] - mean) ** 2 / total
    return mean, np.sqrt(variance)


def _standardized(
    X: Any,
    y: Float64Array,
    weight: Float64Array | None,
    units: tuple[Float64Array, Float64Array],
    atoms: NDArray[np.int64],
) -> ArrayAtoms:
    """The columns that vary, standardised once where a copy fits in the working memory, else whenever read."""
    mean, scale = units
    if len(atoms) < X.shape[1]:
        X, mean, scale = X[:, atoms], mean[atoms], scale[atoms]
    if sparse.issparse(X):
        return StandardizedSparseAtoms(X, y, weight, mean=mean, scale=scale)
    if X.nbytes > get_config()["working_memory"] * 2**20:
        return StandardizedAtoms(X, y, weight, mean=mean, scale=scale)
    standardized = np.empty(X.shape, dtype=X.dtype)
    for rows in gen_batches(X.shape[0], max(2**20 // X.shape[1], 1)):
        standardized[rows] = (X[rows] - mean) / scale
    return ArrayAtoms(standardized, y, weight)
