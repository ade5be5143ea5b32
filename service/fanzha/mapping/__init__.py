"""Understands a bank's own table of transfers: which column is what, and how its cells are read."""
