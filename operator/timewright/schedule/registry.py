"""The tasks that a schedule has, in the order of their declaration, and the groups that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timewright.schedule.declaration import Declaration
from timewright.schedule.settings import Settings

if TYPE_CHECKING:
    from timewright.schedule.places import Place
    from timewright.schedule.work import Work


class Registry:
    """What was declared so far."""

    __slots__ = ("_groups", "base", "declarations")

    def __init__(self, base: Settings) -> None:
        """Begin with what holds for all tasks."""
        self.base = base
        self.declarations: list[Declaration] = []
        self._groups: list[Settings] = []

    @property
    def group(self) -> Settings | None:
        """The innermost group that is open."""
        return self._groups[-1] if self._groups else None

    def settings(self) -> Settings:
        """Return the settings that something declared now starts with."""
        return (self.group or self.base).inherited()

    def add(self, work: Work, settings: Settings, place: Place) -> Declaration:
        """Declare a task that starts with settings."""
        declaration = Declaration(work, settings.inherited(), place)
        self.declarations.append(declaration)
        return declaration

    def enter(self, settings: Settings) -> None:
        """Open a group."""
        self._groups.append(settings)

    def leave(self) -> None:
        """Close the innermost group."""
        self._groups.pop()
