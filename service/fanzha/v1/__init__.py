"""Generated from proto/fanzha/v1 by `make proto`; never edited by hand."""
