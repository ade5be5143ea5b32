"""The door: gRPC in and out, identities into tokens, errors into status."""
