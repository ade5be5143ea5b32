"""Profiles of loads: files that say who calls how often, and what has to come of it."""
