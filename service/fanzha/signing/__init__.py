"""Who signed what: Ed25519 keys, and which of them are trusted."""
