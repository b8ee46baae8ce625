"""
The search for the log loss, of a mean of logits or of a mean of probabilities.

Here belong the bounds that rule candidates out unseen, and how candidates are shared among threads. The loops
over samples are in ``_log_loss_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from . import _log_loss_kernels as kernels
from ._checks import check_offset
from ._greedy_kernels import choose
from ._typing import Float64Array, FloatArray, GreedyPath

# Losses that differ by less than this, relative to the terms they are differences of, are ties.
_TIE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}
# Numbers a step has to look at before a second thread pays for being started.
_PARALLEL_SIZE = 1_000_000


class LogitSearch:
    """
    One selection for the log loss of the softmax of a mean of logits (one logit: of the logistic function).

    At every step the gradient at the mean so far gives each candidate's tangent, a lower bound of its loss, with
    one matrix product. Candidates are evaluated in the order of their expected loss, and none beyond the sample
    at which it is known to be worse than the best.
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
        # Size of an atom's logits, averaged over the samples: what the rounding of its loss is relative to.
        reach = np.maximum(logits.atoms.max(axis=1), -logits.atoms.min(axis=1))
        reach = reach * np.abs(logits.output_weights).max(axis=1, keepdims=True)
        self._reach = self.radius * float((reach * logits.weight).sum(axis=1).max())

    def run(self, k: int, tol: float) -> GreedyPath:
        """Take the steps and return the path."""
        n_candidates = self.n_atoms * len(self.coefs)
        total = np.zeros((self.n_outputs, self.n_samples))
        sums = np.zeros(self.n_atoms)
        counts = np.zeros(self.n_atoms, dtype=np.int64)
        picks, losses, gaps = np.empty(k, dtype=np.int64), np.empty(k), np.empty(k)
        remainders = np.zeros(n_candidates)
        candidates = np.empty(n_candidates)
        mean = total + self.offset
        loss, p, peak, gradient = self._at(mean)
        slopes, product = self._slopes(gradient), 0.0
        n_threads = _n_threads() if self.n_atoms * total.size >= _PARALLEL_SIZE else 1
        with ThreadPoolExecutor(n_threads) as pool:
            for step in range(k):
                t = step + 1
                tangents = loss + (np.outer(slopes, self.coefs).ravel() - product) / t
                base = total / t + self.offset
                size = abs(loss) + self._reach / t + float(np.sum(self.logits.weight * np.abs(base).max(axis=0)))
                tolerance = _TIE[self.logits.atoms.dtype] * size
                tangent = peak + np.einsum("cs,cs->s", p, base - mean)
                order = np.argsort(tangents + remainders * (step / t) ** 2, kind="stable")
                best = np.array([np.inf])
                arguments = (self.coefs / t, tangents - tolerance, best, 2 * tolerance, self.logits, base, p, tangent)
                _in_shares(
                    pool,
                    n_threads,
                    order,
                    lambda share: kernels.log_loss_candidates(share, *arguments, candidates),  # noqa: B023
                )
                candidates += tolerance
                seen = np.isfinite(candidates)
                remainders *= (step / t) ** 2
                remainders[seen] = np.maximum(candidates - tangents, 0.0)[seen]

                table = candidates.reshape(self.n_atoms, -1)
                pick = choose(table.min(axis=1), counts, tolerance)
                coef = self.coefs[np.argmax(table[pick] <= table[pick].min() + tolerance)]  # of ties the first
                counts[pick] += 1
                sums[pick] += coef
                total += coef * self._outputs(pick)
                mean = total / t + self.offset
                loss, p, peak, gradient = self._at(mean)
                slopes, product = self._slopes(gradient), float(np.vdot(gradient, total)) / t
                picks[step], losses[step] = pick, loss
                gaps[step] = max(product - np.outer(slopes, self.coefs).min(), 0.0)
                if gaps[step] <= tol:
                    break
        n = step + 1
        return GreedyPath(picks[:n], losses[:n], gaps[:n], counts, sums / n, self.radius)

    def _at(self, mean: Float64Array) -> tuple[float, Float64Array, Float64Array, Float64Array]:
        """Loss, softmax, logsumexp of each sample, and weighted gradient, at the logits."""
        full = np.concatenate([np.zeros_like(mean), mean]) if self.n_outputs == 1 else mean
        top = full.max(axis=0)
        p = np.exp(full - top)
        norm = p.sum(axis=0)
        p /= norm
        peak = top + np.log(norm)
        each = peak - np.take_along_axis(full, self.y[None], axis=0)[0]
        weight = self.logits.weight
        gradient = p.copy()
        gradient[self.y, np.arange(self.n_samples)] -= 1.0
        gradient *= weight
        loss = float(np.sum(weight * each))
        first = 1 if self.n_outputs == 1 else 0
        return loss, np.ascontiguousarray(p[first:]), peak, np.ascontiguousarray(gradient[first:])

    def _slopes(self, gradient: Float64Array) -> Float64Array:
        """Inner product of every atom with the gradient."""
        atoms = self.logits.atoms
        gradient = gradient.astype(atoms.dtype, copy=False)
        if atoms.shape[1] == 1 < self.n_outputs:
            products = atoms[:, 0] @ gradient.T
            return np.einsum("nc,nc->n", products, self.logits.output_weights, dtype=np.float64)
        flat = atoms.reshape(self.n_atoms, -1) @ gradient.ravel()
        return flat.astype(np.float64) * (self.logits.output_weights[:, 0] if self.n_outputs == 1 else 1.0)

    def _outputs(self, atom: int) -> Float64Array:
        return self.logits.atoms[atom].astype(np.float64) * self.logits.output_weights[atom][:, None]


