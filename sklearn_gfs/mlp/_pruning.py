"""
The selection of a dense network's neurons, and the samples and activations for the selection.

For the squared error the selection uses inner products, in ``_inner_products``. These are products of activations that
are kept or computed anew, or sums over samples. For other losses the search uses their
gradient.

Arrays and networks in, selection paths out; nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._threads import one_thread, threads_for
from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import Network, Part
from sklearn_gfs.selection import (
    OutputLayer,
    SteepestPath,
    measure,
    path_of,
    pick_by_squares,
    pick_corrected,
    pick_steepest,
)

from ._candidates import RIDGES, Candidate, Chosen, corrected, solved_by_gradient, uncorrected
from ._drawn import Drawn, draw
from ._given import PathSettings
from ._inner_products import InnerProducts
from ._layer import HiddenLayer, Room
from ._prepared import Prepared

if TYPE_CHECKING:
    from sklearn_gfs.selection import ComputedRows

# Least number of samples on which neurons are selected for the squared error, if the data have more. The activations of
# fewer samples may be all that memory can hold; they are then computed anew.
_LEAST_SAMPLES = 2000
# Largest number of samples on which neurons are selected by default. With more samples other neurons are picked, but
# the loss on all samples hardly changes.
_MOST_SAMPLES = 10_000
# Largest number of samples, by default, on which the losses of the picks are measured. A pass of half a million samples
# through all neurons took a quarter of a fit.
_MEASURED = 2**16
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


class NeuronSelection:
    """
    The selection of neurons on samples of the data.

    With many samples, neurons are selected on some of these. The losses of the picks are then measured on all samples,
    or on a larger part.

    For the squared error activations are float32 for any dtype of the data, because products of float32 are faster.
    Only the choice of neurons depends on this precision. Inputs are standardised before they are rounded to float32,
    so that an offset of the data costs no precision.

    Activations of all samples are computed, kept and multiplied on the device; "cpu" means in NumPy.

    Parameters
    ----------
    data : Prepared
    settings : PathSettings
    room : Room, default=None
        Memory for the activations of all samples. With None memory is allocated for a selection and then released.
    """

    def __init__(self, data: Prepared, settings: PathSettings, room: Room | None = None) -> None:
        self.data, self._parts, self._room = data, data.parts, room
        self._activation, self._loss = settings.training.activation, settings.training.loss
        self._n_samples, self._device = settings.selection_samples, settings.training.device
        self._corrective = settings.corrective

    def _targets(self, rows: IntArray) -> FloatArray:
        targets: FloatArray = self.data.targets[rows].astype(self.data.dtype, copy=False)
        return targets

    def paths(
        self,
        network: Network,
        sizes: list[int],
        trials: list[Candidate] | None,
        choose: Callable[[list[Candidate], int], Candidate],
    ) -> tuple[float, list[Chosen]]:
        """
        Return the dense loss, and for each number of picks the selections on all samples and of the trial.

        The trial leaves out the held-out samples. Its candidates are `trials`, or are computed here if this is None.
        Given the candidates and a number of picks, `choose` returns the candidate that prunes the network.
        """
        whole, k = self._parts.whole, max(sizes)
        hidden, dense_loss = None, None
        in_one_place = self._loss.is_quadratic or self._device == "cpu"  # the search by the gradient needs NumPy arrays
        n_rows = len(whole.rows)
        if in_one_place and self._n_drawn(network) >= n_rows and self._layer(network).may_be_kept(n_rows):
            # Held-out samples come last, so that the first rows are the activations of the training samples.
            hidden = self._layer(network).kept(whole.rows, self._room)
            if self._loss.is_quadratic:
                dense_loss = self._loss.mean(_outputs(hidden, network), self._targets(whole.rows), whole.weight_of_rows)
        if trials is None:
            trials = self.trials(network, k, None if hidden is None else hidden[: len(self._parts.train.rows)])
        chosen = [choose(trials, size) for size in sizes]
        found = {candidate.ridge: candidate for candidate in chosen}
        if len(self._parts.held_out.rows) or self._corrective:
            final = self._candidates(network, whole, k, list(found), hidden, certified=True)
            found = {candidate.ridge: candidate for candidate in final}
        if dense_loss is None:
            exact = self._selects_on_all(network, whole)
            dense_loss, found = self._measured(network, whole, found, hidden, exact=exact)
        return dense_loss, [
            Chosen(found[one.ridge].prefix(size), one.prefix(size), one.ridge)
            for one, size in zip(chosen, sizes, strict=True)
        ]

    def trials(self, network: Network, k: int, hidden: Any = None) -> list[Candidate]:
        """Return candidates selected on the training samples; their losses are of the samples drawn, see `measured`."""
        ridges: dict[Any, list[float | None]] = {False: [None], True: [*RIDGES], "auto": [None, *RIDGES]}
        return self._candidates(network, self._parts.train, k, ridges[self._corrective], hidden)

    def uncorrected(self, network: Network, k: int) -> Candidate:
        """Return the paper's selection on the training samples, which are not held out."""
        return self._candidates(network, self._parts.train, k, [None])[0]

    def by_squares(self, network: Network, k: int) -> SteepestPath | None:
        """
        Pick neurons by the squared error with re-solved weights, on samples that are not held out, whatever the loss.

        This takes a small part of the time that a corrective selection by the log loss takes. None where activations
        are too many to be kept, or no neuron adds anything.
        """
        drawn = self._drawn(self._parts.train, self._n_drawn(network))
        hidden, fit = self._on_processor(network, drawn)
        if not fit:
            return None
        with one_thread():
            path = pick_by_squares(hidden, self._targets(drawn.rows), drawn.weight, k)
        return path if len(path.picks) else None

    def solver(self, network: Network, path: SteepestPath, part: Part) -> Callable[[float], GreedyPath]:
        """Return a function of the ridge: the path of these picks, with weights that are solved for on this part."""
        solve = self._solver(network, path, self._drawn(part, _MOST_SAMPLES), part)

        def at(ridge: float) -> GreedyPath:
            with one_thread():
                return solve(ridge).path

        return at

    def _on_processor(self, network: Network, drawn: Drawn) -> tuple[FloatArray | ComputedRows, bool]:
        """Return the activations of samples on the processor, and whether they are kept or computed when read."""
        layer = self._layer(network)
        fit = layer.may_be_kept(len(drawn.rows), device="cpu")
        return layer.in_main_memory(drawn.rows) if fit else layer.computed(drawn.rows, device="cpu"), fit

    def measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all training samples, which are not held out."""
        train = self._parts.train
        return trial_path if self._selects_on_all(network, train) else self._measured_on(network, train, trial_path)

    def measured_on_all(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all samples."""
        return self._measured_on(network, self._parts.whole, trial_path)

    def _measured_on(self, network: Network, part: Part, trial_path: GreedyPath) -> GreedyPath:
        if trial_path.intercept is not None:  # losses of re-solved weights stay those of the samples drawn
            return trial_path
        found: dict[float | None, Candidate] = {None: uncorrected(trial_path)}
        return self._measured(network, part, found, exact=False)[1][None].path

    def _selects_on_all(self, network: Network, part: Part) -> bool:
        """Whether a selection on this part uses all its samples, so that losses and gaps need no other measurement."""
        return self._loss.is_quadratic and self._n_drawn(network) >= len(part.rows)

    def _n_drawn(self, network: Network) -> int:
        """Return the largest number of samples on which neurons are selected; by default their activations are kept."""
        if self._n_samples is None:
            return len(self._parts.whole.rows)
        if not isinstance(self._n_samples, str):
            return self._n_samples
        if self._loss.is_quadratic:
            # The same number of samples on all devices, so that all devices select the same neurons.
            n_kept = working_memory() // (len(network.weights) * self._dtype.itemsize)
            return int(np.clip(n_kept, _LEAST_SAMPLES, _MOST_SAMPLES))
        n_drawn = max(_NUMBERS_BY_GRADIENT // self.data.targets.shape[1], _LEAST_SAMPLES_BY_GRADIENT)
        return min(n_drawn, _MOST_SAMPLES_BY_GRADIENT)

    def _drawn(self, part: Part, n_drawn: int) -> Drawn:
        return draw(self.data.targets, part.rows, part.weight, n_drawn, self.data.dtype)

    def _candidates(
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
        drawn = self._drawn(part, self._n_drawn(network))
        layer, found = self._layer(network), []
        if not self._loss.is_quadratic:
            hidden, few = self._on_processor(network, drawn) if hidden is None else (hidden, True)
            # Operations on the outputs of a few thousand samples are small, so one thread is faster. Activations that
            # are computed anew are large operations and use all threads.
            with one_thread() if few else nullcontext():
                return self._by_gradient(hidden, drawn, part, network, k, ridges)
        is_some = len(drawn.rows) < len(part.rows)
        anew = ridges == [None] and is_some and self._are_cheap()
        if hidden is None and not anew and layer.may_be_kept(len(drawn.rows)):
            hidden = layer.kept(drawn.rows)
        elif hidden is None and (self._device != "cpu" or anew or not self._sums_pay(layer)):
            hidden = layer.computed(drawn.rows)
        samples = InnerProducts(layer, drawn.rows, self._targets, drawn.weight, hidden)
        if None in ridges:
            found.append(uncorrected(samples.select(network, k)))
        numbers = [ridge for ridge in ridges if ridge is not None]
        if numbers:
            tol = 0.0 if certified and len(network.weights) <= _CERTIFIED else None
            paths = samples.correct(network, k, numbers, tol)
            if is_some:
                paths = InnerProducts(layer, part.rows, self._targets, part.weight_of_rows).solve_again(paths)
            n_samples = self.data.n_effective(part)
            found += [corrected(ridge, path, n_samples) for ridge, path in zip(numbers, paths, strict=True)]
        return found

    def _by_gradient(
        self, hidden: Any, drawn: Drawn, part: Part, network: Network, k: int, ridges: list[float | None]
    ) -> list[Candidate]:
        """
        Return a candidate for each ridge, selected by the gradient of the loss on the samples drawn.

        Weights are re-solved on all samples if the working memory can hold their activations.
        """
        targets, n_neurons, found = self._targets(drawn.rows), len(network.weights), []
        if None in ridges:
            picks, losses = pick_steepest(hidden, targets, drawn.weight, _output_layer(network), self._loss, k)
            found.append(uncorrected(path_of(picks, n_neurons, losses, np.full(k, np.nan))))
        numbers = [ridge for ridge in ridges if ridge]  # no zero: weights of separable classes need a penalty
        if numbers:
            path = pick_corrected(hidden, targets, drawn.weight, self._loss, k)
            fit = _MATRICES * 8 * len(part.rows) * (k + 1) <= working_memory()
            samples = Drawn(part.rows, part.weight_of_rows) if fit else drawn
            found += map(self._solver(network, path, samples, part), numbers)
        return found

    def _solver(self, network: Network, path: SteepestPath, samples: Drawn, part: Part) -> Callable[[float], Candidate]:
        """Return what solves for the weights of picks at a ridge, on these samples, which stand for this part."""
        columns, layer = np.ones((len(samples.rows), len(path.picks) + 1)), self._layer(network)
        activations = layer.computed(samples.rows, device="cpu")
        for piece in layer.pieces(len(samples.rows)):
            columns[piece, 1:] = activations[piece, path.picks]
        problem = columns, self._targets(samples.rows), samples.weight, self._loss
        n_neurons, n_samples = len(network.weights), self.data.n_effective(part)
        return lambda ridge: solved_by_gradient(ridge, path, n_neurons, problem, n_samples)

    @property
    def _row_numbers(self) -> float:
        """Mean number of stored values in a sample's inputs."""
        X = self.data.X
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

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Precision of the activations."""
        return np.dtype(np.float32 if self._loss.is_quadratic else self.data.dtype)

    def _layer(self, network: Network) -> HiddenLayer:
        """Return the neurons of this network, for standardised inputs."""
        return HiddenLayer(network, self._inputs, self._activation, self._dtype, self._device)

    def _inputs(self, rows: IntArray) -> Any:
        """Standardised inputs of these samples."""
        data = self.data
        if data.kept is not None:
            return data.kept[rows].astype(self._dtype, copy=False)
        X = data.scaling.inputs.astype(data.X.dtype).apply(data.X[rows])
        return X.astype(self._dtype, copy=False)

    def _measured(
        self,
        network: Network,
        part: Part,
        found: dict[float | None, Candidate],
        hidden: Any = None,
        *,
        exact: bool,
    ) -> tuple[float, dict[float | None, Candidate]]:
        """
        Return the dense loss over this part, and the candidates `found` with their losses and gaps on this part.

        With `exact` the candidates were selected on all samples of the part, and their losses and gaps stay. `hidden`
        are the activations of the samples if known. From a large part samples are drawn, unless `selection_samples` is
        None.
        """
        losses, weights, layer, most = [], [], self._layer(network), len(part.rows)
        if not exact and hidden is None and self._n_samples is not None:
            most = _MEASURED if isinstance(self._n_samples, str) else max(_MEASURED, self._n_samples)
        rows, weight = self._drawn(part, most)

        def chunks() -> Iterator[tuple[Any, FloatArray, FloatArray | None]]:
            kept = () if hidden is None else ((chunk, hidden[chunk]) for chunk in layer.pieces(len(rows)))
            for chunk, activations in kept or layer.in_turn(rows):
                targets, some = self._targets(rows[chunk]), None if weight is None else weight[chunk]
                losses.append(self._loss.mean(_outputs(activations, network), targets, some))
                weights.append(float(len(targets)) if some is None else float(some.sum()))
                yield activations, targets, some

        with one_thread():  # all operations except the activations are small
            if None in found and not exact:
                path = measure(chunks(), found[None].path.picks, _output_layer(network), self._loss)
                found = found | {None: uncorrected(path)}
            else:
                deque(chunks(), maxlen=0)
        return float(np.average(losses, weights=weights)), found


def _output_layer(network: Network) -> OutputLayer:
    return OutputLayer(network.output_coef, network.output_intercept)


def _outputs(hidden: Any, network: Network) -> FloatArray:
    coef = network.output_coef * network.weights[:, None]
    if isinstance(hidden, np.ndarray):
        with threads_for(2.0 * hidden.shape[0] * coef.size):
            outputs: FloatArray = hidden @ coef.astype(hidden.dtype, copy=False)
    else:
        import torch

        outputs = (hidden @ torch.from_numpy(coef).to(hidden)).cpu().numpy()
    return outputs + network.output_intercept
