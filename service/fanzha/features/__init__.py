"""Features: one compiled definition, used by the service and by training."""
