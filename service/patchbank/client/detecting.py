"""Requests that judge images, and that ask how the service is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from patchbank.answers.detection import BatchAnswer, Detection
from patchbank.answers.health import Health, Ready
from patchbank.answers.nearest import Comparison
from patchbank.answers.overview import Links
from patchbank.client.call import Call, Value, model, path
from patchbank.client.files import Image, part, parts

MapFormat = Literal["heatmap", "overlay", "gray16"]


def detect(
    image: Image,
    *,
    class_name: str | None = None,
    version: str | None = None,
    threshold: float | None = None,
    pixel_threshold: float | None = None,
    map_format: MapFormat = "heatmap",
    return_map: bool = True,
    explain: bool = False,
) -> Call[Detection]:
    """Judge one image. Without ``class_name`` the product is found by class retrieval; ``anomaly_map_base64`` is a PNG
    in the format asked for, None without ``return_map``. With ``explain`` regions name their nearest normal patches."""
    fields = {
        "class_name": class_name,
        "version": version,
        "threshold": threshold,
        "pixel_threshold": pixel_threshold,
        "map_format": map_format,
        "return_map": return_map,
        "explain": explain,
    }
    return Call("POST", "/detect", model(Detection), fields=fields, files=[part("file", image)])


def detect_batch(
    images: Iterable[Image],
    *,
    class_name: str | None = None,
    version: str | None = None,
    threshold: float | None = None,
    pixel_threshold: float | None = None,
    map_format: MapFormat = "heatmap",
    return_maps: bool = False,
    explain: bool = False,
) -> Call[BatchAnswer]:
    """Judge several images, at most ``PATCHBANK_MAX_BATCH`` of the service; ``results`` are in their order. One that
    can't be judged has ``status`` ``error`` and does not fail the others."""
    fields = {
        "class_name": class_name,
        "version": version,
        "threshold": threshold,
        "pixel_threshold": pixel_threshold,
        "map_format": map_format,
        "return_maps": return_maps,
        "explain": explain,
    }
    return Call("POST", "/detect/batch", model(BatchAnswer), fields=fields, files=parts("files", images))


def nearest(image: Image, class_name: str, x: float, y: float, *, version: str | None = None) -> Call[Comparison]:
    """The patch at the place ``x``, ``y`` of an image, in pixels of the upright original, beside its nearest normal
    patch of a class."""
    fields: dict[str, Value] = {"class_name": class_name, "x": x, "y": y, "version": version}
    return Call("POST", "/detect/nearest", model(Comparison), fields=fields, files=[part("file", image)])


def health() -> Call[Health]:
    """How the service is."""
    return Call("GET", path("health"), model(Health))


def ready() -> Call[Ready]:
    """Whether it can judge. Raises ``Refused`` where it cannot."""
    return Call("GET", path("health", "ready"), model(Ready))


def links() -> Call[Links]:
    """Where Grafana and the Qdrant server's dashboard are, for people."""
    return Call("GET", path("links"), model(Links))
