"""Networks as somebody else has trained them, for the tests of `prune_network`; random weights are training enough."""

import numpy as np
from scipy.special import expit
from sklearn.neural_network import MLPClassifier, MLPRegressor

# Targets by kind; the first column of X is the first feature.
KINDS = {
    "binary": lambda X: np.where(X[:, 0] > 0, "yes", "no"),
    "multiclass": lambda X: np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])],
    "multilabel": lambda X: (X[:, :3] > 0).astype(int),
    "number": lambda X: X[:, 0] - X[:, 1],
    "numbers": lambda X: X[:, :2] ** 2,
}
ACTIVATIONS = {
    "identity": lambda values: values,
    "logistic": expit,
    "relu": lambda values: np.maximum(values, 0),
    "tanh": np.tanh,
}


def inputs(n_samples=80, n_features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_features))


def trained_mlp(X, kind="multiclass", sizes=(20,), activation="relu", seed=0, **parameters):
    """Return a network that has been trained a little, and then got other weights."""
    cls = MLPRegressor if kind.startswith("number") else MLPClassifier
    network = cls(hidden_layer_sizes=sizes, activation=activation, random_state=seed, **parameters)
    y = KINDS[kind](X)
    if kind.startswith("number"):
        network.partial_fit(X, y)
    else:
        network.partial_fit(X, y, classes=np.unique(y) if y.ndim == 1 else np.arange(3))
    with_random_weights(network, seed)
    return network


def with_random_weights(network, seed):
    rng = np.random.default_rng(seed)
    for arrays in (network.coefs_, network.intercepts_):
        arrays[:] = [(rng.normal(size=array.shape) / np.sqrt(len(array))).astype(array.dtype) for array in arrays]


def outputs(network, X):
    """Outputs of scikit-learn's MLP before the output activation."""
    for i, (coef, intercept) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        X = (ACTIVATIONS[network.activation](X) if i else X) @ coef + intercept
    return X
