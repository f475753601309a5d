"""`python -m moderator` is `moderator`."""

from moderator.cli.app import main

main()
