"""What the exit code of a run says."""

EXIT_MISSED = 1  # the SLO was missed, or a fingerprint was not seen
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_ABORTED = 4  # ended early, because the SLO was missed for too long
EXIT_INVALID = 5  # the generator was the bottleneck: the numbers say nothing about the target
EXIT_INTERRUPTED = 130
