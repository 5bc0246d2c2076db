"""How a problem of the configuration is told: one sentence that says where, what, and what to do.

No sentence repeats the value of a setting: it may be a secret, or a key pasted where the name of its file belongs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tracker.domain.errors import ConfigurationError
from tracker.settings_sections import Section

Key = tuple[str | int, ...]
"""Where a setting stands: section and name, with the position between them where there may be several sections."""


@dataclass(frozen=True)
class Origin:
    """Where the values came from.

    Attributes:
        file: What people call the file.
        folder: From where relative paths of files count.
        variables: The variables that override, by what they set.
    """

    file: str
    folder: Path
    variables: Mapping[Key, str]

    def error(self, key: Key, problem: str, others: int = 0) -> ConfigurationError:
        """Put a problem into a sentence; `problem` continues the name of the setting, or is a clause if `key` is ()."""
        where = self.variables.get(key) or f"{self.file}: {_written(key)}".rstrip()
        more = f" (and {others} more)" if others else ""
        return ConfigurationError(f"{where} {problem}{more}.")

    def first_error(self, found: ValidationError, root: type[Section]) -> ConfigurationError:
        """Put the first of the problems that pydantic found into a sentence."""
        # A name that is mistyped is also missing: told as mistyped, it is understood at once.
        problems = sorted(found.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        return self.error(problems[0]["loc"], _said(problems[0], root), len(problems) - 1)


def section_of(root: type[Section], name: str) -> type[Section]:
    """Give the model of a section, whether there may be one of it or several."""
    annotation: Any = root.model_fields[name].annotation
    several = get_args(annotation)
    section: type[Section] = several[0] if several else annotation
    return section


def hint(name: str, names: Collection[str], *, otherwise: str, prefix: str = "") -> str:
    """Say which of `names` may have been meant by one that is not among them; `prefix` stands before all of them."""
    close = get_close_matches(name, names, n=1)
    return f"perhaps {prefix}{close[0]} was meant" if close else otherwise


def printable(name: str) -> str:
    """Keep a name of somebody else's on one line."""
    return name if name.isprintable() else ascii(name)


def _said(problem: ErrorDetails, root: type[Section]) -> str:
    *path, last = problem["loc"] or ("",)
    match problem["type"]:
        case "extra_forbidden":
            names = (section_of(root, str(path[0])) if path else root).model_fields
            return f"is not a setting; {hint(str(last), names, otherwise='there are ' + ', '.join(names))}"
        case "missing":
            return "is missing; add it"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "model_type":
            return "should be a table"
        case "tuple_type" if not path:
            return f"should be tables written as [[{last}]]"
        case _:
            _, should, rest = problem["msg"].partition("should ")
            return should + rest if should else f"is wrong: {problem['msg']}"


def _written(key: Key) -> str:
    if len(key) == 1:
        return printable(str(key[0]))
    words = [f"no. {step + 1}" if isinstance(step, int) else printable(step) for step in key]
    if words:
        words[0] = f"[[{words[0]}]]" if isinstance(key[1], int) else f"[{words[0]}]"
    return " ".join(words)
