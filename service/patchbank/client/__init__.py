"""A typed client of the REST API: ``Client`` waits, ``AsyncClient`` lets others go on. Both send the same requests."""

from patchbank.client.async_client import AsyncClient
from patchbank.client.errors import ClientError, JobFailed, NotInTime, Refused, UnexpectedAnswer, Unreachable
from patchbank.client.files import Image
from patchbank.client.steps import Patience
from patchbank.client.sync_client import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Image",
    "JobFailed",
    "NotInTime",
    "Patience",
    "Refused",
    "UnexpectedAnswer",
    "Unreachable",
]
