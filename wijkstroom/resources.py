"""Where shipped configurations are: beside the packages in the tree, inside `wijkstroom` in the wheel.

Nothing else in the project looks for them; the layers get paths.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grid.errors import DocumentError, Problem

# Folder that the shipped files have in names given by users, also where there is no such folder.
FOLDER = "configs"
DEFAULT_STREET = "lombok.toml"


def configs_directory() -> Path:
    """Return the folder with the shipped streets, stations, tariffs and data.

    Raises
    ------
    DocumentError
        When the installation has no such folder.
    """
    package = Path(__file__).resolve().parent
    for directory in (package / FOLDER, package.parent / FOLDER):
        if (directory / DEFAULT_STREET).is_file():
            return directory
    problem = Problem("", f"no {FOLDER}/{DEFAULT_STREET} beside {package}: install wijkstroom again")
    raise DocumentError(FOLDER, [problem])


def find_street(name: Path | None = None) -> Path:
    """Return the path of a street file.

    Parameters
    ----------
    name
        A file of the user, or a shipped one (``configs/lombok.toml``, ``lombok.toml``); None: the default.

    Raises
    ------
    DocumentError
        When there is no such file; lists the shipped streets.
    """
    return configs_directory() / DEFAULT_STREET if name is None else find_config("", name)


def find_config(folder: str, name: Path) -> Path:
    """Return the path of a configuration: a file of the user, or a shipped one.

    Parameters
    ----------
    folder
        Folder of the shipped ones of its kind, like ``tariffs``; empty for streets.
    name
        A path, or a shipped name with or without its folders (``configs/tariffs/stedin-2026.toml``).

    Raises
    ------
    DocumentError
        When there is no such file; lists the shipped ones.
    """
    if name.is_file():
        return name
    directory = configs_directory()
    inner = name.relative_to(FOLDER) if name.parts[:1] == (FOLDER,) else name
    if not name.is_absolute():
        for shipped in (directory / inner, directory / folder / inner):
            if shipped.is_file():
                return shipped
    known = ", ".join(
        f"{FOLDER}/{path.relative_to(directory)}" for path in sorted((directory / folder).glob("*.toml"))
    )
    raise DocumentError(str(name), [Problem("", f"no such file; shipped with wijkstroom: {known}")])


def resolver(directory: Path) -> Callable[[str], Path]:
    """Return the function that turns a file name inside a street file into a path.

    Parameters
    ----------
    directory
        Folder of the street file: looked at first, the shipped configurations after it.
    """
    shipped = configs_directory()

    def resolve(name: str) -> Path:
        for folder in (directory, shipped):
            if (folder / name).is_file():
                return folder / name
        message = (
            f"{name} is neither in {directory} nor shipped with wijkstroom: give a path from the street file"
        )
        raise DocumentError(name, [Problem("", message)])

    return resolve
