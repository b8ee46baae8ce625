"""
One trial of re-training: the network of the least held-out loss, and what becomes of that network.

Which trials are made is in ``_retraining`` and ``_other_trials``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from sklearn_gfs.network import HeldOut, Network, Phase, Prior, interruptible

from ._choice import Choice
from ._trainer import Retrainer, Trainer

# Difference of held-out losses that counts as noise, as a share of `at_stake`. Of the losses that differ from the least
# by noise, the one after most iterations counts as best.
_NOISE = 0.01


def at_stake(loss: float, constant_loss: float) -> float:
    """
    Return the smaller of two losses: the loss itself, and its fall below the loss of the best constant.

    Gains are measured as shares of this value. If little can be learnt, or has been learnt so far, the loss is large. A
    share of the loss would then be more than any possible gain.
    """
    return max(min(loss, constant_loss - loss), 0.0)


def noise_of(loss: float, constant_loss: float) -> float:
    """Return the difference of held-out losses that counts as noise, given the loss of the best constant."""
    return _NOISE * at_stake(loss, constant_loss)


class Ending(Enum):
    """What follows a trial on the samples that are not held out."""

    KEPT = "its network is final, and has not seen the held-out samples"
    CONTINUED = "its network is trained on, with all samples"
    ANEW = "its number of updates is repeated from the picks, with all samples"


class Trial(NamedTuple):
    """The network of the least held-out loss, with the losses until then, all held-out losses, and the prior."""

    network: Network
    losses: list[float]
    validation_losses: dict[int, float]  # by the iterations of re-training before
    prior: Prior | None = None
    penalty: float = 1.0  # factor of the automatic penalty of gradient updates
    ending: Ending = Ending.ANEW

    @property
    def least(self) -> float:
        """The least held-out loss; infinite if an interrupt came before the first one."""
        return min(self.validation_losses.values(), default=math.inf)

    def least_within(self, n_iterations: int) -> float:
        """Return the least held-out loss of the first iterations, infinite without any."""
        return min((loss for done, loss in self.validation_losses.items() if done <= n_iterations), default=math.inf)


class Trials:
    """
    Makes the trials of one phase: the first, and those that may follow it.

    Parameters
    ----------
    trainer : Trainer
    held_out : HeldOut
    phase : Phase
    pretrain_losses : list of float
        Losses of the dense network, for callbacks.
    check : callable
        Given a training, a function that returns the network at its start, and the network at its end, warns if the
        loss has grown.
    """

    def __init__(
        self,
        trainer: Trainer,
        held_out: HeldOut,
        phase: Phase,
        pretrain_losses: list[float],
        check: Callable[[Retrainer, Callable[[], Network], Network], None],
    ) -> None:
        self.trainer, self.data, self._held_out, self._phase = trainer, trainer.data, held_out, phase
        self._pretrain_losses, self._check = pretrain_losses, check

    def first(self, pruned: Network, how: Choice) -> Trial:
        """Make the first trial."""
        trial = self.attempt(pruned, self._phase, how)
        self._phase.report.end()
        return trial

    def another(self, pruned: Network, how: Choice, *, penalty: float = 1.0) -> Trial:
        """Make another trial."""
        with self.trainer.tasks.within(self._phase, *how.schedule[:2]) as part:
            return self.attempt(pruned, part, how, penalty=penalty)

    def ended(self) -> bool:
        """Whether all training has to stop, or a callback asked to end the phase."""
        return self.trainer.ends(self._phase)

    def attempt(self, pruned: Network, phase: Phase, how: Choice, *, penalty: float = 1.0) -> Trial:
        """Re-train a subnetwork until its held-out loss falls no longer."""
        trainer, data, schedule = self.trainer, self.data, how.schedule
        losses: list[float] = []
        validation_losses: dict[int, float] = {}
        best, kept, prior = 0, pruned, None
        with interruptible(trainer.watch):
            training = trainer.retraining(pruned, how, data.parts.train, name=phase.name, penalty=penalty)
            start = training.network()
            losses, record, end = training.losses, data.finite(training.loss(self._held_out)), schedule.end(0)
            validation_losses[0] = record
            phase.report.held_out(record)
            with training.threads():
                while len(losses) < end and not (trainer.ends(phase) or training.converged):
                    step = min(schedule.interval, schedule.n_iterations - len(losses))
                    trainer.advance(phase, training, step, self._pretrain_losses)
                    loss = validation_losses[len(losses)] = data.finite(training.loss(self._held_out))
                    phase.report.held_out(loss)
                    if loss < schedule.negligible:
                        end = len(losses)
                    elif loss + noise_of(loss, data.constant_loss) < record:
                        record, end = loss, schedule.end(len(losses))
                    least = min(validation_losses.values())
                    if loss <= least + noise_of(least, data.constant_loss):
                        best, kept, prior = len(losses), training.snapshot(), training.prior
            if best == 0:
                self._check(training, lambda: start, training.network())
        times = "" if penalty == 1.0 else f", with {penalty:g} times the penalty"
        trainer.tasks.report.say(f"early_stopping chose {best} iterations of re-training{times}.")
        was_cut_off = isinstance(trainer.settings.n_retrain, str) and len(losses) >= schedule.n_iterations
        goes_on = best > 0 and (was_cut_off or prior is not None)
        ending = Ending.CONTINUED if goes_on else Ending.ANEW
        return Trial(kept, losses[:best], validation_losses, prior, penalty, ending)
