"""
The activations of hidden neurons: each is one object, and no other module compares their names.

To add one, add an object to `ACTIVATIONS`. Training takes the functions of tensors, and imports torch; predicting and
the theory take those of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

if TYPE_CHECKING:
    import torch

    from ._typing import FloatArray

# Codes of the activations in the loop that trains small networks.
IDENTITY, LOGISTIC, RELU, TANH = range(4)


@dataclass(frozen=True)
class Activation:
    """
    An activation of hidden neurons.

    Parameters
    ----------
    name : str
        What estimators call it, as scikit-learn does.
    initial_variance : float
        Variance of a pre-activation at initialisation: relu after He et al. (2015), the others so that a neuron starts
        where its activation bends.
    apply : callable
        Replaces the values of a NumPy array by those of the activation.
    slope : callable
        Returns a new NumPy array: the derivative at the values of a NumPy array.
    apply_torch : callable
        As `apply`, for a torch tensor.
    times_slope : callable
        Multiplies the first torch tensor in place by the slope, given the activation's values in the second.
    torch_module : str
        Its name in ``torch.nn``.
    onnx_operator : str
        Its name in ONNX.
    loop_code : int or None
        Its number in the loop that trains small networks; torch trains with an activation that has none.
    """

    name: str
    initial_variance: float
    apply: Callable[[FloatArray], None]
    slope: Callable[[FloatArray], NDArray[Any]]
    apply_torch: Callable[[torch.Tensor], None]
    times_slope: Callable[[torch.Tensor, torch.Tensor], None]
    torch_module: str
    onnx_operator: str
    loop_code: int | None = None


def _identity(values: Any, *_: Any) -> None:
    """Change nothing: values, and what is multiplied by a slope of one."""


def _relu(values: FloatArray) -> None:
    np.maximum(values, 0, out=values)


def _relu_slope(values: FloatArray) -> FloatArray:
    return (values > 0).astype(values.dtype)


@cache
def _threshold_backward() -> Any:
    """Return torch's own slope of relu; cached, because an update takes only a few microseconds."""
    from torch import ops

    return ops.aten.threshold_backward.grad_input


def _times_relu_slope(values: torch.Tensor, activated: torch.Tensor) -> None:
    _threshold_backward()(values, activated, 0, grad_input=values)


def _tanh(values: FloatArray) -> None:
    np.tanh(values, out=values)


def _tanh_slope(values: FloatArray) -> FloatArray:
    slope: FloatArray = 1 - np.tanh(values) ** 2
    return slope


def _times_tanh_slope(values: torch.Tensor, activated: torch.Tensor) -> None:
    values.addcmul_(values, activated * activated, value=-1)


def _logistic(values: FloatArray) -> None:
    expit(values, out=values)


def _logistic_slope(values: FloatArray) -> FloatArray:
    slope: FloatArray = expit(values) * expit(-values)
    return slope


def _times_logistic_slope(values: torch.Tensor, activated: torch.Tensor) -> None:
    values.mul_(activated - activated * activated)


# Keys are the values of the estimators' parameter `activation`.
ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("identity", 1.0, _identity, np.ones_like, _identity, _identity, "Identity", "Identity", IDENTITY),
        Activation(
            "logistic",
            4.0,
            _logistic,
            _logistic_slope,
            methodcaller("sigmoid_"),
            _times_logistic_slope,
            "Sigmoid",
            "Sigmoid",
            LOGISTIC,
        ),
        Activation("relu", 2.0, _relu, _relu_slope, methodcaller("relu_"), _times_relu_slope, "ReLU", "Relu", RELU),
        Activation("tanh", 1.0, _tanh, _tanh_slope, methodcaller("tanh_"), _times_tanh_slope, "Tanh", "Tanh", TANH),
    )
}
