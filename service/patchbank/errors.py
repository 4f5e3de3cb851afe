"""Every error that a user can meet, each with a stable code and an HTTP status.

There is one exception class per kind of trouble, so that callers catch only what they mean. The API answers all of them
in one shape: ``{"error": {"code", "message", "detail"?}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class PatchbankError(Exception):
    """Base of all errors that are reported to a user.

    ``code`` is stable and meant for programs, ``message`` is meant for people, and ``detail`` holds what a program may
    need beside the code. ``status`` is the HTTP status of the answer.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    def as_dict(self) -> dict[str, Any]:
        """The content of ``error`` in the API's one error shape."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail:
            body["detail"] = self.detail
        return body


def all_errors(kind: type[PatchbankError] = PatchbankError) -> list[type[PatchbankError]]:
    """Every error class, the base included."""
    return [kind, *(error for subclass in kind.__subclasses__() for error in all_errors(subclass))]


class InvalidSettings(PatchbankError):
    """A setting has a value that cannot work."""

    code = "invalid_settings"


class InvalidParameters(PatchbankError):
    """A request or a call has parameters that make no sense."""

    code = "invalid_parameters"
    status = 422


class InvalidClassName(InvalidParameters):
    """A class name cannot name a collection."""

    code = "invalid_class_name"


class InvalidMask(InvalidParameters):
    """A mask ignores everything, or does not fit the images."""

    code = "invalid_mask"


class UndecodableImage(PatchbankError):
    """The bytes are not a picture, or are a damaged one."""

    code = "undecodable_image"
    status = 400


class UnsupportedImage(PatchbankError):
    """A picture has a format or pixel type that is not read."""

    code = "unsupported_image_type"
    status = 415


class UnknownPixelRange(UnsupportedImage):
    """Which value of a 16-bit picture is white is not known, or the picture has another range than its class."""

    code = "unknown_pixel_range"


class ImageTooLarge(PatchbankError):
    """An image has more bytes or pixels than the limits allow."""

    code = "image_too_large"
    status = 413


class ImageTooCostly(PatchbankError):
    """Decoding an image took more time or memory than it may."""

    code = "image_too_costly"
    status = 413


class DecoderEnded(PatchbankError):
    """The process that decoded an image was stopped or killed."""

    code = "decoder_ended"
    status = 503


class DecodersNotStarted(PatchbankError):
    """The processes that decode images cannot be started."""

    code = "decoders_not_started"
    status = 503


class UnknownClass(PatchbankError):
    """There is no active bank of that product class."""

    code = "unknown_class"
    status = 404


class UnknownReference(PatchbankError):
    """The class has no reference image of that id."""

    code = "unknown_reference"
    status = 404


class UnknownDefect(PatchbankError):
    """The class has no known defect of that id."""

    code = "unknown_defect"
    status = 404


class UnknownVersion(PatchbankError):
    """The class has no such bank version."""

    code = "unknown_version"
    status = 404


class OtherSite(PatchbankError):
    """A page of another site asked for a change."""

    code = "other_site"
    status = 403


class HostNotAllowed(PatchbankError):
    """A request is for a host name that the service does not answer to."""

    code = "host_not_allowed"
    status = 421


class HeadTooLarge(PatchbankError):
    """The head of a request, its address and headers, is larger than is read."""

    code = "head_too_large"
    status = 431


class TooManyConnections(PatchbankError):
    """More connections are open than the service keeps."""

    code = "too_many_connections"
    status = 503


class TooManyListeners(PatchbankError):
    """More clients follow what is recorded than the service tells."""

    code = "too_many_listeners"
    status = 503


class KeyRequired(PatchbankError):
    """A request without an API key, where one is asked for."""

    code = "key_required"
    status = 401


class KeyInvalid(PatchbankError):
    """The API key of a request is wrong, malformed or revoked; which of them is not told."""

    code = "key_invalid"
    status = 401


class ScopeTooSmall(PatchbankError):
    """The API key of a request is good, but not for this."""

    code = "scope_too_small"
    status = 403


class KeysUnavailable(PatchbankError):
    """The database of the API keys has not answered for so long that the keys known before no longer count."""

    code = "keys_unavailable"
    status = 503


class NoKeys(PatchbankError):
    """The service is to ask for API keys, and there is none that could be used."""

    code = "no_keys"


class UnknownKey(PatchbankError):
    """There is no API key of that name or id."""

    code = "unknown_key"
    status = 404


class KeyNameTaken(PatchbankError):
    """There is, or was, an API key of that name."""

    code = "key_name_taken"
    status = 409


class UnknownJob(PatchbankError):
    """There is no such job, or it was so long ago that it is no longer kept."""

    code = "unknown_job"
    status = 404


class JobEnded(PatchbankError):
    """A job that has ended cannot be cancelled."""

    code = "job_ended"
    status = 409


class JobInterrupted(PatchbankError):
    """A job's process ended before its work was done."""

    code = "job_interrupted"


class JobCancelled(PatchbankError):
    """Somebody cancelled the job."""

    code = "job_cancelled"
    status = 409


class UploadTooLarge(PatchbankError):
    """An upload has more files or bytes than the limits allow."""

    code = "upload_too_large"
    status = 413


class NoReferences(PatchbankError):
    """There is no usable image to teach a class from."""

    code = "no_references"
    status = 422


class MixedReferences(NoReferences):
    """Too many of the references are unlike each other: they show no single product. ``pictures`` are those of
    ``detail["set_aside"]``, small, as JPEG, by image id."""

    code = "mixed_references"

    def __init__(self, message: str, *, pictures: Mapping[str, bytes] | None = None, **detail: Any) -> None:
        super().__init__(message, **detail)
        self.pictures = pictures or {}


