"""
Other trials, after the first of a subnetwork: a larger penalty, steps after updates, another start, other picks.

A function ``of_...`` returns the trial that it is given, or a better one.
"""

from __future__ import annotations

import math

from sklearn_gfs._typing import GreedyPath
from sklearn_gfs.network import LateLevenbergMarquardt, Network, interruptible, prune
from sklearn_gfs.selection import SteepestPath

from ._candidates import Chosen
from ._choice import Choice
from ._searches import SearchByGradient
from ._trial import Ending, Trial, Trials, noise_of

# Held-out loss, as a share of the loss of the best constant, below which a trial has learnt enough. This limit is for
# at most `_FEW` training samples.
_ENOUGH_OF_FEW = 0.3
# Largest number of training samples for this limit. With more samples trials take longer, and a trial that learns
# little is rare.
_FEW = 2000
# The same share above which a trial has learnt almost nothing. With more training samples this is the limit.
_ALMOST_ALL = 0.9
# Ratio of held-out losses, another trial over the first, below which the other one is better.
_BETTER = 0.9
# Largest number of updates before the least held-out loss at which the network may have overfitted.
_EARLY = 7500
# Held-out loss, as a share of the loss of the best constant, above which larger penalties or other picks are tried.
_MUCH = 0.1
# Factor from each penalty that is tried to the next.
_TIMES = 4.0
# The weights of picks by least squares are solved for at these ridges, shares of the neurons' mean variance.
_RIDGES = (1e-2, 1e-3, 1e-4, 1e-5)
# Number of steps after which an expensive trial must have got ahead, or it ends.
_STEPS = 6
# Held-out loss, as a share of the loss of the best constant, above which steps are tried after updates.
_MUCH_FOR_STEPS = 0.02
# Number of standard errors by which another held-out loss must be lower. Few samples with extreme losses decide alone
# otherwise.
_SURE = 2.0
# The same for steps of several classes that take little time: a few dozen held-out samples are seldom surer.
_SURE_OF_STEPS = 1.0


def of_larger_penalty(trials: Trials, trial: Trial, pruned: Network, how: Choice) -> Trial:
    """Return the trial, or a trial with a larger penalty if that lowers the held-out loss by more than noise."""
    constant_loss = trials.data.constant_loss
    while not trials.ended():
        if len(trial.losses) >= _EARLY or trial.least <= _MUCH * constant_loss:
            break
        other = trials.another(pruned, how, penalty=_TIMES * trial.penalty)
        if other.least + noise_of(other.least, constant_loss) >= trial.least:
            break
        trial = other
    return trial


def of_steps(trials: Trials, trial: Trial, pruned: Network) -> Trial:
    """
    Return the trial of gradient updates, or a better trial of second-order steps.

    Among many features of which few matter, a penalty for each feature may be worth the time that steps take. If the
    data have few rows, a few steps show it. If not, steps are tried only where all of them take little time.
    """
    data = trials.data
    if trials.ended() or trial.least <= _MUCH_FOR_STEPS * data.constant_loss:
        return trial
    how = trials.trainer.choice_of_steps()
    if not data.has_few_rows(pruned, data.parts.whole):
        return _if_better(trials, trial, pruned, how, sure=_SURE_OF_STEPS)
    return _if_better(trials, trial, pruned, how) if _gets_below(trials, trial.least, pruned, how) else trial


def of_other_start(trials: Trials, trial: Trial, pruned: Network, how: Choice) -> Trial:
    """
    Return the trial of second-order steps, or a better trial from another start.

    The penalties of second-order steps maximise the evidence of a quadratic model around the start. With few samples
    they may shrink weights that could have learnt something. If a trial on continuous targets learnt little, another
    trial makes its first steps without these penalties. For classes, whose neurons are relu, this was no better.
    Gradient updates need no quadratic model either, and find another start. For classes with fewer samples than
    parameters gradient updates are always tried. If many features are a little informative, penalties for each feature
    shrink too much.
    """
    data, best = trials.data, trial
    if trials.ended():
        return trial
    if data.holds_numbers and not _has_learnt(trials, trial):
        late = trials.another(pruned, how._replace(steps=LateLevenbergMarquardt))
        best = late if _has_learnt(trials, late) and late.least < _BETTER * trial.least else trial
    needs_updates = not data.holds_numbers and data.has_few_rows(pruned, data.parts.train)
    if trials.ended() or (_has_learnt(trials, best) and not needs_updates):
        return best
    start = trials.another(pruned, trials.trainer.choice_of_updates(pruned))
    if not start.losses or start.least >= _BETTER * best.least:
        return best
    if trials.ended():
        return start._replace(ending=Ending.KEPT)
    again = trials.another(start.network, how)
    return again if again.losses else start._replace(ending=Ending.KEPT)


