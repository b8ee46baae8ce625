"""
Re-training: for how long is tried on samples that are held out, then the subnetwork is trained on all samples.

What it was pruned from, and which neurons were picked, is in ``_path``; by which solver it is trained in ``_trainer``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs.network import (
    FittedNetwork,
    HeldOut,
    Network,
    Phase,
    Posterior,
    Prior,
    SecondOrderTraining,
    Training,
    interruptible,
    prune,
)

from ._trainer import Retrainer, Trainer

# Held-out losses that differ by less than this part, see `noise_of`, differ by noise: the one after the longest
# re-training counts as best.
_NOISE = 0.01
# A trial by a second-order solver ends where the held-out loss is below this. Without noise it would fall for ever.
_NEGLIGIBLE = 1e-6
# A trial that gained anything has learnt enough where it leaves less than this share of the held-out loss of a
# constant.
_ENOUGH_OF_FEW = 0.3
# Of more training samples than this, trials take longer, and a trial that learns little is rare.
_FEW = 2000
# So there only a trial that leaves nearly everything has not learnt enough.
_ENOUGH_OF_MANY = 0.9
# Another start is better where it leaves less than this share of the held-out loss of the first.
_BETTER = 0.9
# Where the held-out loss was least before so many updates, the training samples may have been fitted too closely.
_EARLY = 7500
# If it also leaves more than this share of the loss of a constant, larger penalties are tried.
_MUCH = 0.1
# Each of them is so many times the one before.
_TIMES = 4.0
# A trial that is continued on all samples makes so many more iterations, and this part of its own.
_MORE = 3
_PART_MORE = 0.2


class Subnetwork(NamedTuple):
    """A pruned and re-trained network and how it came about."""

    fitted: FittedNetwork
    path: GreedyPath
    retrain_losses: list[float]
    validation_losses: dict[int, float]  # by the iterations of re-training before
    posterior: Posterior | None = None
    ridge: float | None = None  # of a corrective selection


def at_stake(loss: float, constant_loss: float) -> float:
    """
    Return what a gain in loss is measured by, given the loss of the best constant: what is left, or has been learnt.

    The less of both counts. Where little can be learnt, or little has been so far, the loss is large, and a part of it
    would be more than all that there is to gain.
    """
    return max(min(loss, constant_loss - loss), 0.0)


def noise_of(loss: float, constant_loss: float) -> float:
    """Return by how much a held-out loss may differ by noise, given that of the best constant."""
    return _NOISE * at_stake(loss, constant_loss)


class _Trial(NamedTuple):
    """A network when its held-out loss was least; losses until then, all held-out ones, and a second-order prior."""

    network: Network
    losses: list[float]
    validation_losses: dict[int, float]  # by the iterations of re-training before
    prior: Prior | None
    ran_out: bool  # whether the automatic number of iterations ended it, and not what it saw
    penalty: float = 1.0  # by which an automatic penalty of gradient updates was multiplied
    is_final: bool = False  # whether nothing is to follow

    @property
    def least(self) -> float:
        """The least held-out loss."""
        return min(self.validation_losses.values())


class Retraining:
    """
    Re-trains the subnetworks of one dense network.

    Parameters
    ----------
    trainer : Trainer
    pretrain_losses : list of float
        What callbacks are told of the dense network.
    check : callable
        Told of a training, of a function that returns the network at its start, and of the network at its end, it
        complains where the loss has grown.
    """

    def __init__(
        self,
        trainer: Trainer,
        pretrain_losses: list[float],
        check: Callable[[Training, Callable[[], Network], Network], None],
    ) -> None:
        self._trainer = trainer
        self._pretrain_losses = pretrain_losses
        self._check = check

    def subnetwork(
        self, network: Network, path: GreedyPath, trial_path: GreedyPath, held_out: HeldOut | None
    ) -> Subnetwork:
        """
        Return the subnetwork of the picks on all samples, re-trained.

        Where samples are held out, `trial_path` is that of the picks on the others, and `held_out` decides for how many
        iterations. Second-order steps go on from the trial, and so do gradient updates that could have gone on. Other
        gradient updates begin anew from the picks on all samples. Without `held_out` re-training is as long as the
        settings say.
        """
        trainer = self._trainer
        if held_out is None:
            return self._retrained(prune(network, path), path, None)
        trial = self._trial(prune(network, trial_path), held_out)
        kept = Subnetwork(trainer.selection.in_data_units(trial.network), path, trial.losses, trial.validation_losses)
        if not len(trainer.parts.held_rows):  # it was trained on all samples
            return kept._replace(posterior=trainer.posterior(trial.network, trial.prior))
        if trial.is_final:
            posterior = trainer.posterior(trial.network, trial.prior)
            return kept._replace(path=trainer.selection.measured(network, trial_path), posterior=posterior)
        if trial.losses and (trial.ran_out or trial.prior is not None):
            return self._gone_on(trial, trainer.selection.measured_on_all(network, trial_path))
        # Only updates are left. Those that were chosen for the trial train what is pruned on all samples, too, even if
        # that has fewer neurons, and second-order steps would serve it: they are no measure of each other.
        found = self._retrained(prune(network, path), path, trial)
        if len(found.retrain_losses) < len(trial.losses) and trainer.stopped:
            # There was no time to train another as long.
            return kept._replace(path=trainer.selection.measured(network, trial_path))
        return found

    def _retrained(self, start: Network, path: GreedyPath, trial: _Trial | None) -> Subnetwork:
        """Return the subnetwork after the updates of the trial on all samples, or as the settings say without one."""
        trainer, end, losses, prior = self._trainer, start, list[float](), None
        n_told = trainer.schedule(start).n_iterations if trial is None else len(trial.losses)
        penalty = 1.0 if trial is None else trial.penalty
        with trainer.tasks.phase("re-training", n_told) as phase, interruptible(trainer.watch):
            if n_told > 0:
                by_updates = trial is not None
                training = trainer.retraining(
                    start, name="re-training", on_all=True, by_updates=by_updates, penalty=penalty
                )
                start = training.network()
                trainer.advance(phase, training, n_told, self._pretrain_losses)
                end, losses = training.network(), training.losses
                prior = training.solver.prior if isinstance(training, SecondOrderTraining) else None
                self._check_descent(training, start, end)
        posterior, seen = trainer.posterior(end, prior), {} if trial is None else trial.validation_losses
        return Subnetwork(trainer.selection.in_data_units(end), path, losses, seen, posterior)

    def _gone_on(self, trial: _Trial, path: GreedyPath) -> Subnetwork:
        """Return the subnetwork of a trial after some more iterations, on all samples."""
        trainer, end, losses, prior = self._trainer, trial.network, trial.losses, trial.prior
        n_more = _MORE + int(_PART_MORE * len(losses))
        with trainer.tasks.phase("re-training", n_more) as phase, interruptible(trainer.watch):
            training = trainer.retraining(
                end,
                name="re-training",
                on_all=True,
                prior=trial.prior,
                by_updates=trial.prior is None,
                penalty=trial.penalty,
            )
            start = training.network()
            trainer.advance(phase, training, n_more, self._pretrain_losses)
            end, losses = training.network(), [*losses, *training.losses]
            prior = training.solver.prior if isinstance(training, SecondOrderTraining) else prior
            self._check_descent(training, start, end)
        posterior = trainer.posterior(end, prior)
        return Subnetwork(trainer.selection.in_data_units(end), path, losses, trial.validation_losses, posterior)

    def _check_descent(self, training: Retrainer, start: Network, end: Network) -> None:
        """Complain where the loss has grown; both networks are the training's, so that penalties are of one kind."""
        if isinstance(training, Training):  # no second-order step goes up
            self._check(training, lambda: start, end)

    def _trial(self, pruned: Network, held_out: HeldOut) -> _Trial:
        """Return the trial of a pruned network, or the best of some where one of them is no good measure."""
        trainer = self._trainer
        name = "trial re-training" if len(trainer.parts.held_rows) else "re-training"
        (n_retrain, interval), may_collapse = trainer.schedule(pruned)[:2], trainer.chose_second_order(pruned)
        tries_penalties = trainer.tries_penalties(pruned)
        at_most = may_collapse or tries_penalties
        with trainer.tasks.phase(name, n_retrain, at_most=at_most, n_of_task=interval) as phase:
            trial = self._try_retraining(pruned, held_out, phase)
            phase.report.end()
            if tries_penalties:
                return self._penalised(trial, pruned, held_out, phase)
            return self._other_start(trial, pruned, held_out, phase) if may_collapse else trial

    def _other_start(self, trial: _Trial, pruned: Network, held_out: HeldOut, phase: Phase) -> _Trial:
        """
        Return a trial of second-order steps, or a better one.

        The evidence of second-order steps is that of a quadratic model around the start. On few samples it may take
        away weights that could have learnt something. Where the trial of numbers learnt little, the first steps of
        another do without. For classes, whose neurons are relu, that was no better. Gradient updates need no such model
        either, and find another start. They are tried in any case for classes of fewer samples than parameters:
        where many features tell a little each, a penalty for each feature says too much.
        """
        trainer, best, last = self._trainer, trial, phase
        steps, updates = trainer.schedule(pruned)[:2], trainer.schedule(pruned, by_updates=True)[:2]
        if trainer.ends(phase):
            return trial
        if trainer.holds_numbers and not self._has_learnt(trial):
            with trainer.tasks.within(phase, *steps) as last:
                late = self._try_retraining(pruned, held_out, last, late=True)
            best = late if self._has_learnt(late) and late.least < _BETTER * trial.least else trial
        if trainer.ends(last) or (self._has_learnt(best) and not trainer.has_few_rows_of_classes(pruned)):
            return best
        with trainer.tasks.within(phase, *updates) as last:
            start = self._try_retraining(pruned, held_out, last, by_updates=True)
        if not start.losses or start.least >= _BETTER * best.least:
            return best
        if trainer.ends(last):
            return start._replace(is_final=True)
        with trainer.tasks.within(phase, *steps) as last:
            again = self._try_retraining(start.network, held_out, last)
        return again if again.losses else start._replace(is_final=True)

    def _has_learnt(self, trial: _Trial) -> bool:
        """Whether a trial gained something, and leaves no more than a share of the loss of a constant."""
        enough = _ENOUGH_OF_MANY if len(self._trainer.parts.train_rows) > _FEW else _ENOUGH_OF_FEW
        return bool(trial.losses) and trial.least < enough * self._trainer.constant_loss

    def _penalised(self, trial: _Trial, pruned: Network, held_out: HeldOut, phase: Phase) -> _Trial:
        """Return the trial, or one by a larger penalty where that lowers the held-out loss by more than noise."""
        trainer, more = self._trainer, phase
        while not trainer.ends(more):
            if len(trial.losses) >= _EARLY or trial.least <= _MUCH * trainer.constant_loss:
                break
            with trainer.tasks.within(phase, *trainer.schedule(pruned)[:2]) as more:
                other = self._try_retraining(pruned, held_out, more, penalty=_TIMES * trial.penalty)
            if other.least + noise_of(other.least, trainer.constant_loss) >= trial.least:
                break
            trial = other
        return trial

    def _try_retraining(
        self,
        pruned: Network,
        held_out: HeldOut,
        phase: Phase,
        *,
        by_updates: bool = False,
        penalty: float = 1.0,
        late: bool = False,
    ) -> _Trial:
        trainer = self._trainer
        losses: list[float] = []
        validation_losses: dict[int, float] = {}
        best, kept, prior = 0, pruned, None
        schedule = trainer.schedule(pruned, by_updates=by_updates)
        n_retrain, interval = schedule.n_iterations, schedule.interval
        with interruptible(trainer.watch):
            training = trainer.retraining(pruned, name=phase.name, by_updates=by_updates, penalty=penalty, late=late)
            start = training.network()
            losses, record, end = training.losses, trainer.finite(training.loss(held_out)), schedule.end(0)
            validation_losses[0] = record
            phase.report.held_out(record)
            with training.threads():
                while len(losses) < end and not (trainer.stopped or phase.stopped or training.converged):
                    step = min(interval, n_retrain - len(losses))
                    trainer.advance(phase, training, step, self._pretrain_losses)
                    loss = validation_losses[len(losses)] = trainer.finite(training.loss(held_out))
                    phase.report.held_out(loss)
                    if isinstance(training, SecondOrderTraining) and loss < _NEGLIGIBLE:
                        end = len(losses)
                    elif loss + noise_of(loss, trainer.constant_loss) < record:
                        record, end = loss, schedule.end(len(losses))
                    least = min(validation_losses.values())
                    if loss <= least + noise_of(least, trainer.constant_loss):
                        best, kept = len(losses), training.snapshot()
                        prior = training.solver.prior if isinstance(training, SecondOrderTraining) else None
            if best == 0:
                self._check_descent(training, start, training.network())
        times = "" if penalty == 1.0 else f", with {penalty:g} times the penalty"
        trainer.tasks.report.say(f"early_stopping chose {best} iterations of re-training{times}.")
        ran_out = isinstance(trainer.settings.n_retrain, str) and len(losses) >= n_retrain
        return _Trial(kept, losses[:best], validation_losses, prior, ran_out, penalty)
