"""The theorems that approxmm relies on, each with steps that are checked by SymPy."""
