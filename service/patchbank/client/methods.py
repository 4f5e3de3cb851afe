"""Turns descriptions of requests into methods of the two clients, with the same parameters, types and documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from patchbank.client.call import Call, Pages, Script, Stream

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")


class Sender(Protocol):
    """What sends, and waits for the answer."""

    def send(self, asked: Call[T] | Script[T]) -> T: ...

    def stream(self, asked: Stream[T]) -> Iterator[T]: ...


class AsyncSender(Protocol):
    """What sends while others go on."""

    async def send(self, asked: Call[T] | Script[T]) -> T: ...

    def stream(self, asked: Stream[T]) -> AsyncIterator[T]: ...


class _Described(Generic[P, D]):
    """A method that a description of requests becomes, with its documentation."""

    def __init__(self, describe: Callable[P, D]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__


class Method(_Described[P, Call[T] | Script[T]], Generic[P, T]):
    """A method of the client that waits."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Call[T] | Script[T]]: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[P, T]: ...
    def __get__(self, client: Sender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return sender.send(describe(*args, **kwargs))

        return method


class AsyncMethod(_Described[P, Call[T] | Script[T]], Generic[P, T]):
    """The same of the client that does not."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Call[T] | Script[T]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: AsyncSender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await sender.send(describe(*args, **kwargs))

        return method


class Listing(_Described[P, Pages[T]], Generic[P, T]):
    """A method whose answers come in pages, one after the other as they are needed."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[P, Iterator[T]]: ...
    def __get__(self, client: Sender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            pages = describe(*args, **kwargs)
            call: Call[Any] | None = pages.first
            while call is not None:
                answer = sender.send(call)
                yield from pages.holds(answer)
                call = pages.after(call, answer)

        return method


class AsyncListing(_Described[P, Pages[T]], Generic[P, T]):
    """The same of the other client."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: AsyncSender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        async def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            pages = describe(*args, **kwargs)
            call: Call[Any] | None = pages.first
            while call is not None:
                answer = await sender.send(call)
                for row in pages.holds(answer):
                    yield row
                call = pages.after(call, answer)

        return method


class Streaming(_Described[P, Stream[T]], Generic[P, T]):
    """A method whose answer is read while it comes."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[P, Iterator[T]]: ...
    def __get__(self, client: Sender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return sender.stream(describe(*args, **kwargs))

        return method


class AsyncStreaming(_Described[P, Stream[T]], Generic[P, T]):
    """The same of the other client."""

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: AsyncSender | None, owner: type[Any]) -> Callable[P, Any]:
        describe = self._describe
        if client is None:
            return describe
        sender = client

        @wraps(describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return sender.stream(describe(*args, **kwargs))

        return method
