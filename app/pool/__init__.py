"""A SQLAlchemy connection pool that can be seen.

One line instruments an engine, and one line exports every worker of the host::

    engine = create_engine(url, poolclass=measured_pool("clinic"))
    registry.register(PoolCollector())

The package needs SQLAlchemy (2.0 or 2.1) and prometheus_client, and imports nothing else from the
application. Under gevent, patch before you import it.

How it works: pool event hooks and a ``QueuePool`` subclass (:mod:`.measured`) tell a recorder
(:mod:`.recorder`) what happens. It writes to cells, which are memory mapped from a file that
belongs to the worker's slot (:mod:`.cells`, :mod:`.layout`, :mod:`.slots`): a row for each
connection, each waiter and each thread, so that no lock is needed and no gauge can drift. The
collector (:mod:`.collector`, :mod:`.catalogue`) reads the files of all workers.
"""

from .budget import Budget, BudgetCollector
from .collector import PoolCollector
from .holders import holding
from .measured import measured_pool
from .recorder import announce_worker
from .seconds import ThreadSeconds, thread_seconds
from .slots import metrics_directory, worker_slot

__all__ = [
    "Budget",
    "BudgetCollector",
    "PoolCollector",
    "ThreadSeconds",
    "announce_worker",
    "holding",
    "measured_pool",
    "metrics_directory",
    "thread_seconds",
    "worker_slot",
]
