"""The clinicians and patients of the target, learned from its API before the load starts."""

import json
import random
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT = 10.0  # seconds
PAGE = 100
MOST_PATIENTS = 1000  # a sample is enough, also of a million

RANDOM = random.Random()  # noqa: S311 - traffic, not secrets


@dataclass(frozen=True)
class Directory:
    """Ids to choose from."""

    clinicians: list[int]
    specialties: list[str]
    patients: list[int]

    @classmethod
    def learn(cls, host: str) -> "Directory":
        """Read the directory from the API at ``host``; raise OSError or ValueError if it fails."""
        clinicians = _items(f"{host}/api/v1/clinicians")
        patients = _items(f"{host}/api/v1/patients")
        if not clinicians or not patients:
            raise ValueError("it has no clinicians or no patients: run 'flask seed' first")
        return cls(
            [clinician["id"] for clinician in clinicians],
            sorted({clinician["specialty"] for clinician in clinicians}),
            [patient["id"] for patient in patients],
        )

    def slot_filter(self) -> dict[str, Any]:
        """Return a random choice of what people filter free slots by."""
        return RANDOM.choice(
            [
                {"clinician_id": RANDOM.choice(self.clinicians)},
                {"specialty": RANDOM.choice(self.specialties)},
            ]
        )

    def patient(self) -> int:
        """Return the id of a random patient."""
        return RANDOM.choice(self.patients)


def _items(url: str) -> list[dict[str, Any]]:
    """Return the items of all pages, up to MOST_PATIENTS."""
    items: list[dict[str, Any]] = []
    after: str | None = None
    while len(items) < MOST_PATIENTS:
        query = {"limit": PAGE} if after is None else {"limit": PAGE, "after": after}
        page = f"{url}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(page, timeout=TIMEOUT) as answer:  # noqa: S310
            body = json.load(answer)
        items += body["items"]
        after = body["next"]
        if after is None:
            break
    return items
