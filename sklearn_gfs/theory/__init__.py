"""
What is true of greedy forward selection and of pre-training before it, as pure functions of arrays and numbers.

Here belong the bounds, the quantities that enter them, and nothing that trains, selects or knows an estimator. Every
loss is half the squared error, summed over outputs and averaged over samples; spreads and squared diameters are
averages over samples too. The functions take NumPy arrays and use NumPy and SciPy only.
"""

from ._bounds import diameter_bound, harmonic_bound, one_step_bound, root_bound
from ._hull import HullOptimum, duality_gap, hull_diameter, hull_optimum, hull_spread
from ._kernel import extreme_eigenvalues, network_kernel
from ._membership import HullMembership, hull_membership
from ._pretraining import contraction_rate, iterations_to_loss, pretrain_threshold, required_k
from ._stated import corrective_bound, interior_bound, lemma_1_bound, paper_threshold

__all__ = [
    "HullMembership",
    "HullOptimum",
    "contraction_rate",
    "corrective_bound",
    "diameter_bound",
    "duality_gap",
    "extreme_eigenvalues",
    "harmonic_bound",
    "hull_diameter",
    "hull_membership",
    "hull_optimum",
    "hull_spread",
    "interior_bound",
    "iterations_to_loss",
    "lemma_1_bound",
    "network_kernel",
    "one_step_bound",
    "paper_threshold",
    "pretrain_threshold",
    "required_k",
    "root_bound",
]
