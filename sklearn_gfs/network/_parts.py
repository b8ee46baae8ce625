"""
A wide network in parts: groups of neurons that several threads compute at the same time.

The number of parts depends on the size of an update only, so that results are the same for any number of threads. torch
and BLAS divide each operation among threads, and synchronise them after each. Here threads synchronise three times in
an update: when the outputs are added up, when the gradient is known, and when the parameters have moved. A thread that
waits sleeps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sklearn_gfs._threads import n_torch_threads, one_thread, set_torch_threads

from ._parameters import Network
from ._two_layer import TorchNetwork, layout_of

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray

    from ._losses import Loss

# Number of floating-point operations of an update from which two parts are faster than one.
_TWO_PARTS = 1e8
# Factor of this number for which the number of parts doubles.
_TWICE_AS_MANY = 4.0
# Least number of neurons of a part.
_LEAST_NEURONS = 64
# Largest number of parts.
_MOST_PARTS = 16


def n_parts_of(n_features: float, n_hidden: int, n_outputs: int, batch_size: int) -> int:
    """Return the number of parts of a network of this size in training."""
    n_operations = 6.0 * batch_size * n_hidden * (n_features + n_outputs)
    if n_operations < _TWO_PARTS:
        return 1
    n_parts = 2 ** (1 + int(math.log(n_operations / _TWO_PARTS, _TWICE_AS_MANY)))
    return max(1, min(n_parts, n_hidden // _LEAST_NEURONS, _MOST_PARTS))


class NetworkInParts:
    """
    A network like `TorchNetwork`, made of several `TorchNetwork` that compute and move at the same time.

    The parameters of the first part come first in ``parameters``, then those of the second. Each part has an output
    intercept; all but the first part's are zero and stay so.
    """

    def __init__(self, network: Network, activation: Activation, loss: Loss, alpha: float, n_parts: int) -> None:
        import torch

        self._torch = torch
        self._loss = loss
        bounds = np.linspace(0, len(network.weights), n_parts + 1).astype(int).tolist()
        self._neurons = [slice(*pair) for pair in itertools.pairwise(bounds)]
        self._layout = layout_of(network)
        self._parts = [TorchNetwork(_neurons_of(network, some), activation, loss, alpha) for some in self._neurons]
        self.parameters = torch.cat([part.parameters for part in self._parts])
        self.gradient = torch.zeros_like(self.parameters)
        ends = itertools.accumulate((len(part.parameters) for part in self._parts), initial=0)
        self.pieces = [slice(*pair) for pair in itertools.pairwise(ends)]
        for part, piece in zip(self._parts, self.pieces, strict=True):
            part.lie_in(self.parameters[piece], self.gradient[piece])
        self._pool: ThreadPoolExecutor | None = None
        self._n_threads = 1

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Return a context with the number of threads that torch would use, at most one for each part."""
        if self._pool is not None:  # the context is nested
            yield
            return
        self._n_threads = min(n_torch_threads(), len(self._parts))
        if self._n_threads == 1:
            with one_thread():
                yield
            return
        with (
            one_thread(),
            ThreadPoolExecutor(self._n_threads - 1, initializer=set_torch_threads, initargs=(1,)) as self._pool,
        ):
            try:
                yield
            finally:
                self._pool = None

    def in_parts(self, work: Callable[[int], None]) -> None:
        """Call `work` with the index of every part, in parallel."""
        n_parts = len(self._parts)
        if self._pool is None:
            for part in range(n_parts):
                work(part)
            return

        def share(first: int) -> None:
            with self._torch.inference_mode():  # the mode holds for one thread only
                for part in range(first, n_parts, self._n_threads):
                    work(part)

        others = [self._pool.submit(share, first) for first in range(1, self._n_threads)]
        share(0)
        for other in others:
            other.result()

    def outputs(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs; the parts keep the hidden activations."""
        outputs: list[torch.Tensor] = [X] * len(self._parts)

        def forward(part: int) -> None:
            outputs[part] = self._parts[part].forward(X)[1]

        self.in_parts(forward)
        total = outputs[0]
        for more in outputs[1:]:
            total.add_(more)
        return total

    def loss_and_gradient(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> float:
        """Return the loss on the batch and leave the gradient of the loss and the penalty in ``gradient``."""
        loss, residual = self._loss.value_and_residual(self.outputs(X), y, weight)
        residual.mul_(1 / X.shape[0])
        self.in_parts(lambda part: self._parts[part].backward(X, residual, moves_intercept=part == 0))
        return loss

    def penalty(self) -> float:
        """Return alpha / 2 times the weighted mean over neurons of their squared coefficients."""
        return math.fsum(part.penalty() for part in self._parts)

    def descent(self) -> float:
        """Return the decrease of the loss per unit of a short step against ``gradient``."""
        return math.fsum(part.descent() for part in self._parts)

    def loss(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> float:
        """Return the loss without the penalty."""
        return self._loss.value_and_residual(self.outputs(X), y, weight)[0]

    def whole(self, vector: torch.Tensor) -> FloatArray:
        """Return a vector in the order of the parameters, rearranged to the order of a network of one part."""
        views = [
            [view.numpy() for view in part.layout.views(vector[piece])]
            for part, piece in zip(self._parts, self.pieces, strict=True)
        ]
        coef, intercept, out_coef, out_intercepts = zip(*views, strict=True)
        joined = [np.concatenate(coef), np.concatenate(intercept), np.concatenate(out_coef, axis=1), out_intercepts[0]]
        return self._layout.flat(joined)

    def in_pieces(self, vector: FloatArray) -> torch.Tensor:
        """Return the inverse of `whole`."""
        from torch import from_numpy

        coef, intercept, out_coef, out_intercept = self._layout.views_of_array(vector)
        pieces = [
            part.layout.flat([coef[some], intercept[some], out_coef[:, some], out_intercept * (some.start == 0)])
            for part, some in zip(self._parts, self._neurons, strict=True)
        ]
        return from_numpy(np.concatenate(pieces))

    def to_network(self) -> Network:
        """Return a copy of the parameters as NumPy arrays."""
        parts = [part.to_network() for part in self._parts]
        return parts[0]._replace(
            hidden_coef=np.concatenate([part.hidden_coef for part in parts], axis=1),
            hidden_intercept=np.concatenate([part.hidden_intercept for part in parts]),
            output_coef=np.concatenate([part.output_coef for part in parts]),
            weights=np.concatenate([part.weights for part in parts]),
        )


def _neurons_of(network: Network, some: slice) -> Network:
    """Return a network of some of the neurons; only the part with the first neuron has the output intercept."""
    return Network(
        network.hidden_coef[:, some],
        network.hidden_intercept[some],
        network.output_coef[some],
        network.output_intercept if some.start == 0 else np.zeros_like(network.output_intercept),
        network.weights[some],
    )
