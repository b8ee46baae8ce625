"""
The search on a cluster
=======================

The folds of a search run through joblib, so they run wherever joblib can send them: processes on this machine, a Dask
cluster, Ray. Here is a Dask cluster on this machine; a real one differs in one line, the address of its scheduler.
"""

# %%
# Start a cluster. Without Dask the example uses joblib's own processes, and the results are the same.
from contextlib import ExitStack

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP, PretrainThresholdDisplay, PretrainThresholdSearch


def run():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), GreedyPrunedMLP(n_hidden=200, n_retrain=20, random_state=0))
    search = PretrainThresholdSearch(model, n_pretrain=[0, 20, 80, 160], k=[20, 50], cv=3, refit=False, target="best")
    with ExitStack() as stack:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            print("dask.distributed is not installed: two processes of joblib's own instead")
            stack.enter_context(joblib.parallel_config("loky", n_jobs=2))
        else:
            cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
            stack.enter_context(cluster)
            # On a real cluster: Client("tcp://scheduler:8786").
            stack.enter_context(Client(cluster))
            stack.enter_context(joblib.parallel_config("dask"))
        search.fit(X, y)

    # The same on one core, number for number up to the rounding of sums in another order.
    alone = PretrainThresholdSearch(**search.get_params(deep=False)).fit(X, y)
    difference = np.abs(search.cv_results_["mean_test_score"] - alone.cv_results_["mean_test_score"]).max()
    print(f"thresholds: {search.thresholds_}, largest difference between the mean scores: {difference:.2g}")
    PretrainThresholdDisplay.from_search(search)


# %%
# What travels: the data go once to each worker (joblib scatters every large argument and refers to it afterwards). For
# each fold the estimator and the indices of its samples follow. The scores come back, never a fitted network. The
# workers need this package installed, and on machines of unlike processors the last digits of scores may differ.
#
# A worker should have one thread for each core it may use (``threads_per_worker=1`` here): the network's linear algebra
# has threads of its own. On Ray, ``ray.util.joblib.register_ray()`` and ``joblib.parallel_config("ray")`` take the
# place of the cluster, the client and ``"dask"``. With ``checkpoint="search"`` finished folds are kept by the
# process that called ``fit``, so that a search survives the loss of the cluster as well as of that process.
#
# Worker processes import this file, hence the guard.
if __name__ == "__main__":
    run()
