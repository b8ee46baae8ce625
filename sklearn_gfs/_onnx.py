"""
Converters to ONNX for skl2onnx: the subnetwork and what `predict` and `predict_proba` make of its outputs, the columns
that a selector keeps, and the best estimator of a search.

Graphs consist of operators that every version from 9 on has in the same form, `TopK` apart. skl2onnx is imported when
the converters are registered; nothing else here needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._activations import ACTIVATIONS
from .mlp import LINKS, GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, has_several_labels
from .search import PretrainThresholdSearch
from .selection import GreedyForwardSelector

# Name of an estimator in skl2onnx.
_ALIAS = "SklearnGfs{}"


def register_onnx_converters() -> None:
    """
    Tell skl2onnx how to convert the estimators of this package, alone and within pipelines.

    Call it once, before `skl2onnx.to_onnx`. What it converts predicts as the estimator does: the classes (`label`) and
    their probabilities, or continuous values in a column for each output. A selector gives the columns that it keeps; a
    search is its best estimator. Inputs in float32 or float64 are computed in that precision. Every `target_opset` from
    9 on is understood. So is the option `zipmap` of scikit-learn's classifiers. Multilabel targets and inputs in
    float64 want it to be False. With the option `raw_scores` the outputs of a network with a `decision_function` are
    that function, of two classes a column for each.

    Raises
    ------
    ImportError
        If skl2onnx is not installed; the extra ``sklearn-gfs[onnx]`` brings it.

    See Also
    --------
    GreedyPrunedMLP.to_sklearn : The subnetwork as an estimator that skl2onnx knows by itself.
    GreedyPrunedMLP.to_torch : The subnetwork as a torch module.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_gfs import GreedyPrunedMLPClassifier, register_onnx_converters
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = GreedyPrunedMLPClassifier(20, 5, n_hidden=50, random_state=0)
    >>> model = make_pipeline(StandardScaler(), clf).fit(X, y)
    >>> import skl2onnx  # doctest: +SKIP
    >>> register_onnx_converters()  # doctest: +SKIP
    >>> onnx_model = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx._parse import update_registered_parser
    except ImportError as error:
        raise ImportError("skl2onnx is not installed; `pip install sklearn-gfs[onnx]` brings it.") from error

    # skl2onnx itself asks for "nocl". Its calibrated and stacked classifiers set "raw_scores", where it is declared.
    options = {"zipmap": [True, False, "columns"], "nocl": [False], "raw_scores": [True, False]}
    for cls, cls_options, parser in (
        (GreedyPrunedMLP, options, _parse),
        (GreedyPrunedMLPClassifier, options, None),
        (GreedyPrunedMLPRegressor, None, None),
    ):
        update_registered_converter(
            cls, _ALIAS.format(cls.__name__), _set_shapes, _convert, options=cls_options, parser=parser
        )
    alias = _ALIAS.format(GreedyForwardSelector.__name__)
    update_registered_converter(GreedyForwardSelector, alias, _set_shape_of_columns, _convert_columns)
    update_registered_parser(PretrainThresholdSearch, _parse_search)


def _parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the outputs of GreedyPrunedMLP, whose type does not show whether it is a classifier."""
    from skl2onnx._parse import _apply_zipmap, _parse_sklearn_simple_model
    from skl2onnx.common.data_types import Int64TensorType, guess_tensor_type

    if not hasattr(model, "classes_"):
        return _parse_sklearn_simple_model(scope, model, inputs, custom_parsers)
    operator = scope.declare_local_operator(_ALIAS.format(type(model).__name__), model)
    operator.inputs = inputs
    number = guess_tensor_type(inputs[0].type)
    for name, kind in (("label", Int64TensorType()), ("probabilities", number)):
        operator.outputs.append(scope.declare_local_variable(name, kind))
    zipmap = scope.get_options(model, {"zipmap": True})["zipmap"]
    return _apply_zipmap(zipmap, scope, model, inputs[0].type, operator.outputs) if zipmap else operator.outputs


def _parse_search(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Replace the search by its best estimator."""
    from skl2onnx._parse import parse_sklearn

    check_is_fitted(model)
    if not model.refit:
        raise ValueError("A search with refit=False has no best estimator to convert; fit it with refit=True.")
    for key in (type(model), id(model)):
        scope.add_options(id(model.best_estimator_), (scope.options or {}).get(key))
    return parse_sklearn(scope, model.best_estimator_, inputs, custom_parsers=custom_parsers)


