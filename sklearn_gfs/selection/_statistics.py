"""
The statistics of a selection as an object of its own: accumulate over chunks, merge over machines, select.

Here belongs what is asked of them. Their arithmetic is in ``_sample_moments``, what selects from them in
``_from_moments``. They need memory for n_atoms squared values, however many samples there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs._version import VersionedState
from sklearn_gfs._weights import check_weight

from ._checks import (
    check_atoms,
    check_flag,
    check_n_targets,
    check_output_weights,
    check_ridges,
    check_stopping,
    check_weights,
    check_y,
)
from ._corrective_path import CorrectivePath
from ._from_moments import correct_from, paths_from, select_from
from ._sample_moments import NO_SAMPLES, SampleMoments, check_widths, combined, moments_of
from ._standardized import StandardizedColumns, standardized_moments


class SelectionStatistics(VersionedState):
    """
    Sums over samples from which greedy forward selection for squared error can be made.

    Data that are too large for memory, or spread over machines, are read once, chunk by chunk. ``update`` adds a chunk.
    ``merge`` adds what another object has seen. ``select`` makes the selection that ``greedy_forward_selection`` makes
    on all the samples together. The sums are kept about the means in float64, so that large constant offsets do no
    harm.

    Attributes
    ----------
    n_samples : int
        Number of samples seen.
    weight : float
        Sum of the weights of the samples.
    mean_atoms : ndarray of shape (n_atoms,)
        Mean of every atom.
    mean_y : ndarray of shape (n_outputs,)
        Mean of every target.
    gram : ndarray of shape (n_atoms, n_atoms)
        Sum of the products of the atoms, each less its mean.
    c : ndarray of shape (n_outputs, n_atoms)
        Sum of the products of atoms and targets, each less its mean.
    target_norms : ndarray of shape (n_outputs,)
        Sum of the squares of the targets, less their mean.

    See Also
    --------
    greedy_forward_selection : The same selection, from the samples themselves.
    GreedyForwardSelector : A transformer whose ``partial_fit`` is built on these statistics.

    Notes
    -----
    A loss that is a tiny share of the mean square of y (below 1e-7) can't be computed from sums. ``select`` then warns.
    With ``standardize=True``, and in the convex hull of atoms of one output, the mean of y is subtracted first.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import SelectionStatistics, greedy_forward_selection
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.normal(size=(100, 8))
    >>> y = atoms[:, 2] + rng.normal(size=100)
    >>> here = SelectionStatistics().update(atoms[:60], y[:60])
    >>> there = SelectionStatistics().update(atoms[60:], y[60:])
    >>> path = here.merge(there).select(5)
    >>> bool((path.picks == greedy_forward_selection(atoms, y, 5).picks).all())
    True
    """

    n_samples: int
    weight: float
    mean_atoms: Float64Array
    mean_y: Float64Array
    _moments: SampleMoments

    def __init__(self) -> None:
        self._keep(NO_SAMPLES)

    def _keep(self, moments: SampleMoments) -> None:
        """
        Take these for the old ones, in one step that no interrupt can halve.

        Of the means users see copies, so that what they write there changes no selection.
        """
        means = {"mean_atoms": moments.mean_atoms.copy(), "mean_y": moments.mean_y.copy()}
        vars(self).update(means, n_samples=moments.n_samples, weight=moments.weight, _moments=moments)

    @property
    def gram(self) -> Float64Array:
        """
        Sum of the products of the atoms, each less its mean.

        Over all pairs of atoms, weighted.

        Returns
        -------
        ndarray of shape (n_atoms, n_atoms)
            The sums, made of means whenever they are asked for.

        See Also
        --------
        update : Add samples to them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> SelectionStatistics().update(np.array([[0.0], [2.0]]), np.array([1.0, 5.0])).gram.tolist()
        [[2.0]]
        """
        return self._moments.gram * self.weight

    @property
    def c(self) -> Float64Array:
        """
        Sum of the products of atoms and targets, each less its mean.

        Over all pairs of an atom and a target, weighted.

        Returns
        -------
        ndarray of shape (n_outputs, n_atoms)
            The sums, made of means whenever they are asked for.

        See Also
        --------
        update : Add samples to them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> SelectionStatistics().update(np.array([[0.0], [2.0]]), np.array([1.0, 5.0])).c.tolist()
        [[4.0]]
        """
        return self._moments.c * self.weight

    @property
    def target_norms(self) -> Float64Array:
        """
        Sum of the squares of the targets, less their mean.

        One for each target, weighted.

        Returns
        -------
        ndarray of shape (n_outputs,)
            The sums, made of means whenever they are asked for.

        See Also
        --------
        update : Add samples to them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> SelectionStatistics().update(np.array([[0.0], [2.0]]), np.array([1.0, 5.0])).target_norms.tolist()
        [8.0]
        """
        return self._moments.target_norms * self.weight

    def update(self, atoms: Any, y: Any, sample_weight: Any = None) -> SelectionStatistics:
        """
        Add a chunk of samples, or raise and add nothing.

        The order of the chunks, and how the samples are split into them, makes no difference but rounding.

        Parameters
        ----------
        atoms : {array-like, sparse matrix} of shape (n_samples, n_atoms)
            Outputs of the atoms.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, in the same unit for all chunks. An integer weight equals repeating the sample.

        Returns
        -------
        SelectionStatistics
            The object itself.

        Raises
        ------
        ValueError
            When the arrays don't fit each other or the chunks before. When values are not finite, or the weights are
            not as described.
        TypeError
            When the weights are not real numbers.

        See Also
        --------
        merge : Add samples that another object has seen.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> SelectionStatistics().update(np.eye(3), np.arange(3.0)).n_samples
        3
        """
        atoms = check_atoms(atoms, ndims=(2,))
        y = check_y(y, len_atoms=atoms.shape[0])
        weight = check_weight(sample_weight, atoms.shape[0])
        check_widths(self._moments, atoms.shape[1], y.shape[1])
        moments = moments_of(atoms, y, weight)
        self._keep(combined(self._moments, moments))
        return self

    def merge(self, other: SelectionStatistics) -> SelectionStatistics:
        """
        Add what another object has seen.

        The other object stays as it is.

        Parameters
        ----------
        other : SelectionStatistics
            Statistics of other samples of the same atoms and targets.

        Returns
        -------
        SelectionStatistics
            The object itself.

        Raises
        ------
        ValueError
            When the other statistics have another number of atoms or targets.
        TypeError
            When `other` is something else.

        See Also
        --------
        update : Add samples.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> here = SelectionStatistics().update(np.eye(3), np.arange(3.0))
        >>> there = SelectionStatistics().update(np.ones((2, 3)), np.ones(2))
        >>> here.merge(there).n_samples
        5
        """
        if not isinstance(other, SelectionStatistics):
            raise TypeError(f"other must be a SelectionStatistics, got {type(other).__name__}")
        if other.n_samples:
            moments = other._moments
            check_widths(self._moments, len(moments.mean_atoms), len(moments.mean_y))
            self._keep(combined(self._moments, moments._replace(gram=moments.gram.copy())))
        return self

    def select(
        self,
        k: int,
        *,
        output_weights: Any = None,
        hull: str = "convex",
        radius: float | str | None = "auto",
        tol: float | None = None,
        standardize: bool = False,
        corrective: bool = False,
        ridge: float = 0.0,
    ) -> GreedyPath:
        """
        Select on all the samples seen so far.

        More samples can be added afterwards.

        Parameters
        ----------
        k : int
            Number of picks.
        output_weights : array-like of shape (n_atoms, n_outputs), default=None
            Atom i is the outer product of column i of ``atoms`` and row i of these.
        hull : {"convex", "l1"}, default="convex"
            As in ``greedy_forward_selection``.
        radius : float or "auto", default="auto"
            As in ``greedy_forward_selection``.
        tol : float, default=None
            Largest gap at which the selection stops before k picks.
        standardize : bool, default=False
            Whether to standardise every atom and to subtract the mean of y, as ``GreedyForwardSelector`` does with
            ``hull="l1"``. Atoms that do not vary are then never picked.
        corrective : bool, default=False
            As in ``greedy_forward_selection``.
        ridge : float, default=0.0
            As in ``greedy_forward_selection``.

        Returns
        -------
        GreedyPath
            Picks, losses, gaps, counts and weights.

        Raises
        ------
        ValueError
            When no samples were seen, a parameter is out of its range, or no atom varies with `standardize=True`.
        TypeError
            When `k`, `radius`, `tol` or `standardize` is of another type.

        See Also
        --------
        greedy_forward_selection : The same selection, from the samples themselves.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> statistics = SelectionStatistics().update(np.eye(3), np.array([0.5, 0.4, 0.0]))
        >>> statistics.select(2).picks.tolist()
        [0, 1]
        """
        k, tolerance = check_stopping(k, tol)
        corrective, ridge, signed, length = check_weights(corrective, ridge, hull, radius)
        standardize = check_flag("standardize", standardize)
        weights, n_outputs = self._checked_weights(output_weights), len(self._moments.mean_y)
        if standardize and weights is not None:
            raise ValueError("standardize=True does not go with output_weights; it must be False")
        if corrective:
            return correct_from(
                self._moments, k, tolerance, neurons=weights is not None, ridge=ridge, standardize=standardize
            )
        check_n_targets(n_outputs if weights is None else 1, signed=signed)
        return select_from(
            self._moments, k, tolerance, weights=weights, signed=signed, radius=length, standardize=standardize
        )

    def corrective_paths(
        self, k: int, ridges: Iterable[float], *, output_weights: Any = None, tol: float | None = None
    ) -> list[CorrectivePath]:
        """
        Make the corrective selection at several ridges.

        More samples can be added afterwards.

        Parameters
        ----------
        k : int
            Number of picks at most.
        ridges : iterable of float
            What `ridge` of ``greedy_forward_selection`` may be.
        output_weights : array-like of shape (n_atoms, n_outputs), default=None
            If given, the atoms are neurons, as in ``greedy_forward_selection``.
        tol : float, default=None
            Stop once the gap is at most this; the gaps are then exact.

        Returns
        -------
        list of CorrectivePath
            One for each ridge, in their order: ``path`` is the path of all picks, ``prefix(n)`` that of the first n.

        Raises
        ------
        ValueError
            When no samples were seen, or a parameter is out of its range.
        TypeError
            When `k`, a ridge or `tol` is of another type.

        See Also
        --------
        select : One selection, corrective or not.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> statistics = SelectionStatistics().update(np.eye(3), np.array([0.5, 0.4, 0.0]))
        >>> [path.path.weights.tolist() for path in statistics.corrective_paths(1, [0.0, 1.0])]
        [[0.5, 0.0, 0.0], [0.25, 0.0, 0.0]]
        """
        k, tolerance = check_stopping(k, tol)
        weights, ridges = self._checked_weights(output_weights), check_ridges(ridges)
        return paths_from(self._moments, k, tolerance, neurons=weights is not None, ridges=ridges)

    def _standardized(self, refusal: str) -> StandardizedColumns:
        """Return the atoms seen, standardised; raise an error with the text `refusal` if none varies."""
        return standardized_moments(self._moments, refusal=refusal)

    def _checked_weights(self, output_weights: Any) -> Float64Array | None:
        """Return output weights that fit the samples seen; there must be some."""
        if not self.n_samples:
            raise ValueError("these statistics have seen no samples yet: call update first")
        if output_weights is None:
            return None
        return check_output_weights(output_weights, len(self._moments.mean_atoms), len(self._moments.mean_y))
