"""Trains what Fanzha scores with, and simulates worlds to train on. Never part of a pod."""
