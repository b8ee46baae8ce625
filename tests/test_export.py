"""Fitted estimators in other libraries' hands: scikit-learn's MLP, torch, ONNX, joblib and skops."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_gfs import GreedyPrunedMLP

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
CASES = {
    "binary": ({}, lambda X: np.where(X[:, 0] > 0, "yes", "no")),
    "binary log loss": ({"loss": "log_loss"}, lambda X: (X[:, 0] > 0).astype(int)),
    "multiclass": ({"activation": "tanh"}, lambda X: np.digitize(X[:, 0], [-0.5, 0.5])),
    "multiclass log loss": (
        {"loss": "log_loss", "activation": "logistic"},
        lambda X: np.digitize(X[:, 0], [-0.5, 0.5]),
    ),
    "multilabel": ({}, lambda X: (X[:, :2] > 0).astype(int)),
    "multilabel log loss": ({"loss": "log_loss"}, lambda X: (X[:, :2] > 0).astype(int)),
    "number": ({"activation": "identity"}, lambda X: X[:, 0] + X[:, 1]),
    "numbers": ({}, lambda X: X[:, :2] ** 2),
}


@pytest.fixture(params=CASES)
def fitted(request):
    """Return an estimator fitted on a kind of target, and its inputs."""
    parameters, make_y = CASES[request.param]
    X = np.random.default_rng(0).normal(size=(60, 3))
    return GreedyPrunedMLP(**SMALL, **parameters).fit(X, make_y(X)), X


def test_to_sklearn_predicts_the_same(fitted):
    model, X = fitted
    other = model.to_sklearn()
    assert isinstance(other, MLPClassifier if hasattr(model, "classes_") else MLPRegressor)
    if hasattr(model, "classes_"):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        np.testing.assert_array_equal(other.classes_, model.classes_)
    else:
        np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-12)
    if hasattr(model, "decision_function"):
        np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X))
    other.coefs_[0][:] = 0  # a copy
    assert model.coefs_[0].any()


def test_to_torch_gives_the_same_outputs(fitted):
    model, X = fitted
    module = model.to_torch()
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach().numpy(), model._outputs(X), rtol=1e-10, atol=1e-12)
    assert [type(layer).__name__ for layer in module[::2]] == ["Linear", "Linear"]


def test_onnx_predicts_the_same(fitted):
    skl2onnx, onnxruntime = pytest.importorskip("skl2onnx"), pytest.importorskip("onnxruntime")
    model, X = fitted
    single = X.astype(np.float32)
    other = model.to_sklearn()
    options = {"zipmap": False} if hasattr(model, "classes_") else {}
    onnx = skl2onnx.to_onnx(other, single[:1], options={id(other): options})
    predicted = onnxruntime.InferenceSession(onnx.SerializeToString()).run(None, {"X": single})[0]
    if hasattr(model, "classes_"):
        assert np.mean(predicted == model.predict(X)) > 0.98
    else:
        np.testing.assert_allclose(predicted.reshape(model.predict(X).shape), model.predict(X), rtol=1e-3, atol=1e-4)


def test_joblib_and_skops_keep_the_model(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    model, X = fitted
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), model.predict(X))
    content = skops_io.dumps(model)
    trusted = skops_io.get_untrusted_types(data=content)
    assert all(name.startswith("sklearn_gfs.") for name in trusted)
    np.testing.assert_array_equal(skops_io.loads(content, trusted=trusted).predict(X), model.predict(X))