def of_other_picks(
    trials: Trials, search: SearchByGradient, first: Trial, trial: Trial, network: Network, chosen: Chosen
) -> tuple[Trial, Chosen]:
    """
    Return the trial, or a better trial of picks with solved weights, and the selection that it belongs to.

    The mean of the picks may have few different neurons, and re-training from there may not find class boundaries that
    wind. If as many different neurons with solved weights have a lower held-out loss, they are re-trained.

    Numbers may depend on parts that the mean does not show yet, such as one sine of a sum of two. Steps may then never
    find that part. A re-trained trial has a lower held-out loss than solved weights in any case. So losses before
    re-training, and after a few steps, are compared with those of the first trial, which began at the first picks.

    If the trials have learnt almost nothing, such losses say nothing either, and the other picks are re-trained.
    """
    trainer, data = trials.trainer, trials.data
    if trials.ended() or trial.least <= _MUCH * data.constant_loss:
        return trial, chosen
    has_learnt = trial.least < _ALMOST_ALL * data.constant_loss
    enough = _BETTER * first.validation_losses[0] if data.holds_numbers else trial.least
    if data.has_rare_words(trial.network, data.parts.train):  # each weight depends on few samples
        return trial, chosen
    n_picks = len(chosen.trial_path.picks)
    found = _picked_by_squares(trials, search, network, n_picks, enough if has_learnt else math.inf)
    if found is None or trials.ended():
        return trial, chosen
    path, ridge, trial_path = found
    start = prune(network, trial_path)
    how = trainer.choice(start)
    if data.holds_numbers:
        after_few = first.least_within(_STEPS)
        if how.steps is None or (has_learnt and not _gets_below(trials, after_few, start, how)):
            return trial, chosen
    other = _if_better(trials, trial, start, how)
    if other is trial:
        return trial, chosen
    trainer.tasks.report.say("Picks by least squares, with weights solved for, took the place of the first.")
    final_path = trial_path
    if other.prior is None and len(data.parts.held_out.rows):  # updates begin anew, on all samples
        with interruptible(trainer.watch):
            final_path = search.solver(network, path, data.parts.whole)(ridge)
    return other, Chosen(final_path, trial_path, ridge)


def _has_learnt(trials: Trials, trial: Trial) -> bool:
    """Whether a trial lowered the held-out loss to less than a share of the loss of the best constant."""
    enough = _ALMOST_ALL if len(trials.data.parts.train.rows) > _FEW else _ENOUGH_OF_FEW
    return bool(trial.losses) and trial.least < enough * trials.data.constant_loss


def _gets_below(trials: Trials, loss: float, start: Network, how: Choice) -> bool:
    """Whether the first steps from this start reach a held-out loss that is lower by a tenth than this one."""
    few = how._replace(schedule=how.schedule._replace(n_iterations=_STEPS))
    begun = trials.another(start, few)
    return not trials.ended() and begun.least < _BETTER * loss


def _if_better(trials: Trials, trial: Trial, start: Network, how: Choice, *, sure: float = _SURE) -> Trial:
    """Return a trial from another start if its loss is lower by a tenth, and by standard errors; else the trial."""
    other = trials.another(start, how)
    is_lower = other.least < _BETTER * trial.least
    return other if is_lower and trials.data.held_out_gain(trial.network, other.network) >= sure else trial


def _picked_by_squares(
    trials: Trials, search: SearchByGradient, network: Network, k: int, enough: float
) -> tuple[SteepestPath, float, GreedyPath] | None:
    """Return picks by least squares, and the ridge and weights at which they leave less than this held-out loss."""
    data, found, last = trials.data, None, math.inf
    path = search.by_squares(network, k) if k < len(network.weights) else None
    if path is None or trials.ended():
        return None
    solve = search.solver(network, path, data.parts.train)
    for ridge in _RIDGES:
        solved = solve(ridge)
        loss = data.held_out_loss(prune(network, solved))
        if trials.ended() or not loss < last:
            break  # at smaller ridges the samples are fitted more closely
        last = loss
        if loss < enough:
            found = path, ridge, solved
    return found
