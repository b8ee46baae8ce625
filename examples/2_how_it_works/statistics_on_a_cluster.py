"""
Select on data that no machine holds
====================================

What greedy forward selection needs to know of the samples are sums over them. So the samples can stay where they are:
every worker of a Dask cluster adds up its own part, the sums are merged, and the selection is made from them. It is
the selection on all the samples together.
"""

# %%
# The samples lie in parts, as files on different machines would. Each worker reads its own.
from functools import reduce

import numpy as np

from sklearn_gfs import SelectionPathDisplay, SelectionStatistics, greedy_forward_selection


def read_part(part):
    """Make what would be read from the part's file: 200 features and a target."""
    rng = np.random.default_rng(part)
    X = rng.standard_normal((5000, 200))
    return X, X[:, :10].mean(axis=1) + rng.standard_normal(5000)


def sums_of(part):
    """Return the statistics of one part: 200 x 200 numbers, however many samples there are."""
    return SelectionStatistics().update(*read_part(part))


# %%
# Where Dask is not installed the same steps run one after the other.
def main():
    """Gather the statistics, select, and compare."""
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError:
        print("dask is not installed: the parts are read one after the other")
        parts = [sums_of(part) for part in range(8)]
    else:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            parts = client.gather(client.map(sums_of, range(8)))

    statistics = reduce(SelectionStatistics.merge, parts)
    path = statistics.select(30, hull="l1")
    print(f"{statistics.n_samples} samples, features picked: {np.unique(path.picks).tolist()}")
    print(f"loss {path.losses[-1]:.4f}, at most {path.gaps[-1]:.4f} above the least in the l1 ball")

    # The same from all the samples at once, which here still fit in memory.
    X, y = (np.concatenate(arrays) for arrays in zip(*map(read_part, range(8)), strict=True))
    together = greedy_forward_selection(X, y, 30, hull="l1")
    print("the same picks as from all samples together:", np.array_equal(path.picks, together.picks))
    SelectionPathDisplay.from_path(path)


# Dask starts its workers by importing this file again, which must not start more of them.
if __name__ == "__main__":
    main()
