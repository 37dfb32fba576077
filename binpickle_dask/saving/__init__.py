"""Saving: the plan, the graph that writes the parts, the run that it writes into, and the commit."""
