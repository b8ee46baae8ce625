"""What fails or is interrupted inside a threshold search, and what comes of it."""

import gc
import json
import sys

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch, pretrain_threshold_curve

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")

X, Y = load_iris(return_X_y=True)
NETWORK = GreedyPrunedMLPClassifier(n_hidden=10, n_retrain=0, random_state=0)


class ReturnsNothing(PathClassifier):
    """Its ``fit`` returns None, as that of careless estimators does."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


class OnlyFitReturnsNothing(OnlyFit):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


@pytest.mark.parametrize("model", [ReturnsNothing(), OnlyFitReturnsNothing()])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_fit_that_does_not_return_its_estimator(model, wrap):
    search = PretrainThresholdSearch(wrap(model), n_pretrain=[0, 10], cv=2).fit(X, Y)
    assert type(search.best_estimator_) is type(wrap(model))
    assert search.score(X, Y) > 0.5


class Interrupted(PathClassifier):
    """The user interrupts while the second fold is trained."""

    interrupt = False
    fits = 0

    def fit_path(self, X, y, **kwargs):
        for point in super().fit_path(X, y, **kwargs):
            type(self).fits += point.k is None
            if self.interrupt and type(self).fits == 4:
                raise KeyboardInterrupt
            yield point


class InterruptedFit(OnlyFit):
    interrupt = False
    fits = 0

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        type(self).fits += 1
        if self.interrupt and type(self).fits == 4:
            raise KeyboardInterrupt  # after a usable model was left
        return self


@pytest.mark.parametrize("kind", [Interrupted, InterruptedFit])
@pytest.mark.parametrize("error_score", [np.nan, "raise"])
def test_an_interrupt_ends_the_search_and_finished_folds_are_kept(tmp_path, monkeypatch, kind, error_score):
    settings = {"n_pretrain": [0, 5, 10], "cv": 4, "refit": False, "error_score": error_score}
    search = PretrainThresholdSearch(kind(random_state=0), **settings, checkpoint=tmp_path / "search")
    monkeypatch.setattr(kind, "interrupt", True)
    monkeypatch.setattr(kind, "fits", 0)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    monkeypatch.setattr(kind, "interrupt", False)
    monkeypatch.setattr(kind, "fits", 0)
    search.fit(X, Y)
    assert kind.fits == 9  # of the four folds the first was kept
    undisturbed = PretrainThresholdSearch(kind(random_state=0), **settings).fit(X, Y)
    np.testing.assert_array_equal(search.scores_, undisturbed.scores_)


class FailsAtFirst(FunctionTransformer):
    """A step that fails in the first fold, on whose training part it is fitted first."""

    fits = 0

    def fit(self, X, y=None):
        type(self).fits += 1
        if self.fits == 1:
            raise RuntimeError("a step fails")
        return super().fit(X, y)


def test_a_step_before_the_path_may_fail(monkeypatch):
    monkeypatch.setattr(FailsAtFirst, "fits", 0)
    pipeline = make_pipeline(FailsAtFirst(), PathClassifier(random_state=0))
    search = PretrainThresholdSearch(pipeline, n_pretrain=[0, 5], k=[1, 2], cv=3, refit=False)
    with (
        pytest.warns(FitFailedWarning, match="a step fails") as told,
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, Y)
    assert "4 fits failed out of a total of 12" in str(told[0].message)
    assert np.isnan(search.scores_[..., 0]).all()
    assert np.isnan(search.dense_scores_[..., 0]).all()
    assert np.isfinite(search.scores_[..., 1:]).all()
    FailsAtFirst.fits = 0
    with pytest.raises(RuntimeError, match="a step fails"):
        search.set_params(error_score="raise").fit(X, Y)


def test_the_name_of_another_score_is_refused_before_any_training(monkeypatch):
    monkeypatch.setattr(Interrupted, "fits", 0)
    for scoring in (None, "accuracy"):
        search = PretrainThresholdSearch(Interrupted(), n_pretrain=[0, 5], cv=2, scoring=scoring, refit="other")
        with pytest.raises(ValueError, match="refit must be a bool, or 'score'"):
            search.fit(X, Y)
    assert Interrupted.fits == 0


class FailsAtTheEnd(PathClassifier):
    """Fails when it is asked for more than 64 iterations, before it has any of them."""

    def fit_path(self, X, y, *, n_pretrain, **kwargs):
        yield from super().fit_path(X, y, n_pretrain=(b for b in n_pretrain if b <= 64 or 1 / 0), **kwargs)


def test_what_was_never_scored_took_no_time():
    cv = [(np.arange(10, 150), np.arange(0, 10))]
    search = PretrainThresholdSearch(FailsAtTheEnd(), n_pretrain=[0, 100], cv=cv, refit=False)
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        search.fit(X, Y)
    fitted, failed = search.cv_results_["mean_score_time"]
    assert fitted > 0
    assert failed == 0


class FailsAfterTheEnd(PathClassifier):
    def fit_path(self, X, y, **kwargs):
        yield from super().fit_path(X, y, **kwargs)
        raise RuntimeError("after the last point")


def test_an_error_that_no_point_can_carry_is_told():
    with pytest.warns(FitFailedWarning, match="ZeroDivisionError"):
        search = PretrainThresholdSearch(FailsAtTheEnd(), cv=2, refit=False).fit(X, Y)
    assert search.n_pretrain_values_.tolist() == [0, 16, 23, 32, 45, 64]
    assert np.isfinite(search.scores_).all()
    settings = {"n_pretrain": [0, 5], "cv": 2, "refit": False}
    with pytest.warns(FitFailedWarning, match="after the last point"):
        PretrainThresholdSearch(FailsAfterTheEnd(), **settings).fit(X, Y)
    with pytest.raises(RuntimeError, match="after the last point"):
        PretrainThresholdSearch(FailsAfterTheEnd(), **settings, error_score="raise").fit(X, Y)


class Closing(PathClassifier):
    """Fails while its path is being closed."""

    def fit_path(self, X, y, **kwargs):
        try:
            yield from super().fit_path(X, y, **kwargs)
        finally:
            raise RuntimeError("while closing")


@pytest.fixture
def unraisable(monkeypatch):
    """Return what Python could only print."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: seen.append(repr(told.exc_value)))
    yield seen
    gc.collect()


