"""How points, 0 to 1000, show a probability: points = 125 × (log10(odds) + 6).

Every 125 points are ten times the odds; 500 is 1 to 100, 750 is even.
"""

from typing import Final

POINTS_MAX: Final = 1000
POINTS_PER_DECADE: Final = 125
DECADES_BELOW_EVEN: Final = 6
"""An odds of 10 to the minus 6 is 0 points."""
