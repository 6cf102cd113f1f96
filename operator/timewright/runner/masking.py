"""Keeps secrets out of logs and records, also where a secret arrives in pieces."""

from __future__ import annotations

import re
from collections.abc import Collection

MASK = "***"

_SHORTEST_LINE = 8


class Masker:
    """Replaces secrets, in the forms in which they usually turn up, by `***`."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """Take the secrets as they are; empty ones are ignored."""
        self._forms: list[bytes] = []
        self._pattern: re.Pattern[bytes] | None = None
        if not secrets:
            return
        forms = {form.encode() for secret in secrets for form in _forms(secret) if form}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(form) for form in self._forms)) if forms else None

    def mask(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(MASK.encode(), text.encode(errors="surrogateescape")).decode(errors="replace")

    def stream(self) -> MaskingStream:
        """Begin to mask one stream of bytes."""
        return MaskingStream(self._pattern, self._forms)


NO_SECRETS = Masker()


class MaskingStream:
    """Masks one stream chunk by chunk; what may be the beginning of a secret is held back until it is certain."""

    def __init__(self, pattern: re.Pattern[bytes] | None, forms: list[bytes]) -> None:
        """Use `Masker.stream`."""
        self._pattern = pattern
        self._forms = forms
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, return what may be shown now."""
        if self._pattern is None:
            return chunk
        data = self._held + chunk
        limit = self._undecided_from(data)
        shown: list[bytes] = []
        position = 0
        for match in self._pattern.finditer(data):
            if match.start() >= limit:
                break
            shown += (data[position : match.start()], MASK.encode())
            position = match.end()
        limit = max(limit, position)
        shown.append(data[position:limit])
        self._held = data[limit:]
        return b"".join(shown)

    def flush(self) -> bytes:
        """Return what is left when the stream has ended."""
        data, self._held = self._held, b""
        return data if self._pattern is None else self._pattern.sub(MASK.encode(), data)

    def _undecided_from(self, data: bytes) -> int:
        """Return where the longest end of the data begins that a later chunk could complete to a secret."""
        longest = len(self._forms[0])
        for start in range(max(0, len(data) - longest + 1), len(data)):
            end = data[start:]
            if any(len(form) > len(end) and form.startswith(end) for form in self._forms):
                return start
        return len(data)


def _forms(secret: str) -> set[str]:
    """Return the forms in which a secret may turn up: as it is, its lines, JSON, URL and Base64 encoded."""
    # Imported here, where there are secrets: most tasks have none, and start faster without.
    import base64
    import json
    from urllib.parse import quote, quote_plus

    lines = {line.strip() for line in secret.splitlines()} if "\n" in secret else set()
    plain = {secret, secret.strip(), *(line for line in lines if len(line) >= _SHORTEST_LINE)}
    encoded = set()
    for text in (secret, secret.strip()):
        encoded |= {json.dumps(text)[1:-1], quote(text, safe=""), quote(text), quote_plus(text)}
        encoded.add(base64.b64encode(text.encode(errors="surrogateescape")).decode().rstrip("="))
    return plain | encoded
