"""
A few columns of many
=====================

Greedy forward selection also selects features. Here 5 of 100 columns carry all the information. Cross-validation says
how many columns to keep.
"""

# %%
# 200 samples of Friedman's first problem: the first 5 columns matter, 95 are noise. With ``corrective=True`` the
# selector is forward selection by orthogonal least squares. By default it is a relative of the lasso.
import matplotlib.pyplot as plt
from sklearn.datasets import make_friedman1
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_gfs import GreedyForwardSelector

X, y = make_friedman1(n_samples=200, n_features=100, random_state=0)
numbers = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30]
selectors = {
    "lasso's ball": GreedyForwardSelector(),
    "orthogonal least squares": GreedyForwardSelector(corrective=True),
}

# %%
# The selection is a step of the pipeline, so each fold selects columns of its own.
figure, ax = plt.subplots()
for name, selector in selectors.items():
    means = []
    for n_columns in numbers:
        model = make_pipeline(selector.set_params(n_features_to_select=n_columns), LinearRegression())
        means.append(cross_val_score(model, X, y, cv=5).mean())
    best = max(range(len(numbers)), key=means.__getitem__)
    print(f"{name:<25} best R2 {means[best]:.3f} with {numbers[best]} columns; with all 30 {means[-1]:.3f}")
    ax.plot(numbers, means, marker="o", label=name)
ax.set(xlabel="Columns", ylabel="R2, mean of five folds")
legend = ax.legend()

# %%
# More columns fit the training samples better and new samples worse. A linear model misses the third column, whose
# effect is a parabola. Columns that must stay are named by ``keep``.
selector = GreedyForwardSelector(n_features_to_select=5, corrective=True)
print("columns:", selector.fit(X, y).get_support(indices=True).tolist())
print("with column 2 kept:", selector.set_params(keep=[2]).fit(X, y).get_support(indices=True).tolist())
