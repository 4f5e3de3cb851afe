"""From the form that an endpoint is sent to the request of a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from patchbank.api.form_fields import check_fields
from patchbank.api.uploads import Form
from patchbank.errors import InvalidParameters, NoReferences
from patchbank.jobs.choices import CalibrateChoices, TeachChoices, UpdateChoices, refused
from patchbank.jobs.defects import DefectChoices
from patchbank.jobs.uploads import place_of
from patchbank.teaching.series import Grouping, check_several
from patchbank.teaching.telling_names import refuse_telling

FILE: Final = "file"
FILES: Final = "files"
HELD_OUT: Final = "calibrate_with"
MASK: Final = "mask"
GOOD: Final = "good"
DEFECTS: Final = "defects"

_LISTS: Final = ("roi", "ignore")

T = TypeVar("T", bound=BaseModel)


class _Grouped(BaseModel):
    group_by: str | None = Field(
        default=None,
        description="which pictures form a series: a regular expression on the name that a file is sent under, folders "
        "included, or folder",
    )


class _Trusted(_Grouped):
    yes: bool = Field(
        default=False, description="take files in folders whose names say defect, test, mask or ground truth"
    )


class TeachForm(TeachChoices, _Trusted):
    """The fields of ``POST /classes/{class_name}`` that are no files."""

    extend: bool = Field(default=False, description="add to the class instead of teaching it anew")


class UpdateForm(UpdateChoices, _Trusted):
    """Those of them that go with ``extend``."""

    extend: bool = True


class AddForm(UpdateChoices, _Trusted):
    """The fields of ``POST /classes/{class_name}/references`` that are no files."""


class RebuildForm(BaseModel):
    """The fields of ``POST /classes/{class_name}/rebuild`` that are no files."""

    model_config = ConfigDict(extra="forbid")

    activate: bool = Field(default=True, description="let the new version serve; else it waits")


class EvaluateForm(BaseModel):
    """The fields of ``POST /classes/{class_name}/evaluate`` that are no files."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(default=None, description="judge with this version, not with the serving one")


class CalibrateForm(CalibrateChoices, _Grouped):
    """The fields of ``POST /classes/{class_name}/calibrate`` that are no files."""


_TAUGHT: Final = tuple(name for name in TeachForm.model_fields if name not in (*_LISTS, MASK))
_ADDED: Final = tuple(AddForm.model_fields)
_CALIBRATED: Final = tuple(CalibrateForm.model_fields)


class UploadedFiles:
    """Files of a form: each by its path as the job's process sees it, with the place that its name says."""

    def __init__(self, form: Form, uploads: Path) -> None:
        self._uploads = uploads
        self._paths = form.files
        self._names = form.names

    def paths(self, field: str) -> tuple[Path, ...]:
        """The files of one field, in order."""
        return tuple(self._uploads / path for path in self._paths.get(field, []))

    def sources(self, field: str) -> dict[Path, str]:
        """The name that each of them was sent under."""
        return {self._uploads / path: self._names[int(path.parts[0])] for path in self._paths.get(field, [])}

    def places(self, field: str) -> dict[Path, PurePath]:
        """Where each of them lay by the name that it was sent under."""
        paths = self._paths.get(field, [])
        return {self._uploads / path: place_of(self._names[int(path.parts[0])]) for path in paths}


