"""Fits on part after part of the samples."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import learning_curve, train_test_split

from mlp import small
from mlp.small import assert_equal_fits, problem
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {**small.SMALL, "n_pretrain": 30}


def parts(X, y, n_parts):
    yield from zip(np.array_split(X, n_parts), np.array_split(y, n_parts), strict=True)


def test_parts_teach_as_much_as_the_whole():
    X, y = load_digits(return_X_y=True)
    gains = []
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
        model = GreedyPrunedMLPClassifier(n_pretrain=40, n_hidden=300, n_retrain=100, random_state=seed)
        scores = []
        for X_part, y_part in parts(X_train, y_train, 6):
            scores.append(model.partial_fit(X_part, y_part, classes=np.arange(10)).score(X_test, y_test))
        assert model.n_pretrain_ == len(model.loss_curve_) == 240
        assert scores[-1] > 0.9
        assert scores[-1] > scores[0]
        alone = clone(model).set_params(n_pretrain=240).fit(X_part, y_part)
        gains.append(scores[-1] - alone.score(X_test, y_test))
    # The dense network remembers the first parts: trained on the last one only it does worse.
    assert np.mean(gains) > 0


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPRegressor])
def test_parts_of_numbers(cls):
    X, _ = problem(300)
    y = 1e3 * X[:, 0] - 5e4
    model = cls(**SMALL)
    for X_part, y_part in parts(X, y, 3):
        model.partial_fit(X_part, y_part)
    assert model.n_pretrain_ == 90
    assert model.score(X, y) > 0.8
    assert not hasattr(model, "classes_")


def test_the_first_part_equals_a_fit():
    X, y = problem()
    first = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=[2, 0, 1])
    assert_equal_fits(first, GreedyPrunedMLPClassifier(**SMALL).fit(X, y))


@pytest.mark.parametrize(("first", "then"), [(np.float64, np.float32), (np.float32, np.float64)])
def test_parts_keep_the_precision_of_the_first(first, then):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, batch_size=16).partial_fit(X.astype(first), y, classes=[0, 1, 2])
    model.partial_fit(X.astype(then), y)
    assert {array.dtype for array in (*model.coefs_, *model.intercepts_)} == {np.dtype(first)}


def test_parts_repeat_after_pickling():
    X, y = problem()
    one, other = (GreedyPrunedMLPClassifier(**SMALL, batch_size=16) for _ in range(2))
    for X_part, y_part in parts(X, y, 3):
        one.partial_fit(X_part, y_part, classes=[0, 1, 2])
        other = pickle.loads(pickle.dumps(other)).partial_fit(X_part, y_part, classes=[0, 1, 2])
    assert_equal_fits(one, other)


def test_every_part_is_shuffled_anew():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, batch_size=16)
    for n_done in (0, 30, 60):
        model.partial_fit(X, y, classes=[0, 1, 2])
        # So that no call has to find the place where the last one stopped.
        assert model._dense_state[0].training.stream.start == n_done


def test_a_part_may_lack_classes_and_have_one_sample():
    X, y = problem()
    model = GreedyPrunedMLP(**SMALL)
    model.partial_fit(X[y == 1], y[y == 1], classes=[0, 1, 2])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.predict(X) == 1).all()
    model.partial_fit(X, y).partial_fit(X[:1], y[:1])
    assert model.n_pretrain_ == 90
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_sparse_part_may_follow_a_dense_one():
    X, y = problem()
    X = X + 3.0  # standardising subtracts a mean that sparse samples can't lack
    models = []
    for convert in (np.asarray, sparse.csr_array):
        model = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X[:60], y[:60], classes=np.unique(y))
        models.append(model.partial_fit(convert(X[60:]), y[60:]))
    np.testing.assert_array_equal(models[0].selection_path_, models[1].selection_path_)
    np.testing.assert_allclose(models[0].predict_proba(X), models[1].predict_proba(X), rtol=1e-9)


def test_parts_of_multilabel_and_sparse_data():
    X, y = problem()
    Y = np.stack([y == 0, y != 1], axis=1).astype(int)
    model = GreedyPrunedMLPClassifier(**SMALL)
    for X_part, Y_part in parts(X, Y, 3):
        model.partial_fit(sparse.csr_array(X_part), Y_part)
    # The network keeps the units of its first part, so dense samples will do as well.
    model.partial_fit(X, Y)
    assert np.mean(model.predict(X) == Y) > 0.85


def test_dense_parts_then_sparse_ones():
    X, y = problem()
    X = X + 3
    dense, mixed = (GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2]) for _ in range(2))
    dense.partial_fit(X, y)
    mixed.partial_fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(mixed.predict_proba(X), dense.predict_proba(X), rtol=1e-6, atol=1e-9)


def test_weights_of_parts():
    X, y = problem()
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    model = GreedyPrunedMLPClassifier(**SMALL, batch_size=None)
    weighted, repeated = clone(model), clone(model)
    for _ in range(2):
        weighted.partial_fit(X, y, classes=[0, 1, 2], sample_weight=weight)
        repeated.partial_fit(np.repeat(X, weight, axis=0), np.repeat(y, weight), classes=[0, 1, 2])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-4, atol=1e-7)


def test_a_part_that_is_repeated_counts_as_often_for_the_units():
    X, _ = problem()
    y = X[:, 0] + 100 * (np.arange(90) >= 30)
    model = GreedyPrunedMLPRegressor(**SMALL, batch_size=None)
    in_parts = clone(model).partial_fit(X[:30], y[:30])
    in_parts.partial_fit(np.repeat(X[30:] + 1, 5, axis=0), np.repeat(y[30:], 5))
    all_x, all_y = np.r_[X[:30], np.repeat(X[30:] + 1, 5, axis=0)], np.r_[y[:30], np.repeat(y[30:], 5)]
    moments = in_parts._dense_state[0].moments
    np.testing.assert_allclose(moments.y_mean, all_y.mean())
    np.testing.assert_allclose(moments.x_variance, all_x.var(axis=0))


def test_class_weights_of_parts():
    X, y = problem(n_classes=2)
    by_class = GreedyPrunedMLPClassifier(**SMALL, class_weight={1: 5.1234})
    by_hand = GreedyPrunedMLPClassifier(**SMALL)
    for rows in (slice(0, 50), np.flatnonzero(y == 0), slice(50, 90)):
        by_class.partial_fit(X[rows], y[rows], classes=[0, 1])
        by_hand.partial_fit(X[rows], y[rows], classes=[0, 1], sample_weight=np.where(y[rows] == 1, 5.1234, 1.0))
    assert_equal_fits(by_class, by_hand)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all samples at once"):
        GreedyPrunedMLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1])


def test_class_weights_of_labels_that_a_part_lacks():
    X, y = problem()
    labels = np.stack([y == 0, y > 0], axis=1).astype(int)
    by_class = GreedyPrunedMLPClassifier(**SMALL, class_weight=[{}, {1: 5.1234}])
    by_hand = GreedyPrunedMLPClassifier(**SMALL)
    for rows in (slice(0, 50), np.flatnonzero(y == 0)):
        by_class.partial_fit(X[rows], labels[rows])
        by_hand.partial_fit(X[rows], labels[rows], sample_weight=np.where(y[rows] > 0, 5.1234, 1.0))
    assert_equal_fits(by_class, by_hand)


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_impossible_parts_are_refused(cls):
    X, y = problem()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        cls(**SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"not in classes_: \[2\]"):
        cls(**SMALL).partial_fit(X, y, classes=[0, 1])
    model = cls(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not what the dense network was trained on"):
        model.partial_fit(X, y, classes=[0, 1, 3])
    with pytest.raises(ValueError, match="n_hidden=7 differs from 40"):
        model.set_params(n_hidden=7).partial_fit(X, y)


def test_parts_with_automatic_pretraining():
    X, y = problem(200)
    model = GreedyPrunedMLPClassifier(**SMALL, loss="squared_error")
    model.set_params(n_pretrain="auto", validation_fraction=0.1)
    parts = clone(model).partial_fit(X, y, classes=[0, 1, 2])
    assert_equal_fits(parts, clone(model).fit(X, y))
    first = parts.loss_curve_
    more_X, more_y = problem(300, seed=1)
    # What was done stays; more is done where it helps: not for more of the same, but for classes that changed places.
    assert parts.partial_fit(more_X, more_y).n_pretrain_ == len(first)
    parts.partial_fit(more_X, (more_y + 1) % 3)
    assert parts.loss_curve_[: len(first)] == first
    assert parts.n_pretrain_ - len(first) in {20, 80, 320}
    assert parts.score(more_X, (more_y + 1) % 3) > 0.8


def test_parts_after_a_fit_go_on_where_it_kept_its_dense_network():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    with pytest.warns(UserWarning, match="begins with a new dense network.*warm_start=True"):
        model.partial_fit(X[y != 1], y[y != 1])
    assert model.n_pretrain_ == 30
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.partial_fit(X, y).n_pretrain_ == 60
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y).partial_fit(X, y)
    assert model.n_pretrain_ == 60


def test_incremental_learning_curves():
    X, y = problem(150)
    model = GreedyPrunedMLPClassifier(**SMALL)
    _, _, scores = learning_curve(
        model, X, y, train_sizes=[0.2, 1.0], cv=3, exploit_incremental_learning=True, shuffle=True, random_state=0
    )
    assert scores[-1].mean() > 0.7


@pytest.mark.parametrize(
    ("classes", "message"), [([0], "classes holds one class, 0; .* two"), ([], "classes is empty")]
)
def test_too_few_classes_are_refused_by_name(classes, message):
    X, y = problem()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=classes)
