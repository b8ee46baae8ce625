"""Every parameter that is a number or a switch takes NumPy's scalars for Python's, and means the same by them."""

import functools
import inspect
import re
import warnings

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import sklearn_gfs
from sklearn_gfs import (
    CorrectivePath,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    NetworkBounds,
    PretrainThresholdDisplay,
    PretrainThresholdSearch,
    SelectionPathDisplay,
    SelectionStatistics,
    ThresholdCurve,
    greedy_forward_selection,
    network_bounds,
    pretrain_threshold_curve,
    prune_forest,
    prune_network,
    theory,
)

X, LABELS = make_classification(60, 5, random_state=0)
NUMBERS = X[:, 0] + X[:, 1] ** 2
TRAINED = MLPRegressor(hidden_layer_sizes=6, random_state=0).partial_fit(X, NUMBERS)
SMALL = {"n_pretrain": 6, "k": 4, "n_hidden": 12, "n_retrain": 8}

# For every callable: the parameters that are numbers, switches or sequences of them, as plain Python has them. Floats
# are such that float32 and float16 hold them exactly.
NETWORK = SMALL | {
    "learning_rate_init": 0.125,
    "momentum": 0.5,
    "batch_size": 16,
    "alpha": 0.0625,
    "corrective": False,
    "early_stopping": True,
    "validation_fraction": 0.25,
    "selection_samples": 30,
    "max_time": 1024.0,
    "verbose": True,
    "warm_start": True,
    "random_state": 3,
}
SEARCH = {
    "n_pretrain": [2, 4],
    "k": [2, 3],
    "target": 0.5,
    "tol": 0.0625,
    "cv": 2,
    "refit": True,
    "n_jobs": 1,
    "error_score": 0.0,
    "return_train_score": True,
    "verbose": 1,
}
CURVE = {
    "train_sizes": [20, 40],
    "k": [2, 3],
    "interpolate": True,
    "n_repeats": 2,
    "n_pretrain": [2, 4],
    "target": 0.5,
    "tol": 0.0625,
    "test_size": 0.25,
    "random_state": 3,
    "n_jobs": 1,
}
PATH = {"n_pretrain": [2, 4], "k": [2, 3]}
SELECTION = {"k": 3, "radius": 2.0, "tol": 0.0}
CLASSIFIER = GreedyPrunedMLPClassifier(**SMALL, random_state=0)
DENSE = GreedyPrunedMLPRegressor(n_hidden=6, n_retrain=0, random_state=0)


@functools.cache
def searched():
    return PretrainThresholdSearch(CLASSIFIER, **SEARCH | {"verbose": 0}).fit(X, LABELS)


def learnt(estimator):
    """Return the fitted attributes, without times and what belongs to the estimator by itself."""
    own = {"best_estimator_", "scorer_", "refit_time_"}
    found = {name: value for name, value in vars(estimator).items() if name.endswith("_") and name not in own}
    if "cv_results_" in found:
        found["cv_results_"] = {name: value for name, value in found["cv_results_"].items() if "_time" not in name}
    return found


def fitted(cls, y):
    return lambda **given: learnt(cls(**given).fit(X, y).fit(X, y))


def path_of(cls, y):
    def walk(**given):
        points = list(cls(n_hidden=12, n_retrain=5, random_state=0).fit_path(X, y, **given))
        return [(point.n_pretrain, point.k, learnt(point.estimator)) for point in points]

    return walk


def deviations(**given):
    return GreedyPrunedMLPRegressor(6, 4, n_hidden=12, random_state=0).fit(X, NUMBERS).predict(X, **given)


def drawn(display):
    return [line.get_xydata() for line in display.ax_.lines]


