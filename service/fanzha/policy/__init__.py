"""What the bank decides by: rules, thresholds and prompts, read from versioned files."""
