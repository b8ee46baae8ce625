"""What the tests of the search share: small data."""

from sklearn.datasets import load_breast_cancer


def load_binary(return_X_y=True):
    """Return a quarter of the breast cancer data."""
    X, y = load_breast_cancer(return_X_y=True)
    return X[::4], y[::4]
