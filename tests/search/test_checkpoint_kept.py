"""What a checkpoint of a search keeps and what it takes for the same search: failures, versions, layouts, writers."""

import json
import os
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from path_double import PathClassifier
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_gfs
from sklearn_gfs import PretrainThresholdSearch
from sklearn_gfs.search._checkpoint import Checkpoint
from sklearn_gfs.search._fingerprint import canonical, digest_of_sources, versions

pytestmark = [
    pytest.mark.filterwarnings("ignore:No point reached the target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores are non-finite"),
    pytest.mark.filterwarnings("ignore:invalid value encountered"),
]

X, Y = load_iris(return_X_y=True)
SETTINGS = {"n_pretrain": [0, 10, 40], "k": [1, 3], "cv": 4, "refit": False}
FOLDS = [f"fold-{fold}.json" for fold in range(4)]


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


class Unsteady(PathClassifier):
    """Has no memory left in the folds and at the iterations that a test names."""

    failing = ()
    runs = 0

    @staticmethod
    def trained():
        """Do nothing, unless a test has put something here."""

    def fit_path(self, X, y, **kwargs):
        fold, type(self).runs = type(self).runs, type(self).runs + 1
        for point in super().fit_path(X, y, **kwargs):
            if (fold, point.n_pretrain) in self.failing:
                raise MemoryError("transient")
            yield point
        self.trained()


@pytest.fixture(autouse=True)
def _steady_again():
    Unsteady.failing, Unsteady.runs = (), 0


@pytest.mark.parametrize("error_score", [np.nan, 0.5])
@pytest.mark.parametrize("n_pretrain", ["auto", [0, 10, 40]])
@pytest.mark.parametrize("where", [(0, 0), (1, 0), (2, 16), (1, 10), (0, 40), (0, 256)])
def test_a_fold_with_a_failure_is_run_again(tmp_path, where, n_pretrain, error_score):
    settings = SETTINGS | {"n_pretrain": n_pretrain, "error_score": error_score}
    undisturbed = PretrainThresholdSearch(Unsteady(random_state=0), **settings).fit(X, Y)
    search = PretrainThresholdSearch(Unsteady(random_state=0), **settings, checkpoint=tmp_path / "search")
    Unsteady.failing, Unsteady.runs = (where,), 0
    search.fit(X, Y)
    Unsteady.failing, Unsteady.runs = (), 0
    search.fit(X, Y)
    np.testing.assert_array_equal(search.n_pretrain_values_, undisturbed.n_pretrain_values_)
    np.testing.assert_array_equal(search.scores_, undisturbed.scores_)
    if n_pretrain != "auto" and where[1] in n_pretrain:
        assert Unsteady.runs == 1
    Unsteady.runs = 0
    search.fit(X, Y)
    assert Unsteady.runs == 0


class UnsteadyScore:
    """A scorer that fails at its third call, and gives the untrained model what a failure gets."""

    calls = 0

    def __call__(self, estimator, X, y):
        type(self).calls += 1
        if type(self).calls == 3:
            raise MemoryError("transient")
        return 0.0 if estimator.n_pretrain == 0 else estimator.score(X, y)


@pytest.mark.parametrize("scoring", [UnsteadyScore(), {"one": UnsteadyScore()}])
def test_a_fold_with_a_failed_score_is_run_again(tmp_path, scoring):
    settings = SETTINGS | {"scoring": scoring, "refit": "one" if isinstance(scoring, dict) else False}
    settings |= {"k": None, "n_pretrain": [0, 10], "refit": settings["refit"], "error_score": 0.0}
    search = PretrainThresholdSearch(Unsteady(random_state=0), **settings, checkpoint=tmp_path / "search")
    UnsteadyScore.calls = 0
    search.fit(X, Y)
    assert search.dense_scores_[1, 0] == 0.0
    Unsteady.runs = 0
    search.fit(X, Y)
    n_refits = bool(search.refit)
    assert Unsteady.runs == 1 + n_refits  # a score that is equal to error_score is no failure
    assert search.dense_scores_[1, 0] > 0.5
    search.fit(X, Y)
    assert Unsteady.runs == 1 + 2 * n_refits


@pytest.mark.parametrize("error_score", [np.float32(0), np.float16(0.5), np.int64(0), 0, np.float64(np.nan), -1.5])
@pytest.mark.parametrize("scoring", [None, ["accuracy"]])
def test_an_error_score_of_any_type_can_be_written(tmp_path, error_score, scoring):
    settings = SETTINGS | {"error_score": error_score, "scoring": scoring, "checkpoint": tmp_path / "search"}
    if scoring is not None:
        settings["refit"] = "accuracy"
    search = PretrainThresholdSearch(Unsteady(random_state=0), **settings)
    Unsteady.failing = ((0, 10),)
    search.fit(X, Y)
    np.testing.assert_array_equal(search.scores_[1, :, 0], float(error_score))
    Unsteady.failing, Unsteady.runs = (), 0
    assert (search.fit(X, Y).scores_[1, :, 0] > 0.5).all()


