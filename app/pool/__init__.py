"""A SQLAlchemy connection pool that can be seen.

One line instruments an engine, and one line exports every worker of the host::

    engine = create_engine(url, poolclass=measured_pool("clinic"))
    registry.register(PoolCollector())

The package needs SQLAlchemy and prometheus_client and imports nothing else from the application.

How it works: pool event hooks and a ``QueuePool`` subclass (:mod:`.measured`) tell a recorder
(:mod:`.recorder`) what happened. It counts in cells, which are memory mapped from a file that
belongs to the worker's slot (:mod:`.cells`, :mod:`.slots`), one row of cells for each thread, so
that no lock is needed. The collector (:mod:`.collector`) reads the files of all workers.
"""

from app.pool.collector import PoolCollector
from app.pool.measured import measured_pool
from app.pool.slots import metrics_directory, worker_slot

__all__ = ["PoolCollector", "measured_pool", "metrics_directory", "worker_slot"]
