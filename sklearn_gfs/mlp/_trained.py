"""
Networks that were trained elsewhere, pruned: the public function.

The selection in a layer is in ``_layers``, reading and rebuilding of networks in ``_trained_sklearn`` and
``_trained_torch``, the fit to targets in ``_refitting``.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy, deepcopy
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller
from sklearn_gfs._weights import relative_weight

from ._fitted import FittedMLPMixin
from ._layers import Layers, LayerSamples, prune_layers
from ._refitting import FAMILIES, Family, refit
from ._trained_sklearn import MLPLayers
from ._trained_torch import TorchLayers, is_torch_module


def prune_network(
    network: Any,
    X: Any,
    y: Any = None,
    k: int | float | Sequence[int | float] = 50,
    *,
    corrective: bool | str = "auto",
    sample_weight: Any = None,
) -> Any:
    """
    Prune a network that was trained elsewhere.

    Greedy forward selection chooses neurons on the samples, layer by layer, so that the outputs of the network stay
    what they are. The weights of the next layer are solved for again. The result is a smaller network of the same kind.
    It predicts, can be saved and can be trained on. The network that was passed stays as it is.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, Pipeline or torch.nn.Sequential
        A trained network. A pipeline must end in a trained network; its other steps are applied to `X` and kept. A
        ``Sequential`` may hold Linear, activation functions of one neuron such as ReLU, LeakyReLU and GELU, BatchNorm1d
        (with its running statistics), Dropout (taken as off), and other ``Sequential`` of these. Flatten may stand
        before the first Linear, and Softmax or LogSoftmax after the last.
    X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
        Samples like those that the network was trained on. Labels are not needed.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets. Without them the pruned network keeps the outputs of the network. With them, targets and outputs count
        equally when neurons are chosen. The output layer is then refitted to the targets, as far as left-out samples
        agree. For a ``Sequential`` integers are classes (the index of an output, or zeros and ones) and floats are
        continuous targets. If it ends in Sigmoid, Softmax or LogSoftmax, all targets are classes.
    k : int, float or list of these, default=50
        Largest number of neurons that each hidden layer keeps, or a share of its neurons, above 0 and at most 1. A list
        has a number or a share for each hidden layer. A layer that has fewer neurons stays whole.
    corrective : bool or "auto", default="auto"
        Whether the weights of the chosen neurons are solved for again. If False, the mean of `k` picks, with repeats,
        takes the place of the mean of all neurons, as in the paper; `y` must then be None. "auto" means True, which was
        worse in only one of 56 cases tried.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.

    Returns
    -------
    MLPClassifier, MLPRegressor, Pipeline or torch.nn.Sequential
        The smaller network, of the same kind as `network`. The two share no memory.

    Raises
    ------
    NotFittedError
        When the network is not fitted.
    ValueError
        If the network has no hidden layer or holds unknown modules. If `X` has another number of features, or `y` does
        not fit the network. If an argument has a value that is not allowed.
    TypeError
        If the network is of another kind, or an argument of another type.

    See Also
    --------
    GreedyPrunedMLP : Trains, prunes and re-trains by itself.
    greedy_forward_selection : The selection alone.

    Notes
    -----
    The hidden layers are pruned from the first to the last. The inputs of a layer are the outputs of the layers before,
    which are already pruned. Its neurons are chosen so that the pre-activations of the next layer stay those of the
    whole network. Each pre-activation counts by the norm of its outgoing weights, and by the factors of BatchNorm1d.
    Weights are solved for with the ridge that generalised cross-validation finds best. No step is random.

    Further training starts with the pruned weights, and with a fresh solver. A linear layer of torch without a bias
    gets one if its weights are solved for again.

    The selection keeps only sums over samples. Its memory grows with the squared number of neurons, and not with the
    number of samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn_gfs import prune_network
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(200, max_iter=1000, random_state=0).fit(X, y)
    >>> small = prune_network(network, X, k=5)
    >>> small.hidden_layer_sizes, network.hidden_layer_sizes
    ((5,), 200)
    >>> bool((small.predict(X) == network.predict(X)).mean() > 0.95)
    True
    """
    if not isinstance(corrective, bool | np.bool_) and corrective != "auto":
        raise ValueError(f"corrective={corrective!r} must be True, False or 'auto'")
    if not corrective and y is not None:
        raise ValueError("y is used where corrective is True or 'auto'; with corrective=False it must be None")
    check_plain(X=X, y=y)
    check_one_kind(y=y)
    if not isinstance(network, Pipeline):
        return _pruned(network, X, y, k, corrective=bool(corrective), sample_weight=sample_weight)
    if not network.steps:
        raise ValueError("network is a Pipeline without steps; it must end in a fitted network")
    last = network.steps[-1][1]
    _check_kind(last, f"a Pipeline that ends in {_named(last)}")
    before = X if len(network.steps) == 1 else network[:-1].transform(X)
    small = prune_network(last, before, y, k, corrective=corrective, sample_weight=sample_weight)
    copied = copy(network)
    copied.steps = [*((name, deepcopy(step)) for name, step in network.steps[:-1]), (network.steps[-1][0], small)]
    return copied


def _named(network: Any) -> str:
    return repr(network) if isinstance(network, str) else f"{type(network).__name__}"


def _check_kind(network: Any, told: str) -> None:
    """Raise an error if the object is not a network that can be pruned; the error says what can be."""
    if isinstance(network, MLPClassifier | MLPRegressor | Pipeline) or is_torch_module(network):
        return
    advice = ""
    if isinstance(network, FittedMLPMixin):
        advice = (
            ". This estimator prunes its own network: set its parameter k, or pass several k to fit_path; the network "
            "that its to_sklearn() or to_torch() returns can be pruned on"
        )
    elif hasattr(network, "best_estimator_"):
        advice = ". Pass its best_estimator_"
    raise TypeError(
        "network must be a fitted MLPClassifier or MLPRegressor of scikit-learn, a Pipeline that ends in one, or an "
        f"nn.Sequential of torch; it is {told}{advice}"
    )


def _pruned(network: Any, X: Any, y: Any, k: Any, *, corrective: bool, sample_weight: Any) -> Any:
    """Return the pruned network of a network that is not in a pipeline."""
    _check_kind(network, f"of the class {type(network).__name__}")
    with _without_gradients(network):
        dense: Layers = TorchLayers(network) if is_torch_module(network) else MLPLayers(network)
        _check_weights(dense)
        sizes = _sizes(k, dense.widths)
        samples, link = _read_samples(dense, X, y, sample_weight)
        _warn_of_small_layers(sizes, dense.widths)
        with threads_for(2.0 * samples.X.shape[0] * sum(coef.shape[0] * coef.shape[1] for coef in dense.coefs)):
            pruned = prune_layers(dense, samples, sizes, corrective=corrective)
            if samples.targets is not None and pruned.coefs[-1] is not dense.coefs[-1]:
                _refit(pruned, samples, samples.targets, FAMILIES[link])
        return pruned.rebuilt()


def _check_weights(dense: Layers) -> None:
    """Raise an error if weights or intercepts are not finite."""
    for layer, (coef, intercept) in enumerate(zip(dense.coefs, dense.intercepts, strict=True), start=1):
        if not all(np.isfinite(dense.to_numpy(weights)).all() for weights in (coef, intercept)):
            raise ValueError(
                f"layer {layer} of network holds weights that are NaN or infinite; training has failed, and there is "
                "nothing to prune"
            )


def _read_samples(dense: Layers, X: Any, y: Any, sample_weight: Any) -> tuple[LayerSamples, str]:
    """Return validated samples, without those of weight zero, and the output activation that fits y, if given."""
    X = dense.read_inputs(X)
    n_samples, n_outputs = X.shape[0], dense.coefs[-1].shape[1]
    weight = relative_weight(sample_weight, n_samples)
    targets, link = (None, "") if y is None else dense.read_targets(y)
    if targets is not None and targets.shape != (n_samples, n_outputs):
        raise ValueError(
            f"y has {targets.shape[0]} samples and {targets.shape[1]} outputs; X has {n_samples} samples, and "
            f"the network {n_outputs} outputs"
        )
    if weight is None or weight.all():
        return LayerSamples(X, weight, targets), link
    rows = np.flatnonzero(weight)
    if len(rows) < 2:
        raise ValueError("sample_weight is zero for all samples but one; two or more must weigh something")
    return LayerSamples(X[rows], weight[rows], None if targets is None else targets[rows]), link


def _without_gradients(network: Any) -> AbstractContextManager[None]:
    """Return a context in which torch records no gradients; it does nothing for other networks."""
    if not is_torch_module(network):
        return nullcontext()
    import torch

    return torch.no_grad()


def _refit(pruned: Layers, samples: LayerSamples, targets: Float64Array, family: Family) -> None:
    """Move the weights of the output layer towards the targets."""
    last = len(pruned.coefs) - 1
    hidden = [pruned.activations(pruned.inputs(samples.X, rows), last - 1) for rows in samples.chunks()]
    activations = np.concatenate([pruned.to_numpy(part) for part in hidden]).astype(np.float64)
    coef, intercept = (pruned.to_numpy(part[last]).astype(np.float64) for part in (pruned.coefs, pruned.intercepts))
    pruned.replace(last, *refit(activations, targets, samples.weight, coef, intercept, family))


def _sizes(k: Any, widths: list[int]) -> list[int]:
    """Return the largest number of neurons of each hidden layer."""
    if isinstance(k, list | tuple) or (isinstance(k, np.ndarray) and k.ndim):
        if len(k) != len(widths):
            raise ValueError(f"k={k!r} must hold one number for each hidden layer; the network has {len(widths)}")
        return [_size(each, width) for each, width in zip(k, widths, strict=True)]
    return [_size(k, width) for width in widths]


def _size(k: Any, width: int) -> int:
    """Return a number of neurons, given a number or a share of the width."""
    allowed = "an integer of at least 1, or a share above 0 and at most 1"
    if isinstance(k, bool | np.bool_) or not isinstance(k, numbers.Real):
        raise TypeError(f"k={k!r} must be {allowed}, or a list of these; got {type(k).__name__}")
    if isinstance(k, numbers.Integral):
        if k < 1:
            raise ValueError(f"k={k!r} must be {allowed}")
        return int(k)
    if not 0.0 < float(k) <= 1.0:
        raise ValueError(f"k={k!r} must be {allowed}")
    return max(round(float(k) * width), 1)


def _warn_of_small_layers(sizes: list[int], widths: list[int]) -> None:
    """Warn of layers that have fewer neurons than k."""
    for layer, (size, width) in enumerate(zip(sizes, widths, strict=True)):
        if size > width:
            warn_caller(
                f"k={size} is above the number of neurons of hidden layer {layer + 1}, {width}. The layer keeps "
                "all of them",
                UserWarning,
            )
