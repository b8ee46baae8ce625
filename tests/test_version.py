"""What is saved says which version of the package saved it, and another version warns when it loads that."""

import copy
import importlib.metadata
import inspect
import json
import pickle
import re
import tomllib
import warnings
from email.message import Message
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_gfs
from sklearn_gfs import (
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    LossCurveDisplay,
    PretrainThresholdDisplay,
    PretrainThresholdSearch,
    SelectionPathDisplay,
    SelectionStatistics,
    ThresholdScalingDisplay,
    _version,
)

ROOT = Path(__file__).parents[1]
SMALL = {"n_pretrain": 3, "k": 2, "n_hidden": 8, "n_retrain": 2, "random_state": 0}
X = np.random.default_rng(0).normal(size=(40, 3))
NUMBERS = X[:, 0] - X[:, 1]
LABELS = (NUMBERS > 0).astype(int)
OBJECTS = {
    "GreedyEnsembleClassifier": lambda: GreedyEnsembleClassifier([("line", LogisticRegression())]).fit(X, LABELS),
    "GreedyEnsembleRegressor": lambda: GreedyEnsembleRegressor([("line", LinearRegression())]).fit(X, NUMBERS),
    "GreedyForwardSelector": lambda: GreedyForwardSelector(k=2).partial_fit(X, NUMBERS),
    "GreedyPrunedMLP": lambda: GreedyPrunedMLP(**SMALL).fit(X, NUMBERS),
    "GreedyPrunedMLPClassifier": lambda: GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, LABELS),
    "GreedyPrunedMLPRegressor": lambda: GreedyPrunedMLPRegressor(**SMALL).fit(X, NUMBERS),
    "LossCurveDisplay": lambda: LossCurveDisplay(losses=np.ones(2)),
    "PretrainThresholdDisplay": lambda: PretrainThresholdDisplay(
        n_pretrain=np.arange(2), k=np.arange(2), scores=np.ones((2, 2, 2))
    ),
    "PretrainThresholdSearch": lambda: PretrainThresholdSearch(
        GreedyPrunedMLPClassifier(**SMALL), n_pretrain=[1, 2], target=0.0, cv=2
    ).fit(X, LABELS),
    "SelectionPathDisplay": lambda: SelectionPathDisplay(losses=np.ones(2), gaps=np.ones(2)),
    "CorrectivePath": lambda: SelectionStatistics().update(X, NUMBERS).corrective_paths(2, [0.1])[0],
    "SelectionStatistics": lambda: SelectionStatistics().update(X, NUMBERS),
    "ThresholdScalingDisplay": lambda: ThresholdScalingDisplay(train_sizes=np.arange(1, 3), thresholds=np.ones((2, 2))),
}


@pytest.fixture(params=OBJECTS)
def saved(request):
    """Return an object of every public class."""
    return OBJECTS[request.param]()


@pytest.fixture
def other_version(monkeypatch):
    """Return a function after whose call the package has another version."""
    return lambda: monkeypatch.setattr("sklearn_gfs._version.__version__", "99.1")


def test_every_public_class_is_covered():
    classes = [obj for name in sklearn_gfs.__all__ if inspect.isclass(obj := getattr(sklearn_gfs, name))]
    # Named tuples are what is in them.
    assert set(OBJECTS) == {cls.__name__ for cls in classes if not issubclass(cls, tuple)}


WAYS = {
    "pickle": lambda value, _: pickle.loads(pickle.dumps(value)),
    "oldest protocol": lambda value, _: pickle.loads(pickle.dumps(value, protocol=2)),
    "joblib": lambda value, path: joblib.load(joblib.dump(value, path / "file")[0]),
    "copy": lambda value, _: copy.copy(value),
    "deepcopy": lambda value, _: copy.deepcopy(value),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_version_loads_what_was_saved(saved, way, tmp_path):
    loaded = WAYS[way](saved, tmp_path)  # a warning would be an error
    assert vars(loaded).keys() == vars(saved).keys()
    assert not [name for name in vars(loaded) if "version" in name]


@pytest.mark.parametrize("way", ["pickle", "oldest protocol", "joblib"])
def test_another_version_warns(saved, way, tmp_path, monkeypatch):
    name, before = type(saved).__name__, sklearn_gfs.__version__
    save = {"pickle": pickle.dumps, "oldest protocol": lambda value: pickle.dumps(value, 2)}
    load = pickle.loads if way != "joblib" else joblib.load
    content = save[way](saved) if way in save else joblib.dump(saved, tmp_path / "file")[0]
    monkeypatch.setattr("sklearn_gfs._version.__version__", "99.1")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = load(content)
    # What the object is made of warns before it.
    assert re.match(f"{name} was saved by sklearn-gfs {before} .* loaded by 99.1", str(told[-1].message))
    assert {warning.category for warning in told} == {UserWarning}
    assert way == "joblib" or told[-1].filename == __file__
    assert vars(loaded).keys() == vars(saved).keys()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(loaded))  # what is saved again was saved by this version


