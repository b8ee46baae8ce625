"""
Torch networks: how an ``nn.Sequential`` is read into layers, and how another is made of layers.

The selection is in ``_layers``. Everything is computed on the network's device and in its dtype, without gradients and
without randomness. The caller has imported torch already to make the network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_gfs._tensors import from_tensor
from sklearn_gfs._typing import Float64Array

from ._layers import Kept, Layers

# Names of modules in torch.nn. These are functions of one neuron; they may stand anywhere.
_ELEMENTWISE = (
    *("CELU", "ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU", "LogSigmoid", "Mish"),
    *("ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh"),
)
# Functions of one neuron with parameters or running statistics for each neuron; they may stand anywhere, too.
_OF_EACH = ("BatchNorm1d", "PReLU")
# Modules that do nothing in evaluation, and are left out.
_OFF = ("AlphaDropout", "Dropout")
# Modules that may stand before the first linear layer.
_BEFORE = ("Flatten",)
# Modules that may stand after the last linear layer, over the outputs of a sample.
_AFTER = ("LogSoftmax", "Softmax")
# scikit-learn's names of the output activations; other modules at the end say nothing about the targets.
_LINKS = {"Sigmoid": "logistic", "LogSoftmax": "softmax", "Softmax": "softmax"}


def is_torch_module(network: Any) -> bool:
    """Say whether this is a module of torch, without importing torch."""
    return "torch" in sys.modules and isinstance(network, sys.modules["torch"].nn.Module)


class TorchLayers(Layers):
    """
    The layers of an ``nn.Sequential``.

    Raises
    ------
    TypeError
        If it is another kind of module.
    ValueError
        If it holds modules that are not known, or fewer than two linear layers.
    """

    def __init__(self, network: Any) -> None:
        self._torch = torch = sys.modules["torch"]
        if not _is_sequential(network):
            raise TypeError(
                f"network is a torch module of the class {type(network).__name__}; it must be an nn.Sequential. Other "
                "modules do not say in which order they call their parts"
            )
        self._network = network
        modules = list(_flattened(network, ""))
        linears = [position for position, (_, module) in enumerate(modules) if type(module) is torch.nn.Linear]
        self._check(modules, linears)
        self._linears = [modules[position][1] for position in linears]
        bounds = [-1, *linears, len(modules)]
        between = [[module for _, module in modules[i + 1 : j]] for i, j in pairwise(bounds)]
        self._before, *self._activations, after = [[m for m in group if not self._is(m, _OFF)] for group in between]
        self._kept: dict[int, Any] = {}  # indices of the neurons that hidden layers have kept
        self._link = self._read_link(after)
        parameter = self._linears[0].weight
        self._place = {"device": parameter.device, "dtype": parameter.dtype}
        self.coefs = [linear.weight.detach().T for linear in self._linears]
        self.intercepts = [
            coef.new_zeros(coef.shape[1]) if linear.bias is None else linear.bias.detach()
            for coef, linear in zip(self.coefs, self._linears, strict=True)
        ]

    def _is(self, module: Any, names: tuple[str, ...]) -> bool:
        """Say whether a module is of one of these classes, and not of a subclass."""
        return any(type(module) is getattr(self._torch.nn, name) for name in names)

    def _check(self, modules: list[tuple[str, Any]], linears: list[int]) -> None:
        """Raise an error if the network has modules that can't be pruned."""
        first, last = (linears[0], linears[-1]) if linears else (0, 0)
        anywhere, unknown = (*_ELEMENTWISE, *_OF_EACH, *_OFF), []
        for position, (name, module) in enumerate(modules):
            known = ("Linear", *anywhere, *_BEFORE * (position < first), *_AFTER * (position > last))
            if not self._is(module, known):
                unknown.append(f"{name} ({type(module).__name__})")
        if unknown:
            raise ValueError(
                f"network holds modules that are unknown or in the wrong place: {', '.join(unknown)}. Allowed are "
                f"Linear, {', '.join(anywhere)}, Flatten before the first Linear, and {' and '.join(_AFTER)} after "
                "the last"
            )
        if len(linears) < 2:
            raise ValueError(
                f"network has {len(linears)} linear layers; it must have two or more to have hidden neurons"
            )
        self._check_fit(modules[first:])
        for name, module in modules:
            if self._is(module, _AFTER) and module.dim not in (1, -1, None):
                raise ValueError(
                    f"the module {name} of network, {type(module).__name__}, has dim={module.dim!r}; dim must be 1 or "
                    "-1, so that the outputs of each sample are compared with each other"
                )
        hooked = [
            name or "its outermost module"
            for name, module in self._network.named_modules()
            if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
        ]
        if hooked:
            raise ValueError(
                f"network has forward hooks, or a forward set from outside, at {', '.join(hooked)}; they may change "
                "what is computed. Remove them first (torch.nn.utils.prune.remove removes those of a mask)"
            )
        weights = [modules[position][1].weight for position in linears]
        own = [*weights, *(module for _, module in modules if self._has_numbers_of_each(module))]
        if len({id(one) for one in own}) < len(own):
            raise ValueError("network uses the same weights in two places; each layer must have its own weights")
        tensors = [tensor for _, module in modules for tensor in self._numbers_of(module).values()]
        places = {(str(tensor.device), str(tensor.dtype)) for tensor in tensors}
        if len(places) > 1 or not weights[0].dtype.is_floating_point:
            raise ValueError(f"the layers of network must share a device and a floating dtype, got {places}")
        for name, module in modules:
            numbers = self._numbers_of(module).values() if self._is(module, _OF_EACH) else ()
            if not all(self._torch.isfinite(tensor).all() for tensor in numbers):
                raise ValueError(
                    f"the module {name} of network, {type(module).__name__}, holds numbers that are NaN or infinite; "
                    "training has failed, and there is nothing to prune"
                )

    def _check_fit(self, modules: list[tuple[str, Any]]) -> None:
        """Raise an error if a module, from the first linear one on, does not fit the width of the module before."""
        above, width = "", None
        for name, module in modules:
            is_linear, takes = type(module) is self._torch.nn.Linear, None
            if is_linear:
                takes = module.in_features
            elif self._is(module, ("BatchNorm1d",)):
                takes = module.num_features
                if module.running_mean is None:
                    raise ValueError(
                        f"the module {name} of network keeps no running statistics, so that the outputs of a sample "
                        "depend on the others of its batch; BatchNorm1d needs track_running_stats=True"
                    )
            elif self._has_numbers_of_each(module):
                takes = module.num_parameters
            if None not in (takes, width) and takes != width:
                raise ValueError(
                    f"the modules {above} and {name} of network do not fit: Linear gives {width} features, and "
                    f"{type(module).__name__} takes {takes}"
                )
            if is_linear:
                above, width = name, module.out_features

    def _numbers_of(self, module: Any) -> dict[str, Any]:
        """Return the parameters and the running statistics of a module by name, without those that are None."""
        tensors = module._parameters | {name: module._buffers.get(name) for name in ("running_mean", "running_var")}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def _read_link(self, after: list[Any]) -> str | None:
        """Return the name of the output activation: "" if there is none, None if its name is not in `_LINKS`."""
        names = [type(module).__name__ for module in after if not self._is(module, ("Identity",))]
        return "" if not names else _LINKS.get(names[0]) if len(names) == 1 else None

    def read_inputs(self, X: Any) -> Any:
        """Return the validated inputs of samples, a tensor or an array."""
        if isinstance(X, self._torch.Tensor):
            X = X.detach()
            if X.layout is not self._torch.strided:
                raise TypeError("X is a sparse tensor; it must be a dense one, an array or a SciPy sparse matrix")
            if X.ndim < 2 or len(X) < 2:
                raise ValueError(f"X has shape {tuple(X.shape)}; it must hold two or more samples, each in a row")
            if not self._torch.isfinite(X).all():
                raise ValueError("X contains NaN or infinity")
        else:
            X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], allow_nd=True, ensure_min_samples=2)
        width, n_inputs = self.inputs(X, slice(0, 1)).shape, self._linears[0].in_features
        if len(width) != 2 or width[1] != n_inputs:
            raise ValueError(
                f"X has shape {tuple(X.shape)}, but the first layer of network expects {n_inputs} features"
            )
        return X

    def read_targets(self, y: Any) -> tuple[Float64Array, str]:
        """
        Return validated targets of the predictions, with a column for each output, and the output activation.

        Integers and booleans are classes, floats are continuous targets, unless the network has an output activation.
        """
        n_outputs, link = self._linears[-1].out_features, self._link
        if link is None:
            raise ValueError(
                "y can't be used where network ends in an activation without a loss of its own; leave it out"
            )
        y = np.asarray(from_tensor("y", y))
        if y.dtype == object:
            y = np.array(y.tolist())  # integers become integers
        if y.dtype.kind not in "biuf":
            raise ValueError(
                "y must hold numbers: integers are classes (the index of an output of network, or zeros and ones), and "
                f"floats are continuous targets; it holds {y.dtype}"
            )
        column = y.ravel() if y.shape[1:] == (1,) and n_outputs > 1 else y
        if y.dtype.kind in "biu" and not link:
            link = "softmax" if n_outputs > 1 and column.ndim == 1 else "logistic"
        link = link or "identity"
        y = column if link == "softmax" else y
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if link == "softmax" and y.ndim == 1:
            if not np.isin(y, np.arange(n_outputs)).all():
                raise ValueError(f"y must hold classes from 0 to {n_outputs - 1}, one for each output of network")
            return np.eye(n_outputs)[y.astype(np.int64)], link
        if link != "identity" and not ((y >= 0) & (y <= 1)).all():
            raise ValueError(
                "y must hold zeros and ones, or probabilities, where the outputs of network are those of labels"
            )
        return y.reshape(len(y), -1), link

    def inputs(self, X: Any, rows: slice) -> Any:
        """Return some of the samples as a tensor, passed through the modules before the first linear layer."""
        part = X[rows]
        if sparse.issparse(part):
            part = part.toarray()
        if isinstance(part, self._torch.Tensor):
            # A module may work in place, and the samples are the caller's.
            values = part.to(**self._place, copy=bool(self._before))
        else:
            values = self.from_numpy(part)
        return self._through(self._before, values)

    def activate(self, layer: int, values: Any) -> Any:
        """Return the activations of a hidden layer."""
        return self._through(self._activations[layer], values)

    def _through(self, modules: list[Any], values: Any) -> Any:
        """Return the values passed through modules, with running statistics in place of those of the batch."""
        for module in modules:
            if self._is(module, ("BatchNorm1d",)):
                values = self._torch.nn.functional.batch_norm(
                    values, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps
                )
            else:
                values = module(values)
        return values

    def gains(self, layer: int) -> Any:
        """Return the factors by which normalisation multiplies the values of a hidden layer's neurons."""
        gains = np.ones(self.coefs[layer].shape[1])
        for module in self._activations[layer]:
            if self._is(module, ("BatchNorm1d",)):
                gains /= np.sqrt(self.to_numpy(module.running_var).astype(np.float64) + module.eps)
                gains *= 1.0 if module.weight is None else np.abs(self.to_numpy(module.weight.detach()))
        return gains

    def copy(self) -> Self:
        """Return a network whose layers can be replaced."""
        copied = super().copy()
        copied._activations, copied._kept = list(self._activations), dict(self._kept)
        return copied

    def keep(self, layer: int, kept: Kept) -> None:
        """Drop all other neurons of a hidden layer, and replace the weights of the next layer."""
        super().keep(layer, kept)
        self._kept[layer] = self._torch.as_tensor(kept.neurons, device=self._place["device"])
        self._activations[layer] = [self._narrowed(deepcopy(module), layer) for module in self._activations[layer]]

    def _narrowed(self, module: Any, layer: int) -> Any:
        """Return the module with parameters and statistics of the neurons that its layer has kept only."""
        if layer in self._kept and self._has_numbers_of_each(module):
            kept = self._kept[layer]
            for name, old in self._numbers_of(module).items():
                setattr(module, name, self._parameter(old[kept], old) if name in module._parameters else old[kept])
            setattr(module, "num_parameters" if self._is(module, ("PReLU",)) else "num_features", len(kept))
        return module

    def _has_numbers_of_each(self, module: Any) -> bool:
        """Whether a module has a parameter or a statistic for each neuron; a PReLU may have one for all."""
        return self._is(module, ("BatchNorm1d",)) or (self._is(module, ("PReLU",)) and module.num_parameters > 1)

    def to_numpy(self, values: Any) -> Any:
        """Return an array; it is float32 if NumPy lacks the tensor's dtype."""
        if values.dtype not in (self._torch.float32, self._torch.float64):
            values = values.float()
        return values.cpu().numpy()

    def from_numpy(self, values: Float64Array) -> Any:
        """Return a tensor with the dtype and device of the parameters."""
        return self._torch.tensor(values, **self._place)

    def rebuilt(self) -> Any:
        """Return a Sequential of these layers, in memory of its own."""
        network = deepcopy(self._network)
        linears: list[Any] = []
        for _, module in _flattened(network, ""):
            if type(module) is self._torch.nn.Linear:
                linears.append(module)
            else:
                self._narrowed(module, len(linears) - 1)
        for linear, coef, intercept in zip(linears, self.coefs, self.intercepts, strict=True):
            linear.weight = self._parameter(coef.T, linear.weight)
            if linear.bias is not None or intercept.any():
                linear.bias = self._parameter(intercept, linear.weight if linear.bias is None else linear.bias)
            linear.out_features, linear.in_features = linear.weight.shape
        return network

    def _parameter(self, values: Any, old: Any) -> Any:
        """Return a parameter with a copy of the values; it requires a gradient if the old parameter does."""
        return self._torch.nn.Parameter(values.clone().contiguous(), requires_grad=old.requires_grad)


def _is_sequential(module: Any) -> bool:
    """Whether a module only calls its parts one after the other."""
    sequential, kind = sys.modules["torch"].nn.Sequential, type(module)
    decisive = ("__call__", "__iter__", "forward")
    return isinstance(module, sequential) and all(getattr(kind, one) is getattr(sequential, one) for one in decisive)


def _flattened(network: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the names and the modules of nested Sequentials, in order."""
    for name, module in network._modules.items():
        if _is_sequential(module):
            yield from _flattened(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module
