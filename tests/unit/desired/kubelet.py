"""How the kubelet expands `$(NAME)` (Kubernetes third_party/forked/golang/expansion)."""

from __future__ import annotations

from collections.abc import Mapping


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Return a variable's value as the container sees it."""
    result = ""
    cursor = 0
    while cursor < len(text):
        character = text[cursor]
        following = text[cursor + 1 : cursor + 2]
        if character != "$" or not following:
            result += character
        elif following == "$":
            result += "$"
            cursor += 1
        elif following == "(" and ")" in text[cursor + 2 :]:
            end = text.index(")", cursor + 2)
            name = text[cursor + 2 : end]
            result += environment.get(name, f"$({name})")
            cursor = end
        else:
            result += character
        cursor += 1
    return result
