"""Going on with a dense network that is there: warm starts and fits on part after part of the samples."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, learning_curve, train_test_split

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {"n_pretrain": 30, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
# Names of attributes that say what a fit learnt; two fits are equal when these are.
ARRAYS = ["selection_path_", "selection_counts_", "selection_losses_", "duality_gaps_"]
CURVES = ["loss_curve_", "retrain_loss_curve_", "validation_loss_curve_", "dense_loss_", "n_pretrain_", "n_retrain_"]


def problem(n_samples=90, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], np.linspace(-0.5, 0.5, n_classes - 1))


def assert_equal_fits(one, other):
    for name in ("coefs_", "intercepts_"):
        for first, second in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(first, second)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in CURVES:
        assert getattr(one, name) == getattr(other, name)


# Warm starts.


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 16},
        {"batch_size": None, "early_stopping": False},
        {"solver": "sgd", "batch_size": 7},
        {"solver": "sgd", "batch_size": None},
        {"loss": "log_loss", "batch_size": 16},
        {"activation": "tanh", "learning_rate_init": 0.003, "n_retrain": 0},
    ],
    ids=str,
)
def test_a_warm_start_equals_one_fit_with_as_many_iterations(parameters):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, **parameters})
    at_once = clone(model).set_params(n_pretrain=90).fit(X, y)
    in_steps = clone(model).set_params(warm_start=True, k=3, n_pretrain=0)
    for n_pretrain in (0, 17, 17, 60):
        in_steps.set_params(n_pretrain=n_pretrain).fit(X, y)
        assert in_steps.n_pretrain_ == n_pretrain
    in_steps = pickle.loads(pickle.dumps(in_steps)).set_params(n_pretrain=90, k=8).fit(X, y)
    assert_equal_fits(in_steps, at_once)


def test_a_warm_start_of_numbers_and_float32():
    X, _ = problem()
    X, y = X.astype(np.float32), np.stack([X[:, 0] ** 2, 1e4 * X[:, 1]], axis=1)
    model = GreedyPrunedMLP(**SMALL, batch_size=16)
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    assert_equal_fits(warm.set_params(n_pretrain=50).fit(X, y), clone(model).set_params(n_pretrain=50).fit(X, y))


def test_a_warm_start_without_random_state_keeps_its_seeds():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).set_params(random_state=None).fit(X, y)
    coefs = model.coefs_[0]
    np.testing.assert_array_equal(model.fit(X, y).coefs_[0], coefs)  # no iteration is left to be made


def test_a_warm_start_only_prunes_anew_where_only_that_has_changed(monkeypatch):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}, warm_start=True).fit(X, y)
    monkeypatch.setattr("sklearn_gfs.network._training.Training._update", None)  # any update would fail
    model.set_params(k=20).fit(X, y)
    assert len(model.selection_path_) == 20


def test_a_warm_start_of_automatic_pretraining():
    X, y = problem(200)
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).set_params(n_pretrain="auto").fit(X, y)
    again = clone(model).fit(X, y).fit(X, y)
    assert_equal_fits(again, model)
    more = model.n_pretrain_ + 50
    fresh = clone(model).set_params(n_pretrain=more).fit(X, y)
    assert_equal_fits(model.set_params(n_pretrain=more).fit(X, y), fresh)


def test_a_warm_start_on_other_samples_keeps_the_network():
    X, y = problem()
    more_X, more_y = problem(140, seed=1)
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    curve = model.loss_curve_
    model.set_params(n_pretrain=60).fit(5 + more_X, more_y)
    assert model.loss_curve_[:30] == curve
    assert model.n_pretrain_ == 60


def test_without_warm_start_an_earlier_fit_is_forgotten():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    size = len(pickle.dumps(model))
    model.set_params(warm_start=False, n_pretrain=10).fit(X, y)
    assert_equal_fits(model, GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 10}).fit(X, y))
    assert len(pickle.dumps(model)) < 0.7 * size  # the dense network is gone
    assert vars(clone(model)).keys() == vars(GreedyPrunedMLPClassifier()).keys()


def test_a_failed_fit_leaves_what_was_there():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="y holds classes that are not in classes_: \\[7\\]"):
        model.set_params(n_pretrain=60).fit(X, np.where(y == 2, 7, y))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    fresh = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 60}).fit(X, y)
    assert_equal_fits(model.fit(X, y), fresh)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("fit", {"sample_weight": -np.ones(90)}, "sample_weight"),
        ("fit", {"X_val": np.ones((2, 3)), "y_val": ["a", "b"]}, "y_val holds classes"),
        ("fit", {}, "learning_rate_init"),
        ("partial_fit", {}, "X has 3 features"),
    ],
)
def test_a_failed_fit_on_other_data_forgets_them(name, wrong, message):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, np.array(["a", "b", "c"])[y])
    before, expected = set(vars(model)), model.predict(X)
    model.set_params(learning_rate_init=1e200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # partial_fit begins with a new dense network
        with pytest.raises(ValueError, match=message):
            getattr(model, name)(X[:, :3], np.array(["x", "y"])[y // 2], **wrong)
    assert set(vars(model)) == before
    np.testing.assert_array_equal(model.predict(X), expected)


def test_a_failed_part_is_forgotten():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    before, expected = set(vars(model)), model.predict(X)
    with pytest.raises(ValueError, match="learning_rate_init"):
        model.set_params(learning_rate_init=1e200).partial_fit(X, (y + 1) % 3)
    assert set(vars(model)) == before
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("n_done", [2000, 1280])
def test_an_automatic_choice_that_comes_too_late_trains_no_more(monkeypatch, n_done):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": n_done, "n_hidden": 5, "n_retrain": 0}, warm_start=True)
    model.fit(X, y)
    monkeypatch.setattr("sklearn_gfs.network._training.Training._update", None)
    assert model.set_params(n_pretrain="auto").fit(X, y).n_pretrain_ == n_done


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_pretrain": 29}, "n_pretrain=29 is less than the 30 iterations"),
        ({"n_hidden": 41}, "n_hidden=41 differs from the 40"),
        ({"activation": "tanh"}, "activation='tanh' differs from the 'relu'"),
        ({"loss": "log_loss"}, "loss='log_loss' differs"),
        ({"solver": "sgd"}, "solver='sgd' differs"),
    ],
)
def test_what_a_warm_start_cannot_change_is_refused(changed, message):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.set_params(**changed).fit(X, y)
    model.set_params(**{**changed, "warm_start": False}).fit(X, y)


def test_a_warm_start_wants_the_same_features_and_outputs():
    X, y = problem()
    model = GreedyPrunedMLPRegressor(**SMALL, warm_start=True).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="X has 3 features"):
        model.fit(X[:, :3], X[:, :2])
    with pytest.raises(ValueError, match="y has 1 outputs, but the network has 2"):
        model.fit(X, y.astype(float))


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array(["a", "b", "c"])], ids=["numbers", "text"])
def test_a_warm_start_wants_every_class(cls, labels):
    X, y = problem()
    model = cls(**SMALL, warm_start=True).fit(X, labels[y])
    before, rows = dict(vars(model)), y != 1
    with pytest.raises(
        ValueError, match=rf"y lacks the classes \[{labels[1:2].tolist()[0]!r}\].*partial_fit.*warm_start"
    ):
        model.fit(X[rows], labels[y[rows]])
    assert vars(model) == before
    model.partial_fit(X[rows], labels[y[rows]])  # parts may lack some
    np.testing.assert_array_equal(model.classes_, labels)
    assert cls(**SMALL).fit(X, labels[y]).fit(X[rows], labels[y[rows]]).classes_.tolist() == labels[[0, 2]].tolist()


def test_a_warm_start_wants_every_label_to_have_a_column_only():
    X, y = problem()
    Y = np.eye(3, dtype=int)[y]
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, Y)
    assert model.fit(X, np.where([True, False, True], Y, 0)).n_outputs_ == 3
    with pytest.raises(ValueError, match="y must hold a column of 0 and 1 for each of 3 labels"):
        model.fit(X, Y[:, :2])


# Part after part.


def parts(X, y, n_parts):
    yield from zip(np.array_split(X, n_parts), np.array_split(y, n_parts), strict=True)


def test_parts_teach_as_much_as_the_whole():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = GreedyPrunedMLPClassifier(n_pretrain=40, n_hidden=300, n_retrain=100, random_state=0)
    scores = []
    for X_part, y_part in parts(X_train, y_train, 6):
        scores.append(model.partial_fit(X_part, y_part, classes=np.arange(10)).score(X_test, y_test))
    assert model.n_pretrain_ == len(model.loss_curve_) == 240
    assert scores[-1] > 0.9
    # The dense network remembers the first parts: trained on the last one only it does worse.
    alone = clone(model).set_params(n_pretrain=240).fit(X_part, y_part)
    assert scores[-1] > alone.score(X_test, y_test)
    assert scores[-1] > scores[0]


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


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_impossible_parts_are_refused(cls):
    X, y = problem()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        cls(**SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"not in classes_: \[2\]"):
        cls(**SMALL).partial_fit(X, y, classes=[0, 1])
    model = cls(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not what the first call was given"):
        model.partial_fit(X, y, classes=[0, 1, 3])
    with pytest.raises(ValueError, match="n_hidden=7 differs from the 40"):
        model.set_params(n_hidden=7).partial_fit(X, y)


def test_parts_with_automatic_pretraining():
    X, y = problem(200)
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain="auto", validation_fraction=0.1)
    parts = clone(model).partial_fit(X, y, classes=[0, 1, 2])
    assert_equal_fits(parts, clone(model).fit(X, y))
    first = parts.loss_curve_
    more_X, more_y = problem(300, seed=1)
    # What was done stays; more is done where it helps: not for more of the same, but for classes that changed places.
    assert parts.partial_fit(more_X, more_y).n_pretrain_ == len(first)
    parts.partial_fit(more_X, (more_y + 1) % 3)
    assert parts.loss_curve_[: len(first)] == first
    assert parts.n_pretrain_ - len(first) in {20, 80, 320, 1280}
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


def test_warm_starts_in_a_grid_search_are_separate_fits():
    X, y = problem()
    grid = {"n_pretrain": [30, 5]}
    warm = GridSearchCV(GreedyPrunedMLPClassifier(**SMALL, warm_start=True), grid, cv=2).fit(X, y)
    cold = GridSearchCV(GreedyPrunedMLPClassifier(**SMALL), grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"])


@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor])
def test_a_path_keeps_no_dense_state(cls):
    X, y = problem()
    model = cls(**SMALL, warm_start=True)
    for point in model.fit_path(X, y, n_pretrain=[5, 10], k=[2]):
        assert not hasattr(point.estimator, "_dense_state")


def test_skops_keeps_what_it_takes_to_go_on():
    skops_io = pytest.importorskip("skops.io")
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True, batch_size=16).fit(X, y)
    content = skops_io.dumps(model)
    trusted = skops_io.get_untrusted_types(data=content)
    assert all(name.startswith("sklearn_gfs.") for name in trusted)
    loaded = skops_io.loads(content, trusted=trusted)
    assert_equal_fits(loaded.set_params(n_pretrain=60).fit(X, y), model.set_params(n_pretrain=60).fit(X, y))
