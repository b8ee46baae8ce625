"""
How a subnetwork is re-trained: by which solver, for how long, and what else is tried where that learns little.

Decisions only; who trains accordingly is in ``_trainer`` and ``_retraining``.
"""

from __future__ import annotations

from typing import NamedTuple

from sklearn_gfs.network import SECOND_ORDER, SOLVERS, LevenbergMarquardt, Network, SecondOrderSolver, shape_of

from ._given import PathSettings
from ._prepared import Prepared
from ._schedule import Schedule, schedule_of_updates

# A trial by a second-order solver ends where the held-out loss is below this. Without noise it would fall for ever.
_NEGLIGIBLE = 1e-6
# With fewer training samples than this, the held-out ones are too few to choose a penalty.
_FEWEST_FOR_PENALTIES = 1000


class Choice(NamedTuple):
    """
    How a subnetwork is re-trained.

    Parameters
    ----------
    steps : type of SecondOrderSolver or None
        The solver of second-order steps; None for gradient updates.
    schedule : Schedule
    tries_starts : bool, default=False
        Whether other starts are tried where the first trial learns little.
    tries_penalties : bool, default=False
        Whether larger penalties are tried where the first fits the training samples too closely.
    tries_picks : bool, default=False
        Whether other picks are tried where much is left of the loss.
    """

    steps: type[SecondOrderSolver] | None
    schedule: Schedule
    tries_starts: bool = False
    tries_penalties: bool = False
    tries_picks: bool = False


def choose_solver(data: Prepared, settings: PathSettings, network: Network) -> Choice:
    """Return how to re-train by the solver that is asked for, or that serves best."""
    steps = _steps(data, settings, network)
    if steps is None:
        return choose_updates(data, settings, network)
    n_steps = steps.n_steps if isinstance(settings.n_retrain, str) else settings.n_retrain
    schedule = Schedule(n_steps, steps.interval, steps.patience, negligible=_NEGLIGIBLE)
    # Who asks for a solver gets that.
    is_free = settings.retrain_solver == "auto"
    return Choice(steps, schedule, tries_starts=is_free, tries_picks=_tries_picks(settings))


def choose_updates(data: Prepared, settings: PathSettings, network: Network) -> Choice:
    """Return how to re-train by gradient updates."""
    training, train = settings.training, data.parts.train
    n_samples = len(data.parts.whole.rows)
    schedule = schedule_of_updates(settings.n_retrain, n_samples, data.n_held_out, training.batch_size)
    is_automatic = training.alpha == "auto" and isinstance(settings.n_retrain, str)
    enough = len(train.rows) >= _FEWEST_FOR_PENALTIES and not data.has_rare_words(network, train)
    tries_penalties = is_automatic and enough and not training.loss.is_quadratic
    return Choice(None, schedule, tries_penalties=tries_penalties, tries_picks=_tries_picks(settings))


def _tries_picks(settings: PathSettings) -> bool:
    """Whether re-training is automatic, classes have likelihoods, and nobody asked for corrected weights."""
    is_automatic = settings.retrain_solver == "auto" and isinstance(settings.n_retrain, str)
    return is_automatic and not settings.training.loss.is_quadratic and settings.corrective is False


def _steps(data: Prepared, settings: PathSettings, network: Network) -> type[SecondOrderSolver] | None:
    """Return the solver of second-order steps; None for gradient updates."""
    shape, loss, n_samples = shape_of(network), settings.training.loss, len(data.parts.whole.rows)
    if settings.retrain_solver in SECOND_ORDER:
        solver = SECOND_ORDER[settings.retrain_solver]
        solver.check(shape, loss, n_samples)
        return solver
    # Indicators of classes are fitted too closely by the squared error, at the cost of probabilities.
    suits = data.holds_numbers or not loss.is_quadratic
    is_automatic = settings.retrain_solver not in SOLVERS and isinstance(settings.n_retrain, str)
    if is_automatic and suits and LevenbergMarquardt.serves(shape, loss, n_samples, few_entries=data.few_entries):
        return LevenbergMarquardt
    return None
