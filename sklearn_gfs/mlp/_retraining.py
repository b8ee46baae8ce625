"""
Re-training: a trial with held-out samples finds the number of iterations, then all samples train the subnetwork.

One trial is in ``_trial``, those that may follow it in ``_other_trials``. Pre-training and the picks are in ``_path``,
the choice of the solver in ``_choice``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs.network import (
    FittedNetwork,
    HeldOut,
    Network,
    Posterior,
    Prior,
    despite_interrupt,
    interruptible,
    prune,
)

from ._candidates import Chosen
from ._choice import Choice
from ._other_trials import of_larger_penalty, of_other_picks, of_other_start, of_steps
from ._pruning import NeuronSelection
from ._trainer import Retrainer, Trainer
from ._trial import Ending, Trial, Trials

# A trial that is continued on all samples makes so many more iterations, and this part of its own.
_MORE = 3
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
            start, how = self._start(network, chosen.path)
            return self._finished(Trial(start, [], {}), chosen, how, how.schedule.n_iterations)
        trial, chosen = self._trial(network, chosen, held_out)
        path, trial_path, ridge = chosen
        fitted = self._data.in_data_units(trial.network)
        kept = Subnetwork(fitted, path, trial.losses, trial.validation_losses, ridge=ridge)
        if not len(self._data.parts.held_out.rows):  # with validation data the trial was trained on all samples
            return kept._replace(posterior=self._posterior(trial.network, trial.prior))
        if trial.ending is Ending.KEPT:
            posterior = self._posterior(trial.network, trial.prior)
            return kept._replace(path=self._measured(network, trial_path), posterior=posterior)
        if trial.ending is Ending.CONTINUED:
            how = trainer.choice_of_updates(trial.network) if trial.prior is None else trainer.choice_of_steps()
            n_more = _MORE + int(_PART_MORE * len(trial.losses))
            on_all = despite_interrupt(trainer.watch, selection.measured_on_all, network, trial_path)
            chosen = chosen._replace(path=on_all)
            return self._finished(trial, chosen, how, n_more)
        # The trial was one of updates. The same updates train the final subnetwork, even if this has fewer neurons and
        # second-order steps would suit it: the best number of updates says nothing about steps.
        begun = trial._replace(network=prune(network, path), losses=[], prior=None)
        found = self._finished(begun, chosen, trainer.choice_of_updates(begun.network), len(trial.losses))
        if len(found.retrain_losses) < len(trial.losses) and trainer.stopped:
            # Time ended before the final subnetwork had the iterations of the trial.
            return kept._replace(path=self._measured(network, trial_path))
        return found

    def _start(self, network: Network, path: GreedyPath) -> tuple[Network, Choice]:
        """Return the pruned network, and how to re-train it."""
        pruned = despite_interrupt(self._trainer.watch, prune, network, path)
        return pruned, despite_interrupt(self._trainer.watch, self._trainer.choice, pruned)

    def _measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        return despite_interrupt(self._trainer.watch, self._selection.measured, network, trial_path)

    def _posterior(self, network: Network, prior: Prior | None) -> Posterior | None:
        return despite_interrupt(self._trainer.watch, self._trainer.posterior, network, prior)

    def _finished(self, begun: Trial, chosen: Chosen, how: Choice, n_iterations: int) -> Subnetwork:
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
        posterior = self._posterior(end, prior)
        fitted, path, ridge = self._data.in_data_units(end), chosen.path, chosen.ridge
        return Subnetwork(fitted, path, losses, begun.validation_losses, posterior, ridge)

    def _trial(self, network: Network, chosen: Chosen, held_out: HeldOut) -> tuple[Trial, Chosen]:
        """Return the trial of the chosen selection, or a better trial, and the selection that it belongs to."""
        trainer, (pruned, how) = self._trainer, self._start(network, chosen.trial_path)
        name = "trial re-training" if len(self._data.parts.held_out.rows) else "re-training"
        n_retrain, interval = how.schedule[:2]
        at_most = how.tries_starts or how.tries_steps or how.tries_penalties or how.tries_picks
        with trainer.tasks.phase(name, n_retrain, at_most=at_most, n_of_task=interval) as phase:
            trials = Trials(trainer, held_out, phase, self._pretrain_losses, self._check)
            first = trial = trials.first(pruned, how)
            with interruptible(trainer.watch):  # each trial is kept until a better one is complete
                if how.tries_penalties:
                    trial = of_larger_penalty(trials, trial, pruned, how)
                if how.tries_steps:
                    trial = of_steps(trials, trial, pruned)
                if how.tries_starts:
                    trial = of_other_start(trials, trial, pruned, how)
                if how.tries_picks:
                    trial, chosen = of_other_picks(trials, self._selection.by_gradient, first, trial, network, chosen)
        return trial, chosen
