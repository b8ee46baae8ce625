"""
Re-training: for how long is tried on samples that are held out, then the subnetwork is trained on all samples.

What it was pruned from, and which neurons were picked, is in ``_path``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs.network import Batch, FittedNetwork, Network, Training, interruptible, prune

from ._trainer import Trainer

# Iterations between two looks at the held-out samples while re-training.
_VALIDATION_INTERVAL = 20
# Of held-out losses that differ by less than this factor, noise, the one after the longest re-training counts as best.
_INDIFFERENCE = 1.01
# Iterations of re-training in which no held-out loss was lower by that factor than all before them: they end the trial.
_PATIENCE = 500


class Subnetwork(NamedTuple):
    """A pruned and re-trained network and how it came about."""

    fitted: FittedNetwork
    path: GreedyPath
    retrain_losses: list[float]
    validation_losses: list[float]
    ridge: float | None = None  # of a corrective selection


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
        self, network: Network, path: GreedyPath, trial_path: GreedyPath, held_out: Batch | None
    ) -> Subnetwork:
        """
        Return the subnetwork of the picks on all samples, re-trained.

        Where samples are held out, `trial_path` is that of the picks on the others, and `held_out` decides for how many
        iterations. Without `held_out` re-training is as long as the settings say.
        """
        trainer, n_retrain = self._trainer, self._trainer.settings.n_retrain
        trial: Subnetwork | None = None
        validation_losses: list[float] = []
        if held_out is not None:
            tried, losses, validation_losses = self._try_retraining(prune(network, trial_path), held_out)
            n_retrain = len(losses)
            fitted = trainer.selection.in_data_units(tried)
            if not len(trainer.parts.held_rows):  # it was trained on all samples
                return Subnetwork(fitted, path, losses, validation_losses)
            trial = Subnetwork(fitted, trial_path, losses, validation_losses)
        final = prune(network, path)
        retrain_losses: list[float] = []
        with trainer.tasks.phase("re-training", n_retrain) as phase, interruptible(trainer.watch):
            if n_retrain > 0:
                training = trainer.training(final, trainer.seeds[2], name="re-training", on_all=True, averaged=True)
                trainer.advance(phase, training, n_retrain, self._pretrain_losses)
                start, final, retrain_losses = final, training.network(), training.losses
                self._check(training, lambda: start, final)
        if trial is not None and len(retrain_losses) < n_retrain and trainer.stopped:
            # There was no time to train another as long.
            return trial._replace(path=trainer.selection.measured(network, trial_path))
        return Subnetwork(trainer.selection.in_data_units(final), path, retrain_losses, validation_losses)

    def _try_retraining(self, pruned: Network, held_out: Batch) -> tuple[Network, list[float], list[float]]:
        """Return the network when its held-out loss was least, the losses until then, and all held-out losses."""
        trainer = self._trainer
        name = "trial re-training" if len(trainer.parts.held_rows) else "re-training"
        losses: list[float] = []
        validation_losses: list[float] = []
        best, kept, n_retrain = 0, pruned, trainer.settings.n_retrain
        with trainer.tasks.phase(name, n_retrain) as phase, interruptible(trainer.watch):
            training = trainer.training(pruned, trainer.seeds[2], name=name, averaged=True)
            losses, record, end = training.losses, trainer.finite(training.loss(held_out)), min(n_retrain, _PATIENCE)
            validation_losses.append(record)
            while len(training.losses) < end and not (trainer.stopped or phase.stopped):
                step = min(_VALIDATION_INTERVAL, n_retrain - len(training.losses))
                trainer.advance(phase, training, step, self._pretrain_losses)
                validation_losses.append(trainer.finite(training.loss(held_out)))
                if _INDIFFERENCE * validation_losses[-1] < record:
                    record, end = validation_losses[-1], min(n_retrain, len(training.losses) + _PATIENCE)
                if validation_losses[-1] <= _INDIFFERENCE * min(validation_losses):
                    best, kept = len(training.losses), training.network()
            if best == 0:
                self._check(training, lambda: pruned, training.network())
        return kept, losses[:best], validation_losses
