"""The ensemble of regressors; what it shares with that of classifiers is in ``_base``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import column_or_1d

from sklearn_gfs._compat import StrOptions
from sklearn_gfs._typing import Float64Array

from ._base import BaseGreedyEnsemble, Targets


class GreedyEnsembleRegressor(RegressorMixin, BaseGreedyEnsemble):
    """
    A weighted mean of a few of many regressors, chosen by greedy forward selection.

    This is ensemble selection [1]_. The models are fitted on folds, and their predictions for the samples left out are
    compared with the targets. Models are picked one by one, with repeats, so that the mean of the picks is best. Only
    picked models are fitted on all the data, kept, and asked for predictions.

    Parameters
    ----------
    estimators : list of (str, estimator)
        The library of models, each with a name. ``"drop"`` in place of a model leaves it out.
    k : int, default=50
        Number of picks. At most `k` models are chosen.
    loss : {"squared_error"}, default="squared_error"
        What each pick minimises: half the squared distance, summed over the targets.
    scoring : str or callable, default=None
        A score that each pick maximises instead. Of models with the same score the model of the least `loss` is picked.
        With weights of the samples the score must take ``sample_weight``.
    cv : int, cross-validation generator, iterable or "prefit", default=None
        How samples are left out, as for :func:`~sklearn.model_selection.cross_val_predict`. Samples that no split
        leaves out, as with a single split, take no part in the selection. Predictions of repeated splits are averaged.
        With "prefit" the models are already fitted, and `fit` selects by their predictions on its data, which should be
        new to them.
    n_bags : int, default=1
        Number of selections, each from a random part of the library. Their weights are averaged (bagging, [1]_).
    bag_fraction : float, default=0.5
        Share of the models in each part, if `n_bags` is above 1.
    n_init : int, default=1
        Number of first picks that are taken without a search: the models that are best alone ([1]_).
    replace : bool, default=True
        Whether a model can be picked again. If not, all chosen models have the same weight.
    corrective : bool, default=False
        Whether the weights are solved for again after every pick. Each model is then picked at most once. Weights are
        any numbers, also negative ones, that minimise the squared error with a penalty on their squares. Generalised
        cross-validation decides on the number of models and the penalty. Needs ``loss="squared_error"``.
    calibrate : bool, default=True
        Whether predictions get a least squares line. Each model gets one before the selection, fitted on the samples
        left out. The mean of the chosen models gets another one. The predictions of a forest, for instance, are too
        near to the mean.
    n_jobs : int, default=None
        Number of fits that run at the same time. None means 1, except in a :func:`joblib.parallel_config` context.
    verbose : int, default=0
        Verbosity of joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of the parts of the library that the bags get.

    Attributes
    ----------
    estimators_ : list of estimators
        The chosen models, fitted on all the data, in the order of `estimators`.
    named_estimators_ : :class:`~sklearn.utils.Bunch`
        The chosen models by name.
    weights_ : ndarray of shape (n_estimators,)
        Weight of each of `estimators`, zero for models that are not chosen or are left out. The weights add up to one,
        except with ``corrective=True``.
    selection_path_ : ndarray of shape (n_picks,) or (n_bags, n_picks)
        Position in `estimators` of every pick, in order. With several bags there is a row for each bag.
    selection_losses_ : ndarray of shape (n_picks,) or (n_bags, n_picks)
        The `loss` of the mean after every pick.
    selection_scores_ : ndarray of shape (n_picks,) or (n_bags, n_picks)
        The score of the mean after every pick. Only with `scoring`.
    duality_gaps_ : ndarray of shape (n_picks,) or (n_bags, n_picks)
        Upper bound, after every pick, on the loss minus the least loss of any weights that are shares: not negative,
        and of sum one. With several bags the bound of a row holds for the models of its own bag only: weights of other
        models may have a lower loss. With ``corrective=True`` weights may be negative, and the penalty is part of both
        losses.
    n_picks_ : int or ndarray of shape (n_bags,)
        Number of picks that count: those up to the best score or the least loss. With ``corrective=True`` the number at
        which generalised cross-validation is least.
    calibrations_ : list
        For each chosen model an object with a ``slope`` and an ``intercept`` for each target. A call of it turns
        predictions into calibrated ones. With ``calibrate=False`` all are None.
    calibration_ : object or None
        The same for the mean. The losses, scores and gaps are those of the mean before this calibration.
    stack_method_ : list of str
        Method that gives the outputs of each chosen model, "predict".
    n_outputs_ : int
        Number of targets.
    n_features_in_ : int
        Number of features, if the chosen models say it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the chosen models have seen any.

    See Also
    --------
    GreedyEnsembleClassifier : The same for classes.
    greedy_forward_selection : The selection alone, from arrays.
    prune_forest : A smaller forest.
    sklearn.ensemble.StackingRegressor : Combines all models, by another model.
    sklearn.ensemble.VotingRegressor : Combines all models, with weights that are given.

    Notes
    -----
    With the defaults the selection is the exact one of ``greedy_forward_selection``. All other selections (`scoring`,
    `n_init`, ``replace=False``) are a plain greedy search. "neg_mean_absolute_error" has a fast way of its own. For any
    other score its scorer is called for every model and pick. Nothing is rounded. Scores and losses that differ by less
    than 1e-12 of their size are ties. Of these a model that was already picked comes first, and then the one with the
    lowest index.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    .. [2] Caruana, Munson and Niculescu-Mizil, "Getting the most out of ensemble selection", ICDM 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from sklearn_gfs import GreedyEnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = [
    ...     ("forest", RandomForestRegressor(30, random_state=0)),
    ...     ("line", LinearRegression()),
    ...     ("tree", DecisionTreeRegressor(random_state=0)),
    ... ]
    >>> ensemble = GreedyEnsembleRegressor(models, k=10).fit(X, y)
    >>> list(ensemble.named_estimators_)
    ['forest', 'line']
    """

    _constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseGreedyEnsemble._constraints,
        "loss": [StrOptions({"squared_error"})],
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        k: int = 50,
        *,
        loss: str = "squared_error",
        scoring: Any = None,
        cv: Any = None,
        n_bags: int = 1,
        bag_fraction: float = 0.5,
        n_init: int = 1,
        replace: bool = True,
        corrective: bool = False,
        calibrate: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(estimators=estimators)
        self.k = k
        self.loss = loss
        self.scoring = scoring
        self.cv = cv
        self.n_bags = n_bags
        self.bag_fraction = bag_fraction
        self.n_init = n_init
        self.replace = replace
        self.corrective = corrective
        self.calibrate = calibrate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def _encode(self, y: Any, weight: Any, models: list[Any]) -> Targets:  # noqa: ARG002
        numbers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if numbers.ndim == 2 and numbers.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return Targets(y, numbers.reshape(len(numbers), -1), None)

    def _method(self, name: str, estimator: Any) -> str:  # noqa: ARG002
        return "predict"

    def predict(self, X: Any) -> Float64Array:
        """
        Return the weighted mean of the chosen models' predictions, calibrated where ``calibrate=True``.

        Only the chosen models predict.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.

        See Also
        --------
        transform : The predictions of each chosen model.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> GreedyEnsembleRegressor([("line", LinearRegression())]).fit(X, y).predict(X[:1]).shape
        (1,)
        """
        mean = self._mean(X)
        return mean[:, 0] if self.n_outputs_ == 1 else mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        models = [estimator for _, estimator in self.estimators if estimator != "drop"]
        tags.target_tags.multi_output = all(get_tags(model).target_tags.multi_output for model in models)
        return tags