def score_of_numpy(estimator, X, y):
    return np.float32(estimator.score(X, y))


def score_of_python(estimator, X, y):
    return round(estimator.score(X, y))


@pytest.mark.parametrize("scoring", [score_of_numpy, score_of_python])
def test_a_score_of_any_type_can_be_written(tmp_path, scoring):
    search = PretrainThresholdSearch(
        Unsteady(random_state=0), **SETTINGS, scoring=scoring, checkpoint=tmp_path / "search"
    )
    scores = search.fit(X, Y).scores_
    Unsteady.runs = 0
    np.testing.assert_array_equal(search.fit(X, Y).scores_, scores)
    assert Unsteady.runs == 0


def kept_for(tmp_path, data, other):
    """Say whether a search on other data reads what a search on the same data has kept."""
    search = PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=tmp_path / "search")
    search.fit(*data)
    Unsteady.runs = 0
    search.fit(*other)
    return Unsteady.runs == 0


def test_equal_data_in_another_layout_are_the_same(tmp_path):
    wide = np.repeat(X, 2, axis=1)
    path = tmp_path / "X.dat"
    mapped = np.memmap(path, dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    for i, other in enumerate([np.asfortranarray(X), wide[:, ::2], X[::-1][::-1], X.astype(">f8"), mapped]):
        folder = tmp_path / str(i)
        folder.mkdir()
        assert kept_for(folder, (X, Y), (other, Y))
    assert kept_for(tmp_path, (X, Y), (X, np.repeat(Y, 2)[::2]))


def test_canonical_forms():
    matrix = sparse.random(30, 8, density=0.4, random_state=0, format="csr")
    shuffled = matrix.copy()
    for row in range(30):
        part = slice(*matrix.indptr[row : row + 2])
        order = np.random.default_rng(row).permutation(len(matrix.indices[part]))
        shuffled.indices[part], shuffled.data[part] = matrix.indices[part][order], matrix.data[part][order]
    shuffled.has_sorted_indices = False
    long = matrix.copy()
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    doubled = sparse.coo_matrix(
        (np.tile(matrix.tocoo().data / 2, 2), (np.tile(matrix.tocoo().row, 2), np.tile(matrix.tocoo().col, 2)))
    )
    before = shuffled.indices.copy()
    row, column = np.argwhere(matrix.toarray() == 0)[0]
    coo = matrix.tocoo()
    places = np.append(coo.row, row), np.append(coo.col, column)
    stored_zero = sparse.coo_matrix((np.append(coo.data, 0.0), places), matrix.shape)
    assert stored_zero.nnz == matrix.nnz + 1
    for other in (shuffled, long, doubled, stored_zero, matrix.tocsc(), sparse.csr_array(matrix)):
        assert same(matrix, other)
    np.testing.assert_array_equal(shuffled.indices, before)  # what is compared is not changed
    frame = pd.DataFrame(X, columns=list("abcd"))
    in_pieces = pd.concat([frame[[name]] for name in "abcd"], axis=1)
    inserted = pd.DataFrame({"a": X[:, 0]})
    for name, column in zip("bcd", X.T[1:], strict=True):
        inserted.insert(inserted.shape[1], name, column)
    for other in (in_pieces, inserted, pd.DataFrame(np.asfortranarray(X), columns=list("abcd"))):
        assert same(frame, other)
    assert same({"a": [X, (Y,)]}, {"a": [np.asfortranarray(X), (Y,)]})
    strided = pd.Series(X[:, 1], copy=False)
    assert not strided.to_numpy().flags.c_contiguous
    assert same(strided, pd.Series(X[:, 1].copy()))
    assert same(strided.index, pd.RangeIndex(len(X)))
    for array in (np.array(["a", "b"]), np.array([1, "b"], dtype=object), np.array(["2020-01-01"], dtype="M8[D]")):
        assert same(array, np.repeat(array, 2)[::2])
    column = X[:, :1]
    assert same(column, column.copy())
    assert same(column, np.asfortranarray(column))
    assert same(column[:1], column[:1].copy())
    assert same(X[:0], X[:0, ::-1])
    assert same(np.array(5.0), np.array([5.0, 6.0])[0, ...])
    if hasattr(np.dtypes, "StringDType"):
        text = np.array(["a", "b"], dtype=np.dtypes.StringDType())
        assert same(text, text.copy())


def same(one, other):
    return joblib.hash(canonical(one)) == joblib.hash(canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (X, X.T),
        (X, X.astype(np.float32)),
        (X[:4], X[:4].T),
        (X[:, :1], X[:, 0]),
        (np.array(5.0), np.array([5.0])),
        (sparse.eye(3, format="csr"), 2 * sparse.eye(3, format="csr")),
        (sparse.csr_matrix((3, 3)), sparse.csr_matrix((3, 4))),
        (sparse.csr_matrix([[0, 1.0]]), sparse.csr_matrix([[1.0, 0]])),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}, index=[5])),
        (pd.Series([1, 2]), pd.Series([1, 3])),
        (pd.Series([1, 2], name="a"), pd.Series([1, 2], name="b")),
        (pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64")),
        (pd.Series(["a", "b"], dtype="category"), pd.Series(["a", "c"], dtype="category")),
        ([1, 2], (1, 2)),
        ({"a": 1}, {"b": 1}),
    ],
)
def test_other_data_have_another_form(one, other):
    assert not same(one, other)


