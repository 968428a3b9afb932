"""`python -m psseg`: the command, where its script is not on the path."""

from psseg.cli import main

main()
