"""scikit-learn's own checks over the ensembles, none of them expected to fail."""

from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor

CLASSIFIERS = [
    ("line", LogisticRegression(C=0.1)),
    ("ridge", RidgeClassifier()),
    ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
]
REGRESSORS = [
    ("line", LinearRegression()),
    ("ridge", Ridge(10.0)),
    ("tree", DecisionTreeRegressor(max_depth=2, random_state=0)),
]


@parametrize_with_checks(
    [
        GreedyEnsembleClassifier(CLASSIFIERS, 5, cv=3),
        GreedyEnsembleClassifier([*CLASSIFIERS, ("bayes", GaussianNB())], 5, cv=3, scoring="accuracy"),
        GreedyEnsembleClassifier(CLASSIFIERS, 5, cv=3, loss="squared_error", n_bags=3, n_init=2),
        GreedyEnsembleClassifier(CLASSIFIERS, 5, cv=3, loss="squared_error", corrective=True),
        GreedyEnsembleRegressor(REGRESSORS, 5),
        GreedyEnsembleRegressor(REGRESSORS, 5, corrective=True),
        GreedyEnsembleRegressor(REGRESSORS, 5, scoring="neg_mean_absolute_error", replace=False),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
