"""The command line, as ``python -m sktandem``."""

import sys

from sktandem.cli import main

if __name__ == "__main__":
    sys.exit(main())
