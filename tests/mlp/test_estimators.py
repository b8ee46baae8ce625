"""The estimators: what they learn, how they fail, the training path, and what surrounds them in scikit-learn."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._pruning import NeuronSelection
from sklearn_gfs.mlp._targets import project_to_simplex
from sklearn_gfs.network._training import Training

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
ALL = [GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor]
SEEDS = range(5)


def blobs(n_samples=60, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    return rng.normal(size=(n_samples, 4)) + 2 * np.eye(n_classes, 4)[y], y


# What the README promises.


@pytest.mark.parametrize("seed", SEEDS)
def test_digits_reach_096(seed):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
    model = make_pipeline(StandardScaler(), GreedyPrunedMLP(random_state=seed)).fit(X_train, y_train)
    assert model[-1].n_units_ <= 50
    assert model.score(X_test, y_test) >= 0.96


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


# Targets of every kind.


@pytest.mark.parametrize(
    "labels", [np.array([3, -1]), np.array(["no", "yes"]), np.array(["a", "b", "c"]), np.array([7, 8, 9, 4])]
)
def test_labels_of_any_type(labels):
    X, y = blobs(n_classes=len(labels))
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.score(X, labels[y]) > 0.8
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), len(labels))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))


def test_multilabel():
    X, y = blobs()
    Y = np.stack([y == 0, y != 1], axis=1).astype(int)
    for targets in (Y, sparse.csr_array(Y)):
        model = GreedyPrunedMLP(**SMALL).fit(X, targets)
        assert model.predict_proba(X).shape == (60, 2)
        predicted = model.predict(X)
        predicted = predicted.toarray() if sparse.issparse(predicted) else predicted
        assert np.mean(predicted == Y) > 0.85


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_of_several_labels(weighted):
    X, y = blobs(150)
    Y = np.stack([y == 0, y != 1, X[:, 3] > 0], axis=1).astype(int)
    weight = np.random.default_rng(0).integers(1, 4, size=150) if weighted else None
    model = GreedyPrunedMLP(**{**SMALL, "n_retrain": 0}, loss="log_loss", early_stopping=False).fit(X, Y, weight)
    assert model.out_activation_ == "logistic"
    probabilities, logits = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(np.log(probabilities / (1 - probabilities)), logits)
    np.testing.assert_array_equal(model.predict(X), logits > 0)
    # The selection's loss is the sum over labels of their log losses.
    losses = -np.sum(np.log(np.where(Y, probabilities, 1 - probabilities)), axis=1)
    assert model.selection_losses_[-1] == pytest.approx(np.average(losses, weights=weight), rel=1e-6)
    assert np.mean(model.set_params(n_retrain=60).fit(X, Y, weight).predict(X) == Y) > 0.8


def test_several_numbers():
    X, _ = blobs()
    Y = np.stack([X[:, 0], 1e3 * X[:, 1] - 5e3], axis=1)
    model = GreedyPrunedMLP(**SMALL).fit(X, Y)
    assert model.predict(X).shape == (60, 2)
    assert model.score(X, Y) > 0.5
    assert model.coefs_[1].shape == (model.n_units_, 2)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.arange(60) % 3, "classifier"),
        (np.arange(60) % 3 * 1.0, "classifier"),
        (np.array(["a", "b"] * 30), "classifier"),
        (np.linspace(0, 1, 60), "regressor"),
        (load_diabetes().target[:60], "regressor"),  # whole numbers stored as floats, hardly any twice
        (np.stack([np.arange(60), np.arange(60)], axis=1), "regressor"),
        (load_linnerud().target[np.arange(60) % 20], "regressor"),
        (np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], axis=1).astype(int), "classifier"),
    ],
)
def test_the_task_is_inferred(y, kind):
    X, _ = blobs()
    model = GreedyPrunedMLP(**SMALL)
    assert is_classifier(model)
    model.fit(X, y)
    assert is_classifier(model) == (kind == "classifier") == hasattr(model, "predict_proba")
    assert is_regressor(model) == (kind == "regressor")
    reference = GreedyPrunedMLPClassifier if kind == "classifier" else GreedyPrunedMLPRegressor
    np.testing.assert_array_equal(model.predict(X), reference(**SMALL).fit(X, y).predict(X))
    assert model.score(X, y) == reference(**SMALL).fit(X, y).score(X, y)


def test_the_task_can_change_from_fit_to_fit():
    X, y = blobs()
    model = GreedyPrunedMLP(**SMALL).fit(X, y).fit(X, X[:, 0])
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "predict_proba")
    assert model.fit(X, y).predict(X).dtype == y.dtype


@given(seed=st.integers(0, 2**31 - 1), n_classes=st.integers(2, 6))
def test_simplex_projection(seed, n_classes):
    rng = np.random.default_rng(seed)
    outputs = 2 * rng.normal(size=(5, n_classes))
    projected = project_to_simplex(outputs)
    assert (projected >= 0).all()
    np.testing.assert_allclose(projected.sum(axis=1), 1)
    # Nearest: the residual makes no acute angle with the way to any other point of the simplex.
    for corner in np.eye(n_classes):
        assert (np.sum((outputs - projected) * (corner - projected), axis=1) <= 1e-9).all()
    np.testing.assert_allclose(project_to_simplex(projected), projected, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_log_loss(cls, n_classes):
    X, y = blobs(n_classes=n_classes)
    model = cls(**SMALL, loss="log_loss").fit(X, y)
    assert model.out_activation_ == ("logistic" if n_classes == 2 else "softmax")
    probabilities, logits = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    if n_classes == 2:
        np.testing.assert_allclose(np.log(probabilities[:, 1] / probabilities[:, 0]), logits)
    else:
        np.testing.assert_allclose(np.log(probabilities) - np.log(probabilities[:, :1]), logits - logits[:, :1])
    np.testing.assert_array_equal(probabilities.argmax(axis=1), model.predict(X))
    assert model.score(X, y) > 0.8
    assert not hasattr(cls(**SMALL).fit(X, y), "decision_function")


def test_log_loss_of_the_selection_is_that_of_the_probabilities():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}, loss="log_loss").fit(X, y)
    assert model.selection_losses_[-1] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"loss": "log_loss"}, np.linspace(0, 1, 60), "loss='log_loss' is for classes, and y holds numbers"),
        ({"class_weight": "balanced"}, np.linspace(0, 1, 60), "class_weight='balanced' is for classes"),
        ({"loss": "hinge"}, np.arange(60) % 2, "'loss' parameter of .* must be a str among"),
        ({"class_weight": "even"}, np.arange(60) % 2, "'class_weight' parameter of"),
    ],
)
def test_what_goes_with_classes_only_is_refused_for_others(parameters, y, message):
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL, **parameters).fit(blobs()[0], y)


# Weights.


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_an_integer_weight_is_repetition(loss, early_stopping):
    X, y = blobs()
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    model = GreedyPrunedMLPClassifier(**SMALL, loss=loss, batch_size=None, early_stopping=early_stopping)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(weighted.selection_path_, repeated.selection_path_)
    np.testing.assert_allclose(weighted.selection_losses_, repeated.selection_losses_, rtol=1e-6)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5, atol=1e-8)
    assert weighted.dense_loss_ == pytest.approx(repeated.dense_loss_, rel=1e-6)
    plain = clone(model).fit(X, y)
    assert not np.allclose(plain.predict_proba(X), weighted.predict_proba(X))


def test_class_weights_multiply_sample_weights():
    X, y = blobs(n_classes=2)
    given = np.random.default_rng(1).uniform(1, 2, size=len(y))
    by_class = GreedyPrunedMLPClassifier(**SMALL, class_weight={0: 1.0, 1: 5.0}).fit(X, y, given)
    by_hand = GreedyPrunedMLPClassifier(**SMALL).fit(X, y, given * np.where(y == 1, 5.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_hand.predict_proba(X))


def test_balanced_classes_raise_the_recall_of_the_rare_one():
    rng = np.random.default_rng(2)
    y = (np.arange(300) % 15 == 0).astype(int)
    X = rng.normal(size=(300, 2)) + y[:, None]
    parameters = SMALL | {"k": 20, "n_retrain": 200}
    plain = GreedyPrunedMLPClassifier(**parameters).fit(X, y).predict(X)
    balanced = GreedyPrunedMLPClassifier(**parameters, class_weight="balanced").fit(X, y).predict(X)
    assert balanced[y == 1].mean() > plain[y == 1].mean() + 0.2


@pytest.mark.parametrize("labels", ["one", "several"])
def test_balanced_classes_count_samples_by_their_weight(labels):
    X, y = blobs(90)
    y = np.stack([y == 0, y > 0], axis=1).astype(int) if labels == "several" else y
    weight = np.random.default_rng(4).integers(0, 4, size=90)
    model = GreedyPrunedMLPClassifier(**SMALL, batch_size=None, class_weight="balanced")
    weighted = clone(model).fit(X, y, weight).predict_proba(X)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-12)
    other = clone(model).set_params(class_weight=None).fit(X, y, weight).predict_proba(X)
    assert np.abs(weighted - other).max() > 1e-3


def test_class_weights_of_several_labels():
    X, y = blobs()
    Y = np.stack([y == 0, y > 0], axis=1).astype(int)
    # Whole-number weights of samples would count copies, which weights of classes never do.
    factors = [{0: 1.0, 1: np.pi}, {0: 1.7321, 1: 1.0}]
    by_hand = np.where(Y[:, 0], np.pi, 1.0) * np.where(Y[:, 1], 1.0, 1.7321)
    expected = GreedyPrunedMLPClassifier(**SMALL).fit(X, Y, by_hand).predict_proba(X)
    model = GreedyPrunedMLPClassifier(**SMALL, class_weight=factors)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(model).partial_fit(X, Y).predict_proba(X), expected)
    with pytest.raises(ValueError, match="list of dicts"):
        GreedyPrunedMLPClassifier(class_weight={1: 2.0}).fit(X, Y)


@pytest.mark.parametrize("wrong", [{0: -3.0}, {1: np.nan}, {2: np.inf}])
def test_impossible_class_weights_are_named(wrong):
    X, y = blobs()
    with pytest.raises(ValueError, match=r"class_weight=.* must hold finite numbers that are not negative"):
        GreedyPrunedMLPClassifier(**SMALL, class_weight=wrong).fit(X, y)


@pytest.mark.parametrize("lists", [[], [{0: 1.0, 1: 3.0}]])
def test_a_list_of_class_weights_is_for_several_labels(lists):
    X, y = blobs()
    with pytest.raises(ValueError, match="is a list, which is for multilabel y"):
        GreedyPrunedMLPClassifier(**SMALL, class_weight=lists).fit(X, y)


@pytest.mark.parametrize("unit", [1e-310, 1e-30, 1e14, 1e300])
def test_the_unit_of_weights_does_not_matter(unit):
    X, _ = blobs()
    y = 1e5 + X[:, 0]
    weight = np.random.default_rng(5).integers(1, 4, size=60)
    model = GreedyPrunedMLPRegressor(**SMALL)
    expected = clone(model).fit(X, y, weight).predict(X)
    np.testing.assert_allclose(model.fit(X, y, unit * weight).predict(X), expected, rtol=1e-12)


def test_one_weight_far_above_the_others():
    X, y = blobs()
    weight = np.ones(60)
    weight[7] = 1e40
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, y, weight)
    assert model.predict(X)[7] == y[7]
    assert np.isfinite(model.predict_proba(X)).all()


def test_entries_of_sparse_data_in_two_parts_are_added():
    X, y = blobs()
    X = sparse.csr_array(X)
    halved = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    expected = GreedyPrunedMLPClassifier(**SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(GreedyPrunedMLPClassifier(**SMALL).fit(halved, y).predict_proba(X), expected)
    assert halved.nnz == 2 * X.nnz


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(60), "weights of all samples are zero|at least one non-zero"),
        (-np.ones(60), "[Nn]egative"),
        (np.ones(59), "sample_weight"),
    ],
)
def test_impossible_weights_are_refused(weight, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL).fit(X, y, sample_weight=weight)


# In scikit-learn's company.


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


# Units, precision, repetition.


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_features_and_targets_do_not_matter(scale):
    X, _ = blobs()
    y = np.sin(X[:, 0]) + X[:, 1]
    model = GreedyPrunedMLPRegressor(**SMALL).fit(X, y)
    scaled = GreedyPrunedMLPRegressor(**SMALL).fit(scale * X + scale, scale * y - 3 * scale)
    np.testing.assert_array_equal(scaled.selection_path_, model.selection_path_)
    np.testing.assert_allclose(scaled.selection_losses_, model.selection_losses_, rtol=1e-6)
    np.testing.assert_allclose(scaled.predict(scale * X + scale), scale * model.predict(X) - 3 * scale, rtol=1e-4)


def test_float32_stays_float32():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X.astype(np.float32), y)
    assert {array.dtype for array in (*model.coefs_, *model.intercepts_)} == {np.dtype(np.float32)}
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    double = GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    assert np.mean(double.predict(X) == model.predict(X.astype(np.float32))) > 0.95


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_features(kind):
    X, y = blobs()
    X[np.abs(X) < 0.7] = 0
    model = GreedyPrunedMLPClassifier(**SMALL).fit(kind(X), y)
    assert model.score(kind(X), y) > 0.8
    np.testing.assert_allclose(model.predict_proba(kind(X)), model.predict_proba(X))


@pytest.mark.parametrize("cls", ALL)
def test_an_integer_random_state_repeats(cls):
    X, y = blobs()
    first, second = (cls(**SMALL).fit(X, y) for _ in range(2))
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_array_equal(one, other)
    other_seed = cls(**SMALL).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other_seed.coefs_[0], first.coefs_[0])


@pytest.mark.parametrize("n_pretrain", [20, "auto"])
@pytest.mark.parametrize("weighted", [False, True])
def test_activations_too_large_to_keep_are_summed_chunk_by_chunk(monkeypatch, weighted, n_pretrain):
    X, y = blobs(150)
    weight = np.random.default_rng(0).integers(1, 4, size=150) if weighted else None
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain=n_pretrain)
    kept = clone(model).fit(X, y, weight)
    monkeypatch.setattr("sklearn_gfs.mlp._pruning.CHUNK_ROWS", 32)
    with config_context(working_memory=0.01):
        summed = clone(model).fit(X, y, weight)
    np.testing.assert_array_equal(summed.selection_path_, kept.selection_path_)
    np.testing.assert_allclose(summed.selection_losses_, kept.selection_losses_, rtol=1e-7)
    assert summed.dense_loss_ == pytest.approx(kept.dense_loss_)
    np.testing.assert_array_equal(summed.predict_proba(X), kept.predict_proba(X))


def test_no_global_state_is_touched():
    import torch

    def global_state():
        return np.random.mtrand._rand.get_state()[1].tolist()

    X, y = blobs()
    before = (global_state(), torch.get_rng_state().tolist())
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    GreedyPrunedMLP(**SMALL).fit(X, y)
    assert (global_state(), torch.get_rng_state().tolist()) == before
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)


# Automatic pre-training.


@pytest.mark.parametrize("early_stopping", [False, True])
def test_automatic_pretraining_equals_the_best_checkpoint(early_stopping):
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**SMALL, early_stopping=early_stopping)
    chosen = clone(model).set_params(n_pretrain="auto").fit(X, y)
    assert chosen.n_pretrain_ in [20, 80, 320, 1280]
    assert len(chosen.loss_curve_) == chosen.n_pretrain_
    fixed = clone(model).set_params(n_pretrain=chosen.n_pretrain_).fit(X, y)
    np.testing.assert_array_equal(chosen.predict_proba(X), fixed.predict_proba(X))
    np.testing.assert_array_equal(chosen.selection_path_, fixed.selection_path_)


@pytest.mark.parametrize("frequency", [0.3, 1, 3])
@pytest.mark.parametrize("noise", [0, 1])
def test_automatic_pretraining_stops_when_the_subnetwork_no_longer_improves_enough(frequency, noise):
    X, _ = blobs(200)
    y = np.sin(frequency * X[:, 0]) + noise * np.random.default_rng(0).normal(size=200)
    model = GreedyPrunedMLPRegressor(**SMALL, early_stopping=False).set_params(n_retrain=0)
    points = clone(model).fit_path(X, y, n_pretrain=[20, 80, 320, 1280])
    losses = {p.n_pretrain: p.estimator.selection_losses_[-1] for p in points if p.k is not None}
    # Every iteration has to lower the loss by 0.03 % of itself, and the last ones must give hope that the next will.
    expected = 20
    if losses[80] < (1 - 60 * 3e-4) * losses[20]:
        expected = 80
        if losses[80] <= (1 - 240 * 3e-4) * losses[20] and losses[320] < (1 - 240 * 3e-4) * losses[80]:
            expected = 320
            if losses[320] <= (1 - 960 * 3e-4) * losses[80] and losses[1280] < (1 - 960 * 3e-4) * losses[320]:
                expected = 1280
    auto = clone(model).set_params(n_pretrain="auto").fit(X, y)
    assert auto.n_pretrain_ == expected
    assert auto.selection_losses_[-1] == pytest.approx(losses[expected])


def test_automatic_pretraining_never_tries_what_it_cannot_choose(monkeypatch):
    X, _ = blobs(200)
    n_made = 0

    def advance(training, n_iterations):
        nonlocal n_made
        n_made += n_iterations
        training.losses.extend([1.0] * n_iterations)

    halved = iter(0.5 ** np.arange(20))
    monkeypatch.setattr("sklearn_gfs.network._training.Training.advance", advance)
    monkeypatch.setattr("sklearn_gfs.mlp._path.TrainingPath._pruned_loss", lambda *_: next(halved))
    model = GreedyPrunedMLPRegressor(**SMALL).set_params(n_pretrain="auto", n_retrain=0).fit(X, X[:, 0])
    assert model.n_pretrain_ == n_made == 1280


def test_automatic_pretraining_listens_to_validation_data():
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain="auto")
    model.fit(X[:150], y[:150], X_val=X[150:], y_val=(y[150:] + 1) % 3)
    assert model.n_pretrain_ <= 20  # the more it learns, the worse it does on these


# The training path.


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_path_equals_separate_fits(task, early_stopping):
    X, y = blobs()
    y = y if task == "classes" else X[:, 0] ** 2
    model = GreedyPrunedMLP(**SMALL, batch_size=16, early_stopping=early_stopping)
    points = list(model.fit_path(X, y, n_pretrain=[0, 7, 20], k=[9, 3]))
    assert [(point.n_pretrain, point.k) for point in points] == [(t, k) for t in (0, 7, 20) for k in (None, 3, 9)]
    assert not hasattr(model, "coefs_")
    for point in points:
        if point.k is None:
            assert point.estimator.n_units_ == 40
            continue
        fitted = clone(model).set_params(n_pretrain=point.n_pretrain, k=point.k).fit(X, y)
        assert fitted.get_params() == point.estimator.get_params()
        assert vars(fitted).keys() == vars(point.estimator).keys()
        np.testing.assert_array_equal(fitted.predict(X), point.estimator.predict(X))
        np.testing.assert_array_equal(fitted.coefs_[0], point.estimator.coefs_[0])
        np.testing.assert_array_equal(fitted.coefs_[1], point.estimator.coefs_[1])
        np.testing.assert_array_equal(fitted.selection_path_, point.estimator.selection_path_)
        np.testing.assert_allclose(fitted.selection_losses_, point.estimator.selection_losses_, rtol=1e-9)
        assert fitted.loss_curve_ == point.estimator.loss_curve_
        assert fitted.n_retrain_ == point.estimator.n_retrain_


def test_a_path_asks_for_iterations_one_at_a_time():
    X, y = blobs()
    asked = []

    def forever():
        value = 1
        while True:
            asked.append(value)
            yield value
            value *= 2

    path = GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=forever())
    for _ in range(4):
        point = next(path)
    assert (point.n_pretrain, point.k, asked) == (2, 8, [1, 2])


@pytest.mark.parametrize("n_pretrain", [[5, 5], [5, 3], [-1, 3]])
def test_a_path_whose_iterations_do_not_increase_is_refused(n_pretrain):
    X, y = blobs()
    with pytest.raises(ValueError, match="n_pretrain must hold non-negative integers"):
        list(GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=n_pretrain))


@pytest.mark.parametrize(("k", "message"), [([], "k is empty"), ([3, 0], r"'k' parameter .* range \[1, inf\)")])
def test_a_path_of_impossible_sizes_is_refused(k, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[1], k=k)


def test_the_dense_network_of_a_path_is_the_one_that_was_pruned():
    X, _ = blobs()
    model = GreedyPrunedMLPRegressor(**{**SMALL, "n_retrain": 0})
    dense, sub = model.fit_path(X, X[:, 0], n_pretrain=[20])
    loss = 0.5 * np.mean((dense.estimator.predict(X) - X[:, 0]) ** 2) / X[:, 0].var()
    assert loss == pytest.approx(sub.estimator.dense_loss_)


# Wrong input.


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 0}, r"'k' parameter of .* must be an int in the range \[1, inf\)\. Got 0"),
        ({"k": 2.5}, "'k' parameter of .* must be an int"),
        (
            {"n_pretrain": -1},
            r"'n_pretrain' parameter of .* must be an int in the range \[0, inf\) or .*'auto'.* Got -1",
        ),
        ({"n_retrain": -5}, "'n_retrain' parameter"),
        ({"n_hidden": 0}, "'n_hidden' parameter"),
        ({"activation": "swish"}, "'activation' parameter of .* must be a str among .*'relu'.* Got 'swish'"),
        ({"solver": "lbfgs"}, "'solver' parameter of .* must be a str among"),
        ({"learning_rate_init": 0.0}, "'learning_rate_init' parameter"),
        ({"momentum": 1.0}, "'momentum' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"alpha": -1e-3}, "'alpha' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"early_stopping": "yes"}, "'early_stopping' parameter"),
        ({"random_state": "zero"}, "'random_state' parameter"),
    ],
)
def test_impossible_parameters_are_named(cls, parameters, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        cls(**{**SMALL, **parameters}).fit(X, y)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "Input X contains NaN"),
        (lambda X, y: (np.where(X > 1, np.inf, X), y), "Input X contains infinity"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X[:, 0], y), "Expected 2D array"),
        (lambda X, _: (X, None), "requires y to be passed"),
    ],
)
def test_impossible_data_are_refused(cls, change, message):
    with pytest.raises(ValueError, match=message):
        cls(**SMALL).fit(*change(*blobs()))


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_one_class_is_refused(cls):
    X, _ = blobs()
    with pytest.raises(ValueError, match="one class, 'only'; a classifier needs at least two"):
        cls(**SMALL).fit(X, ["only"] * len(X))


@pytest.mark.parametrize("huge", ["X", "y"])
def test_numbers_that_overflow_are_refused(huge):
    X, _ = blobs()
    y = X[:, 0].copy()
    (X if huge == "X" else y)[...] *= 1e200
    with pytest.raises(ValueError, match=f"{huge} holds values so large|not finite in the units"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, y)


def test_a_step_that_explodes_leaves_no_model():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="learning_rate_init"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


@pytest.mark.filterwarnings("ignore:.*ended at a training loss:sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**31 - 1))
def test_small_problems_give_a_finite_model(data, seed):
    rng = np.random.default_rng(seed)
    n_samples, n_features = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 4))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.integers(-6, 7, size=n_features)
    X[:, data.draw(st.integers(0, n_features - 1))] = data.draw(st.sampled_from([0.0, 1e6, X[0, 0]]))
    model = GreedyPrunedMLPRegressor(
        n_pretrain=data.draw(st.integers(0, 5)),
        k=data.draw(st.sampled_from([1, 3, 40])),
        n_hidden=data.draw(st.integers(1, 6)),
        n_retrain=data.draw(st.integers(0, 25)),
        activation=data.draw(st.sampled_from(["identity", "logistic", "relu", "tanh"])),
        solver=data.draw(st.sampled_from(["adam", "sgd"])),
        batch_size=data.draw(st.sampled_from([None, 1, 4, 100])),
        alpha=data.draw(st.sampled_from([0.0, 0.1])),
        early_stopping=data.draw(st.booleans()),
        random_state=seed % 1000,
    )
    n_outputs = data.draw(st.integers(1, 9))
    model.fit(X, np.squeeze(rng.normal(size=(n_samples, n_outputs)), axis=1 if n_outputs == 1 else ()))
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.selection_losses_).all()
    assert (model.duality_gaps_ >= -1e-9).all()


# Validation data, limits of time.


def test_validation_data_decide_how_long_to_retrain():
    X, y = blobs(120)
    order = np.random.default_rng(3).permutation(120)
    train, val = order[:80], order[80:]
    model = GreedyPrunedMLPClassifier(**SMALL)
    model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    held_out = clone(model).fit(X[train], y[train])
    assert len(model.validation_loss_curve_) == 3
    assert model.loss_curve_ != held_out.loss_curve_  # no training sample was held out
    pure = clone(model).set_params(early_stopping=False).fit(X[train], y[train])
    assert model.loss_curve_ == pure.loss_curve_
    np.testing.assert_array_equal(model.selection_path_, pure.selection_path_)

    noise = clone(model).fit(X[train], y[train], X_val=X[val], y_val=(y[val] + 1) % 3)
    assert noise.n_retrain_ == 0


def test_with_validation_data_nothing_is_retrained_twice(monkeypatch):
    X, y = blobs(120)
    update, calls = Training._update, []
    monkeypatch.setattr(Training, "_update", lambda training: calls.append(training.name) or update(training))
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert 0 < model.n_retrain_ <= calls.count("re-training") <= 40
    assert len(calls) == 20 + calls.count("re-training")
    told = clone(model).set_params(early_stopping=False, n_retrain=model.n_retrain_).fit(X[:80], y[:80])
    np.testing.assert_array_equal(model.predict_proba(X), told.predict_proba(X))
    assert model.retrain_loss_curve_ == told.retrain_loss_curve_


@pytest.mark.parametrize("data", [load_diabetes, load_wine])
def test_the_trial_ends_some_time_after_its_last_record(monkeypatch, data):
    X, y = data(return_X_y=True)
    model = GreedyPrunedMLP(**SMALL | {"n_retrain": 800})
    monkeypatch.setattr("sklearn_gfs.mlp._path._PATIENCE", 800)
    patient = model.fit(X, y).validation_loss_curve_
    assert len(patient) == 41  # before, and after every 20 of 800
    monkeypatch.setattr("sklearn_gfs.mlp._path._PATIENCE", 60)
    curve = model.fit(X, y).validation_loss_curve_
    record = last = 0
    while last < record + 3:
        last += 1
        if 1.01 * patient[last] < patient[record]:
            record = last
    assert curve == patient[: last + 1]
    assert len(curve) < len(patient)
    assert model.n_retrain_ == 20 * max(place for place, loss in enumerate(curve) if loss <= 1.01 * min(curve))


def test_weights_of_validation_samples_count():
    X, y = blobs(120)
    weight = (np.arange(40) % 2).astype(float)
    model = GreedyPrunedMLPRegressor(**SMALL)
    model.fit(X[:80], X[:80, 0], X_val=X[80:], y_val=X[80:, 0], sample_weight_val=weight)
    half = clone(model).fit(X[:80], X[:80, 0], X_val=X[81::2], y_val=X[81::2, 0])
    np.testing.assert_allclose(model.validation_loss_curve_, half.validation_loss_curve_)
    assert y.shape == (120,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": np.ones((3, 4))}, "X_val was passed without y_val"),
        ({"y_val": np.ones(3)}, "y_val was passed without X_val"),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1, 7]}, r"y_val holds classes that y does not: \[7\]"),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1]}, "inconsistent numbers of samples"),
        ({"X_val": np.ones((3, 5)), "y_val": [0, 1, 2]}, "X has 5 features"),
        ({"X_val": np.ones((3, 4)), "y_val": np.eye(3, dtype=int)}, "y should be a 1d array"),
        ({"X_val": np.ones((3, 4)), "y_val": [None, "a", 1]}, r"does not: \[.*None.*\]"),
        ({"X_val": np.full((3, 4), 1e300), "y_val": [0, 1, 2]}, "held out of training became .* X_val and y_val"),
    ],
)
def test_impossible_validation_data_are_refused(arguments, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLPClassifier(**SMALL).fit(X, y, **arguments)


@pytest.mark.parametrize(
    "y_val", [np.zeros(60, dtype=int), 7 * np.eye(3)[np.arange(60) % 3], np.full((60, 3), "a"), np.ones((60, 2))]
)
def test_validation_labels_of_another_kind_are_refused(y_val):
    X, y = blobs()
    Y = np.eye(3, dtype=int)[y]
    with pytest.raises(ValueError, match="y_val must hold a column of 0 and 1 for each of 3 labels"):
        GreedyPrunedMLPClassifier(**SMALL).fit(X, Y, X_val=X, y_val=y_val)
    with pytest.raises(ValueError, match="y must hold a column of 0 and 1 for each of 3 labels"):
        GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, Y).partial_fit(X, y)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_labels_may_be_sparse(cls, form):
    X, y = blobs()
    Y = np.eye(3)[y]
    expected = cls(**SMALL).fit(X, Y, X_val=X, y_val=Y).predict_proba(X)
    stored = sparse.coo_array(Y).asformat(form)
    np.testing.assert_array_equal(cls(**SMALL).fit(X, stored, X_val=X, y_val=stored).predict_proba(X), expected)


@pytest.mark.parametrize(("n_outputs", "n_val_outputs"), [(2, 1), (1, 2), (3, 2)])
def test_validation_targets_have_as_many_outputs(n_outputs, n_val_outputs):
    X, _ = blobs()
    message = f"y_val has {n_val_outputs} outputs, but y has {n_outputs}"
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, X.T[:n_outputs].T.squeeze(), X_val=X, y_val=X[:, :n_val_outputs])


def test_validation_data_without_early_stopping_are_refused():
    X, y = blobs()
    with pytest.raises(ValueError, match="X_val is of no use with early_stopping=False"):
        GreedyPrunedMLPClassifier(**SMALL, early_stopping=False).fit(X, y, X_val=X, y_val=y)


def test_max_time_leaves_a_usable_model():
    X, y = blobs()
    model = GreedyPrunedMLP(**{**SMALL, "n_pretrain": 10**9}, max_time=0.05)
    with pytest.warns(ConvergenceWarning, match="max_time was over.*can be used"):
        model.fit(X, y)
    assert 0 < model.n_pretrain_ < 10**9
    assert np.isfinite(model.predict_proba(X)).all()


def test_the_clock_starts_when_torch_is_there():
    code = """
        import sys
        from sklearn_gfs import GreedyPrunedMLPRegressor
        from sklearn_gfs.mlp import _base

        class Watch(_base.Watch):
            def __init__(self, *arguments, **names):
                assert "torch" in sys.modules
                super().__init__(*arguments, **names)

        _base.Watch = Watch
        assert "torch" not in sys.modules
        GreedyPrunedMLPRegressor(5, 2, n_hidden=5, n_retrain=0, max_time=100).fit([[0.0], [1.0]], [0.0, 1.0])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize(("max_time", "n_retrained"), [(80, 40), (300, 150)])
