"""Checkpoints of the search: nothing lost when it is killed, nothing mixed in from another search."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import ClassVar

import joblib
import numpy as np
import pytest
from joblib._parallel_backends import ThreadingBackend
from path_double import PathClassifier
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from sklearn_gfs import PretrainThresholdSearch
from sklearn_gfs.search._checkpoint import Checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


class Watched(PathClassifier):
    """Counts the training runs of this process; not part of the parameters, and so of the fingerprint."""

    runs = 0

    @staticmethod
    def started():
        """Do nothing, unless a test has put something here."""

    def fit_path(self, X, y, **kwargs):
        type(self).runs += 1
        self.started()
        yield from super().fit_path(X, y, **kwargs)


@pytest.fixture(autouse=True)
def _no_runs_yet():
    Watched.runs = Chatty.runs = 0


def search(path, **params):
    settings = {"n_pretrain": [0, 10, 40], "k": [1, 3], "cv": 4, "checkpoint": path} | params
    return PretrainThresholdSearch(**{"estimator": Watched(random_state=0)} | settings)


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


def several_scores(estimator, X, y):
    """Score two ways: only once it has been called a search knows that there are two."""
    return {"first": estimator.score(X, y), "second": 1.0}


def assert_same(one, other):
    assert one.cv_results_.keys() == other.cv_results_.keys()
    for key, values in one.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(values, other.cv_results_[key], err_msg=key)
    assert one.thresholds_ == other.thresholds_
    assert one.best_params_ == other.best_params_


@pytest.mark.parametrize("n_pretrain", ["auto", [0, 10, 40]])
@pytest.mark.parametrize("keep", [0, 1, 3, 4])
def test_resumes_with_the_folds_that_are_missing(tmp_path, keep, n_pretrain):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    undisturbed = search(path, n_pretrain=n_pretrain, refit=False).fit(X, y)
    assert files(path) == [f"fold-{fold}.json" for fold in range(4)]
    for fold in range(keep, 4):
        (path / f"fold-{fold}.json").unlink()
    Watched.runs = 0
    resumed = search(path, n_pretrain=n_pretrain, refit=False).fit(X, y)
    assert Watched.runs == 4 - keep
    assert_same(resumed, undisturbed)
    assert files(path) == [f"fold-{fold}.json" for fold in range(4)]
    assert files(tmp_path) == ["search"]


def test_the_rule_may_change_without_training_again(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    search(path).fit(X, y)
    Watched.runs = 0
    loose = search(path, tol=0.5, target="best", refit=False).fit(X, y)
    assert Watched.runs == 0
    assert loose.threshold_ is not None


class Chatty(Watched):
    """Has parameters that no score depends on."""

    _hook_parameters_of_path: ClassVar = {"max_time": None}

    def __init__(self, n_pretrain=20, k=3, *, n_retrain=3, verbose=0, n_jobs=None, max_time=None, random_state=None):
        super().__init__(n_pretrain, k, n_retrain=n_retrain, random_state=random_state)
        self.verbose, self.n_jobs, self.max_time = verbose, n_jobs, max_time


@pytest.mark.parametrize("change", [{"verbose": 1}, {"n_jobs": 2}, {"max_time": 60}])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_what_no_score_depends_on_may_change(tmp_path, in_pipeline, change):
    X, y = load_iris(return_X_y=True)
    for changed in ({}, change):
        estimator = Chatty(random_state=0, **changed)
        if in_pipeline:
            estimator = make_pipeline(PCA(random_state=0), estimator, verbose=bool(changed))
        again = search(tmp_path / "search", refit=False, estimator=estimator).fit(X, y)
        assert Chatty.runs == 4
        assert again.estimator.get_params() == estimator.get_params()


def test_a_time_limit_counts_where_points_are_fitted_one_by_one(tmp_path):
    X, y = load_iris(return_X_y=True)
    one_by_one = search(tmp_path / "search", estimator=Chatty(random_state=0), param="k", n_pretrain=[1, 3], k=None)
    one_by_one.fit(X, y)
    with pytest.raises(ValueError, match="differs in: estimator"):
        one_by_one.set_params(estimator__max_time=60).fit(X, y)


def accuracy(estimator, X, y):
    """Score one way, which a search knows only once it has called this."""
    return estimator.score(X, y)


@pytest.mark.parametrize("scoring", [None, "accuracy", accuracy])
def test_a_refit_may_be_asked_for_without_training_the_folds_again(tmp_path, scoring):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    for refit in (False, True, "score"):
        search(path, scoring=scoring, refit=refit).fit(X, y)
        assert Watched.runs == 4 + bool(refit)
        Watched.runs = 4


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"n_pretrain": [0, 10]}, "grid"),
        ({"k": [1, 2]}, "grid"),
        ({"cv": KFold(4)}, "folds"),
        ({"scoring": "neg_log_loss"}, "scoring"),
        ({"return_train_score": True}, "score_train"),
        ({"score_on": "train", "return_train_score": True}, "score_on"),
        ({"error_score": 0.0}, "error_score"),
        ({"scoring": several_scores, "refit": "second"}, "metric"),
        ({"estimator": Watched(random_state=1)}, "estimator"),
    ],
)
def test_another_search_is_refused(tmp_path, change, part):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    before_it = {"scoring": several_scores, "refit": "first"} if part == "metric" else {"refit": False}
    search(path, **before_it).fit(X, y)
    before = {name: (path / name).read_bytes() for name in files(path)}
    with pytest.raises(ValueError, match=f"belongs to a search that differs in:.*{part}.*Give checkpoint another path"):
        search(path, **before_it).set_params(**change).fit(X, y)
    assert {name: (path / name).read_bytes() for name in files(path)} == before


def test_other_data_are_refused(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    weight = np.ones(len(y))
    search(path, refit=False).fit(X, y)
    for other, part in [((X + 1e-9, y), "X"), ((X, np.roll(y, 1)), "y")]:
        with pytest.raises(ValueError, match=f"differs in:.*{part}"):
            search(path, refit=False).fit(*other)
    with pytest.raises(ValueError, match="differs in: metadata"):
        search(path, refit=False).fit(X, y, sample_weight=weight)


def test_scores_on_other_metadata_are_refused(tmp_path):
    X, y = load_iris(return_X_y=True)
    weight = np.arange(len(y)) + 1.0
    scoring = make_scorer(accuracy_score)
    with config_context(enable_metadata_routing=True):
        weighted = search(tmp_path / "search", refit=False, scoring=scoring.set_score_request(sample_weight=True))
        weighted.estimator.set_fit_request(sample_weight=False)
        weighted.fit(X, y, sample_weight=weight)
        Watched.runs = 0
        weighted.fit(X, y, sample_weight=weight)
        assert Watched.runs == 0
        with pytest.raises(ValueError, match="differs in: metadata"):
            weighted.fit(X, y, sample_weight=weight[::-1])


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    with pytest.raises(ValueError, match=r"checkpoint='.*notes.txt' is a file.*Give checkpoint another path"):
        search(path).fit(*load_iris(return_X_y=True))
    assert path.read_text() == "notes"


def damaged(content):
    """Yield what a fold's file may hold instead; all but the first few are valid JSON."""
    yield from ["", "{", "[" * 100_000, "[]", "{}", "3", "null", '"text"', '{"format": "something else"}']
    whole = json.loads(content)
    for key in whole:
        yield json.dumps({name: value for name, value in whole.items() if name != key})
        for value in (None, [], {}, 3, "text", [None], [{}], {"X": None}):
            yield json.dumps(whole | {key: value})
    for key in whole["records"][0]:
        yield json.dumps(
            whole | {"records": [{k: v for k, v in record.items() if k != key} for record in whole["records"]]}
        )
        yield json.dumps(whole | {"records": [record | {key: "text"} for record in whole["records"]]})
    yield json.dumps(whole | {"records": whole["records"][1:]})
    yield json.dumps(whole | {"records": whole["records"][::-1]})


