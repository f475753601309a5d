"""Models that turn a prepared picture into a vector: `clip` (sentence-transformers) and `onnx`."""