def test_what_does_not_say_who_saved_it_is_older(saved):
    state = {name: value for name, value in saved.__getstate__().items() if "version" not in name}
    loaded = type(saved).__new__(type(saved))
    with pytest.warns(UserWarning, match="was saved by an earlier version of sklearn-gfs"):
        loaded.__setstate__(state)
    assert vars(loaded).keys() == vars(saved).keys()


def test_the_state_that_is_passed_is_left_alone(saved):
    state = saved.__getstate__()
    names = set(state)
    type(saved).__new__(type(saved)).__setstate__(state)
    assert set(state) == names > set(vars(saved))


def test_skops_keeps_the_version(saved, other_version):
    skops_io = pytest.importorskip("skops.io")
    if not isinstance(saved, BaseEstimator):
        pytest.skip("skops is for estimators")
    content = skops_io.dumps(saved)
    trusted = skops_io.get_untrusted_types(data=content)
    assert vars(skops_io.loads(content, trusted=trusted)).keys() == vars(saved).keys()
    other_version()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        skops_io.loads(content, trusted=trusted)
    assert re.match(rf"{type(saved).__name__} was saved by sklearn-gfs .* loaded by 99\.1", str(told[-1].message))


def test_clones_carry_no_version(saved):
    if isinstance(saved, BaseEstimator):
        assert vars(clone(saved)).keys() == vars(type(saved)(**saved.get_params(deep=False))).keys()


def test_a_pipeline_s_steps_warn(other_version):
    content = pickle.dumps(make_pipeline(StandardScaler(), GreedyPrunedMLPRegressor(**SMALL)).fit(X, NUMBERS))
    other_version()
    with pytest.warns(UserWarning, match="GreedyPrunedMLPRegressor was saved by"):
        pickle.loads(content)


class Mine(GreedyPrunedMLPRegressor):
    """A user's class with a state of its own."""

    def __getstate__(self):
        return {**super().__getstate__(), "mine": 1}


def test_users_classes_say_it_too(other_version):
    content = pickle.dumps(Mine(**SMALL))
    assert pickle.loads(content).mine == 1
    other_version()
    with pytest.warns(UserWarning, match="Mine was saved by"):
        pickle.loads(content)


@pytest.mark.parametrize(
    ("addresses", "page"),
    [
        (
            ["Source, https://other.test", "Documentation, https://docs.test/gfs/"],
            f"https://docs.test/gfs/{_version.SITE_FOLDER}/api/generated/",
        ),
        (["Source, https://other.test"], ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("name", ["GreedyPrunedMLPClassifier", "GreedyForwardSelector", "PretrainThresholdSearch"])
def test_pictures_of_estimators_link_to_the_documentation(monkeypatch, addresses, page, name):
    metadata = Message()
    for address in addresses or []:
        metadata["Project-URL"] = address
    monkeypatch.setattr(importlib.metadata, "metadata", lambda _: metadata)
    _version._page_template.cache_clear()
    html = OBJECTS[name]()._repr_html_()
    _version._page_template.cache_clear()
    assert (f'href="{page}sklearn_gfs.{name}.html"' in html) == bool(page)
    assert "docs.test" in html or not page


def test_pictures_link_where_the_project_names_the_site():
    """The metadata that is installed and pyproject.toml agree: without an address there are no links."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = project.get("urls", {}).get("Documentation", "")
    html = GreedyPrunedMLPRegressor()._repr_html_()
    assert ("sklearn_gfs.GreedyPrunedMLPRegressor.html" in html) == bool(site)
    assert site in html


def test_pictures_link_to_the_folder_that_the_switcher_names():
    versions = json.loads((ROOT / "docs" / "_static" / "switcher.json").read_text(encoding="utf-8"))
    folders = {entry["version"]: entry["url"] for entry in versions}
    assert folders[_version.SITE_FOLDER] == f"/{_version.SITE_FOLDER}/"
    assert set(folders) == {url.strip("/") for url in folders.values()}


def test_a_package_that_is_not_installed_has_no_page(monkeypatch):
    def fail(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", fail)
    assert _version._page_template.__wrapped__() == ""
