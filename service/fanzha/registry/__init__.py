"""The registry of models: who signed, proposed, approved and rolled back what, and what follows.

Files and rules only: nothing here loads a model. ADR 0015 says why it is as it is.
"""
