"""The rehearsal of a schema change: releases, load, checks and report."""
