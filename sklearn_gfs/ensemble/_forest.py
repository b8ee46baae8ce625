"""
A fitted forest as a library of trees, and a smaller forest of some of them.

Here belong the kinds of ensembles that are means of their members, the predictions of members for samples out of their
bags, and the making of the smaller forest. The plain search of ``_searching`` selects the members.
"""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.utils import Bunch, check_array, indexable
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_gfs._chunks import row_chunks, working_memory
from sklearn_gfs._compat import (
    Interval,
    StrOptions,
    n_fitted_samples,
    take_rows,
    validate_parameter_constraints,
    with_members,
)
from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller
from sklearn_gfs._weights import relative_weight

from ._classifier import GreedyEnsembleClassifier
from ._criteria import SquaredErrorCriterion
from ._fitting import Model, answers
from ._outputs import Reading, check_finite, check_n_targets, method_of
from ._regressor import GreedyEnsembleRegressor
from ._searching import Path, Selection, best_prefix, greedy

_FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
_BAGS = (BaggingClassifier, BaggingRegressor)
_VOTES = (VotingClassifier, VotingRegressor)


def prune_forest(
    forest: Any,
    X: Any,
    y: Any,
    k: int = 50,
    *,
    replace: bool = False,
    oob: bool = True,
    sample_weight: Any = None,
    weights: str = "deprecated",
) -> Any:
    """
    Make a smaller forest of a few trees of a fitted one.

    Trees are picked one by one so that the mean of the picks has the least squared error (for probabilities: the least
    Brier score). If the forest drew a sample for each tree, no held-out data are needed: every two trees are compared
    on the samples that neither has seen.

    Parameters
    ----------
    forest : estimator
        A fitted random forest, extremely randomised trees, a bagging or a voting ensemble, for classes or continuous
        targets.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The samples that the forest was fitted on, or new samples with ``oob=False``.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets of these samples.
    k : int, default=50
        Number of picks.
    replace : bool, default=False
        Whether a tree can be picked again. If not, all chosen trees have the same weight. The result is then an
        ensemble of the forest's own class with k trees, or with all trees if there are fewer. If so, the result is a
        fitted `GreedyEnsembleClassifier` or `GreedyEnsembleRegressor` of one-tree forests.
    oob : bool, default=True
        Whether X and y are the samples that the forest was fitted on, in their order. A tree is then judged by the
        samples out of its bag.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the selection.
    weights : {"equal", "greedy", "deprecated"}, default="deprecated"
        The former name of `replace`: "equal" is False, "greedy" is True.

        .. deprecated:: 1.0
            It will be gone in 2.0.

    Returns
    -------
    estimator
        The smaller ensemble, fitted. It shares the trees with the forest, which stays as it is. Where the forest's
        ``random_state`` is an integer, that of the smaller one is another integer. Trees that are added with
        ``warm_start`` then differ from the kept ones.

    Raises
    ------
    TypeError
        If the ensemble is not the mean of its members.
    ValueError
        If a parameter or the data are not as required, or if there are no samples out of the bags.

    See Also
    --------
    GreedyEnsembleClassifier : Selection among models of any kind.

    Notes
    -----
    Let r_i be the prediction of tree i minus y. The squared error of a mean of trees follows from the mean products of
    r_i and r_j over the samples. Each product is estimated on the samples that neither of the two trees has seen. The
    products are sums over samples, made in chunks of scikit-learn's ``working_memory``.

    A matrix of products from different samples may have negative eigenvalues. The estimated error of a mean with
    repeats could then be negative. So with ``replace=True`` the nearest matrix without negative eigenvalues takes
    its place. The ``selection_losses_`` are estimates that follow from this matrix. The ``duality_gaps_`` bound how far
    each is above the least estimate of any weights. Neither says how far the estimates are from the true losses.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_gfs import prune_forest
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X, y)
    >>> small = prune_forest(forest, X, y, k=10)
    >>> len(small.estimators_)
    10
    >>> small.score(X, y) > 0.95
    True
    """
    constraints = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "replace": ["boolean"],
        "oob": ["boolean"],
        "weights": [StrOptions({"equal", "greedy", "deprecated"})],
    }
    given = {"k": k, "replace": replace, "oob": oob, "weights": weights}
    validate_parameter_constraints(constraints, given, caller_name="prune_forest")
    if weights != "deprecated":
        if replace and weights == "equal":
            raise ValueError("weights='equal' contradicts replace=True; leave weights out")
        replace = weights == "greedy"
        warn_caller(f"weights={weights!r} is deprecated, and will be gone in 2.0. Use replace={replace}", FutureWarning)
    _check_kind(forest)
    check_is_fitted(forest)
    check_plain(X=X, y=y)
    check_one_kind(y=y)
    X, y = indexable(X, y)
    targets = _targets(forest, y)
    weight = relative_weight(sample_weight, len(targets))
    members = [_with_members(forest, [i]) for i in range(len(forest.estimators_))]
    seen = _in_bag(forest, len(targets)) if oob else None
    products = _mean_products(members, X, targets, weight, seen)
    if oob and replace:
        products = _nearest_of_vectors(products)
    path = greedy(SquaredErrorCriterion(products), k, replace=replace)
    if not replace:
        return _with_members(forest, np.sort(path.picks))
    best = best_prefix(path)
    path = path._replace(picks=path.picks[:best], losses=path.losses[:best], gaps=path.gaps[:best])
    return _weighted(forest, members, path, k, n_targets=targets.shape[1])


