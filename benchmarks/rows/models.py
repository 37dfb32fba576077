"""Row 9: a fitted random forest and a DataFrame, against pickle and joblib's compressors."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..cases import Case, Scale, ratio
from ..contenders import PICKLE, ours, through_joblib
from ..objects import columns

__all__ = ["cases"]

LZ4, ZLIB = "joblib lz4", "joblib zlib 3"


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 9."""
    trees, rows = scale.pick(200, 50), scale.pick(1_000_000, 300_000)
    return [
        case(f"random forest of {trees} trees", forest, trees, scale, same_forest),
        case(f"DataFrame of {rows} rows", columns, rows, scale, None),
    ]


def case(name: str, make: Any, size: int, scale: Scale, check: Any) -> Case:
    """Declare one case of row 9."""
    rounds = scale.pick(5, 1)
    return Case(
        row="9",
        name=name,
        make=make,
        size=size,
        contenders=(
            PICKLE,
            ours("raw", codecs=[]),
            ours("auto"),
            through_joblib(LZ4, compress="lz4", rounds=rounds),
            through_joblib(ZLIB, compress=3, rounds=rounds),
        ),
        rounds=scale.pick(15, 3),
        targets=(
            ratio("dump", "raw", PICKLE.name, 1.1),
            ratio("load", "raw", PICKLE.name, 1.0),
            *(ratio(metric, "auto", peer, 1.0) for peer in (LZ4, ZLIB) for metric in ("size", "dump", "load")),
        ),
        check=check,
        cached=True,
    )


def samples(count: int) -> np.ndarray[Any, Any]:
    """Make the inputs a forest is fitted on."""
    return np.random.default_rng(5).normal(size=(count, 20))


def forest(trees: int) -> Any:
    """Fit a random forest of `trees` trees."""
    from sklearn.ensemble import RandomForestRegressor

    inputs = samples(5000)
    model = RandomForestRegressor(n_estimators=trees, n_jobs=1, random_state=0, max_features=6)
    return model.fit(inputs, inputs[:, :5].sum(axis=1) ** 2)


def same_forest(build: Callable[[], Any], loaded: Any) -> bool:
    """Return whether a loaded forest predicts what the original does."""
    inputs = samples(100)
    return np.array_equal(build().predict(inputs), loaded.predict(inputs))
