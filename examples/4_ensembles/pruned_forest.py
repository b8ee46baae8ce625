"""
A smaller forest that is as good
================================

A forest of hundreds of trees is slow to ask and large to store, and the first few dozen of its trees are worse. A few
dozen that are chosen are not. No data have to be held out for that: each tree has samples that it has never seen.
"""

# %%
# A forest of 500 trees.
import pickle

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_gfs import prune_forest

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
forest = RandomForestClassifier(500, min_samples_leaf=3, random_state=0).fit(X_train, y_train)

# %%
# Fifty trees are picked one by one, so that their mean has the least squared error. What comes out is a random forest
# again, with fewer trees.
small = prune_forest(forest, X_train, y_train, k=50)
small


# %%
# It shares the trees with the large one, takes a tenth of the space and is ten times as fast.
def brier(model):
    """Squared distance of the probabilities to the labels, on new samples."""
    return np.mean(np.sum((model.predict_proba(X_test) - np.eye(10)[y_test]) ** 2, axis=1))


for name, model in {"500 trees": forest, "50 chosen trees": small}.items():
    size = len(pickle.dumps(model)) / 2**20
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name}: accuracy {model.score(X_test, y_test):.3f}, log loss {loss:.3f}, {size:.1f} MiB")

# %%
# How few are enough? The first trees of a forest are as good as any others of the same number.
numbers = [5, 10, 20, 50, 100, 200]
chosen = [brier(prune_forest(forest, X_train, y_train, k)) for k in numbers]
first = [brier(RandomForestClassifier(k, min_samples_leaf=3, random_state=0).fit(X_train, y_train)) for k in numbers]

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(numbers, first, "o-", label="forest of so many trees")
ax.plot(numbers, chosen, "o-", label="so many of 500 trees, chosen")
ax.axhline(brier(forest), ls="--", c="grey", label="500 trees")
ax.set(xscale="log", xlabel="trees", ylabel="Brier score on new samples")
ax.set_xticks(numbers, numbers)
ax.minorticks_off()
ax.legend()
plt.show()