def _check_kind(forest: Any) -> None:
    """Raise an error if the ensemble is not the mean of its members."""
    if isinstance(forest, (*_FORESTS, *_BAGS, *_VOTES)):
        return
    kind = type(forest).__name__
    if "Boost" in kind:
        raise TypeError(
            f"forest is a {kind}: each of its members corrects those before it, so a mean of a few members is no "
            "model. For a smaller model lower n_estimators or max_iter, or stop early."
        )
    allowed = ", ".join(kind.__name__ for kind in (*_FORESTS, *_BAGS, *_VOTES))
    raise TypeError(f"forest must be one of {allowed}, got {kind}")


def _targets(forest: Any, y: Any) -> Float64Array:
    """Return continuous targets, or an indicator for each class, of shape (n_samples, n_columns)."""
    if not is_classifier(forest):
        numbers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return numbers.reshape(len(numbers), -1)
    if isinstance(forest.classes_, list):
        raise ValueError("forest has several columns of labels; it must have one")
    y = column_or_1d(y)
    unknown = np.setdiff1d(y, forest.classes_)
    if len(unknown):
        raise ValueError(f"y holds labels {unknown.tolist()} beside the forest's {forest.classes_.tolist()}")
    return np.eye(len(forest.classes_))[np.searchsorted(forest.classes_, y)]


def _with_members(forest: Any, members: Any) -> Any:
    """Return a copy of the forest with some of its members, without attributes that depend on all members."""
    if isinstance(forest, _VOTES):
        small = copy(forest)
        pairs = [pair for pair in forest.estimators if pair[1] != "drop"]
        small.estimators = [pairs[i] for i in members]
        small.weights = None
        small.estimators_ = [forest.estimators_[i] for i in members]
        small.named_estimators_ = Bunch(**{pairs[i][0]: forest.estimators_[i] for i in members})
        return small
    small = with_members(forest, members)
    for name in ("oob_score_", "oob_decision_function_", "oob_prediction_"):
        if hasattr(small, name):
            delattr(small, name)
    if isinstance(forest.random_state, Integral):
        # A warm start skips one seed for each kept tree, but kept trees may come from later seeds. Another seed of the
        # forest keeps added trees different from these.
        entropy = np.random.SeedSequence([int(forest.random_state), *map(int, members)])
        small.random_state = int(entropy.generate_state(1)[0])
    return small


