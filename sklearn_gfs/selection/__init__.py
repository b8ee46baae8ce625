"""
Which atoms: greedy forward selection, from arrays to arrays.

Here belong the kernels, the inner products that they need, the search for each loss, and what users call:
`greedy_forward_selection`, `GreedyForwardSelector` and `SelectionStatistics`. Nothing here trains, and nothing knows
of networks: atoms are columns, or outputs of whatever model.
"""
