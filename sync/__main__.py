"""`python -m sync` is `sverka`."""

from sync.cli import main

main()
