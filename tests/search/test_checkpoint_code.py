"""Checkpoints of the search: folds that were scored by other code of the user's own are not mixed in."""

import functools
import json
import os
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_gfs import PretrainThresholdSearch
from sklearn_gfs.search._code import code_in

pytestmark = [
    pytest.mark.filterwarnings("ignore:No point reached the target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SOURCE = '''
import functools

import numpy as np
from numpy import exp as changed
from sklearn.linear_model import LogisticRegression

WEIGHT, KINDS = 2.0, ("a", 1)


def unused(X):
    return X


def twice(function):
    factor = 2

    @functools.wraps(function)
    def doubled(*args, **kwargs):
        return factor * function(*args, **kwargs)

    return doubled


def halved(value):
    return value / WEIGHT if "a" in KINDS else 0.0


@twice
def accuracy(y, predicted, scale=1.0, *, power=1):
    """Return a share."""
    return scale * halved(np.mean([a == b for a, b in zip(y, predicted)])) ** power


class Scale:
    def applied(self, value):
        return value * 1.5


def more(value):
    return value + 0.25


def raised(value, power):
    return power(value)


def squared(value):
    return value**2


SCALE, STEPS, POWER = Scale(), (more, abs), functools.partial(raised, power=squared)


def score(estimator, X, y):
    # A comment.
    value = changed(accuracy(y, estimator.predict(X)))
    return POWER(SCALE.applied(STEPS[0](value)))


@functools.lru_cache
def shift(size):
    return size - 1


def shifted(X):
    return X + shift(2)


class Base(LogisticRegression):
    @property
    def sign(self):
        return 1

    @staticmethod
    def same(labels):
        return labels


class Mine(Base):
    def predict(self, X):
        return self.same(self.sign * super().predict(X))
'''


def module_of(name, source, monkeypatch):
    """Return a module of this source, which can be imported while the test runs."""
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(source, vars(module))
    return module


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Return a function that fits a search with a checkpoint, on classes and functions of a module of this source."""

    def fitted(source, scoring_of=lambda own: own.score):
        module = module_of("own_code", source, monkeypatch)
        scoring = scoring_of(module)
        search = PretrainThresholdSearch(
            make_pipeline(FunctionTransformer(module.shifted), module.Mine()),
            param="mine__max_iter",
            n_pretrain=[1, 9],
            scoring=scoring,
            cv=2,
            refit="one" if isinstance(scoring, dict) else False,
            checkpoint=tmp_path / "search",
        )
        return search.fit(*load_iris(return_X_y=True))

    return fitted


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("accuracy(y, estimator", "-accuracy(y, estimator", "scoring"),
        ("== b for", "!= b for", "scoring"),
        ("factor = 2", "factor = 3", "scoring"),
        ("scale=1.0", "scale=2.0", "scoring"),
        ("power=1", "power=2", "scoring"),
        ("WEIGHT, KINDS = 2.0", "WEIGHT, KINDS = 4.0", "scoring"),
        ('KINDS = 2.0, ("a", 1)', 'KINDS = 2.0, ("a", 1.0)', "scoring"),
        ('"a" in', '"b" in', "scoring"),
        ("np.mean", "np.sum", "scoring"),
        ("import exp as changed", "import log as changed", "scoring"),
        ("changed(accuracy", "(accuracy", "scoring"),
        ("value * 1.5", "value / 1.5", "scoring"),
        ("value + 0.25", "value - 0.25", "scoring"),
        ("value**2", "value**3", "scoring"),
        ("X + shift", "X - shift", "estimator"),
        ("size - 1", "size", "estimator"),
        ("return 1", "return -1", "estimator"),
        ("return labels", "return labels[::-1]", "estimator"),
        ("self.sign * ", "", "estimator"),
    ],
)
def test_folds_of_other_code_are_refused(fit, old, new, part):
    assert old in SOURCE
    fit(SOURCE)
    with pytest.raises(ValueError, match=f"belongs to a search that differs in: {part}[.]"):
        fit(SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A comment.", "# Another one.\n"),
        ("Return a share.", "Return the share of labels that agree."),
        ("def unused(X):\n    return X\n", ""),
        ("WEIGHT,", "OTHER = 3\nWEIGHT,"),
        ("import functools", '"""Own code."""\n\nimport functools'),
    ],
)
def test_what_changes_no_score_may_be_edited(fit, old, new):
    assert old in SOURCE
    times = fit(SOURCE).cv_results_["mean_fit_time"]
    np.testing.assert_array_equal(fit(SOURCE.replace(old, new, 1)).cv_results_["mean_fit_time"], times)


@pytest.mark.parametrize(
    "scoring_of",
    [
        lambda own: make_scorer(own.accuracy),
        lambda own: {"one": own.score},
        lambda own: functools.partial(own.score),
        lambda own: make_scorer(own.accuracy, scale=2.0),
    ],
)
def test_code_inside_of_scorers_counts(fit, scoring_of):
    times = fit(SOURCE, scoring_of).cv_results_["mean_fit_time"]
    np.testing.assert_array_equal(fit(SOURCE, scoring_of).cv_results_["mean_fit_time"], times)
    with pytest.raises(ValueError, match="differs in: scoring"):
        fit(SOURCE.replace("value / WEIGHT", "value * WEIGHT"), scoring_of)


@pytest.mark.parametrize(
    ("old", "new", "is_read"),
    [("size = 2", "size = 3", True), ("value + 1", "value - 1", True), ("'unread'", "'other'", False)],
)
def test_what_code_reads_from_another_module_counts(monkeypatch, old, new, is_read):
    source = "size = 2\n\ndef more(value):\n    return value + 1\n\ndef size_of(value):\n    return 'unread'\n"
    assert old in source
    own = module_of("own_code", "def score(*_):\n    return own_parts.more(own_parts.size)\n", monkeypatch)
    own.own_parts = module_of("own_parts", source, monkeypatch)
    before = code_in(own.score)
    own.own_parts = module_of("own_parts", source.replace(old, new), monkeypatch)
    assert (code_in(own.score) != before) == is_read


def test_code_of_packages_with_versions_is_left_to_these(monkeypatch):
    own = module_of("own_code", "__version__ = '1'\n\ndef score(*_):\n    return 0.0\n", monkeypatch)
    several = [own.score, PCA(), np.ones(3), np.mean, json.dumps]
    assert code_in(several) == ["own_code 1"]
    own.__version__ = "2"
    assert code_in(several) == ["own_code 2"]
    del own.__version__
    (told,) = code_in(several)
    assert "score" in told


def test_code_is_told_alike_in_every_process():
    """Sets have another order in each process."""
    code = """
        from sklearn_gfs.search._code import code_in

        def score(*_):
            return sum(letter in {"a", "b", "c", "d"} for letter in "ace")

        print(code_in([score]))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    told = [
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert b"frozenset" in told[0]


def test_functions_that_call_each_other_are_told_once(monkeypatch):
    source = "def one(n):\n    return two(n - 1)\n\ndef two(n):\n    return one(n - 1) if n else 0\n"
    own = module_of("own_code", source, monkeypatch)
    assert len(code_in(own.one)) == 2
    assert code_in(own.one) == code_in([own.two, own.one])
