"""Numbers for the golden files of training."""
import numpy as np


def values(seed, count):
    """float32 [count] in [-1, 1), by integers: the same in any language."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(1 + 1000003 * seed)
    mask = np.uint64(0xFFFFFFFF)
    x = (x * np.uint64(2654435761)) & mask
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(2246822519)) & mask
    x ^= x >> np.uint64(13)
    return ((x >> np.uint64(8)).astype(np.float64) / (1 << 23) - 1).astype(np.float32)
