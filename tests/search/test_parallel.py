"""Folds in parallel, on every backend of joblib, give what folds one after the other give."""

import os
import sys
import warnings

import joblib
import pytest
from path_double import PathClassifier
from same_results import same_results
from sklearn.datasets import load_iris

import sklearn_gfs.search._outcome
import sklearn_gfs.search._run
from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_parallel_folds_give_the_same(backend):
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        parallel = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    same_results(parallel, search)
    assert parallel.thresholds_ == search.thresholds_


def test_ray_gives_the_same():
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.util.joblib import register_ray

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    register_ray()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, about sockets and its future defaults
        # The workers run in another folder, and unpickle the double from this one.
        ray.init(
            num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
        )
        try:
            with joblib.parallel_config("ray"):
                parallel = PretrainThresholdSearch(**search.get_params(deep=False)).fit(X, y)
        finally:
            ray.shutdown()
    same_results(parallel, search)


def test_dask_cluster_gives_the_same():
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    with (
        # dask's own, about ports, events in a process of tests, and a machine without a network
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        parallel = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    same_results(parallel, search)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_n_jobs_is_what_joblib_is_given(monkeypatch, n_jobs):
    given = []

    class Told(sklearn_gfs.search._run.Parallel):
        def __init__(self, n_jobs=None, **settings):
            given.append(n_jobs)
            super().__init__(n_jobs=n_jobs, **settings)

    monkeypatch.setattr(sklearn_gfs.search._run, "Parallel", Told)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2, n_jobs=n_jobs, refit=False)
    with joblib.parallel_config("threading"):
        search.fit(*load_iris(return_X_y=True))
    assert given == [n_jobs]
