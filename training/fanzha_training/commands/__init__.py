"""The commands of `fanzha-training`, one module for each."""