def test_a_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    search = PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=tmp_path / "search").fit(X, Y)
    search.fit(X, Y)
    monkeypatch.setattr(sklearn_gfs, "__version__", "0.0.0")
    with pytest.raises(ValueError, match="differs in: version"):
        search.fit(X, Y)


def test_versions_are_those_of_every_part(monkeypatch):
    class Module:
        __version__ = "7"

    monkeypatch.setitem(sys.modules, "some_package", Module)
    scaler = type("Scaler", (StandardScaler,), {"__module__": "some_package.scalers"})()
    found = versions(make_pipeline(scaler, LogisticRegression()))
    assert found["some_package"] == "7"
    assert found["sklearn"] == sys.modules["sklearn"].__version__
    assert found["sklearn_gfs"] == sklearn_gfs.__version__
    monkeypatch.setattr(Module, "__version__", "8")
    assert versions(make_pipeline(scaler, LogisticRegression())) != found


def test_other_training_constants_are_another_version(tmp_path):
    (tmp_path / "part").mkdir()
    for name in ("_training.py", "part/_path.py"):
        (tmp_path / name).write_text("_FORGETTING = 0.9\n")
    before = digest_of_sources(tmp_path)
    (tmp_path / "notes.txt").write_text("no source")
    assert digest_of_sources(tmp_path) == before
    for name in ("_training.py", "part/_path.py"):
        (tmp_path / name).write_text("_FORGETTING = 0.8\n")
        after = digest_of_sources(tmp_path)
        assert after != before
        before = after
    (tmp_path / "_training.py").rename(tmp_path / "_retraining.py")
    assert digest_of_sources(tmp_path) != before
    package = digest_of_sources(Path(sklearn_gfs.__file__).parent)
    assert package in versions(PathClassifier()).values()


def test_two_writers_lose_nothing_of_each_other(tmp_path, monkeypatch):
    path = tmp_path / "search"
    turns = threading.Barrier(2)  # each finishes a fold when the other does
    monkeypatch.setattr(Unsteady, "trained", staticmethod(lambda: turns.wait(60)))
    found = []

    def run():
        found.append(PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=path).fit(X, Y).scores_)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(*found)
    assert files(path) == FOLDS


def test_a_writer_keeps_what_another_has_finished_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "search"

    def finish_all_and_be_interrupted():
        monkeypatch.undo()
        PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=path).fit(X, Y)
        raise KeyboardInterrupt

    monkeypatch.setattr(Unsteady, "trained", staticmethod(finish_all_and_be_interrupted))
    for expected in (KeyboardInterrupt, None):
        search = PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=path)
        with nullcontext() if expected is None else pytest.raises(expected):
            search.fit(X, Y)
        assert files(path) == FOLDS
    assert Unsteady.runs == 5


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")
def test_modes_and_links_stay_what_they_are(tmp_path):
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir(mode=0o750)
    mode = folder.stat().st_mode
    link.symlink_to(folder)
    before = os.umask(0o027)
    try:
        PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=link).fit(X, Y)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert folder.stat().st_mode == mode
    for fold in range(4):
        assert (folder / f"fold-{fold}.json").stat().st_mode & 0o777 == 0o640


def test_what_else_lies_in_the_folder_is_left_alone(tmp_path):
    for name in ("notes.txt", "fold-9.json", ".fold-0.json.left-over"):
        (tmp_path / name).write_text("mine")
    search = PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=str(tmp_path))
    search.fit(X, Y)
    search.fit(X, Y)
    assert Unsteady.runs == 4
    for name in ("notes.txt", "fold-9.json", ".fold-0.json.left-over"):
        assert (tmp_path / name).read_text() == "mine"
    assert json.loads((tmp_path / "fold-0.json").read_text())["fold"] == 0


def test_a_quiet_search_prints_nothing_of_the_folds_it_reads(tmp_path, capsys):
    search = PretrainThresholdSearch(Unsteady(random_state=0), **SETTINGS, checkpoint=tmp_path / "search")
    search.fit(X, Y).fit(X, Y)
    assert capsys.readouterr().out == ""
    search.set_params(verbose=1).fit(X, Y)
    assert "4 of 4 folds read" in capsys.readouterr().out


def test_what_keeps_a_file_from_being_made_is_what_is_told(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "search", {}, 1)

    def full(self, *args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="no space left"):
        kept.add(0, [])
    assert files(tmp_path / "search") == []
