"""Metadata routing, callbacks and clusters."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from sklearn_gfs import GreedyEnsembleClassifier

X, Y = load_iris(return_X_y=True)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3.0, 150)


def test_with_routing_weights_go_to_who_asks_for_them():
    with config_context(enable_metadata_routing=True):
        line = LogisticRegression(max_iter=1000).set_fit_request(sample_weight=True)
        models = [("line", line), ("near", KNeighborsClassifier())]
        bayes = GaussianNB().set_fit_request(sample_weight=False)
        ensemble = GreedyEnsembleClassifier([*models, ("bayes", bayes)], 9, cv=GroupKFold(3))
        ensemble.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        ensemble.fit(X, Y, sample_weight=WEIGHT, groups=np.arange(150) % 9)
        assert "sample_weight" in str(ensemble.get_metadata_routing())
        found = cross_validate(ensemble, X, Y, params={"sample_weight": WEIGHT, "groups": np.arange(150) % 9}, cv=3)
        assert found["test_score"].min() > 0.8
        ensemble.set_params(bayes=GaussianNB())
        with pytest.raises(UnsetMetadataPassedError, match="GaussianNB"):
            ensemble.fit(X, Y, sample_weight=WEIGHT, groups=np.arange(150) % 9)
    alone = GreedyEnsembleClassifier(models[:1], 9, cv=GroupKFold(3))
    alone.fit(X, Y, sample_weight=WEIGHT, groups=np.arange(150) % 9)
    with config_context(enable_metadata_routing=True):
        routed = GreedyEnsembleClassifier(models[:1], 9, cv=GroupKFold(3))
        routed.fit(X, Y, sample_weight=WEIGHT, groups=np.arange(150) % 9)
    np.testing.assert_allclose(routed.selection_losses_, alone.selection_losses_)


class Recorder:
    """Keeps what it is told."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.seen.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.seen.append(("begin", context.task_name, context.parent and context.parent.task_name, X is None or len(X)))

    def on_fit_task_end(self, estimator, context):
        self.seen.append(("end", context.task_name))


def test_callbacks_see_a_task_for_every_model_and_fold():
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    recorder = Recorder()
    models = [("bayes", GaussianNB()), ("line", LogisticRegression(max_iter=1000))]
    ensemble = GreedyEnsembleClassifier(models, 9, cv=3).set_callbacks(recorder).fit(X, Y)
    begun = [event[1:] for event in recorder.seen if event[0] == "begin"]
    assert begun[0] == ("fit", None, 150)
    assert begun.count(("bayes", "predictions", 100)) == begun.count(("line", "predictions", 100)) == 3
    chosen = [task for task in begun if task[1] == "chosen models"]
    assert chosen == [(name, "chosen models", 150) for name in ensemble.named_estimators_]
    assert sorted(task[0] for task in begun) == sorted(event[1] for event in recorder.seen if event[0] == "end")
    assert recorder.seen[-1] == ("teardown", "fit")
    assert not hasattr(ensemble.estimators_[0], "_parent_callback_ctx")


def test_dask_fits_the_models():
    joblib = pytest.importorskip("joblib")
    distributed = pytest.importorskip("distributed")
    models = [("bayes", GaussianNB()), ("line", LogisticRegression(max_iter=1000))]
    here = GreedyEnsembleClassifier(models, 9, cv=3).fit(X, Y)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        there = GreedyEnsembleClassifier(models, 9, cv=3, n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))
