"""Making ONNX graphs of DINOv2 and DINOv3 checkpoints (extra ``export``); importing it needs no PyTorch."""

from patchbank_indexer.export.exporting import export_model
from patchbank_indexer.export.request import ExportedModel, ExportRequest, Parity, SizeParity

__all__ = ["ExportRequest", "ExportedModel", "Parity", "SizeParity", "export_model"]
