"""
One training path: pre-train a dense network, prune it at any iteration to any size, re-train the subnetworks.

Arrays in, networks out: nothing here knows classes, labels or estimators. The standardised data are in ``_prepared``,
trainings in ``_trainer``, the selection of neurons in ``_pruning``, re-training in ``_retraining``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs.network import (
    UNWATCHED,
    FittedNetwork,
    Network,
    Phase,
    Tasks,
    TrainingState,
    Watch,
    despite_interrupt,
    interruptible,
    prune,
)

from ._candidates import WORTH, Candidate, Chosen, choose
from ._given import DenseState, PathData, PathSettings
from ._layer import Room
from ._prepared import Prepared
from ._pruning import NeuronSelection
from ._retraining import Retraining, Subnetwork
from ._schedule import checkpoints
from ._trainer import Retrainer, Trainer
from ._trial import at_stake

# Share of `max_time` after which pre-training ends, so that time remains for re-training.
_PRETRAINING_SHARE = 0.5
# A warning tells if the loss at the end of a training is more than the sum of three terms, so that growth by noise
# gives no warning. First term: the loss at the start, times this factor.
_GROWTH = 1.1
# Second term: this share of the highest loss before this training.
_NOISE = 0.01
# Third term, in standardised units: it matters only if hardly anything can be learnt.
_NOTHING = 1e-3
# Fall of the subnetwork's loss that each further iteration must bring, as a share of `at_stake`.
_WORTH = 3e-4


class TrainingPath:
    """
    The dense network during pre-training, and its subnetworks at any iteration.

    With early stopping some samples are held out of pre-training. A trial subnetwork is selected and re-trained on the
    other samples only. The held-out loss decides for how many iterations. Second-order steps then continue the trial on
    all samples, for some iterations. Gradient updates that reached their largest number of iterations also continue the
    trial. Other gradient updates begin anew: the final subnetwork is selected and re-trained on all samples, for the
    number of iterations that was best in the trial. So the final network learns from every sample, with two exceptions.
    A trial by gradient updates that second-order steps can't improve is returned as it is. A trial is also returned as
    it is if no time remains. Held-out losses are losses of the trial, which was not fitted to the held-out samples.

    Parameters
    ----------
    data : PathData
    settings : PathSettings
    random_state : int, RandomState instance or None
    tasks : Tasks
        The tasks that callbacks see.
    watch : Watch, default=UNWATCHED
        May stop training early.
    state : DenseState, default=None
        The `state` of an earlier path, which this path continues with the same seeds.
    more : bool, default=False
        Whether the data are added to the data of the earlier path. If not, they replace those.
    keep : bool, default=True
        Whether `state` may be called at the end.
    many : bool, default=False
        Whether `subnetworks` is called more than once. The memory for activations is then kept between the calls,
        because the first write to new memory takes longer.
    """

    def __init__(
        self,
        data: PathData,
        settings: PathSettings,
        random_state: Any,
        *,
        tasks: Tasks,
        watch: Watch = UNWATCHED,
        state: DenseState | None = None,
        more: bool = False,
        keep: bool = True,
        many: bool = False,
    ) -> None:
        self._keep, self._settings = keep, settings
        self._data = Prepared(data, settings, random_state, state, more=more)
        self._selection = NeuronSelection(self._data, settings, Room() if many else None)
        self._trainer = Trainer(self._data, settings, tasks, watch)
        self._tasks, self._watch = tasks, watch
        watch.allow(_PRETRAINING_SHARE)
        tasks.report.say(self._data.summary)
        # Texts of the warnings about this path.
        self.complaints: list[str] = []
        # The state that an automatic number of iterations went back to.
        self._chosen: TrainingState | None = None
        # The number of picks for which this state was chosen, and the selections that were compared.
        self._chosen_trials: tuple[int, list[Candidate]] = 0, []
        # The initial network is drawn again when needed, so that memory holds one dense network only.
        earlier = None if state is None else self._data.continued(state, more=more)
        self._start = self._data.initial_network if earlier is None else lambda: earlier.network
        start = self._start() if earlier is None else earlier
        # Number of losses whose highest sets the scale of `_check_descent`: all losses of earlier data and the first
        # loss of these data. The losses of the earlier data alone may be zero, if their targets were constant.
        self._n_compared = 1 + (0 if earlier is None else len(earlier.losses))
        self._training = self._trainer.pretraining(start)

    @property
    def losses(self) -> list[float]:
        """Loss of the batch at each iteration of the dense network's pre-training."""
        return self._training.losses if self._chosen is None else self._chosen.losses

    def pretrain_to(self, n_iterations: int) -> None:
        """Pre-train until the number of all iterations is `n_iterations`."""
        left = n_iterations - len(self._training.losses)
        with self._tasks.phase("pre-training", left) as phase:
            self._advance(phase, left)

    def _advance(self, phase: Phase, n_iterations: int) -> None:
        self._trainer.advance(phase, self._training, n_iterations, self._training.losses)

    def pretrain_until_settled(self, k: int, since: int = 0) -> None:
        """
        Pre-train until more iterations no longer help the subnetwork of k picks, and return to the best checkpoint.

        A subnetwork is selected at geometrically spaced checkpoints, counted from `since`. Its loss before re-training
        is compared, on validation or held-out samples if there are some. This loss falls ever more slowly, once
        something has been learnt. If it fell since the last checkpoint by less than the next checkpoint requires, the
        next checkpoint is not tried. If training is stopped between two checkpoints, it ends there, without another
        selection.

        With `corrective` there are two losses, and it is enough that one of them falls. Re-solved weights make good
        subnetworks of neurons that are hardly trained. The loss of the mean of the picks shows what training does for
        the neurons.
        """
        steps = self._steps_to_checkpoints(since)
        with self._tasks.phase("pre-training", sum(steps), at_most=True) as phase, interruptible(self._watch):
            before = np.array([np.inf])
            while steps:
                step = steps.pop(0)
                self._advance(phase, step)
                if self._trainer.stopped or phase.stopped:
                    self._chosen = None
                    break
                if not steps and np.isinf(before).all():  # there is no earlier loss to compare with
                    break
                phase.report.end()
                losses, trials = self._pruned_losses(self._training.network(), k)
                # Infinite at first. A loss is infinite without a pick, and has not fallen then.
                with np.errstate(invalid="ignore"):
                    fall = np.where(np.isfinite(losses), before - losses, -np.inf)
                if np.all(fall <= self._worth(before, step)):
                    break
                self._chosen = self._training.state(with_moments=self._keep)
                self._chosen_trials = k, trials
                if not steps or np.all(fall < self._worth(losses, steps[0])):
                    break
                before = losses
        if self._watch.interrupted:
            self._chosen = None
        self._tasks.report.say(f'n_pretrain="auto" chose {len(self.losses)} iterations of pre-training.')

    def _worth(self, losses: Float64Array, n_iterations: int) -> Float64Array:
        """Return by how much each loss must fall to be worth `n_iterations` further iterations."""
        constant_loss = self._data.constant_loss
        stakes = [at_stake(loss, constant_loss) if np.isfinite(loss) else 0.0 for loss in np.ravel(losses)]
        return _WORTH * n_iterations * np.array(stakes)

    def _steps_to_checkpoints(self, since: int) -> list[int]:
        """Return the numbers of iterations from each checkpoint to the next; 0 comes first in a continued training."""
        data, n_done = self._data, len(self._training.losses)
        n_samples = data.n_copies * data.share(data.parts.train)
        after = checkpoints(self._settings.n_retrain, n_samples, classes=not data.holds_numbers)
        ends = [since + checkpoint for checkpoint in after if since + checkpoint > n_done]
        return [0] * (n_done > 0) + [end - start for start, end in itertools.pairwise([n_done, *ends])]

    def _pruned_losses(self, network: Network, k: int) -> tuple[Float64Array, list[Candidate]]:
        """
        Return the least losses of a subnetwork, and the candidate selections.

        The first loss is the least of all candidates. If weights are re-solved and the subnetwork is re-trained, the
        second is the loss of the mean of the picks.
        """
        trials = self._selection.trials(network, k)
        chosen, loss = self._choose(network, trials, k)
        held_out_loss = None if self._data.held_out is None else loss
        self._report_selection("trial selection", chosen.prefix(k), held_out_loss)
        losses = [loss]
        if self._settings.corrective and self._settings.retrains:
            mean = [one for one in trials if one.ridge is None] or [self._selection.uncorrected(network, k)]
            losses.append(choose(mean, k, self._judge(network), worth=1.0)[1])
        return np.array(losses), trials

    def _report_selection(self, name: str, path: GreedyPath, held_out_loss: float | None = None) -> None:
        loss = float(path.losses[-1]) if len(path.losses) else None  # a corrective selection may have nothing to pick
        self._tasks.report.row(name, f"{len(path.picks)} picks", loss, held_out_loss)

    def _choose(self, network: Network, trials: list[Candidate], k: int) -> tuple[Candidate, float]:
        """Return the selection that prunes the network, and the least loss of all candidates."""
        worth = WORTH if self._settings.retrains else 1.0
        return choose(trials, k, self._judge(network), worth=worth)

    def _judge(self, network: Network) -> Callable[[GreedyPath], float] | None:
        """Return a function from a selection to the held-out loss of its subnetwork; None without held-out samples."""
        data = self._data
        return None if data.held_out is None else lambda path: data.finite(data.held_out_loss(prune(network, path)))

    def _dense_network(self) -> Network:
        return self._training.network() if self._chosen is None else self._chosen.network

    def state(self) -> DenseState:
        """Return the state of the dense network, from which a later path can continue."""
        return DenseState(self._data.seeds, self._data.moments, self._chosen or self._training.state())

    def dense(self) -> FittedNetwork:
        """Return the dense network at this iteration, in the units of the data."""
        return self._data.in_data_units(self._dense_network())

    def subnetworks(self, sizes: list[int]) -> tuple[float, list[Subnetwork]]:
        """
        Prune the dense network at this iteration and re-train the subnetwork, for each number of picks.

        Returns
        -------
        dense_loss : float
            Loss of the dense network over all samples.
        subnetworks : list of Subnetwork
            In the order of the sizes.
        """
        self._watch.allow(1.0)
        network = despite_interrupt(self._watch, self._dense_network)
        with interruptible(self._watch):
            self._training.rest()
            if self.losses:
                self._check_descent(self._training, self._start, network)
        with self._tasks.phase("selection"):
            dense_loss, chosen = self._select(network, sizes)
        self._report_selection("selection", max((one.path for one in chosen), key=lambda path: len(path.picks)))
        retraining = Retraining(self._trainer, self._selection, self.losses, self._check_descent)
        return dense_loss, [retraining.subnetwork(network, one) for one in chosen]

    def _select(self, network: Network, sizes: list[int]) -> tuple[float, list[Chosen]]:
        """Return the dense loss, and for each size the selections on all samples and of the trial."""
        k, trials = self._chosen_trials
        known = trials if self._chosen is not None and k == max(sizes) else None

        def chosen(trials: list[Candidate], size: int) -> Candidate:
            return self._choose(network, trials, size)[0]

        return despite_interrupt(self._watch, self._selection.paths, network, sizes, known, chosen)

    def _check_descent(self, training: Retrainer, start: Callable[[], Network], end: Network) -> None:
        """Add a warning to `complaints`, once, if the loss of a training is higher at its end than at its start."""
        losses = None if self.complaints or self._watch.has_stopped else training.losses_of_ends(start, end)
        if losses is None:
            return
        before, after = losses
        scale = max(self.losses[: self._n_compared], default=before)
        if after > _GROWTH * before + _NOISE * scale + _NOTHING:
            self.complaints.append(
                f"{training.name.capitalize()} ended at a training loss of {after:.4g}, above the {before:.4g} that it "
                f"began with. Its steps are too long: use a smaller learning_rate_init (it was {training.step_size:g})."
            )
