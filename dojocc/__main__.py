"""`python -m dojocc`: the command line, as `dojocc`."""

from __future__ import annotations

import sys

from dojocc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
