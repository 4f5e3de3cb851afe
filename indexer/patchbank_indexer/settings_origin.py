"""Where each setting comes from, and what can still be used where some of them are wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from patchbank.settings import Settings

Origin = Literal["option", "environment", ".env", "default"]

_PREFIX: Final = "PATCHBANK_"
_HIDDEN: Final = "(hidden)"


@dataclass(frozen=True)
class EffectiveSetting:
    """A setting as the program takes it; a secret's value is hidden."""

    variable: str
    value: str | int | float | bool | None
    origin: Origin


def effective_settings(
    settings: Settings, options: Mapping[str, Any], faults: Collection[str] = ()
) -> list[EffectiveSetting]:
    """Every setting, in the order of the README's table; ``options`` are those of the command line. The variables
    ``faults`` are wrong, so that their defaults are in force."""
    environment, file = set(EnvSettingsSource(Settings)()), {_field(name) for name in dotenv_variables()}

    def origin(name: str) -> Origin:
        if _PREFIX + name.upper() in faults:
            return "default"
        if options.get(name) is not None:
            return "option"
        if name in environment:
            return "environment"
        return ".env" if name in file else "default"

    return [
        EffectiveSetting(_PREFIX + name.upper(), _shown(getattr(settings, name)), origin(name))
        for name in type(settings).model_fields
    ]


def _shown(value: object) -> str | int | float | bool | None:
    if isinstance(value, SecretStr):
        return _HIDDEN if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def dotenv_variables() -> dict[str, str | None]:
    """The variables of the ``.env`` file of the working directory; none where it cannot be read."""
    try:
        return dict(dotenv_values(".env", interpolate=False))
    except (OSError, UnicodeDecodeError):
        return {}


def usable_settings(**options: Any) -> tuple[Settings, dict[str, str]]:
    """The settings with the default in place of every one that is wrong, and what is wrong by variable."""
    taken = {name: value for name, value in options.items() if value is not None}
    faults: dict[str, str] = {}
    for _ in range(len(Settings.model_fields) + 1):
        try:
            return Settings(**taken), faults
        except (OSError, UnicodeDecodeError) as error:
            faults[".env"] = f"it cannot be read: {error}"
            taken["_env_file"] = None
        except ValidationError as error:
            for item in error.errors():
                name = str(item["loc"][0]) if item["loc"] else ""
                faults[_PREFIX + name.upper()] = item["msg"]
                if name in Settings.model_fields:
                    taken[name] = Settings.model_fields[name].default
    return Settings.model_construct(), faults


def _field(variable: str) -> str:
    return variable.lower().removeprefix(_PREFIX.lower())
