"""A folder of snapshots on disk: the names in it, its manifests, its seals, and what may be removed from it."""
