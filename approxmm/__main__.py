"""``python -m approxmm`` is the same as ``approxmm``."""

from approxmm.cli import main

main()