def test_an_error_while_a_path_is_closed_is_raised(unraisable):
    def scoring(estimator, X, y):
        raise ValueError("no score")

    search = PretrainThresholdSearch(Closing(), n_pretrain=[0, 5], cv=2, scoring=scoring, error_score=0.0, refit=False)
    with pytest.warns(UserWarning, match="no score"), pytest.warns(FitFailedWarning, match="while closing"):
        search.fit(X, Y)
    with pytest.raises(RuntimeError, match="while closing") as raised:
        search.set_params(scoring=lambda *_: "text").fit(X, Y)
    chain = [raised.value]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    assert "scoring must return a number" in str(chain[-1])
    with pytest.raises(RuntimeError, match="while closing"):
        search.set_params(scoring=None, n_pretrain="auto").fit(X, Y)  # left when the scores have levelled off
    gc.collect()
    assert not unraisable


class Failing:
    """A callback that fails at the beginning or the end of the tasks of one name."""

    def __init__(self, hook, task):
        self.hook, self.task = hook, task

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self._fail("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._fail("end", context)

    def _fail(self, hook, context):
        if (hook, context.task_name) == (self.hook, self.task):
            raise RuntimeError(f"callback: {self.task}")


class PropagatedFailing(Failing):
    max_propagation_depth = None


OWN_TASKS = {
    "network": (NETWORK, ["fit", "folds", "fold", "path", "point", "refit"]),
    "pipeline": (make_pipeline(StandardScaler(), PathClassifier()), ["steps", "path", "point"]),
    "each point alone": (OnlyFit(), ["fold", "point", "refit"]),
}


@pytest.mark.parametrize("hook", ["begin", "end"])
@pytest.mark.parametrize(("name", "task"), [(name, task) for name, (_, tasks) in OWN_TASKS.items() for task in tasks])
def test_a_callback_that_fails_in_a_task_of_the_search_ends_the_search(unraisable, hook, name, task):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    for settings in ({"n_pretrain": [0, 5]}, {"n_pretrain": "auto", "error_score": "raise"}):
        search = PretrainThresholdSearch(OWN_TASKS[name][0], cv=2, **settings).set_callbacks(Failing(hook, task))
        with pytest.raises(RuntimeError, match=f"callback: {task}"):
            search.fit(X, Y)
        gc.collect()
        assert not unraisable


@pytest.mark.parametrize("n_pretrain", [[0, 5], "auto"])
@pytest.mark.parametrize("hook", ["begin", "end"])
@pytest.mark.parametrize("task", ["fit_path", "pre-training"])
@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores", "ignore:invalid value")
def test_a_callback_that_fails_inside_a_network_is_heard(unraisable, hook, task, n_pretrain):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    search = PretrainThresholdSearch(NETWORK, n_pretrain=n_pretrain, cv=2, refit=False, error_score="raise")
    with pytest.raises(RuntimeError, match=f"callback: {task}"):
        search.set_callbacks(PropagatedFailing(hook, task)).fit(X, Y)
    gc.collect()
    assert not unraisable


@pytest.mark.parametrize("hook", ["begin", "end"])
def test_a_path_that_is_closed_raises_what_a_callback_raises(unraisable, hook):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    network = GreedyPrunedMLPClassifier(n_hidden=10, n_retrain=0, random_state=0)
    path = network.set_callbacks(Failing(hook, "fit_path")).fit_path(X, Y, n_pretrain=[0, 5])
    if hook == "end":
        next(path)
    with pytest.raises(RuntimeError, match="callback: fit_path"):
        next(path) if hook == "begin" else path.close()
    del path
    gc.collect()
    assert not unraisable


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed by the workers have been cancelled")
def test_a_checkpoint_that_can_not_be_written_ends_the_search_cleanly(tmp_path, monkeypatch, unraisable, n_jobs):
    def refuse(*_, **__):
        raise OSError("disk full")

    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5], cv=4, checkpoint=tmp_path / "search")
    monkeypatch.setattr(json, "dump", refuse)
    monkeypatch.setattr(json, "dumps", refuse)
    with pytest.raises(OSError, match="disk full"):
        search.set_params(n_jobs=n_jobs).fit(X, Y)
    gc.collect()
    assert not unraisable


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"return_train_score": "nonsense"}, "return_train_score must be a bool, got 'nonsense'"),
        ({"return_train_score": 1}, "return_train_score must be a bool"),
        ({"refit": "nonsense"}, "refit must be a bool, or 'score', with one score; got 'nonsense'"),
        ({"refit": "auc", "scoring": "accuracy"}, "refit must be a bool, or 'score' or 'accuracy', with one score"),
        ({"refit": "auc", "scoring": lambda *_: 0.5}, "refit must be a bool, or 'score', with one score"),
        ({"error_score": True}, "error_score must be 'raise' or a number"),
        ({"error_score": None}, "error_score must be 'raise' or a number"),
        ({"n_jobs": "all"}, "n_jobs must be None or an integer other than 0, got 'all'"),
        ({"n_jobs": 0}, "n_jobs must be None or an integer other than 0"),
        ({"n_jobs": 1.5}, "n_jobs must be None or an integer other than 0"),
        ({"param": 3}, "param must be the name of a parameter, got 3"),
        ({"param": ["n_pretrain"]}, "param must be the name of a parameter"),
    ],
)
def test_parameters_that_are_not_allowed(params, message):
    search = PretrainThresholdSearch(PathClassifier(), **({"n_pretrain": [0, 5], "cv": 2} | params))
    with pytest.raises(ValueError, match=message):
        search.fit(X, Y)


