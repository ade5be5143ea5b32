"""Commands of `fanzha`, one a file. They are clients of the service, or start it."""
