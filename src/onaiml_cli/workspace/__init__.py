"""Where a person works: Jupyter, kernels, the library, its tests."""
