"""Workers of one service: their supervisor, where each of them works, and on which core."""
