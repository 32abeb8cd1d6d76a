"""`python -m tests.peers demo`: what `sverka demo` starts."""

import sys

from tests.peers.demo import main

sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["demo"] else sys.argv[1:]))
