"""
Select among models whose predictions no machine holds
======================================================

The predictions of thousands of models for many samples can be larger than memory. They are a Dask array then, in parts
that lie on several machines. Every worker adds up its own part, and the sums of all parts are enough to select.
"""

# %%
# The probabilities that 60 models give three classes, (samples, classes, models). A part is made by the worker that
# uses it, as it would be read from a file. One partition is one part.
from functools import reduce

import numpy as np

from sklearn_gfs import SelectionPathDisplay, SelectionStatistics, greedy_forward_selection

N_PARTS, N_SAMPLES, N_CLASSES, N_MODELS = 4, 3000, 3, 60


def labels_of(part):
    """Make the labels of a part."""
    return np.random.default_rng(part).integers(N_CLASSES, size=N_SAMPLES)


def predictions_of(part):
    """Make what the models say of a part: some models are better than others."""
    rng = np.random.default_rng(N_PARTS + part)
    logits = rng.standard_normal((N_SAMPLES, N_CLASSES, N_MODELS))
    logits += np.eye(N_CLASSES)[labels_of(part)][:, :, None] * np.linspace(2.0, 0.5, N_MODELS)
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True)


# %%
# A sample and a class make a row: the squared error is a sum over both.
def sums_of(block, part):
    """Return the statistics of one part: 60 x 60 numbers, however many samples there are."""
    return SelectionStatistics().update(block.reshape(-1, N_MODELS), np.eye(N_CLASSES)[labels_of(part)].ravel())


def gather():
    """Return the statistics of all parts; where Dask is not installed the parts are read one after the other."""
    try:
        import dask
        import dask.array as da
        from dask.distributed import Client, LocalCluster
    except ImportError:
        print("dask is not installed: the parts are read one after the other")
        return [sums_of(predictions_of(part), part) for part in range(N_PARTS)]
    blocks = [
        da.from_delayed(dask.delayed(predictions_of)(part), (N_SAMPLES, N_CLASSES, N_MODELS), dtype=float)
        for part in range(N_PARTS)
    ]
    library = da.concatenate(blocks)
    print(f"a Dask array of shape {library.shape}, in parts of {library.chunksize[0]} samples")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        parts = library.to_delayed().ravel()
        return dask.compute(*(dask.delayed(sums_of)(block, part) for part, block in enumerate(parts)))


def main():
    """Gather the statistics, select, and compare."""
    statistics = reduce(SelectionStatistics.merge, gather())
    path = statistics.select(30)
    chosen = np.unique(path.picks)
    print(f"{len(chosen)} models are chosen: {chosen.tolist()}")
    print(f"half the Brier score {N_CLASSES * path.losses[-1]:.4f}, best model {N_CLASSES * path.losses[0]:.4f}")

    # The same from all the samples at once, which here still fit in memory.
    atoms = np.concatenate([predictions_of(part) for part in range(N_PARTS)]).transpose(0, 2, 1)
    labels = np.concatenate([labels_of(part) for part in range(N_PARTS)])
    together = greedy_forward_selection(atoms, labels, 30)
    print("the same picks as from all samples together:", np.array_equal(path.picks, together.picks))
    SelectionPathDisplay.from_path(path)


# Dask starts its workers by importing this file again, which must not start more of them.
if __name__ == "__main__":
    main()
