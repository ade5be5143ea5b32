"""The archive: day-partitioned Parquet, the offline store for training, replay and audit."""
