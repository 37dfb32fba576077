"""Sphinx's settings. Pages are Markdown (MyST); those that nothing else lists are added to the contents by themselves."""

from importlib.metadata import version as installed_version

project = "BinPickle"
author = "The BinPickle developers"
copyright = "2026, The BinPickle developers"
version = release = installed_version("binpickle")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"BinPickle {release}"
