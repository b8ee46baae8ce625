"""
What the estimators of classes share: their parameters, `partial_fit`, and probabilities.

The estimator that infers its task from its targets is one of them. What all estimators share is in ``_base``, encoding
and decoding of targets in ``_targets``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from sklearn.utils.metaestimators import available_if

from sklearn_gfs._compat import StrOptions, with_callbacks
from sklearn_gfs._typing import FloatArray
from sklearn_gfs.network import LOSSES

from ._base import BaseGreedyPrunedMLP
from ._class_weight import ClassFactors
from ._links import LINKS
from ._targets import fitted_on_numbers, has_several_labels, log_probabilities, probabilities


def _on_classes(estimator: Any) -> bool:
    """
    Return True unless the estimator is fitted on continuous targets; then raise an error that says so.

    An estimator that is not fitted passes: meta-estimators look for methods of an estimator before they fit it.
    """
    if fitted_on_numbers(estimator):
        raise AttributeError(f"{type(estimator).__name__} was fitted on numbers; fitted on classes it has this method.")
    return True


def _on_classes_by_log_loss(estimator: Any) -> bool:
    _on_classes(estimator)
    if hasattr(estimator, "out_activation_"):
        if LINKS[estimator.out_activation_].gives_probabilities:
            return True
        raise AttributeError("The method needs loss='log_loss' in the fit. See predict_proba.")
    loss = LOSSES.get(estimator.loss)
    if estimator.loss == "auto" or (loss is not None and loss.gives_logits):
        return True
    raise AttributeError(f"The method needs loss='log_loss'; here it is {estimator.loss!r}. See predict_proba.")


class BaseClassifyingMLP(BaseGreedyPrunedMLP):
    """Base of the estimators that can be fitted on classes."""

    _constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseGreedyPrunedMLP._constraints,
        "loss": [StrOptions(LOSSES.keys()), StrOptions({"auto"})],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        n_pretrain: int | str = "auto",
        k: int = 50,
        *,
        n_hidden: int = 1000,
        n_retrain: int | str = "auto",
        retrain_solver: str = "auto",
        loss: str = "auto",
        activation: str = "auto",
        solver: str = "adam",
        learning_rate_init: float | None = None,
        momentum: float = 0.9,
        batch_size: int | None = 128,
        alpha: float | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float | str = "auto",
        class_weight: dict[Any, float] | list[dict[Any, float]] | str | None = None,
        selection_samples: int | str | None = "auto",
        corrective: bool | str = False,
        max_time: float | None = None,
        verbose: bool = False,
        warm_start: bool = False,
        device: str = "cpu",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_pretrain,
            k,
            n_hidden=n_hidden,
            n_retrain=n_retrain,
            retrain_solver=retrain_solver,
            activation=activation,
            solver=solver,
            learning_rate_init=learning_rate_init,
            momentum=momentum,
            batch_size=batch_size,
            alpha=alpha,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            selection_samples=selection_samples,
            corrective=corrective,
            max_time=max_time,
            verbose=verbose,
            warm_start=warm_start,
            device=device,
            random_state=random_state,
        )
        self.loss = loss
        self.class_weight = class_weight

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """
        Train the dense network on more samples, prune it, and re-train the subnetwork.

        Each call trains the dense network for `n_pretrain` further iterations on its samples. With "auto" it trains as
        long as that helps a subnetwork selected from these samples. The subnetwork is then selected and re-trained on
        them. The dense network is kept for the next call. Features and targets are standardised by all samples so far.
        Where their scales have changed, the dense network is adapted. After a `fit` with `warm_start=True` the calls
        continue with its dense network. After any other `fit` they begin with a new one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        classes : array-like of shape (n_classes,), default=None
            All labels that `y` will ever hold. The first call needs them, unless `y` is multilabel or continuous. After
            a `fit` that has kept no dense network they may be others than before.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative. Only their ratios within one call matter: samples that all have the
            weight 3 count as samples without weights do.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`. Also if the classes are not those that the dense network was trained on, or are no labels of one
            kind.
        TypeError
            If `classes` is neither a list nor an array.
        KeyboardInterrupt
            As `fit`.

        See Also
        --------
        fit : Train on all samples at once.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = GreedyPrunedMLPClassifier(n_pretrain=20, k=20, n_hidden=100, n_retrain=20, random_state=0)
        >>> for part in range(3):
        ...     clf = clf.partial_fit(X[part::3], y[part::3], classes=range(10))
        >>> clf.n_pretrain_
        60
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def _class_factors(self, targets: FloatArray, weight: FloatArray | None, *, partial: bool) -> ClassFactors | None:
        if self.class_weight is None:
            return None
        several = has_several_labels(self)
        return ClassFactors(self.class_weight, targets, weight, classes=self.classes_, several=several, partial=partial)

    @available_if(_on_classes)
    def predict_proba(self, X: Any) -> FloatArray:
        """
        Predict probabilities of the classes.

        With the log loss the probabilities are the softmax of the outputs. With the squared error they are the point of
        the probability simplex that is nearest to the outputs. Multilabel targets have one probability for each label:
        the logistic function of its output, or its output clipped to (0, 1). :class:`GreedyPrunedMLP` has this method
        until it is fitted on continuous targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            As `predict`.

        See Also
        --------
        predict : The most probable class.
        predict_log_proba : The logarithms.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier
        >>> clf = GreedyPrunedMLPClassifier(5, 3, n_hidden=9, random_state=0).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
        >>> clf.predict_proba([[0], [3]]).shape
        (2, 2)
        """
        return probabilities(self, self._outputs(X))

    @available_if(_on_classes)
    def predict_log_proba(self, X: Any) -> FloatArray:
        """
        Predict logarithms of the probabilities of the classes.

        With the squared error some probabilities are zero. Their logarithms are minus infinity, without a warning. With
        the log loss all logarithms are finite, even where a probability is too small to be told from zero.
        :class:`GreedyPrunedMLP` has this method until it is fitted on continuous targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            As `predict`.

        See Also
        --------
        predict_proba : The probabilities.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier
        >>> clf = GreedyPrunedMLPClassifier(5, 3, n_hidden=9, random_state=0).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
        >>> clf.predict_log_proba([[0], [3]]).shape
        (2, 2)
        """
        return log_probabilities(self, self._outputs(X))

    @available_if(_on_classes_by_log_loss)
    def decision_function(self, X: Any) -> FloatArray:
        """
        Return the logits of the classes.

        The method exists with `loss="log_loss"` only. With the squared error the outputs are estimates of
        probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes the logit of the second.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            As `predict`.

        See Also
        --------
        predict_proba : The probabilities.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier
        >>> clf = GreedyPrunedMLPClassifier(5, 3, loss="log_loss", n_hidden=9, random_state=0)
        >>> clf.fit([[0], [1], [2], [3]], [0, 0, 1, 1]).decision_function([[0], [3]]).shape
        (2,)
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
