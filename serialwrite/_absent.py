"""AbsentName: a name that a class does not have, with advice on what to write instead; and those of an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

C = TypeVar("C")
ErrorOf = Callable[[Any, str], AttributeError]
"""``error(instance, name)``: the error that says what to write instead of ``name``."""


class AbsentName:
    """Stands in a class for a name that it does not have: to ask for it is an AttributeError that says what to do.

    A ``__getattr__`` would say so of any name, and would make every other attribute of the class slower.
    """

    def __init__(self, name: str, error: ErrorOf) -> None:
        self._name = name
        self._error = error

    def __get__(self, instance: Any, owner: type) -> Any:
        for each in owner.__mro__:  # a class of the user's, behind this one, may have it
            found = vars(each).get(self._name, self)
            if not isinstance(found, AbsentName):
                return found.__get__(instance, owner) if hasattr(found, "__get__") else found
        raise AttributeError(self._name) if instance is None else self._error(instance, self._name)


def _present(instance: object) -> list[str]:
    """What ``dir`` lists: not what is absent."""
    return [one for one in object.__dir__(instance) if one in vars(instance) or hasattr(instance.__class__, one)]


def lacks(names: Iterable[str], error: ErrorOf) -> Callable[[type[C]], type[C]]:
    """A class decorator: ``error`` gives advice about those of ``names`` that the class does not have."""

    def add(cls: type[C]) -> type[C]:
        for name in names:
            if not hasattr(cls, name):
                setattr(cls, name, AbsentName(name, error))
        setattr(cls, "__dir__", _present)  # noqa: B010 # a type checker would refuse it
        return cls

    return add


# Of a count, of bytes that were read, of a port that was opened.
OF_RESULTS = {name for name in (*dir(bytes), *dir(int), "read", "write") if not name.startswith("_")}


def not_awaited(operation: Any, name: str) -> AttributeError:
    """The error for asking an operation for what its result has."""
    told = f"{operation.name} has no {name}: await it first, and use what that gives"
    return AttributeError(told, name=name, obj=operation)
