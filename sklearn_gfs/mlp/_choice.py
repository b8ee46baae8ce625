"""
How a subnetwork is re-trained: by which solver, for how long, and what else is tried if a trial learns little.

Decisions only; the training itself is in ``_trainer`` and ``_retraining``.
"""

from __future__ import annotations

from typing import NamedTuple

from sklearn_gfs.network import SECOND_ORDER, SOLVERS, LevenbergMarquardt, Network, SecondOrderSolver, shape_of

from ._given import PathSettings
from ._prepared import Prepared
from ._schedule import Schedule, schedule_of_updates

# Held-out loss below which a trial by a second-order solver ends. Without noise in the targets the loss would fall for
# ever.
_NEGLIGIBLE = 1e-6
# Least number of training samples for which penalties are tried. With fewer, the held-out samples are too few to choose
# a penalty.
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
        Whether other starts are tried if the first trial learns little.
    tries_steps : bool, default=False
        Whether second-order steps, which take longer, are tried after gradient updates.
    tries_penalties : bool, default=False
        Whether larger penalties are tried if the network overfits with the first penalty.
    tries_picks : bool, default=False
        Whether other picks are tried if a large part of the loss remains.
    """

    steps: type[SecondOrderSolver] | None
    schedule: Schedule
    tries_starts: bool = False
    tries_steps: bool = False
    tries_penalties: bool = False
    tries_picks: bool = False


def choose_solver(data: Prepared, settings: PathSettings, network: Network) -> Choice:
    """Return how to re-train, by the solver that the user names or by the automatic choice of a solver."""
    steps = _steps(data, settings, network)
    if steps is None:
        tries_steps = _steps(data, settings, network, after_updates=True) is not None
        return choose_updates(data, settings, network)._replace(tries_steps=tries_steps)
    # A solver that the user names is not replaced by another one.
    is_free = settings.retrain_solver == "auto"
    tries_picks = _tries_picks(data, settings, steps)
    return choose_steps(settings)._replace(tries_starts=is_free, tries_picks=tries_picks)


def choose_steps(settings: PathSettings) -> Choice:
    """Return how to re-train by second-order steps, by Levenberg-Marquardt's if the user names none, at any cost."""
    steps = SECOND_ORDER.get(settings.retrain_solver, LevenbergMarquardt)
    n_steps = steps.n_steps if isinstance(settings.n_retrain, str) else settings.n_retrain
    return Choice(steps, Schedule(n_steps, steps.interval, steps.patience, negligible=_NEGLIGIBLE))


def choose_updates(data: Prepared, settings: PathSettings, network: Network) -> Choice:
    """Return how to re-train by gradient updates."""
    training, train = settings.training, data.parts.train
    n_samples = len(data.parts.whole.rows)
    schedule = schedule_of_updates(settings.n_retrain, n_samples, data.n_held_out, training.batch_size)
    is_automatic = training.alpha == "auto" and isinstance(settings.n_retrain, str)
    enough = len(train.rows) >= _FEWEST_FOR_PENALTIES and not data.has_rare_words(network, train)
    tries_penalties = is_automatic and enough and not training.loss.is_quadratic
    tries_picks = _tries_picks(data, settings, None)
    return Choice(None, schedule, tries_penalties=tries_penalties, tries_picks=tries_picks)


def _tries_picks(data: Prepared, settings: PathSettings, steps: type[SecondOrderSolver] | None) -> bool:
    """
    Whether re-training is automatic, corrected weights are not a parameter, and other picks could be better.

    Classes need the log loss, and numbers second-order steps.
    """
    is_automatic = settings.retrain_solver == "auto" and isinstance(settings.n_retrain, str)
    suits = steps is not None if data.holds_numbers else not settings.training.loss.is_quadratic
    return is_automatic and suits and settings.corrective is False


def _steps(
    data: Prepared, settings: PathSettings, network: Network, *, after_updates: bool = False
) -> type[SecondOrderSolver] | None:
    """Return the solver of second-order steps; None for gradient updates only."""
    shape, loss, n_samples = shape_of(network), settings.training.loss, len(data.parts.whole.rows)
    if settings.retrain_solver in SECOND_ORDER:
        solver = SECOND_ORDER[settings.retrain_solver]
        solver.check(shape, loss, n_samples)
        return solver
    # Second-order steps on the squared error overfit the indicators of classes, and the probabilities get worse.
    suits = data.holds_numbers or not loss.is_quadratic
    is_automatic = settings.retrain_solver not in SOLVERS and isinstance(settings.n_retrain, str)
    cost = {"few_entries": data.few_entries, "after_updates": after_updates}
    serves = is_automatic and suits and LevenbergMarquardt.serves(shape, loss, n_samples, **cost)
    return LevenbergMarquardt if serves else None
