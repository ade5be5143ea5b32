"""The way of one transfer: one file for each step; `assess` reads like the sentence."""
