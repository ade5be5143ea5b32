"""Builds data sets: from tables, from a bank's own files, from served archives."""
