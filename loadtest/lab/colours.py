"""One colour for one thing: in the report, in the terminal, and as on the dashboards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A colour on light and on dark ground."""

    light: str
    dark: str


COLOURS = {
    "in use": Colour("#3274d9", "#5794f2"),
    "idle": Colour("#8ab8ff", "#8ab8ff"),
    "overflow": Colour("#ff780a", "#ff9830"),
    "waiting": Colour("#e02f44", "#f2495c"),
    "limit": Colour("#ad0317", "#e0536a"),
    "timeouts": Colour("#ad0317", "#e0536a"),
    "in flight": Colour("#37872d", "#73bf69"),
    "arrivals": Colour("#37872d", "#73bf69"),
    "requests": Colour("#8f3bb8", "#b877d9"),
    "failed": Colour("#e02f44", "#f2495c"),
    "opened": Colour("#3274d9", "#5794f2"),
    "fault": Colour("#8f3bb8", "#b877d9"),
    "before_app": Colour("#ad0317", "#e0536a"),
    "pool_wait": Colour("#e02f44", "#f2495c"),
    "connect": Colour("#ff780a", "#ff9830"),
    "sql": Colour("#3274d9", "#5794f2"),
    "held": Colour("#8ab8ff", "#8ab8ff"),
    "rest": Colour("#8792a2", "#98a5b5"),
    "p95": Colour("#3274d9", "#5794f2"),
}
