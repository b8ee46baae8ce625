"""
Re-training: a trial with held-out samples finds the number of iterations, then all samples train the subnetwork.

Pre-training and the picks are in ``_path``, the choice of the solver in ``_choice``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs.network import (
    FittedNetwork,
    HeldOut,
    LateLevenbergMarquardt,
    Network,
    Phase,
    Posterior,
    Prior,
    interruptible,
    prune,
)
from sklearn_gfs.selection import SteepestPath

from ._candidates import Chosen
from ._choice import Choice
from ._pruning import NeuronSelection
from ._trainer import Retrainer, Trainer

# Difference of held-out losses that counts as noise, as a share of `at_stake`. Of the losses that differ from the least
# by noise, the one after most iterations counts as best.
_NOISE = 0.01
# Held-out loss, as a share of the loss of the best constant, below which a trial has learnt enough. This limit is for
# at most `_FEW` training samples.
_ENOUGH_OF_FEW = 0.3
# Largest number of training samples for this limit. With more samples trials take longer, and a trial that learns
# little is rare.
_FEW = 2000
# The limit for more training samples: another start is tried only if the trial has learnt almost nothing.
_ENOUGH_OF_MANY = 0.9
# Ratio of held-out losses, another start over the first, below which the other start is better.
_BETTER = 0.9
# Largest number of updates before the least held-out loss at which the network may have overfitted.
_EARLY = 7500
# Held-out loss, as a share of the loss of the best constant, above which larger penalties or other picks are tried.
_MUCH = 0.1
# Factor from each penalty that is tried to the next.
_TIMES = 4.0
# The weights of picks by least squares are solved for at these ridges, shares of the neurons' mean variance.
_RIDGES = (1e-2, 1e-3, 1e-4, 1e-5)
# A trial that is continued on all samples makes so many more iterations, and this part of its own.
_MORE = 3
# Number of standard errors by which the held-out loss of other picks must be lower. Few samples with extreme losses
# decide alone otherwise.
_SURE = 2.0
# Additional further iterations, as a share of the iterations of the trial.
_PART_MORE = 0.2


class Subnetwork(NamedTuple):
    """A pruned and re-trained network, with its path, its losses and its ridge."""

    fitted: FittedNetwork
    path: GreedyPath
    retrain_losses: list[float]
    validation_losses: dict[int, float]  # by the iterations of re-training before
    posterior: Posterior | None = None
    ridge: float | None = None  # of a corrective selection


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


class _Trial(NamedTuple):
    """The network of the least held-out loss, with the losses until then, all held-out losses, and the prior."""

    network: Network
    losses: list[float]
    validation_losses: dict[int, float]  # by the iterations of re-training before
    prior: Prior | None = None
    penalty: float = 1.0  # factor of the automatic penalty of gradient updates
    was_cut_off: bool = False  # whether the automatic number of iterations ended it, and not its held-out losses
    is_final: bool = False  # whether the network is returned without training on all samples

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
    selection : NeuronSelection
        Measures the picks of a trial on other samples.
    pretrain_losses : list of float
        Losses of the dense network, for callbacks.
    check : callable
        Given a training, a function that returns the network at its start, and the network at its end, warns if the
        loss has grown.
    """

    def __init__(
        self,
        trainer: Trainer,
        selection: NeuronSelection,
        pretrain_losses: list[float],
        check: Callable[[Retrainer, Callable[[], Network], Network], None],
    ) -> None:
        self._trainer, self._data, self._selection = trainer, trainer.data, selection
        self._pretrain_losses = pretrain_losses
        self._check = check

    def subnetwork(self, network: Network, chosen: Chosen) -> Subnetwork:
        """
        Return the re-trained subnetwork.

        With held-out samples, a trial re-trains the picks of the other samples, and held-out losses decide for how many
        iterations. Second-order steps then continue from the trial. Gradient updates also continue, if the trial
        reached their largest number. Other gradient updates begin anew from the picks on all samples. Without held-out
        samples the settings give the number of iterations.
        """
        trainer, selection, held_out = self._trainer, self._selection, self._data.held_out
        if held_out is None:
            start = prune(network, chosen.path)
            how = trainer.choice(start)
            return self._finished(_Trial(start, [], {}), chosen, how, how.schedule.n_iterations)
        trial, chosen = self._trial(network, chosen, held_out)
        path, trial_path, ridge = chosen
        fitted = self._data.in_data_units(trial.network)
        kept = Subnetwork(fitted, path, trial.losses, trial.validation_losses, ridge=ridge)
        if not len(self._data.parts.held_out.rows):  # with validation data the trial was trained on all samples
            return kept._replace(posterior=trainer.posterior(trial.network, trial.prior))
        if trial.is_final:
            posterior = trainer.posterior(trial.network, trial.prior)
            return kept._replace(path=selection.measured(network, trial_path), posterior=posterior)
        if trial.losses and (trial.was_cut_off or trial.prior is not None):
            choose = trainer.choice_of_updates if trial.prior is None else trainer.choice
            n_more = _MORE + int(_PART_MORE * len(trial.losses))
            chosen = chosen._replace(path=selection.measured_on_all(network, trial_path))
            return self._finished(trial, chosen, choose(trial.network), n_more)
        # The trial was one of updates. The same updates train the final subnetwork, even if this has fewer neurons and
        # second-order steps would suit it: the best number of updates says nothing about steps.
        begun = trial._replace(network=prune(network, path), losses=[], prior=None)
        found = self._finished(begun, chosen, trainer.choice_of_updates(begun.network), len(trial.losses))
        if len(found.retrain_losses) < len(trial.losses) and trainer.stopped:
            # Time ended before the final subnetwork had the iterations of the trial.
            return kept._replace(path=selection.measured(network, trial_path))
        return found

    def _finished(self, begun: _Trial, chosen: Chosen, how: Choice, n_iterations: int) -> Subnetwork:
        """Return the subnetwork after `n_iterations` more from the trial `begun`, on all samples."""
        trainer, end, losses, prior = self._trainer, begun.network, begun.losses, begun.prior
        with trainer.tasks.phase("re-training", n_iterations) as phase, interruptible(trainer.watch):
            if n_iterations > 0:
                training = trainer.retraining(
                    end, how, self._data.parts.whole, name="re-training", prior=prior, penalty=begun.penalty
                )
                start = training.network()
                trainer.advance(phase, training, n_iterations, self._pretrain_losses)
                end, losses, prior = training.network(), [*losses, *training.losses], training.prior
                # Both networks come from this training, so that both losses have the same penalty.
                self._check(training, lambda: start, end)
        posterior = trainer.posterior(end, prior)
        fitted, path, ridge = self._data.in_data_units(end), chosen.path, chosen.ridge
        return Subnetwork(fitted, path, losses, begun.validation_losses, posterior, ridge)

    def _trial(self, network: Network, chosen: Chosen, held_out: HeldOut) -> tuple[_Trial, Chosen]:
        """Return the trial of the chosen selection, or a better trial, and the selection that it belongs to."""
        trainer, pruned = self._trainer, prune(network, chosen.trial_path)
        name = "trial re-training" if len(self._data.parts.held_out.rows) else "re-training"
        how = trainer.choice(pruned)
        (n_retrain, interval), at_most = how.schedule[:2], how.tries_starts or how.tries_penalties or how.tries_picks
        with trainer.tasks.phase(name, n_retrain, at_most=at_most, n_of_task=interval) as phase:
            trial = self._try_retraining(pruned, held_out, phase, how)
            phase.report.end()
            if how.tries_penalties:
                trial = self._penalised(trial, pruned, held_out, phase, how)
            if how.tries_starts:
                trial = self._other_start(trial, pruned, held_out, phase, how)
            return self._other_picks(trial, network, chosen, held_out, phase) if how.tries_picks else (trial, chosen)

    def _other_picks(
        self, trial: _Trial, network: Network, chosen: Chosen, held_out: HeldOut, phase: Phase
    ) -> tuple[_Trial, Chosen]:
        """
        Return the trial, or a better trial of picks with solved weights, and the selection that it belongs to.

        The mean of the picks may have few different neurons, and re-training from there may not find class boundaries
        that wind. If as many different neurons with solved weights have a lower held-out loss, they are re-trained.
        """
        trainer, data = self._trainer, self._data
        if trainer.ends(phase) or trial.least <= _MUCH * data.constant_loss:
            return trial, chosen
        if data.has_rare_words(trial.network, data.parts.train):  # each weight depends on few samples
            return trial, chosen
        found = None
        with interruptible(trainer.watch):
            found = self._picked_by_squares(network, len(chosen.trial_path.picks), trial.least, phase)
        if found is None or trainer.ends(phase):
            return trial, chosen
        path, ridge, trial_path = found
        start = prune(network, trial_path)
        how = trainer.choice(start)
        with trainer.tasks.within(phase, *how.schedule[:2]) as last:
            other = self._try_retraining(start, held_out, last, how)
        if other.least >= _BETTER * trial.least or data.held_out_gain(trial.network, other.network) < _SURE:
            return trial, chosen
        trainer.tasks.report.say("Picks by least squares, with weights solved for, took the place of the first.")
        final_path = trial_path
        if other.prior is None and len(data.parts.held_out.rows):  # updates begin anew, on all samples
            with interruptible(trainer.watch):
                final_path = self._selection.solver(network, path, data.parts.whole)(ridge)
        return other, Chosen(final_path, trial_path, ridge)

    def _picked_by_squares(
        self, network: Network, k: int, least: float, phase: Phase
    ) -> tuple[SteepestPath, float, GreedyPath] | None:
        """Return picks by least squares, and the ridge and weights at which they leave less than this held-out loss."""
        data, selection, found, last = self._data, self._selection, None, math.inf
        path = selection.by_squares(network, k) if k < len(network.weights) else None
        if path is None or self._trainer.ends(phase):
            return None
        solve = selection.solver(network, path, data.parts.train)
        for ridge in _RIDGES:
            solved = solve(ridge)
            loss = data.held_out_loss(prune(network, solved))
            if self._trainer.ends(phase) or not loss < last:
                break  # at smaller ridges the samples are fitted more closely
            last = loss
            if loss < least:
                found = path, ridge, solved
        return found

    def _other_start(self, trial: _Trial, pruned: Network, held_out: HeldOut, phase: Phase, how: Choice) -> _Trial:
        """
        Return the trial of second-order steps, or a better trial from another start.

        The penalties of second-order steps maximise the evidence of a quadratic model around the start. With few
        samples they may shrink weights that could have learnt something. If a trial on continuous targets learnt
        little, another trial makes its first steps without these penalties. For classes, whose neurons are relu, this
        was no better. Gradient updates need no quadratic model either, and find another start. For classes with fewer
        samples than parameters gradient updates are always tried. If many features are a little informative, penalties
        for each feature shrink too much.
        """
        trainer, data, best, last = self._trainer, self._data, trial, phase
        if trainer.ends(phase):
            return trial
        if data.holds_numbers and not self._has_learnt(trial):
            with trainer.tasks.within(phase, *how.schedule[:2]) as last:
                late = self._try_retraining(pruned, held_out, last, how._replace(steps=LateLevenbergMarquardt))
            best = late if self._has_learnt(late) and late.least < _BETTER * trial.least else trial
        needs_updates = not data.holds_numbers and data.has_few_rows(pruned, data.parts.train)
        if trainer.ends(last) or (self._has_learnt(best) and not needs_updates):
            return best
        updates = trainer.choice_of_updates(pruned)
        with trainer.tasks.within(phase, *updates.schedule[:2]) as last:
            start = self._try_retraining(pruned, held_out, last, updates)
        if not start.losses or start.least >= _BETTER * best.least:
            return best
        if trainer.ends(last):
            return start._replace(is_final=True)
        with trainer.tasks.within(phase, *how.schedule[:2]) as last:
            again = self._try_retraining(start.network, held_out, last, how)
        return again if again.losses else start._replace(is_final=True)

    def _has_learnt(self, trial: _Trial) -> bool:
        """Whether a trial lowered the held-out loss to less than a share of the loss of the best constant."""
        enough = _ENOUGH_OF_MANY if len(self._data.parts.train.rows) > _FEW else _ENOUGH_OF_FEW
        return bool(trial.losses) and trial.least < enough * self._data.constant_loss

    def _penalised(self, trial: _Trial, pruned: Network, held_out: HeldOut, phase: Phase, how: Choice) -> _Trial:
        """Return the trial, or a trial with a larger penalty if that lowers the held-out loss by more than noise."""
        trainer, constant_loss, more = self._trainer, self._data.constant_loss, phase
        while not trainer.ends(more):
            if len(trial.losses) >= _EARLY or trial.least <= _MUCH * constant_loss:
                break
            with trainer.tasks.within(phase, *how.schedule[:2]) as more:
                other = self._try_retraining(pruned, held_out, more, how, penalty=_TIMES * trial.penalty)
            if other.least + noise_of(other.least, constant_loss) >= trial.least:
                break
            trial = other
        return trial

    def _try_retraining(
        self, pruned: Network, held_out: HeldOut, phase: Phase, how: Choice, *, penalty: float = 1.0
    ) -> _Trial:
        trainer, data, schedule = self._trainer, self._data, how.schedule
        losses: list[float] = []
        validation_losses: dict[int, float] = {}
        best, kept, prior = 0, pruned, None
        with interruptible(trainer.watch):
            training = trainer.retraining(pruned, how, data.parts.train, name=phase.name, penalty=penalty)
            start = training.network()
            losses, record, end = training.losses, data.finite(training.loss(held_out)), schedule.end(0)
            validation_losses[0] = record
            phase.report.held_out(record)
            with training.threads():
                while len(losses) < end and not (trainer.ends(phase) or training.converged):
                    step = min(schedule.interval, schedule.n_iterations - len(losses))
                    trainer.advance(phase, training, step, self._pretrain_losses)
                    loss = validation_losses[len(losses)] = data.finite(training.loss(held_out))
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
        return _Trial(kept, losses[:best], validation_losses, prior, penalty, was_cut_off)
