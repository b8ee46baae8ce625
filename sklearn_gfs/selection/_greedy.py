"""
Greedy forward selection with replacement: the public function.

What each loss makes of its arguments, and which search answers, is in ``_losses``.
"""

from __future__ import annotations

from typing import Any

from sklearn_gfs._typing import GreedyPath

from ._checks import check_corrective, check_stopping
from ._labels import check_layout, stack_atoms
from ._losses import Asked, find_loss


def greedy_forward_selection(
    atoms: Any,
    y: Any,
    k: int,
    *,
    output_weights: Any = None,
    loss: str = "squared_error",
    from_logits: bool = True,
    hull: str = "convex",
    radius: float | str | None = None,
    sample_weight: Any = None,
    offset: Any = None,
    tol: float | None = None,
    corrective: bool = False,
    ridge: float = 0.0,
) -> GreedyPath:
    """
    Pick atoms one by one, with replacement, so that each pick minimises the loss of the mean of all picks.

    Exact: every pick is the best of all atoms, an atom already picked before others that do as well, and then the
    one of lowest index. The atoms can be neurons' outputs, features, or the predictions of models of which an
    ensemble is wanted.

    Parameters
    ----------
    atoms : {array-like, sparse matrix, tensor} of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Output of every atom on every sample. float32 and float64 are read in place, a memory map from where it is, a
        torch tensor on its device; any other numbers are converted to float64. Sparse matrices are for squared error
        only. A list or tuple of arrays holds one array for each atom, of shape (n_samples,) or (n_samples, n_outputs),
        as the predictions of several models are. A list of lists of numbers holds a row for each sample.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets. With ``loss="log_loss"``, or where atoms have several outputs and y is one column, classes: indices of
        the atoms' columns from 0, of which some may be absent, or else labels of any kind, one for each column. Column
        c is then the c-th label in sorted order, as in a classifier's ``classes_``. The log loss also takes one
        indicator for each class; for squared error labels become these.
    k : int
        Number of picks, at least 1.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        If given, ``atoms`` is (n_samples, n_atoms) and atom i the outer product of its column i and row i of these,
        as of a neuron; nothing of the size of all the outer products is ever held for squared error.
    loss : {"squared_error", "log_loss"}, default="squared_error"
        Loss to be minimised, a mean over samples: half the squared distance, summed over outputs, or the negative
        log-likelihood of the classes.
    from_logits : bool, default=True
        For the log loss, whether the atoms are logits (of the softmax; a single one is that of class 1) or
        probabilities, which are clipped from below at the rounding of their dtype. Logits that look like
        probabilities get a warning, unless ``output_weights``, ``offset`` or ``hull="l1"`` say that they are logits.
    hull : {"convex", "l1"}, default="convex"
        What the picks approximate y with: their mean, or a point of the l1 ball, to which each atom contributes plus
        or minus ``radius``. If then y has several outputs and the atoms one, each contributes in the best
        direction over the outputs (the group lasso's ball).
    radius : float or "auto", default=None
        Radius of the l1 ball. With "auto" or None the sum of the absolute coefficients that matching pursuit reaches
        by the time another step explains less than a hundredth of what is explained. The log loss needs a number:
        where the classes can be separated, ever larger logits are ever better.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples; an integer weight equals repeating the sample. A common factor makes no difference.
    offset : array-like of shape (n_outputs,), default=None
        Added to the approximation, as the intercept of a network is.
    tol : float, default=None
        Stop before k picks once the gap is at most this, in the unit of the loss. In a corrective selection the gaps
        are then exact, from one factorisation of the whole Gram matrix.
    corrective : bool, default=False
        Whether the weights of all that has been picked are re-solved after every pick, instead of being the shares of
        the picks. The pick is the atom that then leaves the least squared error or, for the log loss of logits, along
        which that is steepest for its length. Each atom is picked at most once, and `output_weights` say no more than
        that the atoms are neurons: each has a weight for each output, and the intercept is free. Atoms of two
        dimensions have a weight for each column of y, those of three one weight; what is added to both is the
        `offset`.
    ridge : float, default=0.0
        For corrective selection, what the squares of the weights cost: the loss gets half their sum, times this share
        of the mean diagonal of the Gram matrix (of the atoms less their means, where the intercept is free).

    Returns
    -------
    GreedyPath
        Picks in order, the loss and the gap after each, counts and weights of the atoms, radius, and the intercept of
        a corrective selection. That may have fewer picks than k, even none: it ends where no atom takes anything off
        the loss.

    Raises
    ------
    ValueError
        If an argument is not among what is allowed, or the data are not finite, masked, complex or do not fit together.
        Labels must be of as many classes as the atoms have columns, or two where they have one. For squared error also
        if the values are too small or too large for their squares to be compared (mean squares below 1e-150 or above
        1e150).
    TypeError
        If k, tol or radius is not a number of the right kind, or an array is a ``np.matrix``.

    See Also
    --------
    GreedyForwardSelector : The same as a transformer that keeps columns.
    SelectionStatistics : The same from sums over chunks of the samples.

    Notes
    -----
    For squared error each step needs the inner products of all atoms with the sum of the picks, which change by one
    column of the Gram matrix. Columns are computed as they are needed, in blocks foreseen from a few of the rows, or
    all at once, as is cheapest; ``working_memory`` of scikit-learn's configuration bounds how many are kept. None of
    this changes the picks. float32 atoms are multiplied in float32; the losses are computed again from the
    picks in float64. Atoms between which such products can't decide are scored on the samples themselves. Where too
    many are in doubt, or a loss or a gap is a tiny difference of large numbers, the products are made again, in float64
    and, for the convex hull, of the atoms less y.

    A corrective selection is forward selection by orthogonal least squares: it approximates y by
    ``intercept + sum_i weights_i * atom_i``. With `ridge` 0 an atom of which the picks leave less than 1e-9 of its
    squared norm is taken to depend on them linearly, and is not picked. The losses are those of the approximation,
    without the penalty; the gaps are bounds of the penalised loss less the least one over the weights of all atoms.

    For the log loss the weights have a penalised loss within 1e-10 of the least of the picks, and the gaps are always
    bounds. Where the picks separate the classes and `ridge` is 0, there is no least one: the selection ends with a
    warning.

    The log loss has no such statistics, so its selection works on the samples: on the logits or, of probabilities, on
    those of each sample's own class alone. Bounds rule most atoms out unseen. float32 atoms bring bounds in float32,
    and losses in float64: the path is that of the same values in float64. An atom's samples are read one after the
    other, so a selection holds one copy of the logits unless they lie like that, as those of two dimensions in Fortran
    order do; of probabilities a copy of those of the own class, in float64 where there is one column. It uses as
    many threads as linear algebra would, which changes nothing but the time.

    The gap of probabilities is at most the loss above that of the best atom for each sample, which no mean is below.
    The Frank-Wolfe gap alone has no bound where the picks hold a sample's own class impossible, as trees do.

    References
    ----------
    .. [1] Ye, Gong, Nie, Zhou, Klivans and Liu, "Good subnetworks provably exist: pruning via greedy forward
       selection", ICML 2020.
    .. [2] Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    .. [3] Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.
    .. [4] Chen, Cowan and Grant, "Orthogonal least squares learning algorithm for radial basis function networks",
       IEEE Transactions on Neural Networks 2, 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import greedy_forward_selection
    >>> atoms = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]])
    >>> path = greedy_forward_selection(atoms, np.array([0.75, 0.25]), k=4)
    >>> path.picks.tolist()
    [0, 0, 1, 0]
    >>> path.weights.tolist()
    [0.75, 0.25, 0.0]

    Probabilities of two models, and labels:

    >>> one, other = np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([[0.5, 0.5], [0.1, 0.9]])
    >>> path = greedy_forward_selection([one, other], ["no", "yes"], k=4, loss="log_loss", from_logits=False)
    >>> path
    GreedyPath(n_picks=4, n_distinct=2, loss=0.3573, gap=0.01149)

    Weights that are re-solved after every pick:

    >>> path = greedy_forward_selection(atoms, np.array([0.75, 0.25]), k=4, corrective=True)
    >>> path.picks.tolist()
    [0, 1]
    >>> path.weights.round(12).tolist()
    [0.75, 0.25, 0.0]
    """
    k, tolerance = check_stopping(k, tol)
    corrective, ridge = check_corrective(corrective, ridge, hull=(hull, ("convex",)), radius=(radius, (None,)))
    chosen = find_loss(loss)
    atoms = stack_atoms(atoms, samples_last=chosen.samples_last)
    check_layout(atoms, y)
    return chosen.select(
        Asked(
            atoms, y, k, tolerance, output_weights, from_logits, hull, radius, sample_weight, offset, corrective, ridge
        )
    )