def test_a_damaged_file_is_refused(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    search(path, refit=False).fit(X, y)
    file = path / "fold-2.json"
    for content in damaged(file.read_text()):
        file.write_text(content)
        with pytest.raises(ValueError, match=r"checkpoint='.*search' .*fold-2.json.*Give checkpoint another path"):
            search(path, refit=False).fit(X, y)
        assert file.read_text() == content


def test_a_fold_under_another_number_is_refused(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    search(path, refit=False).fit(X, y)
    (path / "fold-1.json").replace(path / "fold-2.json")
    with pytest.raises(ValueError, match=r"fold-2.json"):
        search(path, refit=False).fit(X, y)


def test_what_can_not_be_compared_is_refused(tmp_path):
    scorers = search(tmp_path / "search", scoring=lambda *_: 0.0)
    with pytest.raises(ValueError, match="checkpoint needs scoring that can be pickled"):
        scorers.fit(*load_iris(return_X_y=True))


def test_a_missing_folder_is_reported_before_training(tmp_path):
    with pytest.raises(FileNotFoundError, match="checkpoint="):
        search(tmp_path / "nowhere" / "search").fit(*load_iris(return_X_y=True))
    assert Watched.runs == 0


def test_a_folder_that_can_not_be_written_to_is_reported_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for path in (tmp_path, tmp_path / "search"):
        with pytest.raises(PermissionError, match=r"checkpoint=.*can't be written to"):
            search(path).fit(*load_iris(return_X_y=True))
    assert Watched.runs == 0


def test_what_is_no_path_is_refused():
    with pytest.raises(TypeError, match="checkpoint must be None or the path of a folder, got 3"):
        search(3).fit(*load_iris(return_X_y=True))


def test_failed_writes_leave_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "search"
    kept = Checkpoint(path, {"data": 1}, n_folds=2)
    kept.add(0, [{"score": 0.5}])
    before = (path / "fold-0.json").read_bytes()
    with pytest.raises(TypeError):
        kept.add(1, [{"score": object()}])

    def refuse(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuse)
    for fold in (0, 1):
        with pytest.raises(OSError, match="disk full"):
            kept.add(fold, [{"score": 0.7}])
    assert (path / "fold-0.json").read_bytes() == before
    assert files(path) == ["fold-0.json"]


def test_scores_survive_exactly(tmp_path):
    path = tmp_path / "search"
    scores = [0.1 + 0.2, 1e-300, float("nan"), float("-inf"), -0.0]
    Checkpoint(path, {"data": 1}, n_folds=4).add(3, [{"test_scores": score} for score in scores])
    read = [record["test_scores"] for record in Checkpoint(path, {"data": 1}, n_folds=4).folds[3]]
    np.testing.assert_array_equal(read, scores)


class ReturnsAllAtOnce(ThreadingBackend):
    """Stands in for Ray's backend, which yields no results one by one."""

    supports_return_generator = False


def test_a_backend_that_returns_all_at_once_keeps_folds_in_rounds(tmp_path, monkeypatch):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "search"
    undisturbed = search(None, refit=False).fit(X, y)
    kept = []

    def count_kept():
        kept.append(len(files(path)))
        if len(kept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Watched, "started", staticmethod(count_kept))
    joblib.register_parallel_backend("all at once", ReturnsAllAtOnce)
    try:
        with joblib.parallel_config("all at once", n_jobs=2):
            with pytest.raises(KeyboardInterrupt):
                search(path, refit=False).fit(X, y)
            assert_same(search(None, refit=False).fit(X, y), undisturbed)
    finally:
        joblib.parallel.BACKENDS.pop("all at once")
    assert kept[:3] == [0, 0, 2]
    assert len(files(path)) == 2


# A search whose folds each take a tenth of a second, run in a process of its own so that it can be killed.
SLOW_SEARCH = """
    import sys, time
    sys.path.insert(0, {tests!r})
    from path_double import PathClassifier
    from sklearn.datasets import load_iris
    from sklearn_gfs import PretrainThresholdSearch

    class Slow(PathClassifier):
        def fit_path(self, X, y, **kwargs):
            time.sleep(float(sys.argv[1]))
            yield from super().fit_path(X, y, **kwargs)

    search = PretrainThresholdSearch(
        Slow(random_state=0), n_pretrain=[0, 10, 40], k=[1, 3], cv=8, checkpoint={path!r}, refit=False, tol=1.0
    )
    print("ready", flush=True)
    search.fit(*load_iris(return_X_y=True))
    print({{k: v.tolist() for k, v in search.cv_results_.items() if "score" in k and "time" not in k}})
"""


def start(path, seconds):
    code = SLOW_SEARCH.format(tests=str(Path(__file__).parents[1]), path=str(path))
    command = [sys.executable, "-c", textwrap.dedent(code), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL exists on POSIX systems only")
def test_killed_at_random_moments(tmp_path):
    path = tmp_path / "search"
    rng = np.random.default_rng()  # other moments in every run; no moment may matter
    kills, finished = 0, [0]
    for _ in range(3):
        process = start(path, seconds=0.1)
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.5))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
        finished.append(len([name for name in files(path) if name.startswith("fold")]) if path.exists() else 0)
    assert kills
    assert finished == sorted(finished)  # no fold is ever lost again
    resumed = start(path, seconds=0).communicate()[0].splitlines()
    undisturbed = start(tmp_path / "other", seconds=0).communicate()[0].splitlines()
    assert len(undisturbed) == 2
    assert resumed == undisturbed
