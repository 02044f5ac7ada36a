"""The work: one verb a module, joined by chains.py only."""
