"""What scikit-learn's callbacks see of a fit, and what they can do to it (scikit-learn 1.9)."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

callback = pytest.importorskip("sklearn.callback")

SMALL = {"n_pretrain": 50, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
PHASES = ["pre-training", "selection", "trial re-training", "re-training"]


class Recorder:
    """Writes down every task, and asks to stop a phase after so many of its tasks."""

    def __init__(self, stop_phase=None, after=1):
        self.stop_phase, self.after = stop_phase, after
        self.begun, self.ended, self.seen, self.torn_down = [], [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def path(self, context):
        return [] if context.parent is None else [*self.path(context.parent), context.task_name]

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(self.path(context))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        path = self.path(context)
        self.ended.append(path)
        if fitted_estimator is not None:
            self.seen.append((path, fitted_estimator, X, metadata))
        return path[:1] == [self.stop_phase] and self.ended.count(path) >= self.after


def problem(n_samples=90):
    X = np.random.default_rng(0).normal(size=(n_samples, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])


def test_tasks_are_phases_and_groups_of_iterations():
    X, y = problem()
    recorder = Recorder()
    model = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder).fit(X, y)
    phases = [path for path in recorder.begun if len(path) == 1]
    assert phases == [[name] for name in PHASES]
    for name, n_tasks in zip(PHASES, [3, 0, 2, -(-model.n_retrain_ // 20)], strict=True):
        assert recorder.begun.count([name, f"{name} iterations"]) == n_tasks
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.ended[-1] == []
    assert recorder.torn_down == 1
    # Nothing of the fit in progress stays, and callbacks change no result.
    assert not [name for name in vars(model) if "ctx" in name]
    plain = GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_without_early_stopping_there_is_no_trial():
    X, y = problem()
    recorder = Recorder()
    GreedyPrunedMLPClassifier(**SMALL, early_stopping=False).set_callbacks(recorder).fit(X, y)
    assert [path[0] for path in recorder.begun if len(path) == 1] == ["pre-training", "selection", "re-training"]


def test_networks_on_their_way_can_predict():
    X, y = problem()
    weight = np.ones(len(y))
    recorder = Recorder()
    model = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder).fit(X, y, sample_weight=weight)
    assert len(recorder.seen) == 3 + 2 + -(-model.n_retrain_ // 20) + 1
    for path, fitted, given, metadata in recorder.seen:
        assert given is X
        assert metadata["sample_weight"] is weight
        n_units = 40 if path[:1] == ["pre-training"] else fitted.n_units_
        assert fitted.coefs_[0].shape == (4, n_units)
        assert n_units == 40 or n_units <= 8
    # The copies are of the moment: the last of pre-training is the dense network of a path, number for number.
    dense = next(GreedyPrunedMLPClassifier(**SMALL).fit_path(X, y, weight, n_pretrain=[50])).estimator
    np.testing.assert_array_equal(recorder.seen[2][1].predict_proba(X), dense.predict_proba(X))
    assert recorder.seen[2][1].n_pretrain_ == 50
    np.testing.assert_array_equal(recorder.seen[-1][1].predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("phase", ["pre-training", "trial re-training", "re-training"])
@pytest.mark.parametrize("n_pretrain", [50, "auto"])
def test_a_callback_can_end_a_phase(phase, n_pretrain):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain=n_pretrain)
    complete = clone(model).fit(X, y)
    stopped = clone(model).set_callbacks(Recorder(phase)).fit(X, y)
    assert stopped.n_pretrain_ <= 20 if phase == "pre-training" else stopped.n_pretrain_ == complete.n_pretrain_
    assert stopped.n_retrain_ <= (20 if phase != "pre-training" else 40)
    assert stopped.score(X, y) > 0.5
    if phase == "pre-training" and n_pretrain == 50:
        assert stopped.n_pretrain_ == 20
        short = clone(model).set_params(n_pretrain=20).fit(X, y)
        np.testing.assert_array_equal(stopped.predict_proba(X), short.predict_proba(X))


def test_scores_are_monitored():
    X, y = problem()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = GreedyPrunedMLP(**SMALL).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data
    assert len(log) == 3 + 2 + -(-model.n_retrain_ // 20) + 1
    assert log[2]["accuracy"] > 0.6
    assert {row["task_name"] for row in log} == {
        "fit",
        *(f"{name} iterations" for name in PHASES if name != "selection"),
    }
    assert any(row["accuracy"] == pytest.approx(model.score(X, y)) for row in log)
    model.set_callbacks()
    assert pickle.loads(pickle.dumps(model)).score(X, y) == model.score(X, y)


def test_progress_bars_are_drawn(capsys):
    pytest.importorskip("rich")
    X, _ = problem()
    bar = callback.ProgressBar(max_propagation_depth=None)
    GreedyPrunedMLPRegressor(**SMALL).set_callbacks(bar).fit(X, X[:, 0])
    out = capsys.readouterr().out
    assert all(name in out for name in PHASES if name != "selection")  # a task without tasks has no bar
    # Within a pipeline within a search.
    pipeline = make_pipeline(StandardScaler(), GreedyPrunedMLPRegressor(**SMALL))
    GridSearchCV(pipeline, {"greedyprunedmlpregressor__k": [2, 3]}, cv=2).set_callbacks(bar).fit(X, X[:, 0])
    assert "re-training" in capsys.readouterr().out


def test_parts_and_paths_have_tasks():
    X, y = problem()
    recorder = Recorder()
    model = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder)
    model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    assert recorder.begun.count(["pre-training", "pre-training iterations"]) == 6
    assert recorder.torn_down == 2
    recorder = Recorder()
    path = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder).fit_path(X, y, n_pretrain=[0, 30], k=[2, 4])
    points = list(path)
    assert recorder.begun.count(["pre-training"]) == recorder.begun.count(["selection"]) == 2
    assert recorder.begun.count(["re-training"]) == 4
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.ended[-1] == []
    assert recorder.torn_down == 1
    assert all(not [name for name in vars(point.estimator) if "ctx" in name] for point in points)


@pytest.mark.parametrize("n_points", [1, 2, 3, 4])
def test_a_path_that_is_left_early_ends_once(n_points):
    X, y = problem()
    recorder = Recorder()
    path = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder).fit_path(X, y, n_pretrain=[0, 30, 60], k=[2])
    points = [next(path) for _ in range(n_points)]
    path.close()
    assert recorder.ended.count([]) == 1
    assert recorder.ended[-1] == []
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.torn_down == 1
    # The network that callbacks see at the end is the last that the consumer took.
    expected = points[-1].estimator.predict_proba(X)
    np.testing.assert_array_equal(recorder.seen[-1][1].predict_proba(X), expected)


def test_a_path_that_fails_tears_callbacks_down_and_does_not_end():
    X, y = problem()
    recorder = Recorder()
    path = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder).fit_path(X, y, n_pretrain=[5, 3])
    with pytest.raises(ValueError, match="increase"):
        list(path)
    assert recorder.torn_down == 1
    assert [] not in recorder.ended


def test_a_path_is_monitored():
    X, y = problem()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}).set_callbacks(monitor)
    *_, last = model.fit_path(X, y, n_pretrain=[0, 30], k=[2, 4])
    log = monitor.get_logs().data
    assert len(log) == 2 + 1  # groups of iterations, and the path
    assert last.estimator.score(X, y) in [row["accuracy"] for row in log if row["task_name"] == "fit_path"]
    with pytest.raises(ValueError, match="n_pretrain is empty"):
        list(model.fit_path(X, y, n_pretrain=[]))
    assert not [name for name in vars(model) if "ctx" in name]


@pytest.mark.parametrize("wrong", ["data", "parameters"])
def test_a_failed_fit_tears_callbacks_down(wrong):
    X, y = problem()
    recorder = Recorder()
    model = GreedyPrunedMLPClassifier(**SMALL).set_callbacks(recorder)
    with pytest.raises(ValueError, match=r"'k' parameter|NaN"):
        model.set_params(k=0 if wrong == "parameters" else 3).fit(np.full_like(X, np.nan), y)
    assert recorder.torn_down == (1 if wrong == "data" else 0)
    assert not [name for name in vars(model) if "ctx" in name]


def test_time_that_is_over_ends_every_phase():
    X, y = problem()
    recorder = Recorder()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 10**9}, max_time=0.2).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="max_time was over"):
        model.fit(X, y)
    assert recorder.ended[-1] == []
    assert sorted(recorder.begun) == sorted(recorder.ended)
