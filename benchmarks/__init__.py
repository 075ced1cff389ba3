"""What the pool's instrumentation costs, beside a bare pool and what others would take."""
