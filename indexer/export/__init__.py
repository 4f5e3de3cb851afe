"""Making ONNX graphs of DINOv2 and DINOv3 checkpoints (extra ``export``); importing it needs no PyTorch."""

from indexer.export.checkpoints import CHECKPOINTS
from indexer.export.exporting import export_model
from indexer.export.request import ExportedModel, ExportRequest, Parity, SizeParity

__all__ = ["CHECKPOINTS", "ExportRequest", "ExportedModel", "Parity", "SizeParity", "export_model"]
