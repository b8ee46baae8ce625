"""
The search for the log loss, of a mean of logits or of a mean of probabilities.

Here belong the bounds that rule candidates out unseen, and how candidates are shared among threads. The loops
over samples are in ``_log_loss_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._threads import n_blas_threads
from sklearn_gfs._typing import Float64Array, FloatArray, GreedyPath

from . import _log_loss_kernels as kernels
from . import _probability_kernels as probability
from ._checks import check_offset
from ._greedy_kernels import choose
from ._labels import Classification
from ._softmax import softmax

# Difference of losses below which they are ties, relative to the terms that they are differences of.
_TIE = 1e-13
# Number of terms of an inner product that are added up in the dtype of the atoms; sums of these are float64.
_ROWS = 2048
_ROUNDINGS = _ROWS // 2 + 8
# Number of values in a step from which a second thread saves time.
_PARALLEL_SIZE = 1_000_000


class LogitSearch:
    """
    One selection for the log loss of the softmax of a mean of logits (one logit: of the logistic function).

    At every step the gradient at the mean so far gives each candidate's tangent, a lower bound of its loss, with
    one matrix product in the dtype of the atoms. Candidates are evaluated in the order of their expected loss, and
    none beyond the sample at which it is known to be worse than the best. What decides is always float64: the
    dtype of the atoms changes the bounds and nothing else.
    """

    def __init__(
        self,
        logits: kernels.Logits,
        y: NDArray[np.int64],
        *,
        offset: Float64Array,
        radius: float | None,
    ) -> None:
        self.logits = logits
        self.y = y
        self.offset = offset[:, None]
        self.radius = 1.0 if radius is None else radius
        self.coefs = np.array([1.0] if radius is None else [radius, -radius])
        self.n_atoms, self.n_outputs = logits.output_weights.shape
        self.n_samples = logits.atoms.shape[2]
        # Largest absolute logit of an atom, for each output: the rounding of its slope is relative to this.
        self.largest = np.maximum(logits.atoms.max(axis=2), -logits.atoms.min(axis=2)) * np.abs(logits.output_weights)
        # Largest absolute logit of a sample, averaged over samples: the rounding of the loss is relative to this.
        self.sizes = np.repeat(self.radius * _sizes(logits), len(self.coefs))
        self.n_threads = n_blas_threads() if self.n_atoms * self.n_outputs * self.n_samples >= _PARALLEL_SIZE else 1

    def run(self, k: int, tol: float) -> GreedyPath:
        """Take the steps and return the path."""
        n_candidates = self.n_atoms * len(self.coefs)
        self.total = np.zeros((self.n_outputs, self.n_samples))
        sums, counts = np.zeros(self.n_atoms), np.zeros(self.n_atoms, dtype=np.int64)
        picks, losses, gaps = np.empty(k, dtype=np.int64), np.empty(k), np.empty(k)
        # The last differences of the candidates' losses and tangents, for a step of length one. They hardly change.
        self.candidates, self.remainders = np.empty(n_candidates), np.zeros(n_candidates)
        self._move_to(self.total + self.offset)
        self.slopes, self.slack = self._slopes()
        product = 0.0
        with ThreadPoolExecutor(self.n_threads) as pool:
            for step in range(k):
                t = step + 1
                tolerance = self._evaluate(pool, t, product)
                table = self.candidates.reshape(self.n_atoms, -1)
                pick = choose(table.min(axis=1), counts, tolerance)
                coef = self.coefs[np.argmax(table[pick] <= table[pick].min() + tolerance)]  # of ties the first
                counts[pick] += 1
                sums[pick] += coef
                self.total += coef * self._outputs(pick)
                self._move_to(self.total / t + self.offset)
                self.slopes, self.slack = self._slopes()
                product = float(np.vdot(self.gradient, self.total)) / t
                picks[step], losses[step] = pick, self.loss
                gaps[step] = max(product - self._steepest(), 0.0)
                if gaps[step] <= tol:
                    break
        n = step + 1
        return GreedyPath(picks[:n], losses[:n], gaps[:n], counts, sums / n, self.radius)

    def _evaluate(self, pool: ThreadPoolExecutor, t: int, product: float) -> float:
        """Write the losses of the candidates for pick t that may be the best; return the tolerance of ties."""
        coefs, base = self.coefs / t, self.total / t + self.offset
        level = self.loss - product / t
        tangents = level + np.outer(self.slopes, coefs).ravel()
        reach = np.maximum(base.max(axis=0), -base.min(axis=0))
        size = abs(self.loss) + float(np.sum(self.logits.weight * reach))
        tolerances = _TIE * (size + self.sizes / t)
        bounds = tangents - np.repeat(self.slack * coefs[0], len(coefs)) - tolerances
        tangent = self.peak + np.einsum("cs,cs->s", self.p, base - self.mean)
        at = kernels.Step(coefs, base, self.p, self.gradient, tangent, level)
        order = np.argsort(tangents + self.remainders / t**2)
        best = np.array([np.inf])
        _in_shares(
            pool,
            self.n_threads,
            order,
            lambda share: kernels.log_loss_candidates(
                share, bounds, best, 2 * tolerances.max(), self.logits, at, self.candidates
            ),
        )
        seen = np.isfinite(self.candidates)
        self.remainders[seen] = t**2 * np.maximum(self.candidates - tangents, 0.0)[seen]
        return float(tolerances[np.argmin(self.candidates)])

    def _move_to(self, mean: Float64Array) -> None:
        """Compute loss, softmax, logsumexp of each sample, and weighted gradient, at these mean logits."""
        full, p, top, log_norm = softmax(mean, axis=0)
        self.mean, self.peak = mean, (top + log_norm)[0]
        each = self.peak - np.take_along_axis(full, self.y[None], axis=0)[0]
        weight = self.logits.weight
        gradient = p.copy()
        gradient[self.y, np.arange(self.n_samples)] -= 1.0
        gradient *= weight
        self.loss = float(np.sum(weight * each))
        first = 1 if self.n_outputs == 1 else 0
        self.p, self.gradient = np.ascontiguousarray(p[first:]), np.ascontiguousarray(gradient[first:])

    def _slopes(self) -> tuple[Float64Array, Float64Array]:
        """Return products of every atom with the gradient, in the dtype of the atoms, and bounds of their errors."""
        atoms, weights = self.logits.atoms, self.logits.output_weights
        sizes = np.abs(self.gradient).sum(axis=1)
        of_sums = self.n_outputs * self.n_samples / _ROWS * np.finfo(np.float64).eps  # in float64
        slack = (_ROUNDINGS * np.finfo(atoms.dtype).eps + of_sums) * (self.largest @ sizes)
        scale = 2.0 * sizes.sum()
        if scale == 0.0:
            return np.zeros(self.n_atoms), slack
        # Scaled, so that neither the gradient nor the products leave the range of the dtype.
        gradient = (self.gradient / scale).astype(atoms.dtype)
        if atoms.shape[1] == 1 < self.n_outputs:
            products = np.einsum("nc,nc->n", _product(atoms[:, 0], gradient.T), weights)
        else:
            products = _product(atoms.reshape(self.n_atoms, -1), gradient.ravel())
            products *= weights[:, 0] if self.n_outputs == 1 else 1.0
        return products * scale, slack

    def _steepest(self) -> float:
        """Return the least slope of all candidates; where float32 is too inexact, from slopes in float64."""
        if self.logits.atoms.dtype == np.float64:
            return float(np.outer(self.slopes, self.coefs).min())
        least = np.outer(self.slopes, self.coefs).min(axis=1)
        slack = self.radius * self.slack
        close = np.flatnonzero(least - slack <= (least + slack).min())
        self.slopes[close] = [float(np.vdot(self.gradient, self._outputs(int(i)))) for i in close]
        return float(np.outer(self.slopes[close], self.coefs).min())

    def _outputs(self, atom: int) -> Float64Array:
        return self.logits.atoms[atom].astype(np.float64) * self.logits.output_weights[atom][:, None]


def _sizes(logits: kernels.Logits) -> Float64Array:
    """Return the largest logit of every atom on a sample, averaged over the samples."""
    weight = np.broadcast_to(logits.weight, logits.atoms.shape[2:])
    sizes: Float64Array = np.array([np.abs(atom).max(axis=0) @ weight for atom in logits.atoms])
    return sizes * np.abs(logits.output_weights).max(axis=1)


def _product(rows: FloatArray, columns: FloatArray) -> Float64Array:
    """Return the product of matrices, added up in float64 over blocks of the samples."""
    total = (rows[:, :_ROWS] @ columns[:_ROWS]).astype(np.float64, copy=False)
    for start in range(_ROWS, len(columns), _ROWS):
        total += rows[:, start : start + _ROWS] @ columns[start : start + _ROWS]
    return total


def select_logits(data: Classification, k: int, tol: float, *, radius: float | None, offset: Any) -> GreedyPath:
    """Select for the log loss of a mean of logits."""
    atoms, output_weights, classes, weight = data
    n_atoms = atoms.shape[1]
    if atoms.ndim == 3 and atoms.shape[2] == 1:
        atoms = atoms[:, :, 0]
    # Kernels read an atom's samples one after the other; atoms in another layout are copied.
    if atoms.ndim == 2:
        stacked = np.ascontiguousarray(atoms.T)[:, None]
        output_weights = np.ones((n_atoms, 1)) if output_weights is None else output_weights
    else:
        stacked = np.ascontiguousarray(atoms.transpose(1, 2, 0))
        output_weights = np.ones(stacked.shape[:2])
    offset = check_offset(offset, output_weights.shape[1])
    logits = kernels.Logits(stacked, output_weights, weight)
    _check_range(logits, k * (1.0 if radius is None else radius))
    return LogitSearch(logits, classes, offset=offset, radius=radius).run(k, tol)


class ProbabilitySearch:
    """
    One selection for the log loss of a mean of probabilities, of which only that of each sample's own class matters.

    As the sum of the picks grows, an atom adds ever less to the mean of its logarithm, and its inner product with the
    gradient shrinks. A value from an earlier step is therefore an upper bound. Only atoms whose bound is above the best
    are looked at again.
    """

    def __init__(self, atoms: FloatArray, weight: Float64Array) -> None:
        self.atoms = atoms  # (n_atoms, n_samples)
        self.weight = weight
        n_atoms, n_samples = atoms.shape
        # With the bounds, a step evaluates at most about a quarter of the atoms.
        self.n_threads = n_blas_threads() if atoms.size >= 4 * _PARALLEL_SIZE else 1
        self.now = probability.Progress(
            total=np.zeros(n_samples),
            inverse=np.empty(n_samples),
            gains=np.empty(n_atoms),
            bounds=np.full(n_atoms, np.inf),
            slopes=np.full(n_atoms, np.inf),
            counts=np.zeros(n_atoms, dtype=np.int64),
            order=np.empty(n_atoms, dtype=np.int64),
            losses=np.empty(n_atoms),
            best=np.empty(1),
        )

    def run(self, k: int, tol: float) -> GreedyPath:
        """Take the steps and return the path."""
        picks, losses, gaps = np.empty(k, dtype=np.int64), np.empty(k), np.empty(k)
        # The loss of the best atom for each sample is a lower bound of any mean's loss. The Frank-Wolfe gap alone has
        # no bound if a probability is nearly zero.
        least = -float(np.sum(self.weight * np.log(self.atoms.max(axis=0), dtype=np.float64)))
        run = self._run_in_threads if self.n_threads > 1 else probability.probability_path
        n = run(self.now, self.atoms, self.weight, least, _TIE, tol, picks, losses, gaps)
        return GreedyPath(picks[:n], losses[:n], gaps[:n], self.now.counts, self.now.counts / n)

    def _run_in_threads(
        self,
        now: probability.Progress,
        atoms: FloatArray,
        weight: Float64Array,
        least: float,
        tie: float,
        tol: float,
        picks: NDArray[np.int64],
        losses: Float64Array,
        gaps: Float64Array,
    ) -> int:
        """Do the same as ``probability_path``, with the atoms of each step divided among threads."""
        height = 0.0  # weighted sum of log(total)
        with ThreadPoolExecutor(self.n_threads) as pool:
            for step in range(len(picks)):
                tolerance = tie * (1.0 + abs(height))
                arguments = (now.total, height, atoms, weight, tolerance, now.best)
                self._share(pool, probability.probability_gains, now.bounds, arguments, now.gains)
                pick = probability.take_pick(now, atoms, weight, tolerance)
                height += now.gains[pick]
                self._share(pool, probability.probability_slopes, now.slopes, (now.inverse, atoms, now.best))
                probability.note_step(now, step, pick, height, least, picks, losses, gaps)
                if gaps[step] <= tol:
                    return step + 1
        return len(picks)

    def _share(
        self,
        pool: ThreadPoolExecutor,
        kernel: Any,
        bounds: Float64Array,
        arguments: tuple[Any, ...],
        *outputs: Float64Array,
    ) -> None:
        """Run a kernel over all atoms in threads, beginning with the atom of the largest bound."""
        probability.promising_first(bounds, self.now.order)
        self.now.best[0] = -np.inf
        _in_shares(pool, self.n_threads, self.now.order, lambda share: kernel(share, *arguments, bounds, *outputs))


def select_probabilities(data: Classification, k: int, tol: float) -> GreedyPath:
    """Select for the log loss of a mean of probabilities."""
    if data.output_weights is not None:
        _largest("output_weights", data.output_weights)
    own = _own_class(data.atoms, data.output_weights, data.classes)
    return ProbabilitySearch(own, data.weight).run(k, tol)


def least_probability(dtype: Any) -> Any:
    """
    Return the least probability of a sample's own class: the rounding of the dtype, as in scikit-learn's log_loss.

    An event held impossible costs much when it happens, and not everything.
    """
    return np.finfo(dtype).eps


def _own_class(atoms: Any, output_weights: Float64Array | None, classes: NDArray[np.int64]) -> FloatArray:
    """Return the probability that each atom gives each sample's class, (n_atoms, n_samples)."""
    n_samples, n_atoms = atoms.shape[:2]
    least = least_probability(atoms.dtype)
    classwise = atoms.ndim == 3 and atoms.shape[2] > 1
    # One minus a float32 probability, or its product with a weight, needs float64.
    own = np.empty((n_atoms, n_samples), dtype=atoms.dtype if classwise else np.float64)
    n_threads = n_blas_threads() if own.size >= _PARALLEL_SIZE else 1
    cuts = np.linspace(0, n_samples, n_threads + 1).astype(int) // 16 * 16
    cuts[-1] = n_samples
    if classwise:
        flat = atoms.reshape(n_samples, -1) if atoms.flags.c_contiguous else np.empty((0, 0), dtype=atoms.dtype)
        kernel, source = probability.own_class, (atoms, flat)
    else:
        atoms = atoms if atoms.ndim == 2 else atoms[:, :, 0]
        shares = np.ones((n_atoms, 1)) if output_weights is None else output_weights
        kernel, source = probability.own_share, (atoms, shares)
    # In C order a few samples at a time, so that their values stay in a cache; in other layouts long runs.
    tile = (8 if classwise else 64) if atoms.flags.c_contiguous else 4096

    def copy(cut: tuple[int, int]) -> int:
        return int(kernel(*cut, tile, *source, classes, least, own))

    if n_threads == 1:  # a thread takes a tenth of a millisecond to come
        wrong = sum(map(copy, pairwise(cuts)))
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            wrong = sum(pool.map(copy, pairwise(cuts)))
    if wrong:
        raise ValueError(
            f"atoms must be probabilities, between 0 and 1, with from_logits=False; {wrong} of their values are not"
        )
    return own


def _largest(name: str, values: FloatArray) -> float:
    """Return the largest absolute value; raise an error if a value is not finite."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name} contain NaN or infinity; they must be finite")
    return max(high, -low)


def _check_range(logits: kernels.Logits, scale: float) -> None:
    """Raise an error if logits, or their sums over all picks, are not finite or could overflow in differences."""
    largest = _largest("atoms", logits.atoms)
    if not np.isfinite(4.0 * scale * largest * _largest("output_weights", logits.output_weights)):
        raise ValueError(f"atoms (or output_weights) are as large as {largest:g}, too large for their sums")


def _in_shares(
    pool: ThreadPoolExecutor, n_threads: int, order: NDArray[np.int64], work: Callable[[NDArray[np.int64]], None]
) -> None:
    """Divide the ordered atoms among threads, so that each thread begins with the most promising ones."""
    if n_threads == 1:
        work(order)
    else:
        list(pool.map(work, [order[i::n_threads] for i in range(n_threads)]))
