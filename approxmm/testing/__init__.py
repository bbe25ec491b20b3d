"""The conformance kit: run the contract's checks on anybody's sampling method."""

from approxmm.testing.conformance import check_method

__all__ = ["check_method"]
