"""The load lab: runs the application beside a private database, records it, reports it."""
