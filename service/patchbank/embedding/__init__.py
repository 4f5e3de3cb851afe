"""From pictures to embeddings: backbones, preprocessing, ONNX Runtime."""
