"""
The searches for a dense network's neurons, and the samples and activations that they read.

Losses of which inner products tell everything have ``SearchByProducts``. Its products are of activations that are kept
or computed anew, or sums over samples. Any other loss has ``SearchByGradient``. Arrays and networks in, candidates out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._threads import one_thread
from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import Network, Part
from sklearn_gfs.selection import OutputLayer, SteepestPath, path_of, pick_by_squares, pick_corrected, pick_steepest

from ._candidates import Candidate, corrected, solved_by_gradient, uncorrected
from ._drawn import Drawn, draw
from ._given import PathSettings
from ._inner_products import InnerProducts
from ._layer import HiddenLayer
from ._prepared import Prepared

if TYPE_CHECKING:
    from sklearn_gfs.selection import ComputedRows

# Least number of samples on which neurons are selected for the squared error, if the data have more. The activations of
# fewer samples may be all that memory can hold; they are then computed anew.
_LEAST_SAMPLES = 2000
# Largest number of samples on which neurons are selected by default. With more samples other neurons are picked, but
# the loss on all samples hardly changes.
_MOST_SAMPLES = 10_000
# Largest number of samples on which the weights of picks by least squares are solved for.
_MOST_SOLVED = 10_000
# Number of float64 matrices of shape (n_hidden, n_hidden) that sums over samples keep in memory at once.
_MATRICES = 4
# Activations of samples that have fewer numbers than the Gram columns that are made of them at a time are cheap.
_FEW_NUMBERS = 96
# Largest number of neurons for which the certificate is exact, from the whole Gram matrix.
_CERTIFIED = 2000
# Number of samples times outputs on which neurons are selected by the gradient, unless a limit below holds.
_NUMBERS_BY_GRADIENT = 10_000
# Least number of samples on which neurons are selected by the gradient.
_LEAST_SAMPLES_BY_GRADIENT = 1000
# Largest number of samples on which neurons are selected by the gradient.
_MOST_SAMPLES_BY_GRADIENT = 2000


class NeuronSearch(ABC):
    """
    A search for neurons on samples of the data.

    Parameters
    ----------
    data : Prepared
    settings : PathSettings

    Attributes
    ----------
    dtype : dtype
        Precision of the activations.
    takes_device : bool
        Whether activations may be kept on the device. If not, they have to be NumPy arrays.
    tells_all : bool
        Whether candidates have the losses and gaps of all samples that were searched, so that they need no other
        measurement.
    """

    dtype: np.dtype[Any]
    takes_device: bool
    tells_all: bool

    def __init__(self, data: Prepared, settings: PathSettings) -> None:
        self._data, self._loss = data, settings.training.loss
        self._activation, self._device = settings.training.activation, settings.training.device
        self._n_samples = settings.selection_samples

    @abstractmethod
    def candidates(
        self,
        network: Network,
        part: Part,
        k: int,
        ridges: list[float | None],
        hidden: Any = None,
        *,
        certified: bool = False,
    ) -> list[Candidate]:
        """
        Return a candidate for each ridge, selected on samples drawn from this part; None means the paper's selection.

        `hidden` are the activations of the samples if known. With `certified` the gaps of corrective selections are
        exact for networks of few neurons.
        """

    @abstractmethod
    def _n_automatic(self, network: Network) -> int:
        """Return the largest number of samples on which neurons are selected by default."""

    def n_drawn(self, network: Network) -> int:
        """Return the largest number of samples on which neurons are selected."""
        if self._n_samples is None:
            return len(self._data.parts.whole.rows)
        return self._n_automatic(network) if isinstance(self._n_samples, str) else self._n_samples

    def drawn(self, part: Part, n_drawn: int) -> Drawn:
        """Return samples that stand for this part."""
        return draw(self._data.targets, part.rows, part.weight, n_drawn, self._data.dtype)

    def targets(self, rows: IntArray) -> FloatArray:
        """Return the targets of these samples."""
        targets: FloatArray = self._data.targets[rows].astype(self._data.dtype, copy=False)
        return targets

    def layer(self, network: Network) -> HiddenLayer:
        """Return the neurons of this network, for standardised inputs."""
        return HiddenLayer(network, self._inputs, self._activation, self.dtype, self._device)

    def _inputs(self, rows: IntArray) -> Any:
        """Standardised inputs of these samples."""
        data = self._data
        if data.kept is not None:
            return data.kept[rows].astype(self.dtype, copy=False)
        X = data.scaling.inputs.astype(data.X.dtype).apply(data.X[rows])
        return X.astype(self.dtype, copy=False)


class SearchByProducts(NeuronSearch):
    """
    The search for the squared error.

    Activations are float32 for any dtype of the data, because products of float32 are faster. Only the choice of
    neurons depends on this precision. Inputs are standardised before they are rounded to float32, so that an offset of
    the data costs no precision.
    """

    dtype, takes_device, tells_all = np.dtype(np.float32), True, True

    def _n_automatic(self, network: Network) -> int:
        # The same number of samples on all devices, so that all devices select the same neurons.
        n_kept = working_memory() // (len(network.weights) * self.dtype.itemsize)
        return int(np.clip(n_kept, _LEAST_SAMPLES, _MOST_SAMPLES))

    def candidates(
        self,
        network: Network,
        part: Part,
        k: int,
        ridges: list[float | None],
        hidden: Any = None,
        *,
        certified: bool = False,
    ) -> list[Candidate]:
        """Return a candidate for each ridge."""
        drawn = self.drawn(part, self.n_drawn(network))
        layer, found = self.layer(network), []
        is_some = len(drawn.rows) < len(part.rows)
        anew = ridges == [None] and is_some and self._are_cheap()
        if hidden is None and not anew and layer.may_be_kept(len(drawn.rows)):
            hidden = layer.kept(drawn.rows)
        elif hidden is None and (self._device != "cpu" or anew or not self._sums_pay(layer)):
            hidden = layer.computed(drawn.rows)
        samples = InnerProducts(layer, drawn.rows, self.targets, drawn.weight, hidden)
        if None in ridges:
            found.append(uncorrected(samples.select(network, k)))
        numbers = [ridge for ridge in ridges if ridge is not None]
        if numbers:
            tol = 0.0 if certified and len(network.weights) <= _CERTIFIED else None
            paths = samples.correct(network, k, numbers, tol)
            if is_some:
                paths = InnerProducts(layer, part.rows, self.targets, part.weight_of_rows).solve_again(paths)
            n_samples = self._data.n_effective(part)
            found += [corrected(ridge, path, n_samples) for ridge, path in zip(numbers, paths, strict=True)]
        return found

    @property
    def _row_numbers(self) -> float:
        """Mean number of stored values in a sample's inputs."""
        X = self._data.X
        return float(X.nnz / X.shape[0]) if sparse.issparse(X) else float(X.shape[1])

    def _are_cheap(self) -> bool:
        """
        Whether the activations take less time to compute than their products.

        Cheap activations are not kept: those of a few thousand samples would be most of the memory of a fit.
        """
        return self._device == "cpu" and self._row_numbers <= _FEW_NUMBERS

    def _sums_pay(self, layer: HiddenLayer) -> bool:
        """Whether sums over samples fit into memory, and take less time than to compute activations several times."""
        return layer.n_neurons <= self._row_numbers and _MATRICES * 8 * layer.n_neurons**2 <= working_memory()


