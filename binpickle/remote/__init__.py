"""Files on object stores: read by ranges that are fetched ahead, and written in parts that appear as one object.

Rule: the core needs no client. Each client is imported when an address first needs it, and all of them stand behind the
protocol of `objects`. `opening` decides which files are remote, and is the only module that the rest of the package
uses.
"""
