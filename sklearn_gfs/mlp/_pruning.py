"""
The selection of a dense network's neurons, and the samples and activations that it is made from.

For the squared error it is made by inner products, in ``_inner_products``: of activations where those can be kept, else
summed over samples, or of activations that are computed anew. For other losses it is the search in ``_steepest``.

Arrays and networks in, selection paths out; nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._threads import one_thread, threads_for
from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import Network, Part

from ._candidates import RIDGES, Candidate, Chosen, corrected, solved_by_gradient, uncorrected
from ._corrected_steepest import SteepestPath, pick_by_squares, pick_corrected
from ._given import PathSettings
from ._inner_products import InnerProducts
from ._layer import HiddenLayer, Room
from ._prepared import Prepared
from ._steepest import draw, measure, path_of, pick_steepest

if TYPE_CHECKING:
    from sklearn_gfs.selection import ComputedRows

# Neurons are selected on so many samples, at least and at most. On more of them other neurons are picked, but the loss
# on all samples hardly changes.
_LEAST_SAMPLES = 2000
_MOST_SAMPLES = 10_000
# What picks are worth is measured on at most so many samples. A pass over half a million, through all neurons, took a
# quarter of a fit.
_MEASURED = 2**16
# Sums over samples take so many matrices of n_hidden squared numbers at once.
_MATRICES = 4
# Activations of samples that have fewer numbers than the Gram columns that are made of them at a time are cheap.
_FEW_NUMBERS = 96
# Networks of at most so many neurons get an exact certificate, from the whole Gram matrix.
_CERTIFIED = 2000
# By the gradient they are selected on so many numbers, one for each output of a sample.
_NUMBERS_BY_GRADIENT = 10_000
# But not on fewer or more samples than these.
_LEAST_SAMPLES_BY_GRADIENT = 1000
_MOST_SAMPLES_BY_GRADIENT = 2000


class Drawn(NamedTuple):
    """Samples that stand for others: their numbers, and the weight of each; None where all weigh the same."""

    rows: IntArray
    weight: FloatArray | None


class NeuronSelection:
    """
    The samples on which neurons are selected.

    Where there are many samples neurons are selected on some. What the picks are worth is measured on all, or on many.

    For the squared error activations are float32 whatever the dtype of the data, and so are the products that the
    selection begins with, which are faster than float64 ones. Only the choice of neurons hangs on them; inputs are
    standardised before they are rounded, so that they can't drown in an offset of the data.

    Activations of all samples are computed, kept and multiplied on the device; "cpu" means in NumPy.

    Parameters
    ----------
    data : Prepared
    settings : PathSettings
    room : Room, default=None
        Where activations of all samples are put; None where they are needed once, and their memory is given back.
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
        Return the dense loss, and for each number of picks the selection on all samples and that on trial.

        The trial leaves out what is held out; its selections may be known already. `choose` says by which of them to
        prune for so many picks.
        """
        whole, k = self._parts.whole, max(sizes)
        hidden, dense_loss = None, None
        in_one_place = self._loss.is_quadratic or self._device == "cpu"  # the search by the gradient is NumPy's
        n_rows = len(whole.rows)
        if in_one_place and self._n_drawn(network) >= n_rows and self._layer(network).may_be_kept(n_rows):
            # Samples that are only held out come last, so that the others' activations are the first part of these.
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
        """Return selections on the samples that are not held out, with the losses that they saw; see `measured`."""
        ridges: dict[Any, list[float | None]] = {False: [None], True: [*RIDGES], "auto": [None, *RIDGES]}
        return self._candidates(network, self._parts.train, k, ridges[self._corrective], hidden)

    def uncorrected(self, network: Network, k: int) -> Candidate:
        """Return the paper's selection on the samples that are not held out."""
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

    def solved(self, network: Network, path: SteepestPath, ridge: float, part: Part) -> GreedyPath:
        """Return the path of these picks with the weights that the loss on this part of the samples calls for."""
        with one_thread():
            return self._solver(network, path, self._drawn(part, _MOST_SAMPLES), part)(ridge).path

    def _on_processor(self, network: Network, drawn: Drawn) -> tuple[FloatArray | ComputedRows, bool]:
        """Activations of samples on the processor, and whether they are kept; else they are computed when read."""
        layer = self._layer(network)
        fit = layer.may_be_kept(len(drawn.rows), device="cpu")
        return layer.in_main_memory(drawn.rows) if fit else layer.computed(drawn.rows, device="cpu"), fit

    def measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all the samples that are not held out."""
        train = self._parts.train
        return trial_path if self._selects_on_all(network, train) else self._measured_on(network, train, trial_path)

    def measured_on_all(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all samples."""
        return self._measured_on(network, self._parts.whole, trial_path)

    def _measured_on(self, network: Network, part: Part, trial_path: GreedyPath) -> GreedyPath:
        if trial_path.intercept is not None:  # its losses are those of the samples that its weights were solved on
            return trial_path
        found: dict[float | None, Candidate] = {None: uncorrected(trial_path)}
        return self._measured(network, part, found, exact=False)[1][None].path

    def _selects_on_all(self, network: Network, part: Part) -> bool:
        """Whether a selection on these samples is exact on all of them, and so are its losses and gaps."""
        return self._loss.is_quadratic and self._n_drawn(network) >= len(part.rows)

    def _n_drawn(self, network: Network) -> int:
        """On how many samples neurons are selected, at most; by default no more than can be kept."""
        if self._n_samples is None:
            return len(self._parts.whole.rows)
        if not isinstance(self._n_samples, str):
            return self._n_samples
        if self._loss.is_quadratic:
            # The same number on all devices, so that they select the same neurons.
            n_kept = working_memory() // (len(network.weights) * self._dtype.itemsize)
            return int(np.clip(n_kept, _LEAST_SAMPLES, _MOST_SAMPLES))
        n_drawn = max(_NUMBERS_BY_GRADIENT // self.data.targets.shape[1], _LEAST_SAMPLES_BY_GRADIENT)
        return min(n_drawn, _MOST_SAMPLES_BY_GRADIENT)

    def _drawn(self, part: Part, n_drawn: int) -> Drawn:
        return Drawn(*draw(self.data.targets, part.rows, part.weight, n_drawn, self.data.dtype))

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
        Select on as many of these samples as are enough, once for each ridge; their activations may be known.

        Corrective selections can be certified: their gaps are exact then, where that is cheap.
        """
        drawn = self._drawn(part, self._n_drawn(network))
        layer, found = self._layer(network), []
        if not self._loss.is_quadratic:
            hidden, few = self._on_processor(network, drawn) if hidden is None else (hidden, True)
            # Operations on the outputs of a few thousand samples are small, computing activations is not.
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
        """Select on the samples drawn, by the loss's gradient; weights are re-solved on all where there is room."""
        targets, n_neurons, found = self._targets(drawn.rows), len(network.weights), []
        if None in ridges:
            picks, losses = pick_steepest(hidden, targets, drawn.weight, network, self._loss, k)
            found.append(uncorrected(path_of(picks, n_neurons, losses, np.full(k, np.nan))))
        numbers = [ridge for ridge in ridges if ridge]  # where classes can be separated, weights need a penalty
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
        """Numbers that a sample's inputs have, on average."""
        X = self.data.X
        return float(X.nnz / X.shape[0]) if sparse.issparse(X) else float(X.shape[1])

    def _are_cheap(self) -> bool:
        """
        Whether activations are computed in less time than the products that are made of them.

        They are not kept then: a few thousand samples' would be most of the memory that a fit takes.
        """
        return self._device == "cpu" and self._row_numbers <= _FEW_NUMBERS

    def _sums_pay(self, layer: HiddenLayer) -> bool:
        """Whether sums over samples are small, and made in less time than activations are computed a few times."""
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
        Return the dense loss over these samples, and the candidates with their losses and gaps on them.

        They are known, and need not be measured, where the selection was `exact` on these samples. The samples'
        activations may be known. Of many samples some are drawn, unless neurons are to be selected on all.
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

        with one_thread():  # the operations are small, but for those of the activations
            if None in found and not exact:
                path = measure(chunks(), found[None].path.picks, network, self._loss)
                found = found | {None: uncorrected(path)}
            else:
                deque(chunks(), maxlen=0)
        return float(np.average(losses, weights=weights)), found


def _outputs(hidden: Any, network: Network) -> FloatArray:
    coef = network.output_coef * network.weights[:, None]
    if isinstance(hidden, np.ndarray):
        with threads_for(2.0 * hidden.shape[0] * coef.size):
            outputs: FloatArray = hidden @ coef.astype(hidden.dtype, copy=False)
    else:
        import torch

        outputs = (hidden @ torch.from_numpy(coef).to(hidden)).cpu().numpy()
    return outputs + network.output_intercept
