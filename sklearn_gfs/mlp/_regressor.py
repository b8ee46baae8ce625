"""
The public estimator for continuous targets.

Fits and predictions are in ``_base``, encoding and decoding of targets in ``_targets``.
"""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs._compat import with_callbacks
from sklearn_gfs._naming import names_its_methods
from sklearn_gfs.network import FittedNetwork

from ._base import BaseGreedyPrunedMLP
from ._targets import Encoded, encode_numbers


@names_its_methods
class GreedyPrunedMLPRegressor(RegressorMixin, BaseGreedyPrunedMLP):
    r"""
    Small regressor: a wide two-layer network, pre-trained, pruned and re-trained.

    A dense network of `n_hidden` neurons is pre-trained. Greedy forward selection prunes it to `k` picks [2]_. The
    subnetwork of these picks is re-trained [1]_. Features and targets are standardised inside, so they may come in any
    units.

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
    activation : {"auto", "identity", "logistic", "relu", "tanh"}, default="auto"
        Activation of the hidden neurons. "auto" means "tanh", or "relu" where a dense `X` and a target have long tails.
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
        up to one. "auto" means 0.001 in pre-training, and less with more than 12 features. In re-training by "lm" it
        gives each feature, and the output weights, a penalty of its own: the one that makes the data most probable
        [3]_. With other solvers of re-training it is one over the number of samples, at most 0.001.
    early_stopping : bool, default=True
        Whether held-out samples decide when re-training stops, after at most `n_retrain` iterations. Pre-training
        leaves these samples out, and so does the re-training of a trial subnetwork. This trial ends when the held-out
        loss has not fallen by 1 % for 500 gradient updates, 8 steps of "lm" or 50 steps of "lbfgs". After gradient
        updates the final subnetwork is selected and re-trained on all samples, for the number of iterations that was
        best in the trial. "lm" and "lbfgs" continue from the best network of the trial, on all samples, for a few
        steps. With `retrain_solver="auto"` other trials follow if "lm" learns little.
    validation_fraction : float or "auto", default="auto"
        Share of the samples to hold out, above 0 and below 1. No samples are held out if `fit` gets validation data.
        "auto" holds out a tenth of the samples, but no more than 20 000. Of fewer than 1000 samples it holds out 100,
        but at most 0.3 of them. Copies of a sample stay together, except in tables of categories.
    selection_samples : int, "auto" or None, default="auto"
        Largest number of samples on which neurons are selected. None means all samples. They are drawn in proportion to
        their weights, from every class and every range of `y`. "auto" means 10 000. If the activations of 10 000
        samples exceed scikit-learn's `working_memory`, "auto" means the number that fits into it, but at least 2000.
        `selection_losses_`, `duality_gaps_` and `dense_loss_` are measured on up to 65 536 samples, drawn likewise, or
        on a larger number given here. With None they are measured on all samples.
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
        Activation of the output layer: "identity".
    selection_path_ : ndarray of shape (k,)
        Picked neurons, in order. If weights are solved for, there are fewer where no other neuron lowers the loss.
    selection_counts_ : ndarray of shape (n_hidden,)
        How often each neuron was picked.
    selection_losses_ : ndarray of shape (k,)
        Loss of the mean of the first 1, 2, ..., k picks, averaged over the training samples. It is half the squared
        error of the standardised targets, summed over outputs. With `corrective` it is the loss of the picks with their
        solved weights, without the penalty. Where `early_stopping` took picks by least squares, and `ridge_` is not
        None without `corrective`, it is that of the samples of the selection, with the penalty at the ridge 1e-4.
    duality_gaps_ : ndarray of shape (k,)
        After each pick an upper bound on `selection_losses_` minus the least loss of any convex combination of neurons.
        It is the Frank-Wolfe gap. If output weights are solved for, the bound is on the penalised loss minus the least
        one over the output weights of all neurons, on the samples of the selection. With `corrective` this bound is
        exact for at most 2000 neurons.
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
    GreedyPrunedMLP : Infers from `y` whether to fit classes or continuous targets.
    GreedyPrunedMLPClassifier : The same for classes only.
    PretrainThresholdSearch : Measure how much pre-training is enough.

    Notes
    -----
    The dense network is :math:`f(x) = b_0 + \frac{1}{N} \sum_i \phi_i(x)` with
    :math:`\phi_i(x) = b_i \, \sigma(a_i \cdot x + c_i)`. The subnetwork replaces the mean over all `n_hidden` neurons
    by the mean over `k` picks. They are chosen one by one, with replacement, each so that the loss of the mean so far
    is least [2]_. The loss is half the squared error of the standardised targets: the mean of `y` has a loss of 0.5 for
    each output. With one output :math:`R^2` on the training samples is one minus twice the loss.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim, A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", Transactions on Machine Learning Research, 2024, arXiv:2108.00259.
    .. [2] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans, Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", International Conference on Machine Learning, 2020, arXiv:2003.01794.
    .. [3] D. J. C. MacKay, "Bayesian interpolation", Neural Computation, 4(3), 1992, 415-447.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn_gfs import GreedyPrunedMLPRegressor
    >>> X, y = make_friedman1(n_samples=300, random_state=0)
    >>> reg = GreedyPrunedMLPRegressor(n_pretrain=100, k=20, n_hidden=100, random_state=0).fit(X, y)
    >>> reg.n_units_ <= 20
    True
    >>> bool(reg.score(X, y) > 0.8)
    True
    """

    _keeps_posterior = True

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """
        Predict values, and on request how far from them the targets may be.

        The subnetwork is evaluated in NumPy; torch is not needed. The standard deviations are those of the linearised
        Laplace approximation. They have two parts: the noise, and the uncertainty of the network's weights given the
        training data. They exist if re-training was by Levenberg-Marquardt, see `retrain_solver`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Values in the units of the training targets.
        y_std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviations of the targets around these values, noise included. Only with `return_std`.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ValueError
            When `X` is not as described, or has other features than the training data. Also when `return_std=True` and
            re-training was not by Levenberg-Marquardt.

        See Also
        --------
        fit : Train the network.
        sklearn.gaussian_process.GaussianProcessRegressor.predict : The same of a Gaussian process.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import GreedyPrunedMLPRegressor
        >>> X = np.linspace(0, 1, 200)[:, None]
        >>> y = X.ravel() + np.random.default_rng(0).normal(scale=0.1, size=200)
        >>> reg = GreedyPrunedMLPRegressor(50, 5, n_hidden=20, random_state=0).fit(X, y)
        >>> y_pred, y_std = reg.predict([[0.5]], return_std=True)
        >>> bool(0.09 < y_std[0] < 0.12)
        True
        """
        y_pred = super().predict(X)
        if not return_std:
            return y_pred
        if not hasattr(self, "_posterior"):
            raise ValueError(
                "return_std=True needs a subnetwork that was re-trained by Levenberg-Marquardt on at least two "
                "samples. Fit with retrain_solver='lm', and with n_retrain='auto' or at least 1."
            )
        network = FittedNetwork(self.coefs_, self.intercepts_)
        y_std = self._posterior.deviations(self._inputs(X), network, ACTIVATIONS[self.activation_])
        return y_pred, y_std.astype(y_pred.dtype).reshape(y_pred.shape)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """
        Train the dense network on more samples, prune it, and re-train what is left.

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
            As `fit`. Also if the number of outputs is not that of the first call.
        KeyboardInterrupt
            As `fit`.

        See Also
        --------
        fit : Train on all samples at once.

        Examples
        --------
        >>> from sklearn.datasets import make_friedman1
        >>> from sklearn_gfs import GreedyPrunedMLPRegressor
        >>> X, y = make_friedman1(n_samples=300, random_state=0)
        >>> reg = GreedyPrunedMLPRegressor(n_pretrain=20, k=20, n_hidden=100, n_retrain=20, random_state=0)
        >>> for part in range(3):
        ...     reg = reg.partial_fit(X[part::3], y[part::3])
        >>> reg.n_pretrain_
        60
        """
        return self._partial_fit(X, y, sample_weight)

    def _encode_targets(
        self,
        X: Any,
        y: Any,
        *,
        classes: Any = None,  # noqa: ARG002
        partial: bool = False,  # noqa: ARG002
        again: bool = False,
    ) -> Encoded:
        X, targets = encode_numbers(self, X, y, again=again)
        return Encoded(X, targets, holds_numbers=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
