"""
The losses that a selection can minimise: each is one object, and no other module compares their names.

A loss checks the data and passes them to its search. To add one, add an object to `LOSSES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs._warn import warn_caller

from ._checks import Weighing, check_n_targets
from ._corrective_log_loss import correct_logits
from ._corrective_paths import paths_of
from ._labels import check_classification, look_like_probabilities
from ._log_loss import select_logits, select_probabilities
from ._sources import check_regression, source_of, threads_to_select
from ._squared_error import SquaredErrorSearch


class Asked(NamedTuple):
    """Arguments of `greedy_forward_selection`: one array of atoms, checked scalars, the other arrays as passed."""

    atoms: Any
    y: Any
    k: int
    tol: float
    output_weights: Any
    from_logits: bool
    weighing: Weighing
    sample_weight: Any
    offset: Any


class SelectionLoss(ABC):
    """
    A loss of a mean of atoms' outputs, averaged over samples.

    Attributes
    ----------
    name : str
        The value of the parameter `loss` of `greedy_forward_selection`.
    samples_last : bool
        Whether its search reads the samples of an atom one after the other; a list of atoms is then stacked so.
    """

    name: str
    samples_last = False

    @abstractmethod
    def select(self, asked: Asked) -> GreedyPath:
        """Check the arguments and return the path; warnings point three frames up, to the user's call."""


class SquaredErrorSelection(SelectionLoss):
    """Half the squared distance to y; its search needs inner products only."""

    name = "squared_error"

    def select(self, asked: Asked) -> GreedyPath:
        """Select by inner products."""
        corrective, ridge, signed, radius = asked.weighing
        data = check_regression(asked.atoms, asked.y, asked.output_weights, asked.sample_weight, asked.offset)
        if corrective:
            return paths_of(data, asked.k, [ridge], asked.tol)[0].path
        source = source_of(data.atoms, data.y, data.weight, data.output_weights)
        n_targets = 1 if source.output_weights is not None else source.n_targets
        check_n_targets(n_targets, signed=signed)
        with threads_to_select(source.n_samples * source.n_atoms * n_targets):
            return SquaredErrorSearch(source, asked.k, signed=signed, radius=radius, tol=asked.tol).run()


class LogLossSelection(SelectionLoss):
    """The negative log-likelihood of the classes, of logits or of probabilities: its search works on the samples."""

    name = "log_loss"
    samples_last = True

    def select(self, asked: Asked) -> GreedyPath:
        """Select among logits or probabilities."""
        corrective, ridge, signed, radius = asked.weighing
        if corrective and not asked.from_logits:
            raise ValueError(
                "corrective=True needs from_logits=True: a combination of probabilities with free weights may be no "
                "probability"
            )
        data = check_classification(asked.atoms, asked.y, asked.output_weights, asked.sample_weight)
        if not asked.from_logits:
            if signed or asked.offset is not None:
                raise ValueError("hull='l1' and offset need from_logits=True: probabilities are only averaged")
            return select_probabilities(data, asked.k, asked.tol)  # threads of its own, and no linear algebra
        if corrective:
            return correct_logits(data, asked.k, asked.tol, ridge=ridge, offset=asked.offset)
        if radius is None:
            raise ValueError(
                "radius must be a number above 0 with loss='log_loss'; 'auto' is not allowed. An estimate would not be "
                "finite where the classes can be separated"
            )
        surely_logits = signed or asked.output_weights is not None or asked.offset is not None
        if not surely_logits and look_like_probabilities(data.atoms):
            warn_caller(
                "atoms look like probabilities and are taken for logits. For probabilities pass from_logits=False",
                UserWarning,
            )
        with threads_to_select(data.atoms.size):
            return select_logits(data, asked.k, asked.tol, radius=radius if signed else None, offset=asked.offset)


# Keys are the values of the parameter `loss` of `greedy_forward_selection`.
LOSSES: dict[str, SelectionLoss] = {loss.name: loss for loss in (SquaredErrorSelection(), LogLossSelection())}


def find_loss(loss: Any) -> SelectionLoss:
    """Return the loss of this name, or raise an error that says which there are."""
    found = LOSSES.get(loss) if isinstance(loss, str) else None
    if found is None:
        raise ValueError(f"loss={loss!r} is not known; it must be {' or '.join(map(repr, LOSSES))}")
    return found
