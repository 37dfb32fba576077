"""A folder of snapshots on disk: its paths, its manifests, its seals, and what may be removed from it."""
