"""The shape of the profile ``stress``."""

from loadtest.shapes.staged import StagedShape
from loadtest.stages import STRESS


class Stress(StagedShape):
    """See ``loadtest.stages.STRESS``."""

    abstract = False
    stages = STRESS
