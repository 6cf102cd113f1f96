"""Where `schedule:work` gets tasks from, and gets them from anew when files have changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from timewright.schedule.manifests import Paths, fingerprint, load_manifests

if TYPE_CHECKING:
    from types import ModuleType

    from timewright.engine.task import Task


class ManifestSource:
    """Tasks of manifest files."""

    def __init__(self, paths: Paths, note: Callable[[str], None] = lambda text: None) -> None:
        """Take files and folders, and whom to tell of what is passed over."""
        self._paths = tuple(paths)
        self._note = note
        self._read: object = None

    def load(self) -> Sequence[Task]:
        """Return the tasks as the files are now. Raises LoadError."""
        self._read = fingerprint(self._paths)
        return load_manifests(self._paths, self._note)

    def has_changed(self) -> bool:
        """Tell whether a file was changed, added or removed since."""
        return fingerprint(self._paths) != self._read


class AppSource:
    """Tasks of an application's schedule, together with the modules of its own that importing it brings.

    When a file beside them changes, they are all imported anew. What other code holds of the old ones stays with it:
    runs that are active come to their end with the code that they began with.
    """

    def __init__(self, reference: str, host: str | None = None) -> None:
        """Take `module:attribute`, and the name of this machine where others share the store."""
        self._reference = reference
        self.host = host
        self._before = set(sys.modules)
        self._modules: set[str] = set()
        self._read: object = None

    def load(self) -> Sequence[Task]:
        """Import the application, anew if it was before, and return its tasks. Raises LoadError, DeclarationError."""
        from timewright.schedule.loading import load_app

        kept = {name: sys.modules.pop(name) for name in self._modules if name in sys.modules}
        writes_bytecode = not sys.dont_write_bytecode
        # Bytecode is taken for that of a file which changed in the same second, if it kept its size.
        sys.dont_write_bytecode = True
        try:
            return load_app(self._reference).tasks(self.host)
        except BaseException:
            # Code that runs still, and imports as it goes, goes on with the modules that it knows.
            sys.modules.update(kept)
            raise
        finally:
            sys.dont_write_bytecode = not writes_bytecode
            self._modules |= {name for name in sys.modules if name not in self._before and _is_own(sys.modules[name])}
            self._read = self._fingerprint()

    def has_changed(self) -> bool:
        """Tell whether a file of Python was changed, added or removed since, in any folder of the application."""
        return self._fingerprint() != self._read

    def _fingerprint(self) -> object:
        files = [getattr(sys.modules.get(name), "__file__", None) for name in self._modules]
        folders = sorted({Path(file).parent for file in files if file})
        # Whole folders: a module that could not be imported is not among those that were.
        return fingerprint(file for folder in folders for file in sorted(folder.glob("*.py")))


def _is_own(module: ModuleType) -> bool:
    """Tell whether a module is the application's: its file is below the current folder, and was not installed there."""
    file = getattr(module, "__file__", None)
    if not file:
        return False
    path = Path(file)
    return path.is_relative_to(Path.cwd()) and not {"site-packages", "dist-packages"} & set(path.parts)
