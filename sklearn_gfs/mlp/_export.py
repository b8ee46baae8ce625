"""
Fitted subnetworks as other libraries' objects: scikit-learn's own MLP and torch modules.

ONNX, which goes through converters that skl2onnx calls, is in ``_onnx``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs._compat import set_classes
from sklearn_gfs._requirements import torch_for

from ._links import LINKS
from ._targets import has_several_labels

if TYPE_CHECKING:
    import torch


class ExportMixin:
    """The methods of a fitted estimator that hand its subnetwork to other libraries."""

    def to_sklearn(self) -> Any:
        """
        Return the subnetwork as scikit-learn's own MLP.

        It makes the same predictions. A label can differ only where two classes agree to the last digits. With the log
        loss its `predict_proba` equals this estimator's too. With the squared error it does not; see the notes. The
        network is for predicting: it can't be trained further by `partial_fit` or `warm_start`.

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

        Notes
        -----
        scikit-learn's network can't project the outputs of the squared error onto the probability simplex. Its
        probabilities are therefore the softmax of the outputs times the number of classes. For two classes, or each of
        several labels, they are the logistic function of four times the output less one half. They agree with the
        projection to first order where classes are equally likely. Elsewhere they are more cautious: no output makes a
        class quite impossible or certain.

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

    def to_torch(self, *, dtype: Any = None) -> Any:
        """
        Return the subnetwork as a torch module.

        It maps inputs, in the units of the data, to the outputs before the output activation. These are predicted
        values, estimates of probabilities (squared error on classes), or logits (log loss).

        Parameters
        ----------
        dtype : torch.dtype, default=None
            A floating-point dtype of the weights. Inputs need the same dtype. None means the dtype of the training
            inputs, float32 or float64.

        Returns
        -------
        torch.nn.Sequential
            A linear layer, the activation, a linear layer, with copies of the weights.

        Raises
        ------
        NotFittedError
            When the estimator is not fitted.
        TypeError
            If `dtype` is not a floating-point dtype of torch.
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
        return _to_torch_module(self, dtype)


def _to_mlp(estimator: Any) -> Any:
    """Return a fitted MLPClassifier or MLPRegressor with the weights of a fitted estimator."""
    on_classes = hasattr(estimator, "classes_")
    model = (MLPClassifier if on_classes else MLPRegressor)(
        hidden_layer_sizes=(estimator.n_units_,), activation=estimator.activation_
    )
    if not isinstance(estimator.alpha, str):  # scikit-learn has no automatic penalty
        model.set_params(alpha=estimator.alpha)
    if on_classes:
        set_classes(model, estimator.classes_, estimator._label_binarizer)
    if hasattr(estimator, "feature_names_in_"):
        model.feature_names_in_ = estimator.feature_names_in_
    model.n_features_in_ = estimator.n_features_in_
    model.coefs_ = [coef.copy() for coef in estimator.coefs_]
    model.intercepts_ = [intercept.copy() for intercept in estimator.intercepts_]
    model.out_activation_ = estimator.out_activation_
    if on_classes and not LINKS[estimator.out_activation_].gives_probabilities:
        model.out_activation_ = _scale_to_logits(model)
    model.n_layers_ = estimator.n_layers_
    model.n_outputs_ = estimator.n_outputs_
    # The dense network of a path has not been re-trained.
    model.loss_curve_ = [*estimator.loss_curve_, *getattr(estimator, "retrain_loss_curve_", [])]
    model.n_iter_ = len(model.loss_curve_)
    return model


def _scale_to_logits(model: Any) -> str:
    """
    Scale outputs that estimate probabilities to logits, in place; return the name of the output activation.

    Where classes are equally likely, a small change of an output changes the probability by the same amount. Logits of
    zero stand for outputs of one half, or for any value that all classes share.
    """
    coef, intercept = model.coefs_[1], model.intercepts_[1]
    if coef.shape[1] > 1 and not has_several_labels(model):
        coef *= len(model.classes_)
        intercept *= len(model.classes_)
        return "softmax"
    coef *= 4
    intercept -= 0.5
    intercept *= 4
    return "logistic"


def _to_torch_module(estimator: Any, dtype: Any) -> torch.nn.Sequential:
    """Return an nn.Sequential that maps inputs to the outputs before the output activation."""
    torch = torch_for("to_torch")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype={dtype!r} must be None or a floating-point dtype of torch, such as torch.float32.")
    layers = []
    for coef, intercept in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        n_inputs, n_outputs = coef.shape
        layer = torch.nn.Linear(n_inputs, n_outputs, device="meta")  # "meta" draws no random weights
        layer.weight = torch.nn.Parameter(torch.from_numpy(coef.T.copy()).to(dtype))
        layer.bias = torch.nn.Parameter(torch.from_numpy(intercept.copy()).to(dtype))
        layers.append(layer)
    return torch.nn.Sequential(
        layers[0], getattr(torch.nn, ACTIVATIONS[estimator.activation_].torch_module)(), layers[1]
    )
