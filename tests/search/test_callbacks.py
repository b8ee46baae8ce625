"""Callbacks of scikit-learn 1.9 in a threshold search: progress over folds and points, monitors inside folds."""

import warnings
from collections import Counter

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from same_results import same_results
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
from sklearn_gfs._compat import (
    NoCallbacks,
    callback_management,
    continue_callbacks,
    copy_without_tasks,
    without_callbacks,
)
from sklearn_gfs.search._progress import SearchProgress

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


class Recorder:
    """Keeps what it is told, with the task's place in the tree."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append(("setup", (context.task_name,)))

    def teardown(self, estimator, context):
        self.seen.append(("teardown", (context.task_name,)))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.seen.append(("begin", place(context), type(estimator).__name__, None if X is None else len(X)))

    def on_fit_task_end(self, estimator, context):
        self.seen.append(("end", place(context)))

    def begun(self):
        return [event[1] for event in self.seen if event[0] == "begin"]


class PropagatedRecorder(Recorder):
    """Is passed on to whatever is fitted inside."""

    max_propagation_depth = None


def place(context):
    """Return names and numbers from the root to a task."""
    above = () if context.parent is None else place(context.parent)
    return (*above, f"{context.source_task_name or context.task_name} {context.task_id}")


class ReportingPath(callback.CallbackSupportMixin, PathClassifier):
    """A double that reports one task for each number of iterations, as any estimator with ``fit_path`` may."""

    def fit_path(self, X, y, **settings):
        running = clone(self)
        continue_callbacks(self, running)
        with callback_management(running):
            budgets = settings["n_pretrain"]
            root = running._init_callback_context(max_subtasks=len(budgets))
            root.call_on_fit_task_begin(estimator=running, X=X, y=y)
            for point in PathClassifier.fit_path(running, X, y, **settings):
                if point.k is None:
                    task = root.subcontext("pretrain")
                    task.call_on_fit_task_begin(estimator=running, X=X, y=y)
                    fitted = vars(point.estimator)
                    attributes = {name: value for name, value in fitted.items() if name.endswith("_")}
                    task.call_on_fit_task_end(
                        estimator=running, X=X, y=y, reconstruction_attributes=lambda found=attributes: found
                    )
                yield point._replace(estimator=copy_without_tasks(point.estimator))
            root.call_on_fit_task_end(estimator=running, X=X, y=y)


def folds_of(places, depth):
    """Count the tasks of each name below every fold, at this depth."""
    below = [place for place in places if len(place) == depth and place[1] == "folds 0"]
    return Counter((place[2], place[depth - 1].rsplit(" ", 1)[0]) for place in below)


@pytest.mark.parametrize(
    ("estimator", "settings", "parts"),
    [
        (PathClassifier(), {}, {"path": 1, "point": 6}),
        (make_pipeline(StandardScaler(), PathClassifier()), {}, {"steps": 1, "path": 1, "point": 6}),
        (OnlyFit(), {}, {"point": 4}),
        (make_pipeline(StandardScaler(), OnlyFit()), {}, {"point": 4}),
        (PathClassifier(), {"n_pretrain": "auto"}, {"path": 1, "point": 30}),
    ],
)
def test_tasks_of_the_search(estimator, settings, parts):
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(estimator, **({"n_pretrain": [0, 5], "k": [1, 2], "cv": 3} | settings))
    recorder = Recorder()
    search.set_callbacks(recorder).fit(X, y)
    assert recorder.seen[0] == ("setup", ("fit",))
    assert recorder.seen[-1] == ("teardown", ("fit",))
    begun = recorder.begun()
    assert begun[:3] == [("fit 0",), ("fit 0", "folds 0"), ("fit 0", "folds 0", "fold 0")]
    assert begun[-1] == ("fit 0", "refit 1")
    expected = {(f"fold {i}", part): count for i in range(3) for part, count in parts.items()}
    assert folds_of(begun, 4) == expected
    # What is begun is ended, once, and what contains it later.
    assert sorted(begun) == sorted(event[1] for event in recorder.seen if event[0] == "end")
    same_results(search, clone(search).set_callbacks().fit(X, y))


def test_tasks_are_given_their_data():
    X, y = load_iris(return_X_y=True)
    recorder = Recorder()
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5], cv=3).set_callbacks(recorder)
    search.fit(X, y, sample_weight=np.ones(len(y)))
    given = {event[1][-1]: event[3] for event in recorder.seen if event[0] == "begin"}
    assert (given["fit 0"], given["path 0"], given["refit 1"]) == (150, 100, 150)


def test_a_path_that_the_search_leaves_early_ends_before_its_fold_does():
    X, y = load_iris(return_X_y=True)
    recorder = PropagatedRecorder()
    network = GreedyPrunedMLPClassifier(n_hidden=10, n_retrain=0, random_state=0)
    search = PretrainThresholdSearch(network, n_pretrain="auto", k=[2], cv=2, refit=False).set_callbacks(recorder)
    search.fit(X, y)
    events = [(event[0], event[1]) for event in recorder.seen if event[0] in ("begin", "end")]
    assert sum(place[-1] == "path 0" for kind, place in events if kind == "end") == 2
    for i, (kind, place) in enumerate(events):
        if kind == "end":
            assert not [later for _, later in events[i + 1 :] if later[: len(place)] == place]
    assert sorted(recorder.begun()) == sorted(place for kind, place in events if kind == "end")


def test_a_callback_is_passed_on_into_folds():
    X, y = load_iris(return_X_y=True)
    recorder = PropagatedRecorder()
    assert isinstance(recorder, callback.AutoPropagatedCallback)
    pipeline = make_pipeline(StandardScaler(), ReportingPath())
    search = PretrainThresholdSearch(pipeline, n_pretrain=[0, 5], k=[1, 2], cv=3).set_callbacks(recorder).fit(X, y)
    assert folds_of(recorder.begun(), 5) == {
        (f"fold {i}", task): count
        for i in range(3)
        for task, count in {"fit-transform-standardscaler": 1, "fit-final-estimator": 1, "pretrain": 2}.items()
    }
    assert ("fit 0", "refit 1", "fit-final-estimator 1") in recorder.begun()
    assert len(recorder.begun()) == len(set(recorder.begun()))
    same_results(search, clone(search).set_callbacks().fit(X, y))
    # The estimator that was passed keeps no callback, nor does the one that was fitted.
    for network in (pipeline[-1], search.best_estimator_[-1]):
        assert not set(vars(network)) & {"_skl_callbacks", "_parent_callback_ctx", "_callback_fit_ctx"}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_monitor_sees_what_it_sees_in_a_grid_search(n_jobs):
    X, y = load_iris(return_X_y=True)
    logs = []
    for search_class, grid in [
        (PretrainThresholdSearch, {"param": "max_iter", "n_pretrain": [2, 6]}),
        (GridSearchCV, {"param_grid": {"max_iter": [2, 6]}}),
    ]:
        monitor = callback.ScoringMonitor(scoring="accuracy")
        model = LogisticRegression().set_callbacks(monitor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so few iterations don't converge
            search_class(model, cv=3, n_jobs=n_jobs, **grid).fit(X, y)
        logs.append(sorted(row["accuracy"] for row in monitor.get_logs().data if row["task_id_path"][1] == 0))
    assert len(logs[0]) >= 2 * 3 * 2
    assert logs[0] == logs[1]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_monitor_sees_the_path(n_jobs):
    X, y = load_iris(return_X_y=True)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    network = ReportingPath(random_state=0).set_callbacks(monitor)
    search = PretrainThresholdSearch(
        network, n_pretrain=[0, 20], cv=3, n_jobs=n_jobs, return_train_score=True, refit=False
    ).fit(X, y)
    assert network._skl_callbacks == [monitor]
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pretrain"]
    seen = {row["task_id_path"][2:]: row["accuracy"] for row in rows}
    for fold in range(3):
        dense = search.cv_results_[f"split{fold}_dense_train_score"]
        assert [seen[fold, 0, budget] for budget in (0, 1)] == dense.tolist()


def test_a_monitor_sees_the_training_of_networks():
    X, y = load_iris(return_X_y=True)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    network = GreedyPrunedMLPClassifier(n_hidden=20, n_retrain=0, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network.set_callbacks(monitor))
    search = PretrainThresholdSearch(pipeline, n_pretrain=[0, 20, 60], k=[3, 6], cv=3, return_train_score=True)
    search.set_callbacks(PropagatedRecorder()).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_id_path"][:2] == (0, 0)]
    for fold in range(3):
        seen = [row["accuracy"] for row in rows if row["task_id_path"][2] == fold]
        # The last the monitor sees of a fold is the dense network at the end of its pre-training.
        assert seen[-1] == search.cv_results_[f"split{fold}_dense_train_score"][-1]
    same_results(search, clone(search).set_params(estimator=without_callbacks(pipeline)).set_callbacks().fit(X, y))


def test_a_search_without_callbacks_stays_at_home():
    search = PretrainThresholdSearch(PathClassifier())
    assert SearchProgress(search, NoCallbacks(), n_splits=2, n_kept=0).fold(0, n_parts=3).search is None
    search.set_callbacks(Recorder())
    assert SearchProgress(search, NoCallbacks(), n_splits=2, n_kept=0).fold(0, n_parts=3).search is search


def test_a_propagated_callback_belongs_on_the_search():
    network = ReportingPath().set_callbacks(PropagatedRecorder())
    search = PretrainThresholdSearch(network, n_pretrain=[0, 5], cv=3, error_score="raise")
    with pytest.raises(TypeError, match="Register them directly on the meta-estimator"):
        search.fit(*load_iris(return_X_y=True))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_bar(n_jobs, capsys):
    pytest.importorskip("rich", reason="the progress bar is drawn with rich")
    search = PretrainThresholdSearch(ReportingPath(), n_pretrain=[0, 5], k=[1, 2], cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(*load_iris(return_X_y=True))
    bars = [line.split(" ━")[0].strip() for line in capsys.readouterr().out.splitlines() if "100%" in line]
    own = "PretrainThresholdSearch"
    assert bars[0] == f"{own} - fit"
    assert {f"{own} - folds #0", f"{own} - fold #0", f"{own} - fold #1"} <= set(bars)
    assert bars.count(f"{own} - path | ReportingPath - fit #0") == 2


def test_a_checkpoint_disregards_callbacks(tmp_path):
    X, y = load_iris(return_X_y=True)
    settings = {"n_pretrain": [0, 5], "cv": 3, "checkpoint": tmp_path / "search.json", "refit": False}
    pipeline = make_pipeline(StandardScaler(), ReportingPath(random_state=0))
    first = PretrainThresholdSearch(pipeline, **settings).fit(X, y)
    pipeline[-1].set_callbacks(callback.ScoringMonitor(scoring="accuracy"))
    recorder = Recorder()
    again = PretrainThresholdSearch(pipeline, **settings).set_callbacks(recorder).fit(X, y)
    assert recorder.begun() == [("fit 0",), ("fit 0", "folds 0")]
    same_results(again, first)


def test_without_callbacks_leaves_the_original_alone():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    for estimator in (pipeline, pipeline[0], pipeline[1]):
        estimator.set_callbacks(Recorder())
    bare = without_callbacks(pipeline)
    for estimator, before in zip((bare, *bare), (pipeline, *pipeline), strict=True):
        assert not hasattr(estimator, "_skl_callbacks")
        assert len(before._skl_callbacks) == 1


class Counts(Recorder):
    """Keeps how many tasks each task announces."""

    def on_fit_task_begin(self, estimator, context):
        self.seen.append((context.task_name, context.max_subtasks))


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize(
    ("estimator", "n_parts"),
    [(PathClassifier(), 7), (make_pipeline(StandardScaler(), PathClassifier()), 8), (OnlyFit(), 4)],
)
def test_tasks_are_announced_in_their_number(tmp_path, estimator, n_parts, refit):
    settings = {"n_pretrain": [0, 5], "k": [1, 2], "cv": 3, "refit": refit, "checkpoint": tmp_path / "search"}
    search = PretrainThresholdSearch(estimator, **settings)
    recorder = Counts()
    search.set_callbacks(recorder).fit(*load_iris(return_X_y=True))
    found = dict(seen for seen in recorder.seen if len(seen) == 2)
    assert (found["fit"], found["folds"], found["fold"]) == (1 + refit, 3, n_parts)
    (tmp_path / "search" / "fold-1.json").unlink()
    recorder.seen.clear()
    search.fit(*load_iris(return_X_y=True))
    assert dict(seen for seen in recorder.seen if len(seen) == 2)["folds"] == 1
