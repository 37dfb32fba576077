"""Frames, series, indexes and scalars of pandas for the fuzz of use.

Rule: a use is what people do with such an object, each step on its own, since one step may fail and the next may not.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from binpickle import trust

from .use import Case

__all__ = ["frame_cases"]


def frame_cases() -> list[Case]:
    """Return a case for each object of pandas that the tests know."""
    from trust_frames import frames

    return [Case(f"pandas {name}", lambda made=made: made, _use, trust.pandas()) for name, made in frames()]  # type: ignore[misc]


def _use(loaded: Any) -> None:
    """Use an object by its kind."""
    import pandas as pd

    steps: Iterable[Callable[[Any], Any]] = _ANY
    if isinstance(loaded, pd.DataFrame):
        steps = (*_ANY, *_COLUMNS, *_FRAME)
    elif isinstance(loaded, pd.Series):
        steps = (*_ANY, *_COLUMNS, *_SERIES)
    elif isinstance(loaded, pd.Index):
        steps = (*_ANY, *_INDEX)
    elif isinstance(loaded, pd.api.extensions.ExtensionArray):
        steps = (*_ANY, *_ARRAY)
    elif isinstance(loaded, pd.offsets.BaseOffset):
        steps = (*_ANY, *_OFFSET)
    elif isinstance(loaded, pd.api.extensions.ExtensionDtype):
        steps = (*_ANY, lambda kind: pd.array([], dtype=kind), lambda kind: pd.Series([None], dtype=kind))
    elif isinstance(loaded, (dict, list)):
        for inner in loaded.values() if isinstance(loaded, dict) else loaded:
            _use(inner)
    else:
        steps = (*_ANY, *_SCALAR)
    for step in steps:
        _try(step, loaded)


def _try(step: Callable[[Any], Any], loaded: Any) -> None:
    try:
        step(loaded)
    except Exception:  # an answer to a wrong question
        return


_ANY: tuple[Callable[[Any], Any], ...] = (repr, str, lambda x: x == x, hash, lambda x: x.copy(), lambda x: x + x)

_COLUMNS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x.describe(),
    lambda x: x.to_numpy(),
    lambda x: x.isna(),
    lambda x: x.fillna(0),
    lambda x: x.dropna(),
    lambda x: x.sort_index(),
    lambda x: x.reset_index(),
    lambda x: x.iloc[::-1],
    lambda x: x.iloc[[0, -1]],
    lambda x: x.iloc[0],
    lambda x: x.loc[x.index[:1]],
    lambda x: x.loc[x.index[-1]],
    lambda x: x.head(1),
    lambda x: x.reindex(x.index[::-1]),
    lambda x: x.reindex([0, 1, 2, 5]),
    lambda x: x.astype(str),
    lambda x: x.astype("float64"),
    lambda x: x.astype("category"),
    lambda x: x.shift(1),
    lambda x: x.sum(),
    lambda x: x.max(),
    lambda x: x.prod(),
    lambda x: x.rank(),
    lambda x: x.nunique(),
    lambda x: x.drop_duplicates(),
    lambda x: x.duplicated(),
    lambda x: x.memory_usage(deep=True),
    lambda x: x.groupby(level=0).first(),
    lambda x: x.groupby(level=0).size(),
    lambda x: x.to_csv(),
    lambda x: x.unstack(),
    lambda x: x.resample("D").count(),
    lambda x: x.align(x.iloc[:1]),
    lambda x: x.index.get_indexer(x.index),
    lambda x: x.cumsum(),
    lambda x: x.rolling(2).sum(),
    lambda x: _concatenated(x),
    lambda x: _index(x.index),
)

_FRAME: tuple[Callable[[Any], Any], ...] = (
    lambda x: x.sort_values(list(x.columns)[:2]),
    lambda x: x.merge(x, how="outer"),
    lambda x: x.merge(x, left_index=True, right_index=True),
    lambda x: x.join(x, rsuffix="_"),
    lambda x: x.T,
    lambda x: x.stack(),
    lambda x: [x[name] for name in x.columns],
    lambda x: [_try(_use, x.iloc[:, i]) for i in range(min(x.shape[1], 12))],
    lambda x: x.groupby(list(x.columns)[:1]).count(),
    lambda x: x.groupby(list(x.columns)[-1:]).first(),
    lambda x: x.set_index(list(x.columns)[:2]).sort_index(),
    lambda x: x.pivot_table(index=x.columns[0], aggfunc="count"),
    lambda x: x.melt(),
    lambda x: x.dtypes,
    lambda x: x.info(),
    lambda x: x.select_dtypes("number"),
    lambda x: x.corr(numeric_only=True),
    lambda x: x.assign(new=1),
    lambda x: x.insert(0, "first", range(len(x))),
    lambda x: x.pop(x.columns[-1]),
    lambda x: x.drop(columns=x.columns[0]),
    lambda x: x.__setitem__("other", 0),
    lambda x: x.iloc.__setitem__((0, 0), x.iloc[-1, 0]),
    lambda x: repr(x),
    lambda x: x.values.sum(),
    lambda x: _index(x.columns),
)

_SERIES: tuple[Callable[[Any], Any], ...] = (
    lambda x: x.sort_values(),
    lambda x: x.value_counts(),
    lambda x: x.unique(),
    lambda x: x.groupby(x).count(),
    lambda x: x.isin(x[:1]),
    lambda x: x.map(str),
    lambda x: x.where(x.isna()),
    lambda x: x.factorize(),
    lambda x: x.searchsorted(x.iloc[0]),
    lambda x: x.to_frame().merge(x.to_frame()),
    lambda x: x.iloc.__setitem__(0, x.iloc[-1]),
    lambda x: x.explode(),
    lambda x: x.interpolate(),
    lambda x: x.mode(),
    lambda x: x.quantile(),
    lambda x: x.str.upper(),
    lambda x: x.str.len(),
    lambda x: x.dt.year,
    lambda x: x.dt.strftime("%Y-%m"),
    lambda x: x.dt.tz_convert("UTC"),
    lambda x: x.dt.total_seconds(),
    lambda x: x.cat.codes,
    lambda x: x.cat.remove_unused_categories(),
    lambda x: x.cat.add_categories(["new"]),
    lambda x: x.sparse.to_dense(),
    lambda x: x.tolist(),
    lambda x: _array(x.array),
)

_ARRAY: tuple[Callable[[Any], Any], ...] = (
    list,
    lambda x: x[::-1],
    lambda x: x.take([0, -1, 1], allow_fill=True),
    lambda x: x.isna(),
    lambda x: x.unique(),
    lambda x: x.factorize(),
    lambda x: x.argsort(),
    lambda x: x.to_numpy(),
    lambda x: x.astype(object),
    lambda x: x.astype(str),
    lambda x: x.to_dense(),
    lambda x: x * 2,
    lambda x: x > x[0],
    lambda x: x.sum(),
    lambda x: x.nbytes,
    lambda x: x.shift(),
    lambda x: x.repeat(2),
    lambda x: x.__setitem__(0, x[-1]),
    lambda x: x.__arrow_array__().validate(full=True),
)

_INDEX: tuple[Callable[[Any], Any], ...] = (
    list,
    lambda x: x.get_indexer(x),
    lambda x: x.get_indexer_non_unique(x),
    lambda x: x.get_loc(x[0]),
    lambda x: x.get_loc(x[-1]),
    lambda x: x[0] in x,
    lambda x: x.is_unique,
    lambda x: x.is_monotonic_increasing,
    lambda x: x.sort_values(),
    lambda x: x.union(x[:1]),
    lambda x: x.intersection(x[::-1]),
    lambda x: x.difference(x[:1]),
    lambda x: x.join(x[::-1], how="outer"),
    lambda x: x.append(x),
    lambda x: x.unique(),
    lambda x: x.slice_locs(x[0], x[-1]),
    lambda x: x.searchsorted(x[0]),
    lambda x: x.to_frame(),
    lambda x: x.to_series().iloc[0],
    lambda x: x.get_level_values(0),
    lambda x: x.get_level_values(-1),
    lambda x: x.droplevel(0),
    lambda x: x.swaplevel(),
    lambda x: x.remove_unused_levels(),
    lambda x: x.sortlevel(),
    lambda x: x.to_flat_index(),
    lambda x: x.values,
    lambda x: x.astype(str),
    lambda x: x.isin(x[:1]),
    lambda x: x.insert(0, x[0]),
    lambda x: x.delete(0),
    lambda x: x.repeat(2),
    lambda x: x.shift(1),
    lambda x: x.to_period("M"),
    lambda x: x.to_timestamp(),
    lambda x: x.tz_localize(None),
    lambda x: x.tz_convert("Europe/Paris"),
    lambda x: x.inferred_freq,
    lambda x: x.asfreq("D"),
    lambda x: x.overlaps(x[0]),
    lambda x: x.mid,
    lambda x: x.get_indexer([0.5, 1.5]),
    lambda x: x.factorize(),
    lambda x: x.memory_usage(deep=True),
)

_SCALAR: tuple[Callable[[Any], Any], ...] = (
    lambda x: x + 1,
    lambda x: x - x,
    lambda x: x < x,
    lambda x: x.year,
    lambda x: x.isoformat(),
    lambda x: x.strftime("%Y-%m-%d %H:%M:%S"),
    lambda x: x.to_timestamp(),
    lambda x: x.start_time,
    lambda x: x.end_time,
    lambda x: x.asfreq("D"),
    lambda x: x.asfreq("M"),
    lambda x: x.to_pydatetime(),
    lambda x: x.to_datetime64(),
    lambda x: x.tz_convert("UTC"),
    lambda x: x.tz_localize(None),
    lambda x: x.as_unit("s"),
    lambda x: x.components,
    lambda x: x.round("s"),
    lambda x: x.week,
    lambda x: x.days_in_month,
    lambda x: x.length,
    lambda x: x.mid,
    lambda x: 0.5 in x,
    lambda x: x.total_seconds(),
)


def _concatenated(loaded: Any) -> Any:
    import pandas as pd

    return pd.concat([loaded, loaded.iloc[:1]])


def _index(index: Any) -> None:
    for step in (*_ANY, *_INDEX):
        _try(step, index)


def _array(array: Any) -> None:
    for step in (*_ANY, *_ARRAY):
        _try(step, array)


def _with_times(offset: Any) -> None:
    import pandas as pd

    time = pd.Timestamp("2020-02-29 10:00")
    for step in (
        lambda: time + offset,
        lambda: time - offset,
        lambda: offset.rollforward(time),
        lambda: offset.rollback(time),
        lambda: offset.is_on_offset(time),
        lambda: pd.date_range(time, periods=3, freq=offset),
        lambda: pd.DatetimeIndex([time, time]) + offset,
        lambda: pd.Period(time, freq=offset),
    ):
        _try(lambda _, step=step: step(), None)  # type: ignore[misc]


_OFFSET: tuple[Callable[[Any], Any], ...] = (
    lambda x: x.freqstr,
    lambda x: x.name,
    lambda x: x.kwds,
    lambda x: x.nanos,
    lambda x: x * 2,
    lambda x: -x,
    _with_times,
)
