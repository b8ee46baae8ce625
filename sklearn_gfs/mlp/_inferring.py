"""
The public estimator that infers from its targets whether to fit classes or numbers.

Fits and predictions are in ``_base`` and ``_classifying``, encoding and decoding of targets in ``_targets``.
"""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._naming import names_its_methods
from sklearn_gfs._target_kind import doubt_about, holds_numbers
from sklearn_gfs._typing import FloatArray
from sklearn_gfs._warn import warn_caller

from ._classifying import BaseClassifyingMLP
from ._targets import encode_classes, encode_numbers, fitted_on_numbers


@names_its_methods
class GreedyPrunedMLP(BaseClassifyingMLP):
    r"""
    Small network for classes or numbers: pre-trained wide, pruned, and re-trained.

    A dense network of `n_hidden` neurons is pre-trained, pruned by greedy forward selection to `k` picks [2]_, and what
    is left is re-trained [1]_. Features and numeric targets are standardised inside, so they may come in any units.
    Whether `y` holds classes or numbers is inferred from it; see the notes.

    Parameters
    ----------
    n_pretrain : int or "auto", default="auto"
        Pre-training iterations, in gradient updates. 0 prunes the network at its initialisation. "auto" selects a
        subnetwork after 20, 80 and 320 iterations and keeps the last that was worth it: its loss (before re-training,
        on held-out samples where there are some) has to fall by 3 % for every 100 iterations.
    k : int, default=50
        Picks of the selection. The subnetwork has at most `k` distinct neurons; a neuron that was picked several
        times counts as often in the mean.
    n_hidden : int, default=1000
        Neurons of the dense network.
    n_retrain : int or "auto", default="auto"
        Re-training iterations, with `early_stopping` at most as many: steps on all samples of the solvers "lm" and
        "lbfgs", gradient updates of the others. 0 stops after pruning. "auto" means 80 steps of "lm", 500 of "lbfgs",
        and else 12 000 updates, or ten passes over the samples where that is more.
    retrain_solver : {"auto", "lm", "lbfgs", "adam", "sgd"}, default="auto"
        How the subnetwork is re-trained. "lm" is the method of Levenberg and Marquardt, for the log loss with the
        generalised Gauss-Newton matrix; "lbfgs" is L-BFGS. Neither raises the penalised loss. "adam" and "sgd" are
        those of `solver`; the weights that result are moving averages over about the last hundred updates. "auto"
        takes `solver` where `n_retrain` is a number. Else it takes "lm" for targets that are numbers, and for the log
        loss of one output, if the parameters, or samples times outputs, are at most 1500 and a pass over the samples
        takes at most 2e9 operations.
    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        Loss of pre-training, selection and re-training. "log_loss" is the negative log-likelihood of the softmax of
        the outputs, which are its probabilities; of each output's logistic function, added up, where `y` is
        multilabel. Each of its picks is the best of the 16 neurons along which the loss falls steepest. The first ten
        picks of a single output are the best of all neurons. "squared_error" is half the squared error against
        one-hot targets; each of its picks is the best of all neurons. "auto" is "log_loss" for classes. For numbers it
        is "squared_error", the only one they have.
    activation : {"auto", "identity", "logistic", "relu", "tanh"}, default="auto"
        Activation of the hidden neurons. "auto" is "relu" for classes and "tanh" for numbers.
    solver : {"adam", "sgd"}, default="adam"
        "adam" is Adam with its usual decay rates. "sgd" is gradient descent with heavy-ball `momentum`, each step no
        longer than twice the loss over the squared norm of the gradient: a step that is too long costs less.
    learning_rate_init : float, default=None
        Step size of gradient updates, in units of the standardised problem. None means 0.01 for "adam", and for "sgd"
        1 - `momentum` over the largest curvature of the loss, measured on the first batch.
    momentum : float, default=0.9
        Momentum of "sgd", at least 0 and below 1.
    batch_size : int, default=128
        Samples in a gradient update. None means all of them: plain gradient descent, as in the theory.
    alpha : float or "auto", default="auto"
        L2 penalty: half of it times the weighted mean over neurons of their squared weights is added to the loss.
        "auto" is 0.001 in pre-training, and one over the number of samples in re-training. For the log loss the larger
        of the two serves in pre-training, for the squared error the smaller in re-training. In re-training by "lm" it
        stands for penalties of each feature's, and of the output weights, that make the data most probable [3]_.
    early_stopping : bool, default=True
        Whether held-out samples decide for how many iterations the subnetwork is re-trained, at most `n_retrain`.
        Pre-training leaves these samples out, and a trial subnetwork is re-trained without them. The trial ends when
        their loss has not fallen 1 % below its lowest value for 500 gradient updates, 8 steps of "lm" or 50 of "lbfgs".
        By gradient updates the final subnetwork is selected and re-trained on all samples, for as many iterations as
        were best for the trial. "lm" and "lbfgs" go on from the best network of the trial, on all samples, for a fifth
        of its steps.
    validation_fraction : float or "auto", default="auto"
        Part of the samples to hold out, above 0 and below 1; none where `fit` is given validation data. "auto" holds
        out a tenth; of fewer than 1000 samples 100, but at most 0.3 of them. Copies of a sample
        stay together, except in tables of categories.
    class_weight : dict, list of dicts or "balanced", default=None
        Weights of the classes, multiplied with `sample_weight`; for a multilabel `y` a dict for each column, whose
        factors are multiplied. "balanced" weighs inversely to the classes' frequencies by `sample_weight`. For classes
        only.
    selection_samples : int, "auto" or None, default="auto"
        Number of samples, at most, on which neurons are selected; None means all. They are drawn in proportion to
        their weights from every class and every range of `y`. What the picks are worth, `selection_losses_` and
        `duality_gaps_`, is measured on all samples. "auto" means 10 000, or as many as have their activations in
        scikit-learn's `working_memory`, but at least 2000; for the log loss 1000 to 2000, fewer the more classes there
        are.
    corrective : bool or "auto", default=False
        Whether the output weights and the intercept are re-solved after every pick, in place of the mean of the picks.
        A neuron is then picked once, and re-training begins with the solved weights. They have a ridge penalty: that
        of eight with the least loss on held-out samples before re-training, which are also held out with
        `n_retrain=0`, or by generalised cross-validation where nothing is held out. "auto" corrects where that lowers
        the held-out loss before re-training by enough.
    max_time : float, default=None
        Seconds after which training ends early, with a warning and a usable model. Pre-training ends after half of it.
        A selection is finished all the same.
    verbose : bool, default=False
        Whether `fit` and `partial_fit` print a table: the phase, its iterations, the mean training loss since the row
        before, the held-out loss and the seconds; also what "auto" and `early_stopping` chose, and how the fit ended.
    warm_start : bool, default=False
        Whether `fit` goes on with the dense network of the last fit, which is kept for that: `n_pretrain` is the number
        of iterations it has had in the end. On the same data the result is that of one fit with as many.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where to train and to select: the processor, the GPU, or "auto", the GPU where there is one. What is fitted
        does not depend on it but for rounding, and predicts on the processor.
    random_state : int, RandomState instance or None, default=None
        Initial weights, batches and held-out samples. An integer makes results repeat.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; only if fitted on classes.
    coefs_ : list of 2 ndarrays
        Weights of the subnetwork, of shapes (n_features, n_units) and (n_units, n_outputs), in the units of the data:
        standardisation and counts are folded in.
    intercepts_ : list of 2 ndarrays
        Intercepts of the hidden and of the output layer.
    n_layers_ : int
        Layers, input and output included: 3.
    n_outputs_ : int
        Outputs of the network.
    n_units_ : int
        Distinct neurons that were kept, at most `k`.
    activation_ : str
        Activation of the hidden neurons.
    out_activation_ : str
        Activation of the output layer: "identity", for the log loss "logistic" (two classes, labels) or "softmax".
    selection_path_ : ndarray of shape (k,)
        Picked neurons, in order. With `corrective` there are fewer where no other neuron has anything to add.
    selection_counts_ : ndarray of shape (n_hidden,)
        How often each neuron was picked.
    selection_losses_ : ndarray of shape (k,)
        Loss over the training samples of the mean of the first 1, 2, ..., k picks, averaged over
        samples. With `corrective` that of the picks with re-solved weights, without the penalty; for the log loss over
        the samples that neurons were selected on.
    duality_gaps_ : ndarray of shape (k,)
        After each pick an upper bound on `selection_losses_` minus the least loss of any convex combination of
        neurons: the Frank-Wolfe gap, or for the log loss the least bound that follows from such gaps after some of the
        picks. With `corrective` an upper bound on the penalised loss minus the least one over the output weights of all
        neurons, on the samples that neurons were selected on; exact for the squared error and at most 2000 neurons.
    ridge_ : float or None
        Ridge at which output weights were re-solved, a share of the mean variance of the neurons; None where they were
        not.
    dense_loss_ : float
        Loss over the training samples of the dense network when it was pruned.
    loss_curve_ : list of float
        Loss of the batch at each iteration of pre-training.
    retrain_loss_curve_ : list of float
        Loss at each iteration of re-training: of the batch, under weights that are not averaged yet, or of all samples
        where the solver is "lm" or "lbfgs".
    validation_loss_curve_ : list of float
        Loss on the held-out or validation samples before and during the re-training that was watched: after every 20
        gradient updates, each step of "lm" or every 5 of "lbfgs". Empty without early stopping.
    validation_iterations_ : list of int
        Iterations of that re-training before each of these losses.
    n_pretrain_ : int
        Iterations of pre-training that were made.
    n_retrain_ : int
        Iterations of re-training of the final subnetwork.
    n_features_in_ : int
        Features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where all are strings.

    See Also
    --------
    GreedyPrunedMLPClassifier : The same for classes only.
    GreedyPrunedMLPRegressor : The same for numbers only.
    PretrainThresholdSearch : Measure how much pre-training is enough.

    Notes
    -----
    The dense network is :math:`f(x) = b_0 + \frac{1}{N} \sum_i \phi_i(x)` with
    :math:`\phi_i(x) = b_i \, \sigma(a_i \cdot x + c_i)`; the subnetwork replaces the mean over all `n_hidden`
    neurons by the mean over `k` picks, chosen one by one, with replacement, each so that the loss of the mean so far is
    least [2]_. The loss is half the squared error: against one-hot targets for classes, of the standardised
    targets for numbers.

    In scikit-learn's meta-estimators it stands for a classifier: until it is fitted on numbers it has a classifier's
    methods. What wants a regressor, such as :class:`~sklearn.ensemble.VotingRegressor` and
    :class:`~sklearn.ensemble.StackingRegressor`, refuses it; there :class:`GreedyPrunedMLPRegressor` is needed.

    Targets are taken for classes or numbers as :func:`sklearn.utils.multiclass.type_of_target` tells, with two
    exceptions that a classifier could not serve: several columns of whole numbers are numbers, and so are whole
    numbers stored as floats where more than 20 of them differ and fewer than 5 samples share a value. `fit` warns where
    more than 20 different whole numbers could be either. A whole-number `y` that is to be fitted as numbers regardless
    wants :class:`GreedyPrunedMLPRegressor`.

    Before it is fitted the estimator tells scikit-learn that it is a classifier, so that cross-validation splits labels
    stratified, as for :class:`GreedyPrunedMLPClassifier`. :func:`~sklearn.model_selection.cross_val_score`,
    :class:`~sklearn.model_selection.GridSearchCV` and the like split before anything is fitted, and let each fit
    decide on its own part of `y`. They split fractions as numbers, but whole numbers as labels. Use
    :class:`GreedyPrunedMLPRegressor` there to fit whole numbers as numbers. :class:`PretrainThresholdSearch` and
    :func:`pretrain_threshold_curve` ask the estimator once, with all of `y`, and split as it says.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim, A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", Transactions on Machine Learning Research, 2024, arXiv:2108.00259.
    .. [2] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans, Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", International Conference on Machine Learning, 2020, arXiv:2003.01794.
    .. [3] D. J. C. MacKay, "Bayesian interpolation", Neural Computation, 4(3), 1992, 415-447.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gfs import GreedyPrunedMLP
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GreedyPrunedMLP(n_pretrain=100, k=10, n_hidden=100, random_state=0).fit(X, y)
    >>> model.predict(X[:1])
    array([0])
    >>> model.predict_proba(X[:1]).shape
    (1, 3)
    """

    def _encode_targets(
        self, X: Any, y: Any, *, classes: Any = None, partial: bool = False, again: bool = False
    ) -> tuple[Any, Any, FloatArray, bool]:
        if again:
            on_numbers = not hasattr(self, "classes_")
        elif classes is not None or y is None:
            on_numbers = False
        else:
            on_numbers = self._takes_for_numbers(y)
        if hasattr(self, "_settled_on_numbers"):
            del self._settled_on_numbers
        if not on_numbers:
            X, y, targets = encode_classes(self, X, y, classes=classes, partial=partial, again=again)
            return X, y, targets, False
        for name, for_numbers in (("loss", ("auto", "squared_error")), ("class_weight", (None,))):
            if getattr(self, name) not in for_numbers:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is for classes, and y holds numbers; "
                    f"use {name}={for_numbers[0]!r}."
                )
        if classes is not None:
            raise ValueError("classes are of no use here: the estimator was first fitted on numbers.")
        X, targets = encode_numbers(self, X, y, again=again)
        return X, None, targets, True

    def _takes_for_numbers(self, y: Any) -> bool:
        """Say whether y is to be fitted as numbers: as was settled, or by its values, with a warning where in doubt."""
        if hasattr(self, "_settled_on_numbers"):
            return bool(self._settled_on_numbers)
        numbers = holds_numbers(y)
        doubt = doubt_about(y, numbers=numbers)
        if doubt is not None:
            warn_caller(doubt, UserWarning)
        return numbers

    def _settle_task(self, y: Any) -> Self:
        """
        Return a clone for which classes or numbers is settled, as all of y says.

        Who fits parts of y calls this first: a part alone can look like the other. The decision holds for clones of the
        clone, and is forgotten by each that has been fitted.
        """
        settled: Self = clone(self)
        settled._settled_on_numbers = self._takes_for_numbers(y)
        return settled

    def __sklearn_clone__(self) -> Self:
        copied: Self = super().__sklearn_clone__()
        if hasattr(self, "_settled_on_numbers"):
            copied._settled_on_numbers = self._settled_on_numbers
        return copied

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """
        Return the accuracy on classes, the coefficient of determination R^2 on numbers.

        The score is that of scikit-learn's classifiers or regressors, whichever the estimator has become.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True classes or values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            At most 1.

        See Also
        --------
        sklearn.metrics.accuracy_score : The score on classes.
        sklearn.metrics.r2_score : The score on numbers.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
        >>> GreedyPrunedMLP(50, 5, n_hidden=20, random_state=0).fit(X, y).score(X, y)
        1.0
        """
        check_is_fitted(self)
        mixin = ClassifierMixin if hasattr(self, "classes_") else RegressorMixin
        return float(mixin.score(self, X, y, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        if getattr(self, "_settled_on_numbers", fitted_on_numbers(self)):
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
        else:
            # Before it is fitted it says classifier: cross-validation then splits labels stratified. What scikit-learn
            # itself takes for labels, it splits stratified too; see the notes.
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_label=True)
        return tags
