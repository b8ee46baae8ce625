"""A fit announces as many phases as it has, so that a progress bar never jumps to its end."""

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPRegressor

pytest.importorskip("sklearn.callback")


class Phases:
    """A callback that counts the phases of a fit and keeps how many were announced."""

    def __init__(self):
        self.announced, self.ended = [], 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if context.parent is None:
            self.announced.append(context.max_subtasks)

    def on_fit_task_end(self, estimator, context):
        self.ended += context.parent is not None and context.parent.parent is None

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("n_retrain", [0, 5])
@pytest.mark.parametrize(("early_stopping", "validated"), [(False, False), (True, False), (True, True)])
def test_as_many_phases_as_announced(early_stopping, validated, n_retrain):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X[:, 0] - X[:, 1]
    callback = Phases()
    model = GreedyPrunedMLPRegressor(
        n_pretrain=5, k=3, n_hidden=10, n_retrain=n_retrain, early_stopping=early_stopping, random_state=0
    ).set_callbacks(callback)
    model.fit(X, y, **({"X_val": X[:20], "y_val": y[:20]} if validated else {}))
    assert callback.announced == [callback.ended]
