"""
The trainings of one path, with their samples and settings.

``_path`` and ``_retraining`` decide which networks are trained, and for how long.
"""

from __future__ import annotations

from sklearn_gfs.network import (
    SOLVERS,
    Network,
    Part,
    Phase,
    Posterior,
    Prior,
    SecondOrderSolver,
    SecondOrderTraining,
    Tasks,
    Training,
    TrainingSettings,
    TrainingState,
    Watch,
    as_loop_takes_it,
    in_precision,
    interruptible,
    of_least_weight,
    place_of,
    share_of_values,
)

from ._choice import Choice, choose_solver, choose_steps, choose_updates
from ._given import PathSettings
from ._prepared import Prepared

# The training that re-trains a network.
Retrainer = Training | SecondOrderTraining
# Number of samples from which the neurons have weight one in re-training by Adam. With fewer samples the weight is
# proportional to their number, but at least the weight in the mean over the picks. A step of Adam has about the same
# length for any weight, so smaller weights move the outputs more slowly, and few samples are overfitted less. Sparse
# data with fewer samples than parameters keep the weights of the mean.
_OF_WEIGHT_ONE = 20_000


class Trainer:
    """Trains networks on the data of one path."""

    def __init__(self, data: Prepared, settings: PathSettings, tasks: Tasks, watch: Watch) -> None:
        self.data, self.settings, self.tasks, self.watch = data, settings, tasks, watch

    def pretraining(self, start: Network | TrainingState) -> Training:
        """Return the training of the dense network, on the samples that are not held out."""
        part, times = self.data.parts.train, self.data.scaling.x_shrink**2
        # If inputs are shrunk, the same network has larger weights, and the penalty is smaller.
        settings = self.settings.training.with_alpha(self.data.n_effective(part), falls=False, times=times)
        return Training(
            start, self.data.samples(part), settings, self.data.seeds[1], name="pre-training", watch=self.watch
        )

    def choice(self, network: Network) -> Choice:
        """Return how to re-train a subnetwork."""
        return choose_solver(self.data, self.settings, network)

    def choice_of_steps(self) -> Choice:
        """Return how to re-train a subnetwork by second-order steps."""
        return choose_steps(self.settings)

    def choice_of_updates(self, network: Network) -> Choice:
        """Return how to re-train a subnetwork by gradient updates."""
        return choose_updates(self.data, self.settings, network)

    def retraining(
        self,
        network: Network,
        how: Choice,
        part: Part,
        *,
        name: str,
        prior: Prior | None = None,
        penalty: float = 1.0,
    ) -> Retrainer:
        """
        Return a training of a subnetwork on these samples.

        Steps begin with the `prior`; an automatic penalty of updates is multiplied by `penalty`.
        """
        if how.steps is None:
            return self._updates(network, part, penalty, name)
        return self._steps(network, how.steps, part, prior, name)

    def _updates(self, network: Network, part: Part, penalty: float, name: str) -> Training:
        data, given, n_rows = self.data, self.settings, len(part.rows)
        settings = self._with_alpha(part, penalty)
        settings = settings._replace(solver=SOLVERS.get(given.retrain_solver, settings.solver))
        if settings.solver.is_of_one_length and not data.has_rare_words(network, part):
            network = of_least_weight(network, min(1.0, data.n_copies / _OF_WEIGHT_ONE))
        settings = settings._replace(device=place_of(network, settings, n_rows))
        network = as_loop_takes_it(network, settings, n_rows)
        samples = data.samples(part, settings.device, network.hidden_coef.dtype)
        return Training(network, samples, settings, data.seeds[2], name=name, averaged=True, watch=self.watch)

    def _steps(
        self, network: Network, solver: type[SecondOrderSolver], part: Part, prior: Prior | None, name: str
    ) -> SecondOrderTraining:
        data = self.data
        return SecondOrderTraining(
            in_precision(network, data.dtype),  # the compiled loop may have trained it in float32
            data.samples(part, "cpu"),
            self.settings.training if solver.can_estimate else self._with_alpha(part, 1.0),
            solver,
            data.seeds[2],
            name=name,
            n_samples=data.n_effective(part),
            watch=self.watch,
            prior=prior,
        )

    def _with_alpha(self, part: Part, times: float) -> TrainingSettings:
        """Return settings of re-training with a numeric penalty; an automatic penalty is multiplied by `times`."""
        settings = self.settings.training
        # A feature that is zero in most samples has little data against a penalty, so its penalty is smaller.
        times *= 1.0 if settings.loss.is_quadratic else share_of_values(self.data.moments)
        return settings.with_alpha(self.data.n_effective(part), falls=True, times=times)

    def posterior(self, network: Network, prior: Prior | None) -> Posterior | None:
        """Return the posterior of the final network's weights given all samples; None if not needed or not known."""
        solver = self.choice(network).steps if self.settings.keeps_posterior else None
        if solver is None:
            return None
        training = self._steps(network, solver, self.data.parts.whole, prior, "re-training")
        return training.posterior(self.data.scaling)

    def advance(self, phase: Phase, training: Retrainer, n_iterations: int, losses: list[float]) -> None:
        """Continue a training, as a part of this phase; `losses` are those of pre-training."""
        with interruptible(self.watch), training.threads():
            phase.run(
                training,
                n_iterations,
                lambda: self.tasks.attributes(self.data.in_data_units(training.network()), losses),
            )

    @property
    def stopped(self) -> bool:
        """Whether all training has to stop now."""
        return self.watch.stops

    def ends(self, phase: Phase) -> bool:
        """Whether all training has to stop, or a callback asked to end this phase."""
        return self.stopped or phase.stopped
