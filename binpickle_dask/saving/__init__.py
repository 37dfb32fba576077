"""The steps of a save: the plan, the run to write into, the graph that writes the parts, and the commit."""