def test_half_of_max_time_is_left_for_retraining(monkeypatch, max_time, n_retrained):
    X, _ = blobs(200)
    y = np.sin(X[:, 0])
    update, made = Training._update, []
    monkeypatch.setattr(Training, "_update", lambda training: made.append(training.name) or update(training))
    monkeypatch.setattr("sklearn_gfs.network._watch.time.monotonic", lambda: len(made))  # an update takes a second
    parameters = SMALL | {"n_pretrain": 10**9, "n_retrain": 100}
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        model = GreedyPrunedMLPRegressor(**parameters, max_time=max_time).fit(X, y)
    # Of the updates that were made for re-training 100 were the trial's.
    n_pretrained = made.count("pre-training")
    assert (n_pretrained, len(made) - n_pretrained) == (max_time // 2, n_retrained)
    assert model.n_pretrain_ == max_time // 2
    assert 0 < model.n_retrain_ == len(model.retrain_loss_curve_)
    assert model.n_units_ == len(set(model.selection_path_))
    untrained = GreedyPrunedMLPRegressor(**parameters | {"n_pretrain": max_time // 2, "n_retrain": 0}).fit(X, y)
    assert model.score(X, y) > untrained.score(X, y)


def test_warnings_name_the_line_of_the_call():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL, max_time=1e-9)
    with pytest.warns(ConvergenceWarning, match="max_time was over") as of_fit:
        model.fit(X, y)
    with pytest.warns((UserWarning, ConvergenceWarning)) as of_part:
        model.partial_fit(X, y)
    assert [warning.category for warning in of_part] == [UserWarning, ConvergenceWarning]
    assert {warning.filename for warning in (*of_fit, *of_part)} == {__file__}


def test_automatic_pretraining_that_is_stopped_keeps_what_it_has(monkeypatch):
    X, y = blobs(120)
    selected = []
    trial_path = NeuronSelection.trial_path
    monkeypatch.setattr(NeuronSelection, "trial_path", lambda *a: selected.append(1) or trial_path(*a))
    update, made = Training._update, []
    monkeypatch.setattr(Training, "_update", lambda training: made.append(1) or update(training))
    monkeypatch.setattr("sklearn_gfs.network._watch.time.monotonic", lambda: len(made))  # an update takes a second
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto", "n_retrain": 0, "max_time": 120})
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        model.fit(X, y)
    # The first checkpoint was looked at; between it and the next there is nothing to be selected.
    assert (model.n_pretrain_, len(selected)) == (60, 1)


def test_verbose_prints_the_loss(capsys):
    X, y = blobs()
    GreedyPrunedMLP(**{**SMALL, "n_pretrain": 100}, verbose=True).fit(X, y)
    assert "pre-training: iteration 50, loss " in capsys.readouterr().out
    GreedyPrunedMLP(**SMALL).fit(X, y)
    assert capsys.readouterr().out == ""


def test_a_path_of_one_number_is_refused_by_name():
    X, y = blobs()
    with pytest.raises(TypeError, match="n_pretrain of fit_path must be a sequence of integers, got 'auto'"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain="auto")
    with pytest.raises(TypeError, match="n_pretrain of fit_path must be a sequence of integers, got 5"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=5)
    with pytest.raises(TypeError, match="k of fit_path must be a sequence of integers, got 3"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[5], k=3)


def test_sparse_numbers_are_no_target():
    X, _ = blobs()
    with pytest.raises(TypeError, match="y is sparse"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, sparse.csr_array(X[:, :2]))


def test_parts_of_numbers_have_no_classes():
    X, _ = blobs()
    with pytest.raises(ValueError, match="classes are of no use here"):
        GreedyPrunedMLP(**SMALL).partial_fit(X, X[:, 0]).partial_fit(X, X[:, 0], classes=[0, 1])


def test_text_is_no_target_of_a_regressor():
    X, _ = blobs()
    with pytest.raises(ValueError, match="y holds text, for instance 'a'; a regressor needs numbers"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, ["a", "b"] * 30)


def test_a_missing_method_says_when_it_is_there():
    X, y = blobs()
    with pytest.raises(AttributeError, match="no attribute 'predict_proba'") as of_numbers:
        GreedyPrunedMLP(**SMALL).fit(X, X[:, 0]).predict_proba  # noqa: B018 the access is the test
    assert "was fitted on numbers" in str(of_numbers.value.__cause__)
    with pytest.raises(AttributeError, match="no attribute 'decision_function'") as of_squares:
        GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y).decision_function  # noqa: B018
    assert "needs loss='log_loss'" in str(of_squares.value.__cause__)
