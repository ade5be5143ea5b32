"""Outside clients of Fanzha: they know the API, the command lines and nothing of the inside."""
