"""Data sets: embedded digits, sets in files (the MNIST family, small NORB, CIFAR-10), generated ones, a user's arrays.

`load_data` returns a `Dataset` whose standardisation and splits are stated and
reproducible; `available` lists the sets, `check_data` looks at their files,
`fetch_data` downloads them, `deformed` yields deformed copies without end,
`load_inputs` reads a user's `.npy` file.
"""

from approxmm.data.arrays import check_finite, load_inputs
from approxmm.data.check import DataCheck, FileStatus, check_data
from approxmm.data.dataset import Dataset, Split
from approxmm.data.deformed import deformed
from approxmm.data.fetch import fetch_data
from approxmm.data.load import load_data
from approxmm.data.location import data_folder
from approxmm.data.registry import DatasetInfo, available
from approxmm.data.standardise import Standardisation

__all__ = [
    "DataCheck",
    "Dataset",
    "DatasetInfo",
    "FileStatus",
    "Split",
    "Standardisation",
    "available",
    "check_data",
    "check_finite",
    "data_folder",
    "deformed",
    "fetch_data",
    "load_data",
    "load_inputs",
]
