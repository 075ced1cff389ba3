"""The load profiles: one ``profiles/<name>.conf`` each, in Locust's own format."""

from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """A named load; ``description`` is the first comment line of its file."""

    name: str
    description: str
    path: Path


def all_profiles() -> dict[str, Profile]:
    """Return every profile by name, in alphabetical order."""
    return {path.stem: _read(path) for path in sorted(DIRECTORY.glob("*.conf"))}


def listing() -> str:
    """Return the profiles as lines for a person."""
    profiles = all_profiles().values()
    width = max(len(profile.name) for profile in profiles)
    lines = [f"  {profile.name:<{width}}  {profile.description}" for profile in profiles]
    return "\n".join(["Profiles:", *lines])


def _read(path: Path) -> Profile:
    first = path.read_text().splitlines()[0]
    return Profile(path.stem, first.lstrip("# "), path)
