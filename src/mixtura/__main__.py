"""Entry of ``python -m mixtura``."""

import sys

from mixtura.cli import main

if __name__ == "__main__":
    sys.exit(main())
