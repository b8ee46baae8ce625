"""
Greedy forward selection with replacement: the public function.

What each loss makes of its arguments, and which search answers, is in ``_losses``.
"""

from __future__ import annotations

from typing import Any

from sklearn_gfs._typing import GreedyPath

from ._checks import check_flag, check_stopping, check_weights
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
    radius: float | str | None = "auto",
    sample_weight: Any = None,
    offset: Any = None,
    tol: float | None = None,
    corrective: bool = False,
    ridge: float = 0.0,
) -> GreedyPath:
    """
    Pick atoms one by one, with replacement, so that each pick minimises the loss of the mean of all picks.

    The selection is exact: every pick is the best of all atoms. Of equally good atoms an atom that was already picked
    comes first, and then the one with the lowest index. The atoms can be outputs of neurons, features, or predictions
    of models for an ensemble.

    Parameters
    ----------
    atoms : {array-like, sparse matrix, tensor} of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Output of every atom on every sample. float32 and float64 are read in place: a memory map from the disk, a torch
        tensor on its device. All other numbers are converted to float64. Sparse matrices are for the squared error
        only. A list or tuple of arrays holds one array for each atom, of shape (n_samples,) or (n_samples, n_outputs),
        as the predictions of several models are. A list of lists of numbers holds a row for each sample.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets. They are classes with ``loss="log_loss"``, and also if atoms have several outputs and y is one column.
        Classes are indices of the atoms' columns, from 0 (some may be absent), or labels of any kind, one for each
        column. Column c then stands for the c-th label in sorted order, as in a classifier's ``classes_``. The log loss
        also takes one indicator for each class. For the squared error labels become such indicators.
    k : int
        Number of picks, at least 1.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights of neurons. ``atoms`` is then (n_samples, n_atoms), and atom i is the outer product of column i
        of ``atoms`` and row i of ``output_weights``. For the squared error the array of all outer products is never
        made.
    loss : {"squared_error", "log_loss"}, default="squared_error"
        Loss to be minimised, a mean over samples. "squared_error" is half the squared distance, summed over outputs.
        "log_loss" is the negative log-likelihood of the classes.
    from_logits : bool, default=True
        For the log loss, whether the atoms are logits or probabilities. Logits are those of the softmax; a single one
        is the logit of class 1. Probabilities are clipped from below at the rounding of their dtype. Logits that look
        like probabilities get a warning, unless ``output_weights``, ``offset`` or ``hull="l1"`` say that they are
        logits.
    hull : {"convex", "l1"}, default="convex"
        What the picks approximate y with. "convex" is their mean. "l1" is a point of the l1 ball: each pick contributes
        plus or minus ``radius`` times its atom to the mean. If y has several outputs and the atoms have one, each pick
        contributes in the best direction over the outputs (the ball of the group lasso).
    radius : float or "auto", default="auto"
        Radius of the l1 ball. "auto" means the sum of the absolute coefficients of matching pursuit, stopped when
        another step explains less than a hundredth of what is explained. It is 0 if y has nothing in common with the
        atoms. The log loss needs a number: where the classes can be separated, ever larger logits are ever better.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples. An integer weight equals repeating the sample. A common factor makes no difference.
    offset : array-like of shape (n_outputs,), default=None
        Added to the approximation, as the intercept of a network is.
    tol : float, default=None
        Largest gap, in the unit of the loss, at which the selection stops before k picks. In a corrective selection the
        gaps are then exact, from one factorisation of the whole Gram matrix.
    corrective : bool, default=False
        Whether the weights of all picks are solved for again after every pick. If False, the weights are the shares of
        the picks. With the squared error the next pick is the atom that leaves the least loss with solved weights. With
        the log loss of logits it is the atom along which this loss is steepest for its length. Each atom is picked at
        most once. With `output_weights` the atoms are neurons: each has a free weight for each output, and the
        intercept is free; the values of `output_weights` do not matter. Otherwise atoms of two dimensions have a weight
        for each column of y, and atoms of three dimensions one weight. The `offset` is added to both.
    ridge : float, default=0.0
        Penalty on the weights of a corrective selection. The loss gets half the sum of their squares, times `ridge`,
        times the mean diagonal of the Gram matrix. If the intercept is free, this is the Gram matrix of the atoms minus
        their means.

    Returns
    -------
    GreedyPath
        Picks in order, the loss and the gap after each pick, counts and weights of the atoms, the radius, and the
        intercept of a corrective selection. A corrective selection ends when no atom lowers the loss. It may have fewer
        picks than k, even none.

    Raises
    ------
    ValueError
        If an argument has a value that is not allowed. If the data are masked or complex, hold NaN or infinity, or do
        not fit together. If the number of classes is not the number of the atoms' columns (two classes for one column).
        For the squared error also if the values are too small or too large for their squares to be compared: mean
        squares below 1e-150 or above 1e150.
    TypeError
        If k, tol or radius is not a number of the right kind, from_logits is no truth value, or an array is a
        ``np.matrix``.

    See Also
    --------
    GreedyForwardSelector : The same as a transformer that keeps columns.
    SelectionStatistics : The same from sums over chunks of the samples.

    Notes
    -----
    For the squared error each step needs the inner products of all atoms with the sum of the picks. These change by one
    column of the Gram matrix. Columns are computed either as they are needed, in blocks that are foreseen, or all at
    once, as is cheapest. What foresees a block is a few of the rows, then the columns that are there. scikit-learn's
    ``working_memory`` bounds how many are kept. None of this changes the picks. float32 atoms are multiplied in
    float32. The losses are computed again from the picks in float64. Atoms between which such products can't decide are
    scored on the samples themselves. If too many are in doubt, or if a loss or a gap is a tiny difference of large
    numbers, the products are made again in float64. For the convex hull they are then products of the atoms minus y.

    A corrective selection is forward selection by orthogonal least squares [4]_. It approximates y by
    ``intercept + sum_i weights_i * atom_i``. With `ridge` 0 an atom counts as linearly dependent on the picks if they
    leave less than 1e-9 of its squared norm. Such an atom is not picked. Neither is one beside a free intercept whose
    deviation rounding can explain: below 3e-7 of its root mean square in float32, below 2.2e-14 in float64. The losses
    are those of the approximation, without the penalty. The gaps are bounds of the penalised loss minus the least
    penalised loss over the weights of all atoms.

    For the log loss the weights have a penalised loss within 1e-10 of the least one of the picks, and the gaps are
    always bounds. If the picks separate the classes and `ridge` is 0, there is no least loss: the selection ends with a
    warning.

    The log loss has no such statistics, so its selection works on the samples. It reads the logits, or of probabilities
    only those of each sample's own class. Bounds rule most atoms out unseen. With float32 atoms the bounds are in
    float32 and the losses in float64, so the path is the path of the same values in float64. An atom's samples are read
    one after the other. The selection therefore holds one copy of the logits, unless they lie in this order already, as
    in Fortran order for two dimensions. Of probabilities it holds a copy of those of the own class, in float64 if there
    is one column. It uses the number of threads that linear algebra would; this number changes nothing but the time.

    The gap of probabilities is at most the loss minus the loss of the best atom for each sample, which is a lower bound
    for every mean. The Frank-Wolfe gap alone has no bound if the picks hold a sample's own class impossible, as trees
    do.

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

    Weights that are solved for again after every pick:

    >>> path = greedy_forward_selection(atoms, np.array([0.75, 0.25]), k=4, corrective=True)
    >>> path.picks.tolist()
    [0, 1]
    >>> path.weights.round(12).tolist()
    [0.75, 0.25, 0.0]
    """
    k, tolerance = check_stopping(k, tol)
    weighing = check_weights(corrective, ridge, hull, radius)
    from_logits = check_flag("from_logits", from_logits)
    chosen = find_loss(loss)
    atoms = stack_atoms(atoms, samples_last=chosen.samples_last)
    check_layout(atoms, y)
    return chosen.select(
        Asked(
            atoms=atoms,
            y=y,
            k=k,
            tol=tolerance,
            output_weights=output_weights,
            from_logits=from_logits,
            weighing=weighing,
            sample_weight=sample_weight,
            offset=offset,
        )
    )
