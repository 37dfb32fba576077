"""One part of a snapshot: written by the worker that computed it, loaded and mapped by those that need it."""