ENSEMBLE = {
    "k": 4,
    "cv": 2,
    "n_bags": 2,
    "bag_fraction": 0.5,
    "n_init": 2,
    "replace": True,
    "corrective": False,
    "calibrate": True,
    "n_jobs": 1,
    "verbose": 0,
    "random_state": 3,
}
LIBRARY = [(f"m{depth}", DecisionTreeClassifier(max_depth=depth, random_state=0)) for depth in (1, 2, 3)]
LIBRARY_OF_NUMBERS = [(f"m{depth}", DecisionTreeRegressor(max_depth=depth, random_state=0)) for depth in (1, 2, 3)]


def weights_of(cls, models, y):
    def fit(**given):
        found = cls(models, **given).fit(X, y)
        return [found.weights_, found.selection_path_, found.selection_losses_, found.n_picks_]

    return fit


def pruned(**given):
    small = prune_forest(RandomForestClassifier(9, random_state=0).fit(X, LABELS), X, LABELS, **given)
    return small.predict_proba(X)


def names_of_candidates(**given):
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}).fit(X, LABELS)
    return [name for name, _ in GreedyEnsembleClassifier.from_search(search, **given).estimators]


CASES = {
    GreedyEnsembleClassifier: (ENSEMBLE, weights_of(GreedyEnsembleClassifier, LIBRARY, LABELS)),
    GreedyEnsembleClassifier.from_search: ({"n_candidates": 2}, names_of_candidates),
    GreedyEnsembleRegressor: (ENSEMBLE, weights_of(GreedyEnsembleRegressor, LIBRARY_OF_NUMBERS, NUMBERS)),
    prune_forest: ({"k": 3, "replace": False, "oob": True}, pruned),
    GreedyPrunedMLP: (NETWORK, fitted(GreedyPrunedMLP, LABELS)),
    GreedyPrunedMLPClassifier: (NETWORK, fitted(GreedyPrunedMLPClassifier, LABELS)),
    GreedyPrunedMLPRegressor: (NETWORK, fitted(GreedyPrunedMLPRegressor, NUMBERS)),
    GreedyPrunedMLP.fit_path: (PATH, path_of(GreedyPrunedMLP, NUMBERS)),
    GreedyPrunedMLPClassifier.fit_path: (PATH, path_of(GreedyPrunedMLPClassifier, LABELS)),
    GreedyPrunedMLPRegressor.fit_path: (PATH, path_of(GreedyPrunedMLPRegressor, NUMBERS)),
    GreedyPrunedMLPRegressor.predict: (
        {"return_std": True},
        deviations,
    ),
    GreedyForwardSelector: (
        SELECTION | {"keep": [1, 3], "n_features_to_select": 4, "corrective": False, "ridge": 0.0},
        fitted(GreedyForwardSelector, NUMBERS),
    ),
    PretrainThresholdSearch: (
        SEARCH,
        lambda **given: learnt(PretrainThresholdSearch(CLASSIFIER, **given).fit(X, LABELS)),
    ),
    pretrain_threshold_curve: (CURVE, lambda **given: pretrain_threshold_curve(CLASSIFIER, X, LABELS, **given)),
    greedy_forward_selection: (
        SELECTION | {"from_logits": False, "corrective": False, "ridge": 0.0},
        lambda **given: greedy_forward_selection(X, NUMBERS, hull="l1", **given),
    ),
    SelectionStatistics.select: (
        SELECTION | {"standardize": True, "corrective": False, "ridge": 0.0},
        lambda **given: SelectionStatistics().update(X, NUMBERS).select(hull="l1", **given),
    ),
    prune_network: (
        {"k": 3, "corrective": True},
        lambda **given: prune_network(TRAINED, X, **given).coefs_,
    ),
    SelectionStatistics.corrective_paths: (
        {"k": 3, "ridges": [0.5, 0.25], "tol": 0.0},
        lambda **given: [path.losses for path in SelectionStatistics().update(X, NUMBERS).corrective_paths(**given)],
    ),
    CorrectivePath.prefix: (
        {"n_picks": 2},
        lambda **given: SelectionStatistics().update(X, NUMBERS).corrective_paths(3, [0.5])[0].prefix(**given).weights,
    ),
    network_bounds: (
        {"k": [2, 3], "step_size": 0.5},
        lambda **given: list(network_bounds(DENSE, X, NUMBERS, **given)[:6]),
    ),
    NetworkBounds.upper_bounds: (
        {"k": [2, 3]},
        lambda **given: NetworkBounds(dense_loss=0.5, spread=2.0).upper_bounds(**given),
    ),
    PretrainThresholdDisplay.from_search: (
        {"predicted": [2.0, 4.0]},
        lambda **given: drawn(PretrainThresholdDisplay.from_search(searched(), **given)),
    ),
    PretrainThresholdDisplay.from_estimator: (
        {"predicted": [2.0, 4.0]},
        lambda **given: drawn(
            PretrainThresholdDisplay.from_estimator(CLASSIFIER, X, LABELS, **SEARCH | {"verbose": 0}, **given)
        ),
    ),
    PretrainThresholdDisplay: (
        {"thresholds": [2, 4], "target_score": 0.5, "predicted": [2.0, 4.0]},
        lambda **given: drawn(
            PretrainThresholdDisplay(n_pretrain=[1, 2, 4], k=[1, 2], scores=np.full((3, 2, 2), 0.5), **given).plot()
        ),
    ),
    SelectionPathDisplay: (
        {"dense_loss": 0.5},
        lambda **given: drawn(SelectionPathDisplay(losses=np.ones(3), gaps=np.ones(3), **given).plot()),
    ),
    SelectionPathDisplay.from_path: (
        {"dense_loss": 0.5},
        lambda **given: drawn(SelectionPathDisplay.from_path(greedy_forward_selection(X, NUMBERS, 4), **given)),
    ),
    theory.corrective_bound: (
        {"k": [3, 4], "comparison_loss": 0.5, "variation": 2.0},
        theory.corrective_bound,
    ),
    theory.hull_membership: (
        {"relaxed": False},
        lambda **given: list(theory.hull_membership(np.eye(3), np.full(3, 0.25), **given)),
    ),
    theory.interior_bound: ({"k": [3, 4], "diameter": 2.0, "radius": 0.5}, theory.interior_bound),
    theory.lemma_1_bound: (
        {"k": [3, 4], "first_loss": 2.0, "hull_loss": 0.5, "diameter": 2.0},
        theory.lemma_1_bound,
    ),
    theory.paper_threshold: (
        {"k": 50, "n_samples": 100, "n_features": 20, "c": 0.5},
        theory.paper_threshold,
    ),
    ThresholdCurve.at: (
        {"k": 2},
        lambda **given: pretrain_threshold_curve(CLASSIFIER, X, LABELS, **CURVE).at(**given).thresholds,
    ),
    theory.contraction_rate: ({"step_size": 0.5, "smallest": 0.25, "largest": 1.0}, theory.contraction_rate),
    theory.diameter_bound: ({"k": [3, 4], "hull_loss": 0.5, "diameter": 2.0}, theory.diameter_bound),
    theory.extreme_eigenvalues: (
        {"tol": 0.0009765625},
        lambda **given: theory.extreme_eigenvalues(np.diag(np.arange(1.0, 5)), **given),
    ),
    theory.harmonic_bound: ({"k": [3, 4], "hull_loss": 0.5, "spread": 2.0}, theory.harmonic_bound),
    theory.iterations_to_loss: (
        {"target_loss": 0.125, "initial_loss": 2.0, "rate": 0.5},
        theory.iterations_to_loss,
    ),
    theory.network_kernel: (
        {"neuron_rate": 0.5},
        lambda **given: theory.network_kernel(X, np.ones((5, 3)), np.ones(3), np.ones((3, 1)), **given) @ np.eye(60),
    ),
    theory.one_step_bound: (
        {"k": [3, 4], "previous_loss": [0.5, 0.25], "hull_loss": 0.125, "spread": 2.0},
        theory.one_step_bound,
    ),
    theory.pretrain_threshold: (
        {"k": 50, "initial_loss": 2.0, "spread": 2.0, "rate": 0.5},
        theory.pretrain_threshold,
    ),
    theory.required_k: ({"target_loss": 0.5, "spread": 2.0, "hull_loss": 0.125}, theory.required_k),
    theory.root_bound: ({"k": [3, 4], "hull_loss": 0.5, "spread": 2.0}, theory.root_bound),
}


