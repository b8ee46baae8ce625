"""The ensemble of classifiers; what it shares with that of regressors is in ``_base``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sklearn_gfs._compat import StrOptions
from sklearn_gfs._typing import Float64Array

from ._base import BaseGreedyEnsemble, Targets
from ._outputs import METHODS, method_of


class GreedyEnsembleClassifier(ClassifierMixin, BaseGreedyEnsemble):
    """
    A weighted mean of a few of many classifiers, chosen by greedy forward selection.

    This is ensemble selection [1]_. The models are fitted on folds, and their probabilities for the samples left out
    are compared with the labels. Models are picked one by one, with repeats, so that the mean of the picks is best.
    Only picked models are fitted on all the data, kept, and asked for predictions.

    Parameters
    ----------
    estimators : list of (str, estimator)
        The library of models, each with a name. ``"drop"`` in place of a model leaves it out.
    k : int, default=50
        Number of picks. At most `k` models are chosen.
    loss : {"log_loss", "squared_error"}, default="log_loss"
        What each pick minimises. "log_loss" is the negative log-likelihood. "squared_error" is half the squared
        distance between the probabilities and one indicator for each class (half the Brier score).
    scoring : str or callable, default=None
        A score that each pick maximises instead. Of models with the same score, as often happens with the accuracy, the
        model of the least `loss` is picked. With weights of the samples the score must take ``sample_weight``.
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
        cross-validation decides on the number of models and the penalty. Needs ``loss="squared_error"``. Probabilities
        below zero become zero.
    calibrate : bool, default=True
        Whether probabilities get a temperature ([3]_). Each model gets one before the selection, fitted on the samples
        left out. The mean of the chosen models gets another one. Probabilities are raised to the power of one over the
        temperature: a model that is too certain becomes less certain, and a mean of forests more certain. The most
        probable class stays the same.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        Method of the models that gives their outputs. "auto" is the first of these methods that a model has. Outputs
        that are no probabilities are turned into probabilities by a logistic regression on the samples left out.
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
        For each chosen model an object with its ``temperature``. A call of the object turns probabilities into
        calibrated ones. With ``calibrate=False`` all are None.
    calibration_ : object or None
        The same for the mean. The losses, scores and gaps are those of the mean before this calibration.
    stack_method_ : list of str
        Method that gives the outputs of each chosen model.
    classes_ : ndarray of shape (n_classes,)
        The labels. With ``cv="prefit"`` those of the models.
    n_outputs_ : int
        Number of targets, 1.
    n_features_in_ : int
        Number of features, if the chosen models say it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the chosen models have seen any.

    See Also
    --------
    GreedyEnsembleRegressor : The same for continuous targets.
    greedy_forward_selection : The selection alone, from arrays.
    prune_forest : A smaller forest.
    sklearn.ensemble.StackingClassifier : Combines all models, by another model.
    sklearn.ensemble.VotingClassifier : Combines all models, with weights that are given.

    Notes
    -----
    With the defaults the selection is the exact one of ``greedy_forward_selection``. All other selections (`scoring`,
    `n_init`, ``replace=False``) are a plain greedy search. "accuracy", "balanced_accuracy" and, for two classes,
    "roc_auc" have fast ways of their own. For any other score its scorer is called for every model and pick. Nothing is
    rounded. Scores and losses that differ by less than 1e-12 of their size are ties. Of these a model that was already
    picked comes first, and then the one with the lowest index.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    .. [2] Caruana, Munson and Niculescu-Mizil, "Getting the most out of ensemble selection", ICDM 2006.
    .. [3] Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_gfs import GreedyEnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [
    ...     ("bayes", GaussianNB()),
    ...     ("line", LogisticRegression(max_iter=1000)),
    ...     ("neighbors", KNeighborsClassifier(10)),
    ... ]
    >>> ensemble = GreedyEnsembleClassifier(models, k=10).fit(X, y)
    >>> list(ensemble.named_estimators_)
    ['line', 'neighbors']
    >>> ensemble.predict_proba(X[:1]).shape
    (1, 3)
    """

    _constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseGreedyEnsemble._constraints,
        "loss": [StrOptions({"log_loss", "squared_error"})],
        "stack_method": [StrOptions({"auto", *METHODS})],
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        k: int = 50,
        *,
        loss: str = "log_loss",
        scoring: Any = None,
        cv: Any = None,
        n_bags: int = 1,
        bag_fraction: float = 0.5,
        n_init: int = 1,
        replace: bool = True,
        corrective: bool = False,
        calibrate: bool = True,
        stack_method: str = "auto",
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
        self.stack_method = stack_method
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def _encode(self, y: Any, weight: Any, models: list[Any]) -> Targets:
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            raise ValueError(
                f"y has shape {np.shape(y)}; it must hold one label a sample, as argmax(axis=1) of indicators"
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        counted = np.unique(y if weight is None else y[weight > 0])
        if len(counted) < 2:
            found = f"{len(counted)} class{'es' * (len(counted) != 1)}"
            raise ValueError(f"y has {len(y)} samples of {found}; at least two classes are needed")
        classes = np.unique(y)
        labels = set(classes.tolist())
        for model in models:
            known = np.asarray(model.classes_).tolist()
            if labels.isdisjoint(known):
                raise ValueError(f"{type(model).__name__} has the classes {known}, of which y holds none")
            classes = np.union1d(classes, model.classes_)
        return Targets(y, np.searchsorted(classes, y), classes)

    def _method(self, name: str, estimator: Any) -> str:
        return method_of(name, estimator, self.stack_method)

    def predict_proba(self, X: Any) -> Float64Array:
        """
        Return the weighted mean of the chosen models' probabilities, calibrated where ``calibrate=True``.

        Only the chosen models predict.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.

        See Also
        --------
        predict : The most probable label.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from sklearn_gfs import GreedyEnsembleClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> GreedyEnsembleClassifier([("bayes", GaussianNB())]).fit(X, y).predict_proba(X).shape
        (150, 3)
        """
        return self._mean(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """
        Return the most probable label.

        The label of the largest column of ``predict_proba``; of equal columns the first.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.

        See Also
        --------
        predict_proba : Probabilities of all labels.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from sklearn_gfs import GreedyEnsembleClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> GreedyEnsembleClassifier([("bayes", GaussianNB())]).fit(X, y).predict(X[:2]).tolist()
        [0, 0]
        """
        most = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[most])
