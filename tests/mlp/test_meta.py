"""The estimators inside scikit-learn's meta-estimators: what infers its task stands in for the classifier."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV, cross_val_predict
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

# scikit-learn 1.6 calls SciPy's L-BFGS-B in a way that SciPy 1.16 and later call old.
pytestmark = pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint` options")

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 20, "random_state": 0}
META = {
    "stacking": lambda model: StackingClassifier([("n", model)], LogisticRegression()),
    "stacking of a pipeline": lambda model: StackingClassifier(
        [("n", make_pipeline(StandardScaler(), model))], LogisticRegression()
    ),
    "stacking, prefit": lambda model: StackingClassifier([("n", model)], LogisticRegression(), cv="prefit"),
    "soft votes": lambda model: VotingClassifier([("n", model), ("l", LogisticRegression())], voting="soft"),
    "calibration": lambda model: CalibratedClassifierCV(model, cv=3),
    "calibration, isotonic": lambda model: CalibratedClassifierCV(model, method="isotonic", cv=2),
    "threshold": lambda model: TunedThresholdClassifierCV(model, cv=3),
    "fixed threshold": lambda model: FixedThresholdClassifier(model, threshold=0.4),
    "output code": lambda model: OutputCodeClassifier(model, code_size=2, random_state=0),
    "one against the rest": OneVsRestClassifier,
    "one against one": OneVsOneClassifier,
    "bagging": lambda model: BaggingClassifier(model, 2, random_state=0),
    "boosting": lambda model: AdaBoostClassifier(model, n_estimators=2, random_state=0),
    "self-training": SelfTrainingClassifier,
    "several outputs": MultiOutputClassifier,
    "chain": lambda model: ClassifierChain(model, cv=3, random_state=0),
}
TWO_CLASSES = {"threshold", "fixed threshold"}
SEVERAL_OUTPUTS = {"several outputs", "chain"}


@pytest.mark.parametrize("meta", META)
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_what_infers_its_task_does_as_the_classifier(meta, loss):
    X, y = make_classification(120, 6, n_informative=4, n_classes=2 if meta in TWO_CLASSES else 3, random_state=0)
    if meta in SEVERAL_OUTPUTS:
        y = np.stack([y == 0, y == 1], axis=1).astype(int)
    if meta == "self-training":
        y = np.where(np.arange(len(y)) % 3, y, -1)
    fitted = []
    for cls in (GreedyPrunedMLP, GreedyPrunedMLPClassifier):
        model = cls(**SMALL, loss=loss)
        fitted.append(META[meta](model.fit(X, y) if meta == "stacking, prefit" else model).fit(X, y))
    np.testing.assert_array_equal(fitted[0].predict(X), fitted[1].predict(X))
    assert hasattr(fitted[0], "predict_proba") == hasattr(fitted[1], "predict_proba")
    if hasattr(fitted[0], "predict_proba"):
        np.testing.assert_array_equal(fitted[0].predict_proba(X), fitted[1].predict_proba(X))


def test_what_is_not_fitted_has_what_a_classifier_has():
    model = GreedyPrunedMLP(**SMALL)
    X, y = make_classification(60, random_state=0)
    assert hasattr(model, "predict_proba")
    assert hasattr(model, "decision_function")
    assert not hasattr(clone(model).set_params(loss="squared_error"), "decision_function")
    with pytest.raises(NotFittedError):
        model.predict_proba(X)
    assert not hasattr(model.fit(X, X[:, 0]), "predict_proba")
    assert hasattr(model.fit(X, y), "predict_proba")
    assert hasattr(clone(model.fit(X, X[:, 0])), "predict_proba")


@pytest.mark.parametrize("meta", [VotingRegressor, StackingRegressor])
def test_what_wants_a_regressor_gets_one_that_does_not_infer(meta):
    X, _ = make_classification(60, random_state=0)
    with pytest.raises(ValueError, match="should be a regressor"):
        meta([("n", GreedyPrunedMLP(**SMALL))]).fit(X, X[:, 0])
    assert meta([("n", GreedyPrunedMLPRegressor(**SMALL))]).fit(X, X[:, 0]).predict(X).shape == (60,)


def test_out_of_fold_probabilities_of_what_infers_its_task():
    X, y = make_classification(90, random_state=0)
    of_both = [
        cross_val_predict(cls(**SMALL), X, y, cv=3, method="predict_proba")
        for cls in (GreedyPrunedMLP, GreedyPrunedMLPClassifier)
    ]
    np.testing.assert_array_equal(*of_both)


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "neg_brier_score", "average_precision"])
def test_scores_of_probabilities(scoring):
    X, y = make_classification(90, random_state=0)
    scores = [get_scorer(scoring)(cls(**SMALL).fit(X, y), X, y) for cls in (GreedyPrunedMLP, GreedyPrunedMLPClassifier)]
    assert scores[0] == scores[1]
    selector = SequentialFeatureSelector(GreedyPrunedMLP(**SMALL), n_features_to_select=1, scoring=scoring, cv=2)
    assert selector.fit(X[:, :3], y).get_support().sum() == 1
