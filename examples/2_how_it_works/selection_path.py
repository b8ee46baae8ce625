"""
One selection, its certificate and its bounds
=============================================

Greedy forward selection reports, after every pick, the loss and a certificate: how far that loss can be above the least
that any weights of the neurons reach. Theory bounds the loss before anything is selected. Here are all of them.
"""

# %%
# A network of 1000 neurons, trained for 50 updates on the digits and pruned with 500 picks, not re-trained.
import numpy as np
from sklearn.datasets import load_digits

from sklearn_gfs import GreedyPrunedMLPClassifier, SelectionPathDisplay, network_bounds

X, y = load_digits(return_X_y=True)
network = GreedyPrunedMLPClassifier(n_retrain=0, loss="squared_error", random_state=0)
dense, subnetwork = (point.estimator for point in network.fit_path(X, y, n_pretrain=[50], k=[500]))
losses, gaps = subnetwork.selection_losses_, subnetwork.duality_gaps_
print(f"loss of the dense network {subnetwork.dense_loss_:.4f}, of 50 picks {losses[49]:.4f}, of 500 {losses[-1]:.4f}")
most = subnetwork.selection_counts_.max()
print(f"distinct neurons among 500 picks: {subnetwork.n_units_}, the most popular picked {most} times")

# %%
# With 500 picks the subnetwork is better than the dense network that it is a part of. The mean of all neurons is only
# one of the combinations that weights can reach. How much better could the best one be? Whatever the weights, the loss
# is at least the loss of the picks less their gap.
print(f"no weights of these neurons have a loss below {np.max(losses - gaps):.4f}")

# %%
# The bounds take two numbers of the dense network: its loss, and the spread of its neurons around their mean. They
# hold, and they are loose: the selection takes the best neuron at every step, the proof an average one.
bounds = network_bounds(dense, X, y)
print(f"loss of the dense network {bounds.dense_loss:.4f}, spread of its neurons {bounds.spread:.3f}")
for name, bound in bounds.upper_bounds(500).items():
    print(f"{name}: {bound:.4f} at 500 picks, {bound / losses[-1]:.1f} times the loss")

# %%
# The shaded region holds the least loss that any weights reach.
display = SelectionPathDisplay.from_estimator(subnetwork, upper_bounds=bounds)
