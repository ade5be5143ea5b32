"""One technology a file: Redis, spool, ONNX. Each meets a port of the pipeline."""
