"""
The estimators: pre-train a network, prune it, re-train what is left.

Here belongs what joins `network` and `selection`, and what scikit-learn asks of an estimator; how a network is trained
and how its neurons are selected belongs there.
"""
