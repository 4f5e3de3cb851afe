"""From a network in PyTorch to an ONNX file: traced, fused, and made smaller where asked."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnx import numpy_helper

from patchbank.errors import ExportFailed
from patchbank.onnx_runtime import onnx_runtime
from patchbank_indexer.export.network import Features, fold_layer_scale, make_positions_traceable
from patchbank_indexer.export.request import ExportRequest

OPSET: Final = 18
_LARGEST: Final = 2**31 - 2**24
"""Bytes of weights that fit one ONNX file: protobuf's limit, less room for the graph itself."""


def write_graph(features: Features, request: ExportRequest, folder: Path) -> Path:
    """Write the graph asked for into ``folder`` and return its path.

    Changes ``features``: compute PyTorch's outputs before. Intermediate files stay in the folder.
    """
    weights = sum(value.numel() * value.element_size() for value in features.parameters())
    if weights > _LARGEST:
        raise ExportFailed(f"{weights / 1e9:.1f} GB of weights do not fit one ONNX file; 2.1 GB is the limit")
    make_positions_traceable(features)
    if request.optimise:
        fold_layer_scale(features)
    if request.precision == "fp16":
        features.halve()
    with quiet():
        path = _trace(features, request, folder / "traced.onnx")
        if request.optimise:
            path = _fuse(features, request, path, folder / "fused.onnx")
        if request.precision == "int8":
            path = _quantise(path, folder / "quantised.onnx")
    return path


def fused_operators(path: Path) -> dict[str, int]:
    """How many nodes of ONNX Runtime's own operators a graph has, by name."""
    nodes = onnx.load(str(path), load_external_data=False).graph.node
    return dict(Counter(node.op_type for node in nodes if node.domain == "com.microsoft"))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' warnings: the parity check says whether what they warn of matters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _trace(features: Features, request: ExportRequest, path: Path) -> Path:
    width, height = request.size or (features.stride * 20, features.stride * 24)
    sides: dict[int, str] = {} if request.size else {2: "height", 3: "width"}
    count: dict[int, str] = {} if request.max_batch == 1 else {0: "batch"}
    patches: dict[int, str] = {} if request.size else {1: "patches"}
    axes = {"pixel_values": count | sides, "patch_tokens": count | patches, "cls_token": count}
    with torch.no_grad():
        torch.onnx.export(
            features,
            (torch.zeros(1, 3, height, width),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixel_values"],
            output_names=["patch_tokens", "cls_token"],
            dynamic_axes={name: named for name, named in axes.items() if named},
        )
    return path


def _fuse(features: Features, request: ExportRequest, path: Path, target: Path) -> Path:
    """ONNX Runtime's transformer optimisation.

    Attention becomes ``Attention``, which OpenVINO takes too. An int8 graph gets ``MultiHeadAttention``, which leaves
    its projections as products to quantise and is the faster of the two; OpenVINO would run neither int8 kind well.
    Level 0: the levels above turn products into ``Gemm`` first, and then no attention is found.
    """
    onnx_runtime()
    from onnxruntime.transformers.fusion_options import FusionOptions  # noqa: PLC0415 - puts a folder on sys.path
    from onnxruntime.transformers.optimizer import optimize_model  # noqa: PLC0415

    _prepare_attention(path, request)
    options = FusionOptions("vit")
    options.enable_shape_inference = False  # finds no more to fuse here, and stumbles over Resize
    options.enable_skip_layer_norm = False  # its second output, the sum, is more than OpenVINO can read
    options.use_multi_head_attention = request.precision == "int8"
    heads = features.network.config.num_attention_heads
    model = optimize_model(
        str(path),
        model_type="vit",
        num_heads=heads,
        hidden_size=features.width,
        optimization_options=options,
        opt_level=0,
    )
    model.save_model_to_file(str(target))
    return target


def _prepare_attention(path: Path, request: ExportRequest) -> None:
    """Write each attention as the fusion knows it: scores divided, not multiplied, and no cast behind the softmax."""
    model: Any = onnx.load(str(path))
    makers = {output: node for node in model.graph.node for output in node.output}
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        product = makers.get(softmax.input[0])
        scale = makers.get(product.input[1]) if product is not None and product.op_type == "Mul" else None
        if product is None or scale is None or scale.op_type != "Constant":
            continue
        name = f"{product.name}/divisor"
        value = numpy_helper.to_array(scale.attribute[0].t)
        model.graph.initializer.append(numpy_helper.from_array((1.0 / value).astype(value.dtype), name))
        product.op_type = "Div"
        product.input[1] = name
    if request.precision != "fp16":  # transformers 4 casts from float to float there
        _bypass_casts(model.graph, makers)
    onnx.save(model, str(path))


def _bypass_casts(graph: Any, makers: dict[str, Any]) -> None:
    """Let what reads the casts behind a softmax read the softmax; all of them are float in a float graph."""
    for node in graph.node:
        for index, name in enumerate(node.input):
            maker = makers.get(name)
            while maker is not None and maker.op_type == "Cast" and maker.attribute[0].i == onnx.TensorProto.FLOAT:
                maker = makers.get(maker.input[0])
            if maker is not None and maker.op_type == "Softmax":
                node.input[index] = maker.output[0]


def _quantise(path: Path, target: Path) -> Path:
    """Weights of the products in int8, each output channel with its own scale; activations are scaled as they come."""
    onnx_runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - slow to import

    quantize_dynamic(
        str(path),
        str(target),
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
        # ONNX's type inference stops at ONNX Runtime's fused operators; behind them is float too
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return target
