"""The demo: a banking month from simulation to a retrained model, every part of it real."""
