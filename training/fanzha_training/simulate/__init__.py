"""Simulates a bank's customers, their daily life, and the frauds that are played on them.

Read `run.py` first: it is the story. A scam looks as its file in `scripts/` says.
"""
