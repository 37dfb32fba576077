"""Who works: how many CPUs this process may use, and the crew that does chunk jobs on them."""
