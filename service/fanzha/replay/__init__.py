"""Plays a bank's own table of transfers through an isolated instance of the service."""
