"""How much memory a call takes."""

import tracemalloc


def peak(function, *args, **kwargs):
    """Return the most memory that NumPy held at once, in bytes, while the function ran, and its result."""
    tracemalloc.start()
    try:
        result = function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()
