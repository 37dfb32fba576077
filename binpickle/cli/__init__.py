"""The command `binpickle`.

Rule: it uses only names of BinPickle that its users can use, and what `show` offers its screens.
"""
