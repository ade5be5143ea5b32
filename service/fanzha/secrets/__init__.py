"""Secrets in files: who may read them, how they are wrapped, and the keyed digests they make."""