def select_logits(
    atoms: Any,
    output_weights: Float64Array | None,
    classes: NDArray[np.int64],
    weight: Float64Array,
    k: int,
    tol: float,
    *,
    radius: float | None,
    offset: Any,
) -> GreedyPath:
    """Select for the log loss of a mean of logits."""
    n_atoms = atoms.shape[1]
    if atoms.ndim == 2:
        stacked = np.ascontiguousarray(atoms.T)[:, None]
        output_weights = np.ones((n_atoms, 1)) if output_weights is None else output_weights
    else:
        stacked = np.ascontiguousarray(atoms.transpose(1, 2, 0))
        output_weights = np.ones(stacked.shape[:2])
    _check_range(stacked, output_weights)
    logits = kernels.Logits(stacked, output_weights, weight)
    offset = check_offset(offset, output_weights.shape[1])
    return LogitSearch(logits, classes, offset=offset, radius=radius).run(k, tol)


class ProbabilitySearch:
    """
    One selection for the log loss of a mean of probabilities, of which only that of each sample's own class matters.

    As the sum of the picks grows, what an atom adds to the mean of its logarithm can only shrink, and so can its
    inner product with the gradient: a value from an earlier step is an upper bound, and only atoms whose bound is
    above the best are looked at again.
    """

    def __init__(self, atoms: FloatArray, weight: Float64Array) -> None:
        self.atoms = atoms  # (n_atoms, n_samples)
        self.weight = weight
        n_atoms, n_samples = atoms.shape
        # Bounds leave a step a quarter of the atoms, or fewer, to look at.
        self.n_threads = _n_threads() if atoms.size >= 4 * _PARALLEL_SIZE else 1
        self.total = np.zeros(n_samples)
        self.gains = np.empty(n_atoms)
        self.bounds = np.full(n_atoms, np.inf)  # of the gains
        self.slopes = np.full(n_atoms, np.inf)

    def run(self, k: int, tol: float) -> GreedyPath:
        """Take the steps and return the path."""
        counts = np.zeros(len(self.atoms), dtype=np.int64)
        picks, losses, gaps = np.empty(k, dtype=np.int64), np.empty(k), np.empty(k)
        height = 0.0  # weighted sum of log(total)
        with ThreadPoolExecutor(self.n_threads) as pool:
            for step in range(k):
                t = step + 1
                tolerance = _TIE[np.dtype(np.float64)] * (1.0 + abs(height))
                arguments = (self.total, height, self.atoms, self.weight, tolerance)
                self._share(pool, kernels.probability_gains, self.bounds, (*arguments, np.array([-np.inf])), self.gains)
                pick = choose(-self.gains, counts, tolerance)
                counts[pick] += 1
                self.total += self.atoms[pick]
                height += self.gains[pick]
                inverse = self.weight / self.total
                self._share(pool, kernels.probability_slopes, self.slopes, (inverse, self.atoms, np.array([-np.inf])))
                if step == 0:  # gains over nothing are no bounds
                    self.bounds[:] = np.inf
                # By Jensen's inequality, the mean of a logarithm being at most the logarithm of the mean.
                np.minimum(self.bounds, np.log1p(self.slopes), out=self.bounds)
                picks[step], losses[step] = pick, np.log(t) - height
                gaps[step] = max(t * self.slopes.max() - 1.0, 0.0)
                if gaps[step] <= tol:
                    break
        n = step + 1
        return GreedyPath(picks[:n], losses[:n], gaps[:n], counts, counts / n)

    def _share(
        self,
        pool: ThreadPoolExecutor,
        kernel: Any,
        bounds: Float64Array,
        arguments: tuple[Any, ...],
        *outputs: Float64Array,
    ) -> None:
        """Run a kernel over all atoms, that of the largest bound first."""
        order = np.arange(len(bounds))
        first = int(bounds.argmax())
        order[0], order[first] = first, 0
        _in_shares(pool, self.n_threads, order, lambda share: kernel(share, *arguments, bounds, *outputs))


