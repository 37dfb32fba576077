"""A file as people are shown it: facts and rows, as text and as HTML.

Rule: values in, values out; nothing here opens a file.
"""
