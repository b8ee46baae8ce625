"""Errors speak of what the user knows: the class that was called, the argument that is wrong."""

import inspect
import pickle

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

CLASSES = [GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor]
SMALL = {"n_pretrain": 3, "k": 2, "n_hidden": 8, "n_retrain": 2, "random_state": 0}
X = np.random.default_rng(0).normal(size=(20, 3))


def public_methods(cls):
    """Yield the names of the methods that this package defines, the constructor included."""
    for name in dir(cls):
        if not name.startswith("_") or name == "__init__":
            function = inspect.unwrap(inspect.getattr_static(cls, name))
            if inspect.isfunction(function) and function.__module__.startswith("sklearn_gfs"):
                yield name


METHODS = [(cls, name) for cls in CLASSES for name in public_methods(cls)]


def test_the_methods_are_found():
    assert {name for cls, name in METHODS if cls is GreedyPrunedMLP} >= {
        *("__init__", "fit", "partial_fit", "fit_path", "predict", "predict_proba", "predict_log_proba"),
        *("decision_function", "score", "to_sklearn", "to_torch"),
    }


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_an_unknown_argument_is_refused_in_the_class_s_own_name(cls, name):
    loss = {} if cls is GreedyPrunedMLPRegressor else {"loss": "log_loss"}
    model = cls(**SMALL, **loss)
    arguments = [X, X[:, 0] > 0]
    call = cls if name == "__init__" else getattr(model, name)
    with pytest.raises(TypeError, match=rf"^{cls.__name__}\.{name}\(\) .*unexpected keyword argument 'nonsense'"):
        call(*arguments[: count_positional(cls, name)], nonsense=1)


def count_positional(cls, name):
    """Return how many of X and y the method takes."""
    return sum(parameter in {"X", "y"} for parameter in inspect.signature(getattr(cls, name)).parameters)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_missing_argument_is_named_in_the_class_s_own_name(cls):
    with pytest.raises(TypeError, match=rf"^{cls.__name__}\.fit\(\) missing 1 required positional argument: 'y'"):
        cls(**SMALL).fit(X)


@pytest.mark.parametrize("cls", CLASSES)
def test_methods_are_what_they_were_but_for_the_name(cls):
    inherited = [
        (base, name)
        for base in cls.__mro__[1:]
        for name in public_methods(cls)
        if base.__module__.startswith("sklearn_gfs") and name in vars(base)
    ]
    assert inherited
    for base, name in inherited:
        own, original = getattr(cls, name), getattr(base, name)
        assert own.__qualname__ == f"{cls.__name__}.{name}"
        if name in {"__init__", "score", "partial_fit"} and base.__name__ in {"BaseGreedyPrunedMLP", "MLPParameters"}:
            continue  # overridden further down
        if name == "predict" and cls is GreedyPrunedMLPRegressor:
            continue  # it has standard deviations, too
        assert own.__doc__ == original.__doc__
        assert inspect.signature(own) == inspect.signature(original)
        if not hasattr(inspect.getattr_static(cls, name), "check"):  # what may be absent is made at each access
            assert pickle.loads(pickle.dumps(own)) is own


class Mine(GreedyPrunedMLPRegressor):
    """A user's class, with a constructor of its own that calls the inherited one."""

    def __init__(self, n_pretrain=3, k=2):
        super().__init__(n_pretrain, k, n_hidden=8, n_retrain=2)


def test_users_classes_inherit_as_ever():
    assert Mine().fit(X, X[:, 0]).n_pretrain_ == 3
    with pytest.raises(TypeError, match=r"^Mine\.__init__\(\) got an unexpected"):
        Mine(nonsense=1)
    with pytest.raises(TypeError, match=r"^GreedyPrunedMLPRegressor\.fit\(\) got an unexpected"):
        Mine().fit(X, X[:, 0], nonsense=1)


@pytest.mark.parametrize("name", ["fit", "partial_fit"])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_number_is_refused_by_name(name, missing):
    y = X[:, 0].astype(object)
    y[3] = missing
    with pytest.raises(ValueError, match="y holds missing values"):
        getattr(GreedyPrunedMLPRegressor(**SMALL), name)(X, y)
    with pytest.raises(ValueError, match="y holds missing values"):
        getattr(GreedyPrunedMLPRegressor(**SMALL), name)(X, np.stack([y, y], axis=1))