def select_probabilities(
    atoms: Any,
    output_weights: Float64Array | None,
    classes: NDArray[np.int64],
    weight: Float64Array,
    k: int,
    tol: float,
) -> GreedyPath:
    """Select for the log loss of a mean of probabilities."""
    return ProbabilitySearch(_own_class(atoms, output_weights, classes), weight).run(k, tol)


def _own_class(atoms: Any, output_weights: Float64Array | None, classes: NDArray[np.int64]) -> FloatArray:
    """
    Probability that each atom gives each sample's class, (n_atoms, n_samples).

    Nothing stays below the dtype's rounding, as in scikit-learn's log_loss: an event held impossible costs much
    when it happens, and not everything.
    """
    n_samples, n_atoms = atoms.shape[:2]
    least = np.finfo(atoms.dtype).eps
    if atoms.ndim == 3 and atoms.shape[2] > 1:
        own = np.empty((n_atoms, n_samples), dtype=atoms.dtype)
        n_threads = _n_threads() if own.size >= _PARALLEL_SIZE else 1
        cuts = np.linspace(0, n_samples, n_threads + 1).astype(int) // 16 * 16
        cuts[-1] = n_samples
        with ThreadPoolExecutor(n_threads) as pool:
            jobs = [pool.submit(kernels.own_class, a, b, atoms, classes, least, own) for a, b in pairwise(cuts)]
            extremes = [job.result() for job in jobs]
    else:
        own = np.ascontiguousarray(atoms.reshape(n_samples, n_atoms).T)
        if output_weights is not None:
            shares = output_weights if output_weights.shape[1] > 1 else np.tile(output_weights, 2)
            own = own * shares[:, classes].astype(own.dtype)
        if output_weights is None or output_weights.shape[1] == 1:
            own = np.where(classes == 1, own, 1 - own)
        extremes = [(own.min(), own.max())]
        own = np.maximum(own, least)
    if not all(low >= 0.0 and high <= 1.0 + 1e-6 for low, high in extremes):
        raise ValueError("atoms must be probabilities, between 0 and 1, with from_logits=False")
    return own


def _check_range(atoms: NDArray[np.floating[Any]], output_weights: Float64Array) -> None:
    largest = max(float(atoms.max()), -float(atoms.min()))
    if not np.isfinite(largest * np.abs(output_weights).max()):
        raise ValueError("atoms (or output_weights) contain NaN or infinity; they must be finite")


def _in_shares(
    pool: ThreadPoolExecutor, n_threads: int, order: NDArray[np.int64], work: Callable[[NDArray[np.int64]], None]
) -> None:
    """Deal out the order among threads, so that each has the most promising first."""
    if n_threads == 1:
        work(order)
    else:
        list(pool.map(work, [order[i::n_threads] for i in range(n_threads)]))


def _n_threads() -> int:
    """As many threads as linear algebra would use here, so that limits set for it, or by joblib, hold."""
    return max((pool.num_threads for pool in _thread_pools() if pool.user_api == "blas"), default=1)


@cache
def _thread_pools() -> list[Any]:
    """Thread pools of the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController().lib_controllers
