"""Every error a user can meet, each with a stable code and an HTTP status.

One class a kind of trouble, so that callers catch what they mean and the API makes one error shape of all of
them: ``{"error": {"code", "message", "detail"?}}``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PatchbankError(Exception):
    """Base of all errors that are told to a user.

    ``code`` is stable and meant for programs, the message is meant for people, ``detail`` holds what a program
    may want beside the code. ``status`` is the HTTP status of the answer.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    def as_dict(self) -> dict[str, Any]:
        """The inside of the one error shape."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail:
            body["detail"] = self.detail
        return body


def all_errors(kind: type[PatchbankError] = PatchbankError) -> list[type[PatchbankError]]:
    """Every kind of error there is, the base included."""
    return [kind, *(found for below in kind.__subclasses__() for found in all_errors(below))]


class InvalidSettings(PatchbankError):
    """A setting has a value that cannot work."""

    code = "invalid_settings"


class InvalidParameters(PatchbankError):
    """A request or a call has parameters that make no sense."""

    code = "invalid_parameters"
    status = 422


class InvalidClassName(InvalidParameters):
    """A class name that cannot name a collection."""

    code = "invalid_class_name"


class InvalidMask(InvalidParameters):
    """A mask that ignores everything, or does not fit the images."""

    code = "invalid_mask"


class UndecodableImage(PatchbankError):
    """The bytes are not a picture, or a broken one."""

    code = "undecodable_image"
    status = 400


class UnsupportedImage(PatchbankError):
    """A picture in a format or pixel type that is not read."""

    code = "unsupported_image_type"
    status = 415


class ImageTooLarge(PatchbankError):
    """More bytes or pixels than the limits allow."""

    code = "image_too_large"
    status = 413


class UnknownClass(PatchbankError):
    """No active bank of that product class."""

    code = "unknown_class"
    status = 404


class UnknownReference(PatchbankError):
    """No reference image of that id in the class."""

    code = "unknown_reference"
    status = 404


class UnknownVersion(PatchbankError):
    """The class has no such bank version."""

    code = "unknown_version"
    status = 404


class NoReferences(PatchbankError):
    """A class cannot be taught from no usable image."""

    code = "no_references"
    status = 422


class EmptyBank(PatchbankError):
    """A bank without patches cannot judge anything; it never reads as normal."""

    code = "empty_bank"
    status = 409


class BackboneMismatch(PatchbankError):
    """The bank was made with another backbone or preprocessing; scores across the two mean nothing."""

    code = "backbone_mismatch"
    status = 409


class ClassBusy(PatchbankError):
    """Another indexer is changing this class."""

    code = "class_busy"
    status = 409


class DamagedBank(PatchbankError):
    """Files of a bank are missing or cannot be read."""

    code = "damaged_bank"
    status = 503


class DamagedSnapshot(PatchbankError):
    """A file is no snapshot of a class, or a broken one."""

    code = "damaged_snapshot"
    status = 422


class SnapshotNotWritable(PatchbankError):
    """A snapshot's file cannot be written."""

    code = "snapshot_not_writable"


class StoreUnavailable(PatchbankError):
    """The bank store cannot be reached, read or written."""

    code = "store_unavailable"
    status = 503


class StoreRefused(StoreUnavailable):
    """The bank store answers, but does not let this service in."""

    code = "store_refused"


class SearchWorkersNotStarted(StoreUnavailable):
    """The processes that search the embedded store cannot be started."""

    code = "search_workers_not_started"


class DataDirNotWritable(StoreUnavailable):
    """The data directory cannot be made or written."""

    code = "data_dir_not_writable"


class ModelUnavailable(PatchbankError):
    """The backbone's file is missing, wrong or cannot be loaded."""

    code = "model_unavailable"
    status = 503


class ProviderUnavailable(ModelUnavailable):
    """An execution provider that was asked for by name cannot be had."""

    code = "provider_unavailable"


class ExportFailed(PatchbankError):
    """A checkpoint cannot be made into a graph that equals it."""

    code = "export_failed"


class FileExists(PatchbankError):
    """A file that would be overwritten, which nobody asked for."""

    code = "file_exists"
    status = 409


class DamagedInstallation(PatchbankError):
    """Files that belong to the program itself are missing."""

    code = "damaged_installation"


class TooBusy(PatchbankError):
    """More requests are waiting than the queue holds."""

    code = "too_busy"
    status = 429


class Closed(PatchbankError):
    """Use after close."""

    code = "closed"
    status = 503