class SearchByGradient(NeuronSearch):
    """The search for any other loss, with activations in NumPy and in the precision of the data."""

    takes_device, tells_all = False, False

    def __init__(self, data: Prepared, settings: PathSettings) -> None:
        super().__init__(data, settings)
        self.dtype = np.dtype(data.dtype)

    def _n_automatic(self, network: Network) -> int:  # noqa: ARG002
        n_drawn = max(_NUMBERS_BY_GRADIENT // self._data.targets.shape[1], _LEAST_SAMPLES_BY_GRADIENT)
        return min(n_drawn, _MOST_SAMPLES_BY_GRADIENT)

    def candidates(
        self,
        network: Network,
        part: Part,
        k: int,
        ridges: list[float | None],
        hidden: Any = None,
        *,
        certified: bool = False,  # noqa: ARG002
    ) -> list[Candidate]:
        """Return a candidate for each ridge."""
        drawn = self.drawn(part, self.n_drawn(network))
        hidden, few = self._on_processor(network, drawn) if hidden is None else (hidden, True)
        # Operations on the outputs of a few thousand samples are small, so one thread is faster. Activations that are
        # computed anew are large operations and use all threads.
        with one_thread() if few else nullcontext():
            return self._by_gradient(hidden, drawn, part, network, k, ridges)

    def _by_gradient(
        self, hidden: Any, drawn: Drawn, part: Part, network: Network, k: int, ridges: list[float | None]
    ) -> list[Candidate]:
        """
        Return a candidate for each ridge, selected on the samples drawn.

        Weights are re-solved on all samples if the working memory can hold their activations.
        """
        targets, n_neurons, found = self.targets(drawn.rows), len(network.weights), []
        if None in ridges:
            picks, losses = pick_steepest(hidden, targets, drawn.weight, output_layer(network), self._loss, k)
            found.append(uncorrected(path_of(picks, n_neurons, losses, np.full(k, np.nan))))
        numbers = [ridge for ridge in ridges if ridge]  # no zero: weights of separable classes need a penalty
        if numbers:
            path = pick_corrected(hidden, targets, drawn.weight, self._loss, k)
            fit = _MATRICES * 8 * len(part.rows) * (k + 1) <= working_memory()
            samples = Drawn(part.rows, part.weight_of_rows) if fit else drawn
            found += map(self._solver(network, path, samples, part), numbers)
        return found

    def by_squares(self, network: Network, k: int) -> SteepestPath | None:
        """
        Pick neurons by the squared error with re-solved weights, on samples that are not held out, whatever the loss.

        This takes a small part of the time that a corrective selection by the log loss takes. None where activations
        are too many to be kept, or no neuron adds anything.
        """
        drawn = self.drawn(self._data.parts.train, self.n_drawn(network))
        hidden, fit = self._on_processor(network, drawn)
        if not fit:
            return None
        with one_thread():
            path = pick_by_squares(hidden, self.targets(drawn.rows), drawn.weight, k)
        return path if len(path.picks) else None

    def solver(self, network: Network, path: SteepestPath, part: Part) -> Callable[[float], GreedyPath]:
        """
        Return a function of the ridge: the path of these picks, with weights that are solved for on this part.

        Of a large part samples are drawn.
        """
        solve = self._solver(network, path, self.drawn(part, _MOST_SOLVED), part)

        def at(ridge: float) -> GreedyPath:
            with one_thread():
                return solve(ridge).path

        return at

    def _on_processor(self, network: Network, drawn: Drawn) -> tuple[FloatArray | ComputedRows, bool]:
        """Return the activations of samples on the processor, and whether they are kept or computed when read."""
        layer = self.layer(network)
        fit = layer.may_be_kept(len(drawn.rows), in_main_memory=True)
        return layer.in_main_memory(drawn.rows) if fit else layer.computed(drawn.rows, in_main_memory=True), fit

    def _solver(self, network: Network, path: SteepestPath, samples: Drawn, part: Part) -> Callable[[float], Candidate]:
        """Return what solves for the weights of picks at a ridge, on these samples, which stand for this part."""
        columns, layer = np.ones((len(samples.rows), len(path.picks) + 1)), self.layer(network)
        activations = layer.computed(samples.rows, in_main_memory=True)
        for piece in layer.pieces(len(samples.rows)):
            columns[piece, 1:] = activations[piece, path.picks]
        problem = columns, self.targets(samples.rows), samples.weight, self._loss
        n_neurons, n_samples = len(network.weights), self._data.n_effective(part)
        return lambda ridge: solved_by_gradient(ridge, path, n_neurons, problem, n_samples)


def output_layer(network: Network) -> OutputLayer:
    """Return what the mean of a network's neurons goes through."""
    return OutputLayer(network.output_coef, network.output_intercept)
