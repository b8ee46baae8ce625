"""scikit-learn's own checks over the estimators of networks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {"n_pretrain": 100, "k": 20, "n_hidden": 100, "n_retrain": 60}


def expected_failures(estimator):
    """GreedyPrunedMLP infers its task; before it is fitted it says classifier, so that labels are split stratified."""
    if type(estimator) is GreedyPrunedMLP:
        return {"check_classifiers_regression_target": "infers its task from y, so it accepts continuous targets"}
    return {}


@parametrize_with_checks(
    [GreedyPrunedMLPClassifier(**SMALL), GreedyPrunedMLPRegressor(**SMALL), GreedyPrunedMLP(**SMALL)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        GreedyPrunedMLPClassifier(),
        GreedyPrunedMLPClassifier(loss="squared_error"),
        GreedyPrunedMLPRegressor(),
        GreedyPrunedMLP(),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks_of_default_parameters(estimator, check):
    check(estimator)


@parametrize_with_checks([GreedyPrunedMLPRegressor(**SMALL, solver="sgd", batch_size=None, early_stopping=False)])
def test_scikit_learn_checks_of_gradient_descent(estimator, check):
    check(estimator)


@parametrize_with_checks([GreedyPrunedMLPClassifier(**SMALL, warm_start=True)])
def test_scikit_learn_checks_of_warm_starts(estimator, check):
    check(estimator)


@parametrize_with_checks([GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto"})])
def test_scikit_learn_checks_of_automatic_pretraining(estimator, check):
    check(estimator)
