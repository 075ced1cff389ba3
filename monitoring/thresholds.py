"""Where good ends, for panels, alerts and the runbook alike. Change a value here, and only here.

Times are seconds, shares are of 1. After a change: ``make dashboards``.
"""

from __future__ import annotations

from typing import Final

# The pool. It serves 0.9 of its limit without a queue, and nothing at 1.
SATURATION_BUSY: Final = 0.7
SATURATION_FULL: Final = 0.9
WAIT_SLOW: Final = 0.25  # of pool_timeout, for the slowest 5 of 100 checkouts
WAIT_LOST: Final = 0.5  # of pool_timeout
PATIENCE: Final = 15  # how long a full pool or a queue may last: a burst is no incident
DISAGREEMENT: Final = 2  # connections that open or close between two scrapes

READS_AT_SOURCE: Final = 0.1  # of those that a replica may answer

# The server. What is left of its connections is for people, exporter and backup.
SERVER_BUSY: Final = 0.7
SERVER_NEAR_LIMIT: Final = 0.8
RESTART_SEEN: Final = 300  # how long a restart is told of
DOWN: Final = 30  # a replica that was scaled away stays as down for two scrapes

# The API's promise: 995 of 1000 requests over 30 days are answered without a fault of the server.
# Windows and factors: Google, "The Site Reliability Workbook", chapter 5, table 5-8. At 14.4 times
# the allowed rate, 2 % of the month's budget are gone in one hour; at 6 times, 5 % in six hours.
AVAILABILITY: Final = 0.995
REQUEST_SLOW: Final = 0.5
REQUEST_LOST: Final = 2.0
BURN: Final = {("5m", "1h"): 14.4, ("30m", "6h"): 6.0}

# What happens now and then.
MIGRATION_LONG: Final = 300
CERTIFICATE_LEFT: Final = 14 * 86400
BACKUP_AGE: Final = 26 * 3600  # made each day
BINLOGS_AGE: Final = 1800  # archived every five minutes
DRILL_AGE: Final = 8 * 86400  # each week
DISK_LEFT: Final = 0.15
