"""Guards for encoders and vectorizers: they put the columns of their state into sparse matrices that nothing checks.

Rule: each column that a category, a word or a label stands for is one of the columns that the result has.
"""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np

from ...budget import Budget
from ...rules.checks import shown
from ..guard import Guard
from ..parts import expect_number, expect_parts, expect_range, fail, whole

__all__ = ["STATES"]

_MOST_FEATURES = (1 << 31) - 1
_LOOKED_UP = "OUS"  # kinds of categories that are found by a dict; others are found by halves, so they are sorted


def _vocabulary(budget: Budget, model: Any) -> None:
    """Check that the words of a vectorizer have columns that there are."""
    parts = expect_parts(model)
    if "vocabulary_" in parts:
        if type(parts["vocabulary_"]) is not dict:
            raise fail(model, f"vocabulary_ is a {type(parts['vocabulary_']).__name__}, not a dict")
        _expect_columns(budget, model, "vocabulary_", parts["vocabulary_"].values(), len(parts["vocabulary_"]))


def _expect_columns(budget: Budget, model: Any, what: str, columns: Iterable[Any], count: int) -> None:
    budget.pay(1 + count)
    for column in columns:
        if whole(column) is None or not 0 <= column < count:
            raise fail(model, f"{what} has {shown(column)} where a column from 0 to {count - 1} should be")


def _hasher(budget: Budget, model: Any) -> None:
    """Check that a number of columns is one to divide by."""
    parts = expect_parts(model)
    if "n_features" in parts:
        expect_number(model, "n_features", parts["n_features"], 1, _MOST_FEATURES)


def _labels(budget: Budget, model: Any) -> None:
    """Check the columns that a binarizer remembers for its labels."""
    parts = expect_parts(model)
    classes = parts.get("classes_")
    if classes is not None:
        if type(classes) is not np.ndarray or classes.ndim != 1:
            raise fail(model, "classes_ is not an array of one dimension")
        budget.pay(4 * len(classes))
        if len(set(classes.tolist())) != len(classes):
            raise fail(model, "classes_ has a label twice")
    held = parts.get("_cached_dict")
    if held is not None:
        if type(held) is not dict or len(held) != len(parts.get("classes_", ())):
            raise fail(model, "_cached_dict has not the labels of classes_")
        _expect_columns(budget, model, "_cached_dict", held.values(), len(held))


def _one_hot(budget: Budget, model: Any) -> None:
    """Check that a one-hot encoder has as many columns as it fills."""
    parts = expect_parts(model)
    if "categories_" not in parts:
        return
    categories = parts["categories_"]
    if type(categories) is not list:
        raise fail(model, f"categories_ is a {type(categories).__name__}, not a list")
    budget.pay(1 + len(categories))
    widths = [_grouped(budget, model, parts, place, held) for place, held in enumerate(categories)]
    for name in ("_drop_idx_after_grouping", "drop_idx_"):
        dropped = parts.get(name)
        if dropped is not None:
            widths = _without(model, name, dropped, widths)
            break
    if "_n_features_outs" in parts and list(map(whole, _as_list(parts["_n_features_outs"]))) != widths:
        raise fail(model, "_n_features_outs is not the numbers of its categories")


def _as_list(value: Any) -> list[Any]:
    return value if type(value) is list else [None]


def _grouped(budget: Budget, model: Any, parts: dict[str, Any], place: int, held: Any) -> int:
    """Return how many columns one feature has, once its infrequent categories are one."""
    if type(held) is not np.ndarray or held.ndim != 1:
        raise fail(model, "categories_ has something that is not an array of one dimension")
    if held.dtype.kind not in _LOOKED_UP:
        budget.pay(1 + len(held))
        ordinary = held[:-1] if len(held) and held[-1] != held[-1] else held  # without the one that is not a number
        if not (ordinary[:-1] < ordinary[1:]).all() or (ordinary != ordinary).any():
            raise fail(model, "categories_ has numbers that are not sorted")
    if not parts.get("_infrequent_enabled"):
        return len(held)
    rare, mapping = (_of_feature(model, parts, name, place) for name in _GROUPS)
    if rare is None and mapping is None:
        return len(held)
    if rare is None or mapping is None or mapping.shape != held.shape or not rare.size:
        raise fail(model, "its infrequent categories are not those that it groups")
    width: int = len(held) - rare.size + 1
    expect_range(budget, model, _GROUPS[0], rare, 0, len(held) - 1)
    expect_range(budget, model, _GROUPS[1], mapping, 0, width - 1)
    return width


_GROUPS = ("_infrequent_indices", "_default_to_infrequent_mappings")


def _of_feature(model: Any, parts: dict[str, Any], name: str, place: int) -> Any:
    """Return an array of integers that a list has for a feature, or `None`."""
    held = parts.get(name)
    if type(held) is not list or len(held) <= place:
        raise fail(model, f"{name} is not a list with an item for each feature")
    found = held[place]
    if found is not None and (type(found) is not np.ndarray or found.ndim != 1 or found.dtype.kind != "i"):
        raise fail(model, f"{name} has something that is not an array of integers")
    return found


def _without(model: Any, name: str, dropped: Any, widths: list[int]) -> list[int]:
    """Return how many columns are left when one of some features is dropped."""
    if type(dropped) is not np.ndarray or dropped.shape != (len(widths),):
        raise fail(model, f"{name} has not an item for each feature")
    left = []
    for width, drop in zip(widths, dropped.tolist()):
        if drop is not None and (whole(drop) is None or not 0 <= drop < width):
            raise fail(model, f"{name} drops {shown(drop)} of {width} categories")
        left.append(width - (drop is not None))
    return left


_TEXT = "sklearn.feature_extraction.text"

STATES: dict[tuple[str, str], Guard] = {
    (_TEXT, "CountVectorizer"): Guard(_vocabulary, again=True),
    (_TEXT, "HashingVectorizer"): Guard(_hasher),
    ("sklearn.feature_extraction._dict_vectorizer", "DictVectorizer"): Guard(_vocabulary, again=True),
    ("sklearn.feature_extraction._hash", "FeatureHasher"): Guard(_hasher),
    ("sklearn.preprocessing._label", "MultiLabelBinarizer"): Guard(_labels, again=True),
    ("sklearn.preprocessing._encoders", "OneHotEncoder"): Guard(_one_hot, again=True),
}
"""See `guards.STATES`."""