def _in_bag(forest: Any, n_samples: int) -> NDArray[np.bool_]:
    """Return a mask of the samples that each member was fitted on, of shape (n_members, n_samples)."""
    if isinstance(forest, _VOTES) or (isinstance(forest, _FORESTS) and not forest.bootstrap):
        raise ValueError(
            f"every member of this {type(forest).__name__} was fitted on all the samples: pass new ones, and oob=False"
        )
    if n_samples != n_fitted_samples(forest):
        raise ValueError(
            f"X has {n_samples} samples and the forest was fitted on {n_fitted_samples(forest)}: pass these, or new "
            "samples and oob=False"
        )
    bags = forest.estimators_samples_
    if len(bags) < len(forest.estimators_):
        raise ValueError(
            f"forest grew with warm_start, and scikit-learn kept the samples of {len(bags)} of its "
            f"{len(forest.estimators_)} members: pass new samples, and oob=False"
        )
    seen = np.zeros((len(bags), n_samples), dtype=bool)
    for mask, samples in zip(seen, bags, strict=True):
        mask[samples] = True
    return seen


def _mean_products(
    members: list[Any], X: Any, targets: Float64Array, weight: Float64Array | None, seen: NDArray[np.bool_] | None
) -> Float64Array:
    """
    Return the mean product of every two members' residuals, summed over the targets.

    The mean is over the samples that neither member has `seen`, or over all samples if this is None.
    """
    classes = members[0].classes_ if is_classifier(members[0]) else None
    names = [_name(one, i) for i, one in enumerate(members)]
    methods = ["predict" if classes is None else method_of(*pair, "auto") for pair in zip(names, members, strict=True)]
    models = [Model(*parts, {}) for parts in zip(names, members, methods, strict=True)]
    shares = np.ones(len(targets)) if weight is None else weight
    sums, totals = np.zeros((len(members),) * 2), np.zeros((len(members),) * 2)
    # Residuals and their weighted copy are in memory at once.
    for rows in row_chunks(len(targets), 2 * 8 * len(members) * (targets.shape[1] + 1), working_memory()):
        some = take_rows(X, np.arange(rows.start, rows.stop))
        residuals = np.array([answers(model, model.estimator, some, classes) for model in models])
        for name, outputs in zip(names, residuals, strict=True):
            check_finite(f"the estimator {name!r}", outputs)
        check_n_targets("forest", residuals[0], targets.shape[1])
        residuals -= targets[rows]
        counted = np.ones(residuals.shape[:2]) if seen is None else 1.0 - seen[:, rows]
        residuals *= counted[:, :, None]
        weighted = (residuals * shares[rows, None]).reshape(len(members), -1)
        sums += weighted @ residuals.reshape(len(members), -1).T
        totals += (counted * shares[rows]) @ counted.T
    if not totals.all():
        i, j = np.argwhere(totals == 0)[0]
        bags = f"bag of tree {i}" if i == j else f"bags of both the trees {i} and {j}"
        raise ValueError(f"no sample is out of the {bags}. Pass new samples, and oob=False")
    products: Float64Array = sums / totals
    return products


def _nearest_of_vectors(products: Float64Array) -> Float64Array:
    """Return the nearest matrix without negative eigenvalues, which is a matrix of inner products of vectors."""
    values, vectors = np.linalg.eigh(products)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))
    nearest: Float64Array = roots @ roots.T
    return nearest


def _weighted(forest: Any, members: list[Any], path: Path, k: int, *, n_targets: int) -> Any:
    """Return a fitted greedy ensemble of the picked members."""
    chosen, picks = np.unique(path.picks, return_inverse=True)
    pairs = [(_name(members[i], int(i)), members[i]) for i in chosen]
    classes = is_classifier(forest)
    ensemble: Any = (GreedyEnsembleClassifier if classes else GreedyEnsembleRegressor)(
        pairs, k, loss="squared_error", cv="prefit", calibrate=False
    )
    models = [Model(name, one, ensemble._method(name, one), {}) for name, one in pairs]
    found = Selection(path._replace(picks=picks), np.array([len(picks)]), np.bincount(picks) / len(picks))
    ensemble._store(models, [one for _, one in pairs], [Reading()] * len(pairs), None, found, np.arange(len(pairs)))
    ensemble.n_outputs_ = 1 if classes else n_targets
    if classes:
        ensemble.classes_ = forest.classes_
    return ensemble


def _name(member: Any, number: int) -> str:
    return str(member.estimators[0][0]) if isinstance(member, _VOTES) else f"tree{number}"