def documented(obj):
    """Return the parameters that are documented as numbers, switches or sequences of them."""
    doc = (ClassDoc if inspect.isclass(obj) else FunctionDoc)(obj)
    return {p.name for p in doc["Parameters"] if re.search(r"\b(int|float|bool)\b", p.type) and "ndarray" not in p.type}


def public_callables():
    """Yield every public class, method and function that has such parameters."""
    for module in (sklearn_gfs, theory):
        for name in module.__all__:
            obj = getattr(module, name)
            methods = [value for key in dir(obj) if key[0] != "_" and callable(value := getattr(obj, key))]
            own = [method for method in methods if (getattr(method, "__module__", "") or "").startswith("sklearn_gfs")]
            for candidate in (obj, *own) if inspect.isclass(obj) else (obj,):
                if callable(candidate) and documented(candidate) and not issubclass_of_tuple(candidate):
                    yield candidate


def issubclass_of_tuple(obj):
    """Whether it is a named tuple: a result, whose fields nobody passes."""
    return inspect.isclass(obj) and issubclass(obj, tuple)


def test_all_parameters_are_covered():
    found = {candidate.__qualname__: documented(candidate) for candidate in public_callables()}
    assert found == {obj.__qualname__: set(given) for obj, (given, _) in CASES.items()}


