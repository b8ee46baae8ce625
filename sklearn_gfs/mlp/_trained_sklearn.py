"""
scikit-learn's own MLPs: how they are read into layers, and how a fitted one is made of layers.

The selection is in ``_layers``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import check_array
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs._compat import TRAINING_STATE, begin_training, encoded_labels
from sklearn_gfs._tensors import from_tensor
from sklearn_gfs._typing import Float64Array

from ._layers import Layers
from ._targets import has_several_labels


class MLPLayers(Layers):
    """
    The layers of a fitted MLPClassifier or MLPRegressor.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If it has no hidden layer.
    """

    def __init__(self, network: Any) -> None:
        check_is_fitted(network)
        if len(network.coefs_) < 2:
            raise ValueError(f"{type(network).__name__} has no hidden layer; there is nothing to prune")
        self._network = network
        self.coefs, self.intercepts = list(network.coefs_), list(network.intercepts_)
        self._activation = ACTIVATIONS[network.activation]

    def read_inputs(self, X: Any) -> Any:
        """Return the inputs of samples, checked."""
        return validate_data(
            self._network,
            from_tensor("X", X),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_min_samples=2,
            reset=False,
        )

    def read_targets(self, y: Any) -> tuple[Float64Array, str]:
        """Return validated targets of the predictions, with a column for each output, and the output activation."""
        network, y = self._network, from_tensor("y", y)
        if not is_classifier(network):
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
            y = y.reshape(len(y), -1)
            if network.out_activation_ == "exp" and (y < 0).any():
                raise ValueError("y must not be negative, because network has loss='poisson'")
        else:
            y = y.toarray() if hasattr(y, "toarray") else y
            if not has_several_labels(network):
                y = column_or_1d(y)
                unknown = np.setdiff1d(unique_labels(y), network.classes_)
                if len(unknown):
                    raise ValueError(f"y holds classes that the network does not know: {unknown.tolist()}")
            y = encoded_labels(network, y).astype(np.float64)
        return y, network.out_activation_

    def inputs(self, X: Any, rows: slice) -> Any:
        """Return some of the samples."""
        return X[rows]

    def activate(self, layer: int, values: Any) -> Any:  # noqa: ARG002
        """Return the activations of a hidden layer, in place."""
        self._activation.apply(values)
        return values

    def to_numpy(self, values: Any) -> Any:
        """Return the values, which are an array already."""
        return values

    def from_numpy(self, values: Float64Array) -> Any:
        """Return the values in the precision of the network."""
        return values.astype(self.coefs[0].dtype)

    def rebuilt(self) -> Any:
        """Return a fitted network of these layers, in memory of its own."""
        network = clone(self._network)
        network.set_params(hidden_layer_sizes=tuple(self.widths))
        fitted = vars(self._network).keys() - vars(network).keys() - {"coefs_", "intercepts_"} - TRAINING_STATE
        vars(network).update({name: deepcopy(vars(self._network)[name]) for name in fitted})
        network.coefs_ = [np.array(coef, order="C") for coef in self.coefs]
        network.intercepts_ = [np.array(intercept) for intercept in self.intercepts]
        begin_training(network)
        return network
