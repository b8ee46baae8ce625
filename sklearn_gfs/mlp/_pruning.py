"""
The selection of a dense network's neurons: the candidates to choose from, and their losses on all samples.

The searches, their samples and activations are in ``_searches``. Networks in, selection paths out; nothing here trains,
and nothing here knows estimators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_gfs._threads import one_thread, threads_for
from sklearn_gfs._typing import FloatArray, GreedyPath
from sklearn_gfs.network import Network, Part
from sklearn_gfs.selection import measure

from ._candidates import RIDGES, Candidate, Chosen, uncorrected
from ._given import PathSettings
from ._layer import Room
from ._prepared import Prepared
from ._searches import NeuronSearch, SearchByGradient, SearchByProducts, output_layer

# Largest number of samples, by default, on which the losses of the picks are measured. A pass of half a million samples
# through all neurons took a quarter of a fit.
_MEASURED = 2**16


class NeuronSelection:
    """
    The selection of neurons on samples of the data.

    With many samples, neurons are selected on some of these. The losses of the picks are then measured on all samples,
    or on a larger part.

    Activations of all samples are computed, kept and multiplied on the device; "cpu" means in NumPy.

    Parameters
    ----------
    data : Prepared
    settings : PathSettings
    room : Room, default=None
        Memory for the activations of all samples. With None memory is allocated for a selection and then released.
    """

    def __init__(self, data: Prepared, settings: PathSettings, room: Room | None = None) -> None:
        self.data, self._parts, self._room, self._settings = data, data.parts, room, settings
        self._loss, self._n_samples = settings.training.loss, settings.selection_samples
        self._search: NeuronSearch = SearchByProducts(data, settings) if self._loss.is_quadratic else self.by_gradient

    @cached_property
    def by_gradient(self) -> SearchByGradient:
        """The search by the gradient of the loss, whatever the loss."""
        return SearchByGradient(self.data, self._settings)

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
        whole, k, search, layer = self._parts.whole, max(sizes), self._search, self._search.layer(network)
        hidden, dense_loss, n_rows = None, None, len(whole.rows)
        in_one_place = search.takes_device or self._settings.training.device == "cpu"
        if in_one_place and search.n_drawn(network) >= n_rows and layer.may_be_kept(n_rows):
            # Held-out samples come last, so that the first rows are the activations of the training samples.
            hidden = layer.kept(whole.rows, self._room)
            if search.tells_all:
                outputs, targets = _outputs(hidden, network), search.targets(whole.rows)
                dense_loss = self._loss.mean(outputs, targets, whole.weight_of_rows)
        if trials is None:
            trials = self.trials(network, k, None if hidden is None else hidden[: len(self._parts.train.rows)])
        chosen = [choose(trials, size) for size in sizes]
        found = {candidate.ridge: candidate for candidate in chosen}
        if len(self._parts.held_out.rows) or self._settings.corrective:
            final = search.candidates(network, whole, k, list(found), hidden, certified=True)
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
        return self._search.candidates(network, self._parts.train, k, ridges[self._settings.corrective], hidden)

    def uncorrected(self, network: Network, k: int) -> Candidate:
        """Return the paper's selection on the training samples, which are not held out."""
        return self._search.candidates(network, self._parts.train, k, [None])[0]

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
        return self._search.tells_all and self._search.n_drawn(network) >= len(part.rows)

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
        losses, weights, layer, most = [], [], self._search.layer(network), len(part.rows)
        if not exact and hidden is None and self._n_samples is not None:
            most = _MEASURED if isinstance(self._n_samples, str) else max(_MEASURED, self._n_samples)
        rows, weight = self._search.drawn(part, most)

        def chunks() -> Iterator[tuple[Any, FloatArray, FloatArray | None]]:
            kept = () if hidden is None else ((chunk, hidden[chunk]) for chunk in layer.pieces(len(rows)))
            for chunk, activations in kept or layer.in_turn(rows):
                targets, some = self._search.targets(rows[chunk]), None if weight is None else weight[chunk]
                losses.append(self._loss.mean(_outputs(activations, network), targets, some))
                weights.append(float(len(targets)) if some is None else float(some.sum()))
                yield activations, targets, some

        with one_thread():  # all operations except the activations are small
            if None in found and not exact:
                path = measure(chunks(), found[None].path.picks, output_layer(network), self._loss)
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