def test_a_name_for_the_only_score_is_allowed():
    for scoring, refit in [(None, "score"), ("accuracy", "accuracy"), (lambda *_: 0.5, "score"), (None, np.True_)]:
        search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5], cv=2, scoring=scoring, refit=refit)
        assert search.fit(X, Y).best_estimator_ is not None
    search.set_params(return_train_score=np.True_, n_jobs=np.int64(1)).fit(X, Y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"test_size": "nonsense"}, "test_size must be a share between 0 and 1, got 'nonsense'"),
        ({"test_size": True}, "test_size must be a share"),
        ({"train_sizes": [0.5, np.nan]}, "train_sizes must be a sequence of positive numbers"),
        ({"train_sizes": [np.inf]}, "train_sizes must be a sequence of positive numbers"),
        ({"scoring": ["accuracy"]}, r"scoring must give one score, got \['accuracy'\]"),
        ({"scoring": {"a": "accuracy"}}, "scoring must give one score"),
        ({"scoring": lambda *_: {"a": 0.5}}, "scoring must give one score"),
        ({"n_jobs": "all"}, "n_jobs must be None or an integer other than 0"),
        ({"param": 3}, "param must be the name of a parameter"),
        ({"n_repeats": True}, "n_repeats must be an integer not below 1"),
    ],
)
def test_parameters_of_a_curve_that_are_not_allowed(params, message):
    with pytest.raises(ValueError, match=message):
        pretrain_threshold_curve(PathClassifier(), X, Y, **({"n_pretrain": [0, 5], "n_repeats": 1} | params))


class RefusesAllTheData(PathClassifier):
    """Can't be fitted once more at the end, where a test says so."""

    refuses = False

    def fit_path(self, X, y, **kwargs):
        if self.refuses and len(X) == len(Y):
            raise RuntimeError("too much")
        yield from super().fit_path(X, y, **kwargs)


@pytest.mark.parametrize(("params", "error"), [({"cv": 2}, RuntimeError), ({"cv": 1000}, ValueError)])
def test_a_search_that_fails_leaves_what_it_had(monkeypatch, params, error):
    search = PretrainThresholdSearch(RefusesAllTheData(), n_pretrain=[0, 5], cv=3).fit(X, Y)
    before = vars(search).copy()
    monkeypatch.setattr(RefusesAllTheData, "refuses", True)
    with pytest.raises(error):
        search.set_params(**params).fit(X, Y)
    assert vars(search).keys() == before.keys()
    assert all(vars(search)[name] is before[name] for name in before if name.endswith("_"))
