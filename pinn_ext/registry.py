"""Classes by name: this package's own, those that were registered, those of installed packages.

An installed package offers a class by an entry point of a group, `pinn_ext.systems` or
`pinn_ext.strategies`. Entry points are read when a name is asked for that is not of this package,
or when names are listed. Listing loads no entry point; asking for a name loads the one of that
name.

Whoever needs names alone takes `SYSTEMS` or `STRATEGIES`, which load without torch; a `Registry`
knows this package's own classes too, and what a class must be like.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pinn_ext.checks import ArgumentError, brief, check_choice

if TYPE_CHECKING:  # loaded where entry points are read
    from importlib import metadata

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_LONGEST = 200  # characters of somebody else's error in a sentence of ours


class Offer(NamedTuple):
    """An entry point.

    Attributes:
        entry: name, value (`module:Class`) and group.
        origin: name and version of the distribution that has it.
    """

    entry: metadata.EntryPoint
    origin: str

    def __str__(self) -> str:
        name, value, group = self.entry.name, self.entry.value, self.entry.group
        return f"entry point {name} = {value} ({group}) of {self.origin}"

    def load(self) -> Any:
        """Return what the entry point leads to.

        Raises:
            ValueError: if that cannot be had, in one sentence.
        """
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            raise ValueError(f"The {self} cannot be loaded ({_said(error)}).") from error


class Outside:
    """The classes of one kind that do not come from this package.

    Args:
        noun: what one of them is called.
        group: of entry points.

    Attributes:
        classes: by name, those that were registered, or loaded from their entry points.
        settled: names of classes about which the entry points have been asked.
    """

    def __init__(self, noun: str, group: str) -> None:
        self.noun, self.group = noun, group
        self.classes: dict[str, type[Any]] = {}
        self.settled: set[str] = set()

    def offers(self) -> list[Offer]:
        """Return the entry points of the group; of a distribution that is there twice, the first.

        Entry points that cannot be read are left out with a warning.
        """
        from importlib import metadata

        found: dict[str, list[Offer]] = {}
        for one in metadata.distributions():
            try:
                text = one.read_text("entry_points.txt") or ""
                own = list(one.entry_points) if self.group in text else []
            except Exception as error:  # of the parser, for lines that are none
                sentence = f"The entry points of {_label(one)} cannot be read ({_said(error)})."
                warnings.warn(sentence, stacklevel=2)
                continue
            offers = [Offer(entry, _label(one)) for entry in own if entry.group == self.group]
            if offers:
                found.setdefault(_key(one), list(dict.fromkeys(offers)))
        return [offer for offers in found.values() for offer in offers]

    def names(self) -> list[str]:
        """Return all names, sorted, of registered classes and of entry points."""
        return sorted({*self.classes, *(offer.entry.name for offer in self.offers())})

    def has(self, name: str) -> bool:
        """Return whether there is a class, or an entry point, of that name."""
        return name in self.classes or any(offer.entry.name == name for offer in self.offers())


SYSTEMS = Outside("system", "pinn_ext.systems")
STRATEGIES = Outside("strategy", "pinn_ext.strategies")


class Registry(Generic[T]):
    """All classes of one kind.

    Args:
        built_in: this package's own by name; the mapping itself is kept.
        outside: the others.
        check: refuses a class that is not of the kind, by an `ArgumentError` that names it.
    """

    def __init__(
        self, built_in: Mapping[str, type[T]], outside: Outside, check: Callable[[Any], None]
    ) -> None:
        self.built_in, self.outside, self.check = built_in, outside, check

    def names(self) -> list[str]:
        """Return all names, sorted; no entry point is loaded for it.

        An entry point that takes the name of one of this package's classes is left out with a
        warning.
        """
        for offer in self.outside.offers():
            if offer.entry.name in self.built_in:
                noun = self.outside.noun
                sentence = f"The {offer} is left out: pinn_ext has a {noun} of that name."
                warnings.warn(sentence, stacklevel=2)
        return sorted({*self.built_in, *self.outside.names()})

    def at_hand(self) -> dict[str, type[T]]:
        """Return the classes that are there without an entry point being read, by name."""
        return {**self.outside.classes, **self.built_in}

    def find(self, what: str, name: Any) -> type[T]:
        """Return the class of a name.

        Args:
            what: name of the argument that holds the name, as the user writes it.
            name: what the user gave.

        Returns:
            The class.

        Raises:
            ArgumentError: if there is none; the message lists all names.
            ValueError: if its entry point leads to no such class, or its name is taken twice.
        """
        if isinstance(name, str):
            if name in self.built_in:
                return self.built_in[name]
            if name not in self.outside.settled and self.outside.has(name):
                self._settle(name)
            if name in self.outside.classes:
                return self.outside.classes[name]
        return self.find(what, check_choice(what, name, self.names()))  # which refuses it

    def register(self, cls: type[T]) -> type[T]:
        """Make a class known under its name; one that is defined again takes its own place.

        Args:
            cls: the class.

        Returns:
            The class itself, so that this can be a decorator.

        Raises:
            ArgumentError: if it is no such class, or another one has its name.
        """
        self.check(cls)
        name: str = cls.name  # type: ignore[attr-defined]  # `check` has seen it
        taken = self.at_hand().get(name)
        if taken is cls:
            return cls
        if taken is not None and _path(taken) != _path(cls):
            wanted = f"be a name that no other {self.outside.noun} has"
            raise ArgumentError("name", wanted, f"{name!r}, as has {_path(taken)}", of=_path(cls))
        self.outside.classes[name] = cls
        self.outside.settled.discard(name)
        return cls

    def _settle(self, name: str) -> None:
        """Look at the entry points of a name, load the one, and see that no other class has it."""
        outside = self.outside
        offers = [offer for offer in outside.offers() if offer.entry.name == name]
        if len(offers) > 1:
            both = " and by the ".join(sorted(map(str, offers)))
            raise ValueError(f"The {outside.noun} {name!r} is offered twice: by the {both}.")
        for offer in offers:
            cls = self._loaded(offer)
            registered = outside.classes.get(name)  # perhaps by its own module, just now
            if registered is not None and registered is not cls:
                raise ValueError(
                    f"The {offer} must not take the name of {_path(registered)}, which was "
                    "registered."
                )
            outside.classes[name] = cls
        outside.settled.add(name)

    def _loaded(self, offer: Offer) -> type[T]:
        """Return the class that an entry point leads to."""
        cls = offer.load()
        try:
            self.check(cls)
        except ArgumentError as error:
            noun = self.outside.noun
            raise ValueError(f"The {offer} leads to no {noun} that can be used: {error}") from None
        if cls.name != offer.entry.name:
            raise ValueError(f"The {offer} must have its class's name, which is {cls.name!r}.")
        return cls


def _label(one: metadata.Distribution) -> str:
    """Return name and version of a distribution, or its folder if it does not say them."""
    try:
        read: Any = one.metadata
        name, version = read.get("Name"), one.version
    except Exception:  # its METADATA is not there, say, or no text
        name = None
    return f"{name} {version}" if name else str(getattr(one, "_path", one))


def _key(one: metadata.Distribution) -> str:
    """Return what two copies of a distribution have in common, as installers compare names."""
    return _label(one).split()[0].lower().replace("_", "-").replace(".", "-")


def _said(error: BaseException) -> str:
    """Return an error for a sentence: its kind and its first line."""
    first = str(error).strip().partition("\n")[0].rstrip(". ")
    return f"{type(error).__name__}: {first}"[:_LONGEST].removesuffix(": ")


def _path(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def check_class(cls: Any, *kinds: type[Any]) -> None:
    """Refuse what is no complete class of a kind, with a name that users can write.

    Args:
        cls: what is to be known by its name.
        *kinds: the classes that it may be derived from.

    Raises:
        ArgumentError: naming the class and what it lacks.
    """
    if not isinstance(cls, type) or not issubclass(cls, kinds):
        wanted = f"be a class derived from {' or '.join(kind.__name__ for kind in kinds)}"
        raise ArgumentError("cls", wanted, brief(cls))
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise ArgumentError(cls.__name__, f"define {', '.join(missing)}", "a class without")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        wanted = "be text of letters, digits and _ that begins with a letter"
        raise ArgumentError("name", wanted, brief(name), of=cls.__name__)


def check_parameters(name: str, legal: Iterable[str], given: Iterable[str]) -> None:
    """Refuse parameters that a system does not have.

    Args:
        name: of the system.
        legal: its parameters.
        given: names of those that it is to be built with.

    Raises:
        ArgumentError: naming the first; the message lists the legal ones.
    """
    legal = list(legal)
    for key in given:
        if not legal:
            raise ArgumentError(f"parameters of {name}", "be left out, as it has none", repr(key))
        check_choice(f"parameter of {name}", key, legal)


def check_case(name: str, cases: Collection[str], case: str) -> None:
    """Refuse a case that a system does not have.

    Args:
        name: of the system.
        cases: problems that are posed with it.
        case: that is asked for.

    Raises:
        ArgumentError: the message lists the legal ones.
    """
    if not cases:
        raise ArgumentError("case", f"be left out for {name}, which has one", repr(case))
    check_choice("case", case, cases)
