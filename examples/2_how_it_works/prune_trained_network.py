"""
A network that is already trained
=================================

A network that scikit-learn or torch has trained can be pruned without training it anew: one call, and no labels. Here
is what is left of the accuracy at every size, beside what the largest weights alone would leave.
"""

# %%
# The network: 300 hidden neurons on the digits, in a pipeline with a scaler.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_gfs import prune_network

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
network = make_pipeline(MinMaxScaler(), MLPClassifier(300, tol=1e-3, learning_rate_init=0.005, random_state=0)).fit(
    X_train, y_train
)
print(f"test accuracy of 300 neurons: {network.score(X_test, y_test):.3f}")

# %%
# Fifty of them. What comes back is a pipeline like the first, its network truly smaller; the first is as it was.
small = prune_network(network, X_train, k=50)
print(small[-1])
print(f"test accuracy of 50 neurons: {small.score(X_test, y_test):.3f}")
print("weights:", [coef.shape for coef in small[-1].coefs_])

# %%
# Without labels the small network keeps the outputs of the large one. With them it is fitted to the labels as well, as
# far as samples that are left out agree.
for_labels = prune_network(network, X_train, y_train, k=50)
print(f"test accuracy of 50 neurons, with labels: {for_labels.score(X_test, y_test):.3f}")

# %%
# At every size: the selection, the selection with labels, and the neurons whose weights are largest, left as they are.
sizes = [5, 10, 20, 35, 50, 100, 200]


def largest(k):
    """Return the accuracy of the k neurons with the largest weights."""
    (coef, out_coef), (intercept, out_intercept) = network[-1].coefs_, network[-1].intercepts_
    norms = np.linalg.norm(coef, axis=0) * np.linalg.norm(out_coef, axis=1)
    kept = np.argsort(-norms)[:k]
    hidden = np.maximum(network[:-1].transform(X_test) @ coef[:, kept] + intercept[kept], 0)
    return np.mean((hidden @ out_coef[kept] + out_intercept).argmax(axis=1) == y_test)


scores = {
    "prune_network": [prune_network(network, X_train, k=k).score(X_test, y_test) for k in sizes],
    "prune_network, with labels": [prune_network(network, X_train, y_train, k=k).score(X_test, y_test) for k in sizes],
    "largest weights": [largest(k) for k in sizes],
}
figure, axes = plt.subplots()
for name, values in scores.items():
    axes.plot(sizes, values, marker="o", label=name)
axes.axhline(network.score(X_test, y_test), color="grey", linestyle="--", label="all 300 neurons")
axes.set(xscale="log", xlabel="neurons kept", ylabel="test accuracy", xticks=sizes, xticklabels=sizes)
axes.minorticks_off()
axes.legend()
