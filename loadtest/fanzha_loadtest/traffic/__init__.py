"""A bank's traffic, drawn call by call: who pays whom, where, how much, and what follows."""
