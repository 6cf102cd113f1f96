"""What else happens when a run begins and ends: functions, requests, a file that gets its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timewright.schedule.fluent import Changed, Fluent, refusal

if TYPE_CHECKING:
    from os import PathLike

Hook = Callable[..., Any]
"""Sync or async. It may take one argument: a `RunInfo` before a run, a `FinishedRun` after it."""


class Hooks(Fluent[Changed]):
    """What happens beside it. None of it can change how the run ends."""

    __slots__ = ()

    def before(self, hook: Hook) -> Changed:
        """Call a function before each run."""
        changed, settings = self._change()
        settings.before = (*settings.before, _callable("before", hook))
        return changed

    def after(self, hook: Hook) -> Changed:
        """Call a function after each run, however it ended."""
        changed, settings = self._change()
        settings.after = (*settings.after, _callable("after", hook))
        return changed

    def on_success(self, hook: Hook) -> Changed:
        """Call a function after each run that succeeded."""
        changed, settings = self._change()
        settings.on_success = (*settings.on_success, _callable("on_success", hook))
        return changed

    def on_failure(self, hook: Hook) -> Changed:
        """Call a function after each run that did not succeed, once no attempt is left."""
        changed, settings = self._change()
        settings.on_failure = (*settings.on_failure, _callable("on_failure", hook))
        return changed

    def ping_before(self, url: str, *, only_if: bool = True) -> Changed:
        """Request a URL (GET) before each run."""
        changed, settings = self._change()
        settings.ping_before = _and(settings.ping_before, _url("ping_before", url), only_if)
        return changed

    def then_ping(self, url: str, *, only_if: bool = True) -> Changed:
        """Request a URL (GET) after each run, however it ended."""
        changed, settings = self._change()
        settings.then_ping = _and(settings.then_ping, _url("then_ping", url), only_if)
        return changed

    def ping_on_success(self, url: str, *, only_if: bool = True) -> Changed:
        """Request a URL (GET) after each run that succeeded."""
        changed, settings = self._change()
        settings.ping_on_success = _and(settings.ping_on_success, _url("ping_on_success", url), only_if)
        return changed

    def ping_on_failure(self, url: str, *, only_if: bool = True) -> Changed:
        """Request a URL (GET) after each run that did not succeed."""
        changed, settings = self._change()
        settings.ping_on_failure = _and(settings.ping_on_failure, _url("ping_on_failure", url), only_if)
        return changed

    def send_output_to(self, path: str | PathLike[str]) -> Changed:
        """Write all that a run prints to a file, which begins anew with each run."""
        return self._output("send_output_to", path, append=False)

    def append_output_to(self, path: str | PathLike[str]) -> Changed:
        """Add all that a run prints to a file."""
        return self._output("append_output_to", path, append=True)

    def _output(self, field: str, path: str | PathLike[str], *, append: bool) -> Changed:
        changed, settings = self._change()
        text = str(path)
        if not text:
            raise refusal(field, path, "is empty", "write the path of a file")
        settings.output_path, settings.output_appended = text, append
        return changed


def _callable(field: str, hook: Hook) -> Hook:
    if not callable(hook):
        raise refusal(
            field, hook, "cannot be called", "write a function of no argument, or of one: what is known of the run"
        )
    return hook


def _url(field: str, url: str) -> str:
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise refusal(field, url, "is no address", 'write one like "https://example.com/ping"')
    return url


def _and(urls: tuple[str, ...], url: str, is_wanted: bool) -> tuple[str, ...]:
    return (*urls, url) if is_wanted else urls
