"""The settings of Sphinx. Pages are Markdown (MyST), and `index.md` lists new pages by itself."""

import binpickle

project = "BinPickle"
author = "The BinPickle developers"
copyright = "2026, The BinPickle developers"
version = release = binpickle.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

default_role = "literal"  # docstrings mark code with single backticks
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"BinPickle {release}"