def in_numpy(value):
    """Yield the value as NumPy has it, in each type that holds it."""
    if isinstance(value, bool):
        yield np.bool_(value)
    elif isinstance(value, int):
        yield from (np.int64(value), np.int32(value), np.uint8(value))
    elif isinstance(value, float):
        yield from (np.float64(value), np.float32(value), np.float16(value))
    else:
        yield np.array(value)
        yield [next(in_numpy(element)) for element in value]


@functools.cache
def with_python(obj):
    given, call = CASES[obj]
    return call(**given)


SCALARS = [(obj, name) for obj, (given, _) in CASES.items() for name in given]


@pytest.mark.parametrize(("obj", "name"), SCALARS, ids=lambda value: getattr(value, "__qualname__", value))
def test_numpy_scalars_mean_what_python_s_do(obj, name):
    given, call = CASES[obj]
    if "Display" in obj.__qualname__:
        pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No point reached|.*of the grid", UserWarning)
        expected = with_python(obj)
        for value in in_numpy(given[name]):
            np.testing.assert_equal(call(**given | {name: value}), expected)


def test_all_at_once():
    for cls, y in ((GreedyPrunedMLPClassifier, LABELS), (GreedyPrunedMLPRegressor, NUMBERS)):
        for kind in (0, -1):
            given = {name: list(in_numpy(value))[kind] for name, value in NETWORK.items()}
            np.testing.assert_equal(fitted(cls, y)(**given), with_python(cls))
            parts = [cls(**parameters).partial_fit(X, y, **all_labels(cls)) for parameters in (given, NETWORK)]
            np.testing.assert_equal(*[learnt(part.partial_fit(X, y)) for part in parts])


def all_labels(cls):
    return {"classes": [0, 1]} if cls is GreedyPrunedMLPClassifier else {}


def test_a_grid_search_over_numpy_integers():
    grid = {"batch_size": np.array([8, 16]), "k": np.arange(2, 4), "alpha": np.logspace(-3, -2, 2)}
    search = GridSearchCV(CLASSIFIER, grid, cv=2, error_score="raise").fit(X, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
