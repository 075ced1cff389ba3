"""The shape of the profile ``spike``."""

from loadtest.shapes.staged import StagedShape
from loadtest.stages import SPIKE


class Spike(StagedShape):
    """See ``loadtest.stages.SPIKE``."""

    abstract = False
    stages = SPIKE
