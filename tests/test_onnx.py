"""Estimators converted to ONNX, alone and at the end of pipelines, predict in onnxruntime as they do themselves."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import (
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    register_onnx_converters,
)

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
LABELS = {
    "two integers": np.array([3, -1]),
    "two strings": np.array(["no", "yes"]),
    "two truth values": np.array([False, True]),
    "integers": np.array([7, 8, 9, 4]),
    "floats": np.array([0.0, 2.0, 5.0]),
    "strings": np.array(["a", "bb", "ccc"]),
    "objects": np.array(["a", "bb", "ccc"], dtype=object),
}


def inputs(n_samples=80):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_samples, 4)) * [1, 10, 0.1, 3] + [0, 5, 0, 1]


def run(model, X, options=None):
    """Convert a model and return what onnxruntime makes of X."""
    register_onnx_converters()
    onnx = skl2onnx.to_onnx(model, X[:1], options=options)
    return onnxruntime.InferenceSession(onnx.SerializeToString()).run(None, {"X": X})


def assert_same_predictions(model, X, rtol, atol):
    label, probabilities = run(model, X, {"zipmap": False})
    expected = model.predict_proba(X)
    assert probabilities.dtype == X.dtype
    np.testing.assert_allclose(probabilities, expected, rtol=rtol, atol=atol)
    assert label.shape == model.predict(X).shape
    # Where float32 leaves no doubt about it.
    sure = np.sort(expected, axis=1)[:, -1] - np.sort(expected, axis=1)[:, -2] > 1e-3
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(label[sure], model.predict(X)[sure])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_classes(cls, loss, labels, dtype):
    X, labels = inputs().astype(dtype), LABELS[labels]
    y = labels[np.digitize(X[:, 0], np.linspace(-0.7, 0.7, len(labels) - 1))]
    model = make_pipeline(StandardScaler(), cls(**SMALL, loss=loss)).fit(X, y)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    assert_same_predictions(model, X, tolerance, tolerance)


def test_probabilities_are_projected_far_from_the_data():
    X = inputs()
    y = np.digitize(X[:, 0], [-0.7, 0.0, 0.7])
    model = GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y)
    far = 50 * X
    expected = model.predict_proba(far)
    assert (expected == 0).any(axis=1).mean() > 0.9
    np.testing.assert_allclose(run(model, far, {"zipmap": False})[1], expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_multilabel(loss, n_labels, dtype):
    X = inputs().astype(dtype)
    Y = (X[:, :n_labels] > np.median(X[:, :n_labels], axis=0)).astype(int)
    model = make_pipeline(StandardScaler(), GreedyPrunedMLP(**SMALL, loss=loss)).fit(X, Y)
    label, probabilities = run(model, X, {"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-4 if dtype == np.float32 else 1e-9)
    sure = np.abs(model.predict_proba(X) - 0.5) > 1e-3
    assert label.shape == Y.shape
    np.testing.assert_array_equal(label[sure], model.predict(X)[sure])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPRegressor])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_numbers(n_outputs, cls, activation, dtype):
    X = inputs().astype(dtype)
    y = X[:, 0] + X[:, 1] if n_outputs == 1 else X[:, :3] ** 2
    model = make_pipeline(StandardScaler(), cls(**SMALL, activation=activation)).fit(X, y)
    (predicted,) = run(model, X)
    assert predicted.shape == (80, n_outputs)
    assert predicted.dtype == dtype
    expected = model.predict(X).reshape(80, n_outputs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(predicted / scale, expected / scale, atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_probabilities_by_name(cls):
    X = inputs().astype(np.float32)  # what ZipMap takes
    y = np.array(["a", "bb", "ccc"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = cls(**SMALL).fit(X, y)
    label, by_name = run(model, X)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose([[row[name] for name in model.classes_] for row in by_name], expected, atol=1e-5)
    columns = run(model, X, {id(model): {"zipmap": "columns"}})[1:]
    np.testing.assert_allclose(np.stack(columns, axis=1), expected, atol=1e-5)


def test_integer_inputs_are_computed_in_float32():
    X = inputs().round().astype(np.int64)
    model = GreedyPrunedMLPRegressor(**SMALL).fit(X, X[:, 1] ** 2.0)
    np.testing.assert_allclose(run(model, X)[0][:, 0], model.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPRegressor])
def test_what_is_not_fitted_is_not_converted(cls):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        run(cls(), inputs())


def test_without_skl2onnx_the_error_says_what_brings_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-gfs\[onnx\]"):
        register_onnx_converters()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_calibrated(loss, cls, n_classes):
    X = inputs()
    y = np.digitize(X[:, 0], np.linspace(-0.7, 0.7, n_classes - 1))
    model = CalibratedClassifierCV(cls(**SMALL, loss=loss), cv=3).fit(X, y)
    assert_same_predictions(model, X, 1e-9, 1e-9)


def test_stacked_by_the_decision_function():
    X = inputs()
    y = np.digitize(X[:, 0], [-0.7, 0.7])
    stacked = [("network", GreedyPrunedMLPClassifier(**SMALL))]
    model = StackingClassifier(stacked, stack_method="decision_function", cv=3).fit(X, y)
    assert_same_predictions(model, X, 1e-9, 1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_scores_are_the_decision_function(n_classes):
    X = inputs()
    y = np.digitize(X[:, 0], np.linspace(-0.7, 0.7, n_classes - 1))
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    label, scores = run(model, X, {"zipmap": False, "raw_scores": True})
    expected = model.decision_function(X)
    if n_classes == 2:  # a column for each class, as skl2onnx has it
        expected = np.stack([-expected, expected], axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(label, model.predict(X))


def test_raw_scores_of_several_labels():
    X = inputs()
    model = GreedyPrunedMLP(**SMALL, loss="log_loss").fit(X, (X[:, :3] > np.median(X[:, :3], axis=0)).astype(int))
    label, scores = run(model, X, {"zipmap": False, "raw_scores": True})
    np.testing.assert_allclose(scores, model.decision_function(X), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(label, model.predict(X))
