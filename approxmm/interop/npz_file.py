"""Arrays in an `.npz` file: this package's own networks, or a state dict saved by `numpy.savez`."""

from __future__ import annotations

from approxmm.data.npz import read_npz
from approxmm.interop.named import named_parts
from approxmm.interop.reading import Reading, Source
from approxmm.interop.stored import Stored
from approxmm.network_file import SETTINGS, stored_activation, stored_normalisation

__all__ = ["read"]


def read(source: Source) -> Reading:
    """Return the layers of an `.npz` file; errors as for `read_npz` and `named_parts`."""
    arrays = read_npz(source.path, source.max_bytes)
    activation = stored_activation(arrays, "relu") if "activation" in arrays else None
    # What follows the network in the file of an estimator is no parameter of it.
    parameters = {name: array for name, array in arrays.items() if not name.startswith("estimator.")}
    stored = {name: Stored.of(array) for name, array in parameters.items() if name not in SETTINGS}
    parts = named_parts(stored, source.name, stored_order=True, layers=source.layers, activation=activation)
    kind = f"NumPy archive of {len(stored)} arrays"
    return Reading(parts, kind, by_name=True, normalise=stored_normalisation(arrays))