def teach_request(form: Form, files: UploadedFiles, class_name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """What ``TeachRequest`` and ``UpdateRequest`` read, ``extend`` told by the field of that name.

    Raises ``InvalidParameters`` for fields that are unknown or make no sense, and ``NoReferences`` without files.
    """
    check_fields(form.sent, address, (*_TAUGHT, MASK), (FILES, HELD_OUT, *_LISTS))
    fields = _fields(form, (FILES, HELD_OUT, MASK))
    kind: type[TeachForm] | type[UpdateForm] = UpdateForm if extends(form) else TeachForm
    own = sorted({*fields, *form.files} & ({*TeachForm.model_fields} - {*UpdateForm.model_fields}))
    if own and kind is UpdateForm:
        raise InvalidParameters(f"{own[0]} is of the class and stays; without extend the class is taught anew")
    told = _references_request(_checked(kind, fields), files, class_name)
    if files.paths(MASK):
        told["choices"]["mask"] = str(files.paths(MASK)[0])
    return told


def update_request(form: Form, files: UploadedFiles, class_name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """What ``UpdateRequest`` reads. Raises as ``teach_request`` does."""
    check_fields(form.sent, address, _ADDED, (FILES,))
    return _references_request(_checked(AddForm, _fields(form, (FILES,))), files, class_name)


def rebuild_request(form: Form, files: UploadedFiles, class_name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """What ``RebuildRequest`` reads. Raises ``InvalidParameters`` for fields that are unknown or make no sense."""
    check_fields(form.sent, address, (*RebuildForm.model_fields, MASK), (FILES, HELD_OUT))
    asked = _checked(RebuildForm, _fields(form, (FILES, HELD_OUT, MASK)))
    held_out = files.paths(HELD_OUT)
    return {
        "class_name": class_name,
        "files": [str(path) for path in files.paths(FILES)],
        "calibrate_with": [str(path) for path in held_out] or None,
        "mask": next((str(path) for path in files.paths(MASK)), None),
        "activate": asked.activate,
    }


def evaluate_request(form: Form, files: UploadedFiles, class_name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """What ``EvaluateRequest`` reads. Raises ``InvalidParameters`` for fields that are unknown or make no sense, and
    without files."""
    check_fields(form.sent, address, tuple(EvaluateForm.model_fields), (GOOD, DEFECTS))
    asked = _checked(EvaluateForm, _fields(form, (GOOD, DEFECTS)))
    good, defects = files.paths(GOOD), files.paths(DEFECTS)
    if not good and not defects:
        raise InvalidParameters("send labelled pictures, as good, as defects, or both")
    return {
        "class_name": class_name,
        "version": asked.version,
        "good": [str(path) for path in good],
        "defects": [str(path) for path in defects],
    }


def defect_request(form: Form, files: UploadedFiles, address: Mapping[str, Any]) -> DefectChoices:
    """What is said of a known defect. Raises ``InvalidParameters`` for fields that are unknown or make no sense, and
    without a picture."""
    check_fields(form.sent, address, (*DefectChoices.model_fields, FILE, MASK), ())
    asked = _checked(DefectChoices, _fields(form, (FILE, MASK)))
    if not files.paths(FILE):
        raise InvalidParameters("send the picture that shows the defect as file")
    return asked


def _references_request(
    asked: TeachForm | UpdateForm | AddForm, files: UploadedFiles, class_name: str
) -> dict[str, Any]:
    choices = asked.model_dump(mode="json", exclude_unset=True, exclude={"extend", "yes", "group_by"})
    references, held_out = files.places(FILES), files.places(HELD_OUT)
    if not references:
        raise NoReferences("no image files to teach from: send them as files")
    if not asked.yes:
        refuse_telling(place.parts[:-1] for place in [*references.values(), *held_out.values()])
    series = _series(asked.group_by, references) | _series(asked.group_by, held_out)
    if isinstance(asked, TeachForm) and not held_out:
        check_several(series, list(references))
    return {
        "class_name": class_name,
        "files": [str(path) for path in references],
        "calibrate_with": [str(path) for path in held_out] if held_out else None,
        "series": {str(path): name for path, name in series.items()},
        "sources": {str(path): name for path, name in files.sources(FILES).items()},
        "choices": choices,
    }


def extends(form: Form) -> bool:
    """Whether the form asks for an extension."""
    return bool(_checked(_Extending, {name: value for name, value in form.fields if name == "extend" and value}).extend)


def calibrate_request(form: Form, files: UploadedFiles, class_name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    """What ``CalibrateRequest`` reads. Raises ``InvalidParameters``."""
    check_fields(form.sent, address, _CALIBRATED, (FILES,))
    asked = _checked(CalibrateForm, _fields(form, (FILES,)))
    places = files.places(FILES)
    others = places or asked.keep_all or asked.strict or asked.rates != CalibrateChoices().rates
    if asked.again is not None and others:
        raise InvalidParameters("again takes the references and the rates of the bank: send it alone")
    if asked.again is None and not places and asked.rates == CalibrateChoices().rates:
        raise InvalidParameters("send normal images as files, another rate, or again")
    if asked.group_by is not None and not places:
        raise InvalidParameters("group_by is about the images that are sent as files")
    series = _series(asked.group_by, places)
    return {
        "class_name": class_name,
        "files": [str(path) for path in places] if places else None,
        "series": {str(path): name for path, name in series.items()},
        "choices": asked.model_dump(mode="json", exclude_unset=True, exclude={"group_by"}),
    }


class _Extending(BaseModel):
    extend: bool = False


def _fields(form: Form, files: tuple[str, ...]) -> dict[str, Any]:
    """Text fields by name; an empty one counts as not given."""
    told: dict[str, Any] = {}
    for name, value in form.fields:
        if name in files:
            raise InvalidParameters(f"{name} is to be a file: send it with a file name")
        if name in _LISTS and value:
            told.setdefault(name, []).append(value)
        elif value:
            told[name] = value
    for name in form.files:
        if name not in files:
            raise InvalidParameters(f"{name} is no file: send it without a file name")
    return told


def _checked(kind: type[T], fields: Mapping[str, Any]) -> T:
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        raise refused(error) from error


def _series(rule: str | None, places: Mapping[Path, PurePath]) -> dict[Path, str]:
    return {} if rule is None or not places else Grouping(rule).series(places)


def form_schema(kind: type[BaseModel], **files: tuple[str, bool]) -> dict[str, Any]:
    """The OpenAPI description of a form with these fields and files; each file field with its description, and
    whether it may come several times."""
    schema = kind.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    for name, (description, several) in files.items():
        file = {"type": "string", "format": "binary"}
        listed = {"type": "array", "items": file} if several else file
        schema["properties"][name] = {**listed, "description": description}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}
