"""
One selection, its certificate and its bound
============================================

Greedy forward selection reports, after every pick, the loss and a certificate: how far that loss can be above the best
that any weights of the neurons reach. Theory bounds the loss before anything is selected. Here are all three, for the
neurons of a network with random hidden weights, so that nothing but NumPy is needed to make them.
"""

# %%
# The activations of 400 random neurons on the digits, and output weights that are fitted by ridge regression. Neuron i
# puts out its activation times its row of output weights; the dense network is the mean of all neurons.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import SelectionPathDisplay, greedy_forward_selection, theory

X, y = load_digits(return_X_y=True)
X, targets = StandardScaler().fit_transform(X), np.eye(10)[y]
rng = np.random.default_rng(0)
n_hidden = 400
hidden = np.maximum(X @ rng.normal(size=(X.shape[1], n_hidden)) / 8 + rng.normal(size=n_hidden), 0)
ridge = Ridge(alpha=100.0).fit(hidden, targets)
output_weights, offset = n_hidden * ridge.coef_.T, ridge.intercept_
dense_loss = np.mean(np.sum((hidden @ output_weights / n_hidden + offset - targets) ** 2, axis=1)) / 2

# %%
# The selection: 500 picks among 400 neurons, with replacement.
path = greedy_forward_selection(hidden, targets, 500, output_weights=output_weights, offset=offset)
print(f"loss of the dense network {dense_loss:.4f}, of 50 picks {path.losses[49]:.4f}, of 500 {path.losses[-1]:.4f}")
print(
    f"distinct neurons among 500 picks: {np.count_nonzero(path.counts)}; the most popular has {path.counts.max()} picks"
)

# %%
# The bound takes two numbers of the dense network: its loss, and the spread of its neurons around their mean. It holds,
# and it is loose: the selection takes the best neuron at every step, the proof an average one.
spread = theory.hull_spread(hidden, output_weights=output_weights)
bound = theory.root_bound(np.arange(1, 501), dense_loss, spread)
print(f"bound at 500 picks {bound[-1]:.4f}, {bound[-1] / path.losses[-1]:.0f} times the loss")

# %%
# The gap certifies the loss from below: the shaded region holds the least loss that any weights reach.
display = SelectionPathDisplay.from_path(path, dense_loss=dense_loss, upper_bound=bound)
display.ax_.set_yscale("log")
