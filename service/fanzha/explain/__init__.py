"""Why a score is what it is: exact contributions of features, and reasons that a teller reads."""