def _dtype(operator: Any) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType

    is_double = [isinstance(variable.type, DoubleTensorType) for variable in operator.inputs]
    return np.float64 if any(is_double) else np.float32


def _joined(graph: _Graph, operator: Any, *, cast: bool) -> Any:
    """Return all the columns; a frame has an input for each."""
    inputs = operator.inputs
    if cast:
        inputs = [graph("Cast", columns, to=1 if graph.dtype == np.float32 else 11) for columns in inputs]
    return inputs[0] if len(inputs) == 1 else graph("Concat", *inputs, axis=1)


def _set_shapes(operator: Any) -> None:
    """Set types and shapes of the outputs."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    model, n_samples = operator.raw_operator, operator.inputs[0].get_first_dimension()
    check_is_fitted(model)
    numbers = DoubleTensorType if _dtype(operator) == np.float64 else FloatTensorType
    if not hasattr(model, "classes_"):
        operator.outputs[0].set_type(numbers([n_samples, model.n_outputs_]))
        return
    n_classes = len(model.classes_)
    labels = Int64TensorType if model.classes_.dtype.kind in "biuf" else StringTensorType
    operator.outputs[0].set_type(labels([n_samples, n_classes] if has_several_labels(model) else [n_samples]))
    operator.outputs[1].set_type(numbers([n_samples, n_classes]))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the network to the graph, and the step from its outputs to predictions."""
    from skl2onnx.algebra import onnx_ops

    graph = _Graph(onnx_ops, container.target_opset, _dtype(operator))
    model, names = operator.raw_operator, operator.outputs
    columns = _joined(graph, operator, cast=True)
    hidden = graph("Add", graph("MatMul", columns, model.coefs_[0]), model.intercepts_[0])
    hidden = graph(ACTIVATIONS[model.activation_].onnx_operator, hidden)
    outputs = graph("Add", graph("MatMul", hidden, model.coefs_[1]), model.intercepts_[1])
    results = [outputs]
    if hasattr(model, "classes_"):
        raw = container.get_options(model, {"raw_scores": False})["raw_scores"] and hasattr(model, "decision_function")
        results = (_of_labels if has_several_labels(model) else _of_classes)(graph, model, outputs, raw=raw)
    for result, name in zip(results, names, strict=True):
        graph("Identity", result, output_names=[name]).add_to(scope, container)


def _of_labels(graph: _Graph, model: Any, outputs: Any, *, raw: bool) -> list[Any]:
    """Return the labels, each true or false, and their probabilities, or with `raw` the logits."""
    estimates = graph("Sigmoid", outputs) if LINKS[model.out_activation_].gives_probabilities else outputs
    labels = graph("Cast", graph("Greater", estimates, np.array(0.5)), to=7)
    return [labels, outputs if raw else graph.clip(estimates, *_limits(graph.dtype))]


def _of_classes(graph: _Graph, model: Any, outputs: Any, *, raw: bool) -> list[Any]:
    """Return the class and the probabilities of all, or with `raw` the logits."""
    if raw:
        # skl2onnx needs a column for each class, also with two classes.
        scores = outputs if model.n_outputs_ > 1 else graph("Concat", graph("Neg", outputs), outputs, axis=1)
    else:
        scores = _PROBABILITIES[model.out_activation_](graph, model.n_outputs_, outputs)
    best = graph("ArgMax", outputs if model.n_outputs_ > 1 else scores, axis=1, keepdims=0)
    return [graph("Gather", _labels(model.classes_), best), scores]


