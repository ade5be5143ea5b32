"""Re-keying, offline: every stored token becomes the token that the new chain of keys makes.

It copies: from one Redis to an empty one, from one archive to an empty folder. What is copied from
is never changed, so that a copy that was cut off is thrown away and begun again.
"""
