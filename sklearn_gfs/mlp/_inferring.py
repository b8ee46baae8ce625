"""
The public estimator that infers from its targets whether to fit classes or continuous targets.

Fits and predictions are in ``_base`` and ``_classifying``, encoding and decoding of targets in ``_targets``.
"""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._naming import names_its_methods
from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._target_kind import doubt_about, holds_numbers
from sklearn_gfs._warn import warn_caller

from ._classifying import BaseClassifyingMLP
from ._targets import Encoded, encode_classes, encode_numbers, fitted_on_numbers, may_name_others


@names_its_methods
class GreedyPrunedMLP(BaseClassifyingMLP):
    r"""
    Small network for classes or continuous targets: pre-trained wide, pruned, and re-trained.

    A dense network of `n_hidden` neurons is pre-trained. Greedy forward selection prunes it to `k` picks [2]_. The
    subnetwork of these picks is re-trained [1]_. Features and continuous targets are standardised inside, so they may
    come in any units. Whether `y` holds classes or continuous targets is inferred from `y`; see the notes.

    What "auto" means is told here in short. The user guide has the exact :ref:`rules <automatic>`.

    Parameters
    ----------
    n_pretrain : int or "auto", default="auto"
        Number of pre-training iterations (gradient updates). 0 prunes the network at its initialisation. "auto" selects
        a subnetwork after 20, 80 and 320 iterations, and keeps the last one that was worth its iterations. With few
        samples fewer iterations are tried.
    k : int, default=50
        Number of picks. The subnetwork has at most `k` distinct neurons. A neuron that was picked several times counts
        each time in the mean.
    n_hidden : int, default=1000
        Number of neurons of the dense network.
    n_retrain : int or "auto", default="auto"
        Number of re-training iterations; with `early_stopping` the largest number. An iteration of "lm" or "lbfgs" is a
        step on all samples. An iteration of "adam" or "sgd" is a gradient update. 0 stops after pruning. "auto" means
        80 steps of "lm", 500 steps of "lbfgs", or 12 000 to 100 000 updates, by the number of samples.
    retrain_solver : {"auto", "lm", "lbfgs", "adam", "sgd"}, default="auto"
        How the subnetwork is re-trained. "lm" is the Levenberg-Marquardt method; for the log loss it uses the
        generalised Gauss-Newton matrix. "lbfgs" is L-BFGS. These two never raise the penalised loss. "adam" and "sgd"
        are the updates of `solver`; the final weights are moving averages over about the last hundred updates. "auto"
        means "lm" for small problems of continuous targets or two classes, and of more classes with very few samples.
        For all other problems, and if `n_retrain` is a number, it means `solver`.
    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        Loss of pre-training, selection and re-training. "log_loss" is the negative log-likelihood of the softmax of the
        outputs. For a multilabel `y` it is the sum of the log losses of the labels, each with the logistic function of
        its output. Each of its picks is the best of the 16 neurons along which the loss falls steepest. The first ten
        picks of a small problem are the best of all neurons. "squared_error" is half the squared error against one-hot
        targets. Each of its picks is the best of all neurons. "auto" means "log_loss" for classes. For continuous
        targets it means "squared_error", the only loss that they have.
    activation : {"auto", "identity", "logistic", "relu", "tanh"}, default="auto"
        Activation of the hidden neurons. "auto" means "relu" for classes. For continuous targets it means "tanh", or
        "relu" where a dense `X` and a target have long tails.
    solver : {"adam", "sgd"}, default="adam"
        "adam" is Adam with its usual decay rates. "sgd" is gradient descent with heavy-ball `momentum`. A step of "sgd"
        is at most twice the loss over the squared norm of the gradient, so that a step size that is too large does less
        harm.
    learning_rate_init : float, default=None
        Step size of gradient updates, in units of the standardised problem. None means 0.01 for "adam". For "sgd" None
        means 1 - `momentum` over the largest curvature of the loss, measured on the first batch. With uneven weights it
        is also measured on the heaviest batch of the first passes.
    momentum : float, default=0.9
        Momentum of "sgd", at least 0 and below 1.
    batch_size : int, default=128
        Number of samples in a gradient update. None means all samples: plain gradient descent, as in the theory.
    alpha : float or "auto", default="auto"
        Strength of the L2 penalty. Half of `alpha` times the weighted mean, over neurons, of their squared weights is
        added to the loss. In re-training by "adam" the neurons' weights are at least the number of samples over 20 000,
        up to one. "auto" means about 0.001 in pre-training, and more for the log loss of fewer than 1000 samples. In
        re-training by "lm" it gives each feature, and the output weights, a penalty of its own: the one that makes the
        data most probable [3]_. With other solvers of re-training it is about one over the number of samples. For the
        log loss it is 4, 16, ... times this value if that lowers the held-out loss.
    early_stopping : bool, default=True
        Whether held-out samples decide when re-training stops, after at most `n_retrain` iterations. Pre-training
        leaves these samples out, and so does the re-training of a trial subnetwork. This trial ends when the held-out
        loss has not fallen by 1 % for 500 gradient updates, 8 steps of "lm" or 50 steps of "lbfgs". After gradient
        updates the final subnetwork is selected and re-trained on all samples, for the number of iterations that was
        best in the trial. "lm" and "lbfgs" continue from the best network of the trial, on all samples, for a few
        steps. With `retrain_solver="auto"` other trials follow if "lm" learns little. For classes of which much is left
        to be learnt, picks with solved weights, as with `corrective`, may then take the place of the first.
    validation_fraction : float or "auto", default="auto"
        Share of the samples to hold out, above 0 and below 1. No samples are held out if `fit` gets validation data.
        "auto" holds out a tenth of the samples, but no more than 20 000. Of fewer than 1000 samples it holds out 100,
        but at most 0.3 of them. It holds out nothing if the weights of rare classes are so large that a few samples
        would decide alone. Copies of a sample stay together, except in tables of categories.
    class_weight : dict, list of dicts or "balanced", default=None
        Weights of the classes, multiplied with `sample_weight`. For a multilabel `y` it is a list with a dict for each
        column, and the weights of a sample's labels are multiplied. "balanced" weighs the classes inversely to their
        frequencies, counted with `sample_weight`. The weights of the classes count for `X_val`, too. For classes only.
    selection_samples : int, "auto" or None, default="auto"
        Largest number of samples on which neurons are selected. None means all samples. They are drawn in proportion to
        their weights, from every class and every range of `y`. "auto" means 10 000. If the activations of 10 000
        samples exceed scikit-learn's `working_memory`, "auto" means the number that fits into it, but at least 2000.
        For the log loss "auto" means 1000 to 2000, fewer if there are more classes. `selection_losses_`,
        `duality_gaps_` and `dense_loss_` are measured on up to 65 536 samples, drawn likewise, or on a larger number
        given here. With None they are measured on all samples.
    corrective : bool or "auto", default=False
        Whether the output weights and the intercept are solved for again after every pick. Without this the subnetwork
        is the mean of its picks. With it a neuron is picked at most once, and re-training starts from the solved
        weights. The solved weights have a ridge penalty. Of several ridges the one with the least loss on held-out
        samples before re-training is taken. These samples are held out with `n_retrain=0` too. If no samples are held
        out, generalised cross-validation or an information criterion chooses the ridge. "auto" corrects the weights if
        this lowers the held-out loss before re-training by enough.
    max_time : float, default=None
        Seconds after which training ends early, with a warning and a usable model. Pre-training ends after half of this
        time. A selection that has begun is always finished.
    verbose : bool, default=False
        Whether `fit` and `partial_fit` print a table of their progress. A row has the phase, its iterations, the mean
        training loss since the row before, the held-out loss and the seconds. More lines say what "auto" and
        `early_stopping` chose, and how the fit ended.
    warm_start : bool, default=False
        Whether `fit` continues with the dense network of the last fit. This network is then kept after each fit.
        `n_pretrain` is the number of iterations of all these fits together. On the same data the result is the result
        of one fit with this number.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where to train and to select: on the processor ("cpu") or on the GPU ("cuda"). "auto" means the GPU if there is
        one. A small subnetwork is re-trained on the processor in any case. The results are the same up to rounding. The
        fitted model predicts on the processor.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the batches and the held-out samples. An integer makes results repeatable.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; only if fitted on classes.
    coefs_ : list of 2 ndarrays
        Weights of the subnetwork, of shapes (n_features, n_units) and (n_units, n_outputs). They are in the units of
        the data: the standardisation and the counts are folded in.
    intercepts_ : list of 2 ndarrays
        Intercepts of the hidden and of the output layer.
    n_layers_ : int
        Number of layers, with input and output: 3.
    n_outputs_ : int
        Number of outputs of the network.
    n_units_ : int
        Number of distinct neurons that were kept, at most `k`. It is also 1 where `corrective` picked no neuron: a
        layer needs one, and the output weights of this neuron begin at zero.
    activation_ : str
        Activation of the hidden neurons.
    out_activation_ : str
        Activation of the output layer. "identity" belongs to the squared error. "logistic" (two classes, or labels) and
        "softmax" belong to the log loss.
    selection_path_ : ndarray of shape (k,)
        Picked neurons, in order. If weights are solved for, there are fewer where no other neuron lowers the loss.
    selection_counts_ : ndarray of shape (n_hidden,)
        How often each neuron was picked.
    selection_losses_ : ndarray of shape (k,)
        Loss of the mean of the first 1, 2, ..., k picks, averaged over the training samples. With `corrective` it is
        the loss of the picks with their solved weights, without the penalty. With `corrective` and the log loss it is
        averaged over the samples of the selection only, and the weights are those of the ridge 1e-4, by which neurons
        are picked. The weights of the model are those of `ridge_`, whose loss may be another. `early_stopping`
        may take picks by least squares; `ridge_` is not None then, without `corrective`. Their loss is half the squared
        error against one-hot or standardised targets plus the penalty at the ridge 1e-4.
    duality_gaps_ : ndarray of shape (k,)
        After each pick an upper bound on `selection_losses_` minus the least loss of any convex combination of neurons.
        For the squared error it is the Frank-Wolfe gap. For the log loss it is the least bound that follows from such
        gaps after some of the picks. With `corrective`, or picks by least squares, penalised losses are compared. The
        least is that over the output weights of all neurons, on the samples of the selection. This bound is exact for
        the squared error and at most 2000 neurons.
    ridge_ : float or None
        Ridge of the solved output weights, as a share of the mean variance of the neurons. None if output weights were
        not solved for.
    dense_loss_ : float
        Loss of the dense network over the training samples, when it was pruned.
    loss_curve_ : list of float
        Loss of the batch at each iteration of pre-training.
    retrain_loss_curve_ : list of float
        Loss at each iteration of re-training. For "lm" and "lbfgs" it is the loss of all samples. For gradient updates
        it is the loss of the batch, before the weights are averaged.
    validation_loss_curve_ : list of float
        Loss on the held-out or validation samples, before and during the re-training that early stopping watched. It is
        measured after every 20 gradient updates, or more if thousands of samples are held out, every step of "lm" or
        every 5 steps of "lbfgs". Empty without early stopping.
    validation_iterations_ : list of int
        Number of re-training iterations before each loss of `validation_loss_curve_`.
    n_pretrain_ : int
        Number of iterations of pre-training.
    n_retrain_ : int
        Number of iterations of re-training of the final subnetwork.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all names are strings.

    See Also
    --------
    GreedyPrunedMLPClassifier : The same for classes only.
    GreedyPrunedMLPRegressor : The same for continuous targets only.
    PretrainThresholdSearch : Measure how much pre-training is enough.

    Notes
    -----
    The dense network is :math:`f(x) = b_0 + \frac{1}{N} \sum_i \phi_i(x)` with
    :math:`\phi_i(x) = b_i \, \sigma(a_i \cdot x + c_i)`. The subnetwork replaces the mean over all `n_hidden` neurons
    by the mean over `k` picks. They are chosen one by one, with replacement. With the squared error each is the neuron
    after which the loss of the mean so far is least [2]_. With the log loss it is the best of those that `loss` names.
    For continuous targets the loss is half the squared error of the standardised targets.

    scikit-learn's meta-estimators take the estimator for a classifier. Until it is fitted on continuous targets it has
    a classifier's methods. Meta-estimators of regressors, such as :class:`~sklearn.ensemble.VotingRegressor` and
    :class:`~sklearn.ensemble.StackingRegressor`, refuse it. Use :class:`GreedyPrunedMLPRegressor` in them.

    :func:`sklearn.utils.multiclass.type_of_target` tells whether `y` holds classes or continuous targets, with two
    exceptions that a classifier could not serve. Several columns of whole numbers are continuous targets. Whole numbers
    stored as floats are continuous targets if more than 20 of them differ and fewer than 5 samples share a value. `fit`
    warns if more than 20 different whole numbers could be either. To fit whole numbers as continuous targets in any
    case, use :class:`GreedyPrunedMLPRegressor`.

    Before it is fitted, the estimator tells scikit-learn that it is a classifier. Cross-validation then splits labels
    stratified, as for :class:`GreedyPrunedMLPClassifier`. Tools such as
    :func:`~sklearn.model_selection.cross_val_score` and :class:`~sklearn.model_selection.GridSearchCV` split before
    anything is fitted, and each fit decides on its own part of `y`. They split fractions as continuous targets, but
    whole numbers as labels. To fit whole numbers as continuous targets with these tools, use
    :class:`GreedyPrunedMLPRegressor`.
    :class:`PretrainThresholdSearch` and :func:`pretrain_threshold_curve` ask the estimator once, with all of `y`, and
    split accordingly.

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
    ) -> Encoded:
        if again and not may_name_others(self, classes):
            on_numbers = not hasattr(self, "classes_")
        elif classes is not None or y is None:
            on_numbers = False
        else:
            on_numbers = self._takes_for_numbers(y)
        if hasattr(self, "_settled_on_numbers"):
            del self._settled_on_numbers
        if not on_numbers:
            return encode_classes(self, X, y, classes=classes, partial=partial, again=again)
        for name, for_numbers in (("loss", ("auto", "squared_error")), ("class_weight", (None,))):
            if getattr(self, name) not in for_numbers:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is for classes, and y holds numbers; "
                    f"use {name}={for_numbers[0]!r}."
                )
        if classes is not None:
            raise ValueError("classes must not be passed here: the estimator was first fitted on numbers.")
        X, targets = encode_numbers(self, X, y, again=again)
        return Encoded(X, targets, holds_numbers=True)

    def _takes_for_numbers(self, y: Any) -> bool:
        """
        Return whether y is fitted as continuous targets, as settled before or as inferred from its values.

        A warning tells if the values leave a doubt.
        """
        if hasattr(self, "_settled_on_numbers"):
            return bool(self._settled_on_numbers)
        check_plain(y=y)
        check_one_kind(y=y)
        numbers = holds_numbers(y)
        doubt = doubt_about(y, numbers=numbers)
        if doubt is not None:
            warn_caller(doubt, UserWarning)
        return numbers

    def _hook_settled_on(self, y: Any) -> Self:
        """
        Return a clone that fits y as classes or as continuous targets, as inferred from all of y.

        A part of y alone may suggest the other kind. The decision also holds for clones of the clone. A clone that has
        been fitted forgets the decision.
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
        Return the accuracy on classes, the coefficient of determination R^2 on continuous targets.

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
        sklearn.metrics.r2_score : The score on continuous targets.

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
            # Before it is fitted, the estimator says that it is a classifier, so that cross-validation splits labels
            # stratified. This includes whole numbers, which scikit-learn takes for labels; see the notes.
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_label=True)
        return tags
