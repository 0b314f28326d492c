#!/usr/bin/env python3
"""Writes tests/golden/numpy.npz: a small traced run in NumPy's format. Made with NumPy 2."""
import pathlib

import numpy as np

path = pathlib.Path(__file__).parents[2] / "tests/golden/numpy.npz"
np.savez(path, **{
    "input": np.arange(6, dtype=np.float32).reshape(2, 3) / 2,
    "layer1.0.conv1": np.arange(4),
    "n" * 100: np.float64(-1),
})
