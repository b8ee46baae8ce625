"""Public docstrings pass numpydoc's validation, nothing ignored, and the attributes they list are the fitted ones."""

import doctest
import functools
import inspect

import numpy as np
import pandas as pd
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from numpydoc.validate import validate
from sklearn.base import BaseEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import sklearn_gfs
from sklearn_gfs import theory

MODULES = {"sklearn_gfs": sklearn_gfs, "sklearn_gfs.theory": theory}
CLASSES = {name: obj for name in sklearn_gfs.__all__ if inspect.isclass(obj := getattr(sklearn_gfs, name))}
ESTIMATORS = sorted(name for name, cls in CLASSES.items() if issubclass(cls, BaseEstimator))


def public_objects():
    """Yield the dotted name of every public class, function and method, those inherited from scikit-learn excluded."""
    for home, module in MODULES.items():
        for name in module.__all__:
            obj = getattr(module, name)
            if not callable(obj):
                continue
            yield f"{home}.{name}"
            if inspect.isclass(obj):
                for attribute in dir(obj):
                    if not attribute.startswith("_") and is_ours(obj, attribute):
                        yield f"{home}.{name}.{attribute}"


def is_ours(cls, attribute):
    """Tell whether the method or property is defined in this package, not in scikit-learn or a named tuple."""
    owner = next(base for base in cls.__mro__ if attribute in vars(base))
    value = vars(owner)[attribute]
    if not owner.__module__.startswith("sklearn_gfs") or type(value).__module__.startswith("sklearn"):
        return False
    return callable(value) or isinstance(value, property | classmethod | staticmethod)


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_docstring_is_valid(name):
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"]]
    assert not errors


def defaults():
    """Yield the name of every documented parameter, the default that is told of it, and that of the signature."""
    for name in sorted(public_objects()):
        home, _, rest = name.removeprefix("sklearn_gfs.").rpartition(".")
        obj = functools.reduce(getattr, filter(None, [*home.split("."), rest]), sklearn_gfs)
        if not callable(obj):
            continue
        signature = inspect.signature(obj).parameters
        for entry in (ClassDoc if inspect.isclass(obj) else FunctionDoc)(obj)["Parameters"]:
            given = signature[entry.name].default if entry.name in signature else inspect.Parameter.empty
            told = entry.type.partition("default=")[2]
            yield f"{name}({entry.name})", told, given


def test_documented_defaults_are_those_of_the_signatures():
    found = list(defaults())
    assert len(found) > 100
    names = {"np": np, "inf": np.inf}
    # As text, so that NaN is NaN, and 1 is not True.
    wrong = [
        name
        for name, told, given in found
        if (repr(eval(told, names)) if told else "") != ("" if given is inspect.Parameter.empty else repr(given))
    ]
    assert not wrong


TUPLES = [cls for cls in {**CLASSES, **vars(theory)}.values() if inspect.isclass(cls) and issubclass(cls, tuple)]


@pytest.mark.parametrize("cls", TUPLES)
def test_examples_of_named_tuples_run(cls):
    """Those of all else are found in the modules where they stand; a named tuple says that it is from elsewhere."""
    found = doctest.DocTestFinder().find(cls, module=False, globs={})
    assert any(test.examples for test in found)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert sum(runner.run(test).failed for test in found) == 0


def test_the_validation_can_fail():
    assert {code for code, _ in validate("inspect.isclass")["errors"]} >= {"PR01", "EX01"}


@functools.cache
def fitted_estimators():
    """Return, per public estimator class, instances fitted so that every attribute it can have is on one of them."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    number = X["a"].to_numpy() - X["b"].to_numpy()
    label = (number > 0).astype(int)
    small = {"n_pretrain": 3, "k": 2, "n_hidden": 8, "n_retrain": 2, "random_state": 0}
    mixed = sklearn_gfs.GreedyPrunedMLP(**small)
    classifier = sklearn_gfs.GreedyPrunedMLPClassifier(**small)
    regressor = sklearn_gfs.GreedyPrunedMLPRegressor(**small)
    selector = sklearn_gfs.GreedyForwardSelector(k=2)
    search = sklearn_gfs.PretrainThresholdSearch(classifier, n_pretrain=[1, 2], cv=2)
    paths = sklearn_gfs.PretrainThresholdSearch(classifier, n_pretrain=[1, 2], k=[1, 2], cv=2)
    votes = sklearn_gfs.GreedyEnsembleClassifier([("tree", DecisionTreeClassifier())], scoring="accuracy")
    mean = sklearn_gfs.GreedyEnsembleRegressor([("tree", DecisionTreeRegressor())], scoring="r2")
    return {
        "GreedyEnsembleClassifier": [votes.fit(X, label)],
        "GreedyEnsembleRegressor": [mean.fit(X, number)],
        "GreedyPrunedMLP": [mixed.fit(X, label), sklearn_gfs.GreedyPrunedMLP(**small).fit(X, number)],
        "GreedyPrunedMLPClassifier": [classifier.fit(X, label)],
        "GreedyPrunedMLPRegressor": [regressor.fit(X, number)],
        "GreedyForwardSelector": [selector.fit(X, number), sklearn_gfs.GreedyForwardSelector(k=2).fit(X, label)],
        "PretrainThresholdSearch": [search.fit(X, label), paths.fit(X, label)],
    }


def test_every_estimator_is_covered():
    assert set(ESTIMATORS) == set(fitted_estimators())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_documented_attributes_are_the_fitted_ones(name):
    cls = getattr(sklearn_gfs, name)
    documented = {parameter.name for parameter in ClassDoc(cls)["Attributes"]}
    found = set()
    for estimator in fitted_estimators()[name]:
        candidates = set(vars(estimator)) | {key for key in dir(cls) if isinstance(getattr(cls, key), property)}
        found |= {key for key in candidates if key.endswith("_") and key[0] != "_" and hasattr(estimator, key)}
    assert documented == found


def documented(cls):
    """Return the description of every parameter and attribute, by name."""
    parsed = ClassDoc(cls)
    return {entry.name: " ".join(entry.desc) for part in ("Parameters", "Attributes") for entry in parsed[part]}


# Of these the estimators say different things: what is for classes only, defaults, and the units of a loss.
DIFFERENT = {
    "activation",
    "alpha",
    "class_weight",
    "classes_",
    "duality_gaps_",
    "early_stopping",
    "loss",
    "out_activation_",
    "selection_losses_",
    "selection_samples",
    "validation_fraction",
}


def test_what_the_ensembles_repeat_is_the_same_in_both():
    one, other = (documented(CLASSES[f"GreedyEnsemble{kind}"]) for kind in ("Classifier", "Regressor"))
    assert {name for name in one.keys() & other.keys() if one[name] != other[name]} == {
        "calibrate",
        "calibrations_",
        "corrective",
        "loss",
        "n_outputs_",
        "scoring",
        "stack_method_",
    }


def test_what_the_estimators_repeat_is_the_same_in_each():
    names = ("GreedyPrunedMLP", "GreedyPrunedMLPClassifier", "GreedyPrunedMLPRegressor")
    whole, *parts = (documented(CLASSES[name]) for name in names)
    for part in parts:
        assert {name for name in part if part[name] != whole[name]} <= DIFFERENT
    # `partial_fit` stands twice, for the classifier takes the classes and the regressor does not.
    one, other = (FunctionDoc(CLASSES[name].partial_fit)["Extended Summary"] for name in names[1:])
    assert one == other
