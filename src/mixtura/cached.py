"""Attributes that are computed: when they are first asked for, or each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

__all__ = ["cached_property", "property_of"]

Value = TypeVar("Value")


class cached_property(Generic[Value]):
    """A method as an attribute that is computed once for each object.

    That of `functools` has one lock for all objects of a class before Python 3.12: a fit that reads
    its rows would wait for another fit that reads others, and for ever where that one waits for it.
    """

    def __init__(self, method: Callable[[Any], Value]) -> None:
        self.method: Callable[[Any], Value] = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached_property[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> cached_property[Value] | Value:
        if instance is None:
            return self
        value = self.method(instance)
        vars(instance)[self.name] = value
        return value


class property_of(property, Generic[Value]):
    """A property of a function; what the function returns is the type of the attribute.

    For type checkers: mypy takes ``property(function)`` for Any.
    """

    def __init__(self, function: Callable[[Any], Value]) -> None:
        super().__init__(function)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type, /) -> property_of[Value]: ...
        @overload
        def __get__(self, instance: Any, owner: type | None = None, /) -> Value: ...
        def __get__(self, instance: Any, owner: type | None = None, /) -> Any: ...
