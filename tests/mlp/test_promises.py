"""What the README promises, and the estimators in scikit-learn's company."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp.small import ALL, SEEDS, SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor


def test_digits_reach_097():
    X, y = load_digits(return_X_y=True)
    scores = []
    for seed in SEEDS:
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
        model = make_pipeline(StandardScaler(), GreedyPrunedMLP(random_state=seed)).fit(X_train, y_train)
        assert model[-1].n_units_ <= 50
        scores.append(model.score(X_test, y_test))
    assert np.mean(scores) >= 0.97


@pytest.mark.parametrize("seed", SEEDS)
def test_diabetes_reaches_040_raw(seed):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    assert cross_val_score(GreedyPrunedMLPRegressor(random_state=seed), X, y, cv=5).mean() >= 0.40


@pytest.mark.parametrize("seed", SEEDS)
def test_breast_cancer_reaches_096_raw(seed):
    X, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(GreedyPrunedMLP(random_state=seed), X, y, cv=5).mean() >= 0.96


def test_wine_raw():
    X, y = load_wine(return_X_y=True)
    assert cross_val_score(GreedyPrunedMLP(random_state=0), X, y, cv=5).mean() >= 0.95


def test_grid_search_over_n_pretrain_in_a_pipeline():
    X, y = blobs()
    pipeline = make_pipeline(StandardScaler(), GreedyPrunedMLP(**SMALL))
    search = GridSearchCV(pipeline, {"greedyprunedmlp__n_pretrain": [0, 20]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.7
    assert search.predict_proba(X).shape == (60, 3)


def test_labels_are_split_stratified():
    X, y = load_iris(return_X_y=True)  # sorted by class: three plain folds would each miss one
    grid = {"n_pretrain": [5, 20]}
    inferring = GridSearchCV(GreedyPrunedMLP(**SMALL), grid, cv=3).fit(X, y)
    fixed = GridSearchCV(GreedyPrunedMLPClassifier(**SMALL), grid, cv=3).fit(X, y)
    assert inferring.best_score_ > 0.85
    for fold in range(3):
        np.testing.assert_array_equal(
            inferring.cv_results_[f"split{fold}_test_score"], fixed.cv_results_[f"split{fold}_test_score"]
        )


def test_numbers_are_split_as_for_a_regressor():
    X, _ = blobs()
    y = X[:, 0] + 0.1 * X[:, 1]
    scores = cross_val_score(GreedyPrunedMLP(**SMALL), X, y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(GreedyPrunedMLPRegressor(**SMALL), X, y, cv=3))


@pytest.mark.parametrize("cls", ALL)
def test_pickles_predict_the_same(cls):
    X, y = blobs()
    model = cls(**SMALL).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_pickle_predicts_without_torch_and_numba(tmp_path):
    X, y = blobs()
    model = GreedyPrunedMLP(**SMALL).fit(X, y)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "X.npy", X)
    code = f"""
        import pickle, sys
        import numpy as np

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("torch", "numba"):
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Absent())
        with open({str(tmp_path / "model.pkl")!r}, "rb") as file:
            model = pickle.load(file)
        print(model.predict(np.load({str(tmp_path / "X.npy")!r})).tolist())
        print(sorted({{"torch", "numba"}} & set(sys.modules)))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [str(model.predict(X).tolist()), "[]"]


def test_feature_names_are_kept():
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = GreedyPrunedMLP(**SMALL).fit(frame, y)
    assert list(model.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("badc")])
