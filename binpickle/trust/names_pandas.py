"""What `binpickle.trust.pandas()` trusts, by module: made by make_trust_sets.py, and reviewed."""

from __future__ import annotations

__all__ = ["NAMES"]

NAMES = {
    "dateutil.relativedelta": """
    relativedelta
    """,
    "dateutil.tz.tz": """
    tzlocal tzutc
    """,
    "pandas._libs.arrays": """
    __pyx_unpickle_NDArrayBacked
    """,
    "pandas._libs.internals": """
    _unpickle_block
    """,
    "pandas._libs.interval": """
    Interval __pyx_unpickle_IntervalMixin
    """,
    "pandas._libs.missing": """
    NA
    """,
    "pandas._libs.sparse": """
    IntIndex
    """,
    "pandas._libs.tslibs.nattype": """
    __nat_unpickle _nat_unpickle
    """,
    "pandas._libs.tslibs.offsets": """
    BHalfYearBegin BHalfYearEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd BaseOffset BusinessDay BusinessHour
    BusinessMonthBegin BusinessMonthEnd CustomBusinessDay CustomBusinessHour CustomBusinessMonthBegin
    CustomBusinessMonthEnd DateOffset Day Easter FY5253 FY5253Quarter HalfYearBegin HalfYearEnd Hour LastWeekOfMonth
    Micro Milli Minute MonthBegin MonthEnd Nano QuarterBegin QuarterEnd Second SemiMonthBegin SemiMonthEnd Tick Week
    WeekOfMonth YearBegin YearEnd
    """,
    "pandas._libs.tslibs.period": """
    Period
    """,
    "pandas._libs.tslibs.timedeltas": """
    Timedelta _timedelta_unpickle
    """,
    "pandas._libs.tslibs.timestamps": """
    _unpickle_timestamp
    """,
    "pandas.arrays": """
    ArrowExtensionArray ArrowStringArray BooleanArray DatetimeArray FloatingArray IntegerArray IntervalArray
    NumpyExtensionArray PeriodArray SparseArray StringArray TimedeltaArray
    """,
    "pandas.core.arrays.arrow.array": """
    ArrowExtensionArray
    """,
    "pandas.core.arrays.boolean": """
    BooleanArray BooleanDtype
    """,
    "pandas.core.arrays.categorical": """
    Categorical
    """,
    "pandas.core.arrays.datetimes": """
    DatetimeArray
    """,
    "pandas.core.arrays.floating": """
    Float32Dtype Float64Dtype FloatingArray
    """,
    "pandas.core.arrays.integer": """
    Int16Dtype Int32Dtype Int64Dtype Int8Dtype IntegerArray UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype
    """,
    "pandas.core.arrays.interval": """
    IntervalArray
    """,
    "pandas.core.arrays.numpy_": """
    NumpyExtensionArray PandasArray
    """,
    "pandas.core.arrays.period": """
    PeriodArray
    """,
    "pandas.core.arrays.sparse.array": """
    SparseArray
    """,
    "pandas.core.arrays.sparse.dtype": """
    SparseDtype
    """,
    "pandas.core.arrays.string_": """
    StringArray StringDtype
    """,
    "pandas.core.arrays.string_arrow": """
    ArrowStringArray
    """,
    "pandas.core.arrays.timedeltas": """
    TimedeltaArray
    """,
    "pandas.core.dtypes.dtypes": """
    ArrowDtype CategoricalDtype DatetimeTZDtype IntervalDtype PeriodDtype SparseDtype
    """,
    "pandas.core.frame": """
    DataFrame
    """,
    "pandas.core.indexes.base": """
    Index _new_Index
    """,
    "pandas.core.indexes.category": """
    CategoricalIndex
    """,
    "pandas.core.indexes.datetimes": """
    DatetimeIndex _new_DatetimeIndex
    """,
    "pandas.core.indexes.interval": """
    IntervalIndex _new_IntervalIndex
    """,
    "pandas.core.indexes.multi": """
    MultiIndex
    """,
    "pandas.core.indexes.numeric": """
    Float64Index Int64Index UInt64Index
    """,
    "pandas.core.indexes.period": """
    PeriodIndex
    """,
    "pandas.core.indexes.range": """
    RangeIndex
    """,
    "pandas.core.indexes.timedeltas": """
    TimedeltaIndex _new_TimedeltaIndex
    """,
    "pandas.core.internals.blocks": """
    new_block
    """,
    "pandas.core.internals.managers": """
    BlockManager SingleBlockManager
    """,
    "pandas.core.series": """
    Series
    """,
    "pandas": """
    ArrowDtype BooleanDtype Categorical CategoricalDtype CategoricalIndex DataFrame DateOffset DatetimeIndex
    DatetimeTZDtype Float32Dtype Float64Dtype Index Int16Dtype Int32Dtype Int64Dtype Int8Dtype Interval
    IntervalDtype IntervalIndex MultiIndex NA Period PeriodDtype PeriodIndex RangeIndex Series SparseDtype
    StringDtype TimedeltaIndex UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype
    """,
    "pyarrow.lib": """
    _restore_array py_buffer type_for_alias
    """,
    "pytz": """
    FixedOffset _UTC _p
    """,
}