class DataDirInUse(PatchbankError):
    """Another service runs on the data directory of an embedded store."""

    code = "data_dir_in_use"
    status = 409


class MissingOriginals(PatchbankError):
    """The pictures of a class's references are needed, and some were not found."""

    code = "missing_originals"
    status = 409


class CannotTune(PatchbankError):
    """There are too few pictures, or the wrong ones, to choose a class's detail and score by."""

    code = "cannot_tune"
    status = 422


class DefectNotDistinct(PatchbankError):
    """A picture's defect cannot be told from good parts, so it would be named on them."""

    code = "defect_not_distinct"
    status = 422


class DefectAlreadyKnown(PatchbankError):
    """The class knows that defect of that picture already."""

    code = "defect_already_known"
    status = 409


class TooManyDefects(PatchbankError):
    """A class has no room for the patches of one more known defect."""

    code = "too_many_defects"
    status = 409


class EmptyBank(PatchbankError):
    """The bank has no patches, so it cannot judge; its images never pass as normal."""

    code = "empty_bank"
    status = 409


class BackboneMismatch(PatchbankError):
    """The bank was made with another backbone or preprocessing, so scores would mean nothing."""

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


class NewerLayout(DamagedBank):
    """A bank was written by a newer release, in a layout that this one does not know; it is not damaged."""

    code = "newer_layout"
    status = 409


class DamagedSnapshot(PatchbankError):
    """A file is not a snapshot of a class, or is a damaged one."""

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


class StoreCertificateUntrusted(StoreUnavailable):
    """The certificate of the Qdrant server is not from an authority that is trusted, or has run out."""

    code = "store_certificate_untrusted"


class StoreCertificateOtherHost(StoreUnavailable):
    """The certificate of the Qdrant server is for another host name."""

    code = "store_certificate_other_host"


class StoreWithoutTls(StoreUnavailable):
    """The Qdrant server is asked with TLS and speaks without."""

    code = "store_without_tls"


class StoreWithTls(StoreUnavailable):
    """The Qdrant server is asked without TLS and speaks with it."""

    code = "store_with_tls"


class StoreOtherPort(StoreUnavailable):
    """The port that is asked is Qdrant's for HTTP, not that for gRPC."""

    code = "store_other_port"


class StoreNotQdrant(StoreUnavailable):
    """Something answers where a Qdrant server should, and is none."""

    code = "store_not_qdrant"


class StoreNodeMissing(StoreUnavailable):
    """A node of the Qdrant cluster is away that is needed for this."""

    code = "store_node_missing"


class SearchWorkersNotStarted(StoreUnavailable):
    """The processes that search the embedded store cannot be started."""

    code = "search_workers_not_started"


class DataDirNotWritable(StoreUnavailable):
    """The data directory cannot be made or written."""

    code = "data_dir_not_writable"


class DiskFull(DataDirNotWritable):
    """The disk has no room for what is to be written."""

    code = "disk_full"
    status = 507


class ModelUnavailable(PatchbankError):
    """The backbone's file is missing, wrong or cannot be loaded."""

    code = "model_unavailable"
    status = 503


class ProviderUnavailable(ModelUnavailable):
    """An execution provider that was asked for by name is not available."""

    code = "provider_unavailable"


class ExportFailed(PatchbankError):
    """A checkpoint cannot be exported as a graph that computes the same."""

    code = "export_failed"


class FileExists(PatchbankError):
    """A file that would be overwritten, which nobody asked for."""

    code = "file_exists"
    status = 409


class UnusablePath(PatchbankError):
    """A path that the system does not let the program look at, such as one that is too long or forbidden."""

    code = "unusable_path"


class DamagedInstallation(PatchbankError):
    """Files that belong to the program itself are missing."""

    code = "damaged_installation"


class HistoryUnavailable(PatchbankError):
    """The database of what was judged cannot be reached, read or written."""

    code = "history_unavailable"
    status = 503


class HistoryFull(HistoryUnavailable):
    """The disk of the database of what was judged has no room."""

    code = "history_full"
    status = 507


class NewerHistory(HistoryUnavailable):
    """The tables of the history were made by a newer release; they are not damaged."""

    code = "newer_history"
    status = 409


class HistoryOff(PatchbankError):
    """The history is asked, and a setting turns it off."""

    code = "history_off"
    status = 409


class UnknownDetection(PatchbankError):
    """The history has no such detection, or no longer."""

    code = "unknown_detection"
    status = 404


class PictureNotKept(PatchbankError):
    """The picture of a detection is needed, and the history does not hold it, or no longer."""

    code = "picture_not_kept"
    status = 409


class UnknownAction(PatchbankError):
    """The history has no such action."""

    code = "unknown_action"
    status = 404


class AlreadyUndone(PatchbankError):
    """An action was undone before."""

    code = "already_undone"
    status = 409


class AlreadyKnown(PatchbankError):
    """A picture is among the references, or the known defects, already."""

    code = "already_known"
    status = 409


class UnknownShadow(PatchbankError):
    """The class has no version that is judged beside the serving one."""

    code = "unknown_shadow"
    status = 404


class AlreadyServing(PatchbankError):
    """A version serves, so it cannot be judged beside the one that serves."""

    code = "already_serving"
    status = 409


class TooBusy(PatchbankError):
    """More requests are waiting than the queue holds."""

    code = "too_busy"
    status = 429


class DeadlinePassed(PatchbankError):
    """A request was not answered within its time, or its client has gone; its work was ended."""

    code = "deadline_passed"
    status = 503


class Closed(PatchbankError):
    """Something was used after it was closed."""

    code = "closed"
    status = 503
