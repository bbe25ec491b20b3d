"""A user's own network: files of other packages and fitted estimators, read to a `Network`.

`read_model` is the one function; what it found, what it could not use and why is
in the `Model` that it returns.
"""

from approxmm.interop.model import Found, Model
from approxmm.interop.parts import Obstacle
from approxmm.interop.read import read_model

__all__ = ["Found", "Model", "Obstacle", "read_model"]
