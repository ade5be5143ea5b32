"""A long steady load, and whether anything grows that should not: `make soak`."""