class _Graph:
    """Creates nodes of one version and precision; arrays of floats become constants of this precision."""

    def __init__(self, onnx_ops: Any, version: int, dtype: Any) -> None:
        self._ops = onnx_ops
        self._version = version
        self.dtype = dtype

    def __call__(self, name: str, *inputs: Any, **attributes: Any) -> Any:
        """Return the node of this operator."""
        inputs = tuple(
            value.astype(self.dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
            for value in inputs
        )
        return getattr(self._ops, f"Onnx{name}")(*inputs, op_version=self._version, **attributes)

    def clip(self, values: Any, low: np.ndarray, high: np.ndarray) -> Any:
        """Return the values clipped to these limits; the operator Clip lacks float64 before version 12."""
        return self("Min", self("Max", values, low), high)

    def largest(self, values: Any, n: int) -> Any:
        """Return the n largest values of every row, in descending order."""
        if self._version < 10:
            return self("TopK", values, k=n, axis=1)[0]
        return self("TopK", values, np.array([n], dtype=np.int64), axis=1)[0]


def _limits(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    margin = np.finfo(dtype).eps
    return np.array(margin), np.array(1 - margin)


def _labels(classes: np.ndarray) -> np.ndarray:
    return classes.astype(np.int64) if classes.dtype.kind in "biuf" else classes.astype(str)


def _softmax(graph: _Graph, n_outputs: int, outputs: Any) -> Any:  # noqa: ARG001
    return graph("Softmax", outputs, axis=1)


def _logistic(graph: _Graph, n_outputs: int, outputs: Any) -> Any:  # noqa: ARG001
    return graph("Sigmoid", graph("Concat", graph("Neg", outputs), outputs, axis=1))


def _projected(graph: _Graph, n_outputs: int, outputs: Any) -> Any:
    if n_outputs == 1:
        second = graph.clip(outputs, np.array(0.0), np.array(1.0))
        return graph("Concat", graph("Sub", np.array([1.0]), second), second, axis=1)
    # Projection onto the simplex: what is subtracted is the largest, over j, of (sum of the j largest - 1) / j.
    sums = graph("MatMul", graph.largest(outputs, n_outputs), np.triu(np.ones((n_outputs, n_outputs))))
    ratios = graph("Div", graph("Sub", sums, np.array([1.0])), np.arange(1.0, n_outputs + 1))
    return graph("Relu", graph("Sub", outputs, graph.largest(ratios, 1)))


# What `mlp._links` does to outputs of classes that exclude each other, by the name of the output activation.
_PROBABILITIES = {"identity": _projected, "logistic": _logistic, "softmax": _softmax}


def _set_shape_of_columns(operator: Any) -> None:
    """Set type and shape of a selector's output: the type of its inputs, or float if the inputs differ."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    check_is_fitted(operator.raw_operator)
    kinds = {type(variable.type) for variable in operator.inputs}
    mixed = DoubleTensorType if _dtype(operator) == np.float64 else FloatTensorType
    n_samples, n_kept = operator.inputs[0].get_first_dimension(), int(operator.raw_operator.get_support().sum())
    operator.outputs[0].set_type((kinds.pop() if len(kinds) == 1 else mixed)([n_samples, n_kept]))


def _convert_columns(scope: Any, operator: Any, container: Any) -> None:
    """Add the choice of columns to the graph."""
    from skl2onnx.algebra import onnx_ops

    graph = _Graph(onnx_ops, container.target_opset, _dtype(operator))
    columns = _joined(graph, operator, cast=len({type(variable.type) for variable in operator.inputs}) > 1)
    kept = operator.raw_operator.get_support(indices=True).astype(np.int64)
    graph("Gather", columns, kept, axis=1, output_names=operator.outputs[:1]).add_to(scope, container)
