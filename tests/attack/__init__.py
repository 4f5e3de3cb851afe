"""Attacks on the project, run on scratch copies: ``python -m tests.attack --help``, ``make attack``, docs/attack.md."""
