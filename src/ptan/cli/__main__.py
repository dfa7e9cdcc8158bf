"""`python -m ptan.cli`."""

import sys

from ptan.cli.main import main

sys.exit(main(sys.argv[1:]))
