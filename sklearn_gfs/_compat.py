"""Every private or version-dependent scikit-learn name that the package uses, once; nothing else."""
