"""
The two-layer network and its training: parameters, solvers, units, hold-out, device, time.

Nothing here selects neurons, checks what a user passes, or knows an estimator.
"""
