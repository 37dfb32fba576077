"""What `binpickle.trust.scipy()` trusts, by module: made by make_trust_sets.py, and reviewed."""

from __future__ import annotations

__all__ = ["NAMES"]

NAMES = {
    "scipy.sparse._bsr": """
    bsr_array bsr_matrix
    """,
    "scipy.sparse._coo": """
    coo_array coo_matrix
    """,
    "scipy.sparse._csc": """
    csc_array csc_matrix
    """,
    "scipy.sparse._csr": """
    csr_array csr_matrix
    """,
    "scipy.sparse._dia": """
    dia_array dia_matrix
    """,
    "scipy.sparse._dok": """
    dok_array dok_matrix
    """,
    "scipy.sparse._lil": """
    lil_array lil_matrix
    """,
    "scipy.sparse.bsr": """
    bsr_matrix
    """,
    "scipy.sparse.coo": """
    coo_matrix
    """,
    "scipy.sparse.csc": """
    csc_matrix
    """,
    "scipy.sparse.csr": """
    csr_matrix
    """,
    "scipy.sparse.dia": """
    dia_matrix
    """,
    "scipy.sparse.dok": """
    dok_matrix
    """,
    "scipy.sparse.lil": """
    lil_matrix
    """,
}
