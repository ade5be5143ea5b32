"""Fanzha (反诈): may this money leave? Real-time decisions against telecom and online fraud."""

__version__ = "0.1.0"
