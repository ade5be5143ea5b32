"""Plays a profile against a service, and judges what came of it."""
