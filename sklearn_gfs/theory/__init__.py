"""
What is true of greedy forward selection and of pre-training before it, as pure functions of arrays and numbers.

Here belong the bounds, the quantities that enter them, and nothing that trains, selects or knows an estimator. Every
loss is half the squared error, summed over outputs and averaged over samples; spreads and squared diameters are
averages over samples too. The functions take NumPy arrays and use NumPy and SciPy only.
"""

from ._bounds import diameter_bound, harmonic_bound, one_step_bound, root_bound
from ._hull import HullOptimum, duality_gap, hull_diameter, hull_optimum, hull_spread
from ._kernel import extreme_eigenvalues, network_kernel
from ._pretraining import contraction_rate, iterations_to_loss, pretrain_threshold, required_k

__all__ = [
    "HullOptimum",
    "contraction_rate",
    "diameter_bound",
    "duality_gap",
    "extreme_eigenvalues",
    "harmonic_bound",
    "hull_diameter",
    "hull_optimum",
    "hull_spread",
    "iterations_to_loss",
    "network_kernel",
    "one_step_bound",
    "pretrain_threshold",
    "required_k",
    "root_bound",
]
