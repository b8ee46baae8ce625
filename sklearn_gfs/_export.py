"""
Fitted subnetworks as other libraries' objects: scikit-learn's own MLP and torch modules.

ONNX, which goes through converters that skl2onnx calls, is in ``_onnx``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from ._requirements import torch_for

if TYPE_CHECKING:
    import torch


class ExportMixin:
    """The methods of a fitted estimator that hand its subnetwork to other libraries."""

    def to_sklearn(self) -> Any:
        """
        Return the subnetwork as scikit-learn's own MLP.

        It makes the same predictions. Its `predict_proba` equals this estimator's with the log loss; with the squared
        error it gives the outputs themselves, which are not projected to probabilities. It is for predicting: its
        `partial_fit` and `warm_start` have nothing to go on from.

        Returns
        -------
        MLPClassifier or MLPRegressor
            Fitted, with copies of the weights.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.

        See Also
        --------
        to_torch : The same as a torch module.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
        >>> model = GreedyPrunedMLP(50, 5, n_hidden=20, random_state=0).fit(X, y)
        >>> model.to_sklearn().predict([[0.0], [3.0]]).tolist()
        ['low', 'high']
        """
        check_is_fitted(self)
        return _to_mlp(self)

    def to_torch(self) -> Any:
        """
        Return the subnetwork as a torch module.

        It maps inputs, in the units of the data, to the outputs before the output activation: predicted values,
        estimates of probabilities (squared error on classes), or logits (log loss).

        Returns
        -------
        torch.nn.Sequential
            A linear layer, the activation, a linear layer, with copies of the weights.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        ModuleNotFoundError
            When torch is not installed.

        See Also
        --------
        to_sklearn : The same as an estimator of scikit-learn.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.5, 1.5, 2.5, 3.5]
        >>> len(GreedyPrunedMLP(10, 5, n_hidden=20, random_state=0).fit(X, y).to_torch())
        3
        """
        check_is_fitted(self)
        return _to_torch_module(self)


def _to_mlp(estimator: Any) -> Any:
    """Return a fitted MLPClassifier or MLPRegressor with the weights of a fitted estimator."""
    on_classes = hasattr(estimator, "classes_")
    model = (MLPClassifier if on_classes else MLPRegressor)(
        hidden_layer_sizes=(estimator.n_units_,), activation=estimator.activation, alpha=estimator.alpha
    )
    if on_classes:
        model.classes_ = estimator.classes_
        model._label_binarizer = estimator._label_binarizer
    if hasattr(estimator, "feature_names_in_"):
        model.feature_names_in_ = estimator.feature_names_in_
    model.n_features_in_ = estimator.n_features_in_
    model.coefs_ = [coef.copy() for coef in estimator.coefs_]
    model.intercepts_ = [intercept.copy() for intercept in estimator.intercepts_]
    model.n_layers_ = estimator.n_layers_
    model.n_outputs_ = estimator.n_outputs_
    model.out_activation_ = estimator.out_activation_
    model.n_iter_ = estimator.n_pretrain_ + estimator.n_retrain_
    model.loss_curve_ = [*estimator.loss_curve_, *estimator.retrain_loss_curve_]
    return model


def _to_torch_module(estimator: Any) -> torch.nn.Sequential:
    """Return an nn.Sequential that maps inputs to the outputs before the output activation."""
    torch = torch_for("to_torch")
    activations = {
        "identity": torch.nn.Identity,
        "logistic": torch.nn.Sigmoid,
        "relu": torch.nn.ReLU,
        "tanh": torch.nn.Tanh,
    }
    layers = []
    for coef, intercept in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        n_inputs, n_outputs = coef.shape
        layer = torch.nn.Linear(n_inputs, n_outputs, device="meta")  # no random numbers are drawn
        layer.weight = torch.nn.Parameter(torch.from_numpy(coef.T.copy()))
        layer.bias = torch.nn.Parameter(torch.from_numpy(intercept.copy()))
        layers.append(layer)
    return torch.nn.Sequential(layers[0], activations[estimator.activation](), layers[1])
