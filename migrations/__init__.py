"""The schema's revisions, and what keeps their running safe."""
