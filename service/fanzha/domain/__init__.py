"""The nouns of the decision: plain data, standard library only."""
