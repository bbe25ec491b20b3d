"""``python -m approxmm`` is the same as ``approxmm``."""

from approxmm.cli import main

if __name__ == "__main__":
    main()
