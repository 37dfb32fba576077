"""Make the curated sets of `binpickle.trust` from the libraries that are installed.

Run it once in each environment whose releases the sets shall know; names are added, none is dropped::

    python tools/make_trust_sets.py sklearn scipy pandas pyarrow torch

Each name gets its use: `value` (a stream may hold it), `new` (NEWOBJ and BUILD) or `call` (REDUCE, after a guard has
checked the arguments). Functions are values. The script prints uses that it saw in streams and did not give. For
pandas, pyarrow and torch the streams of real objects decide, since each release makes its objects in another way.

Review what it adds before it is committed. A name belongs in a set if a stream that uses it so, and gives its instances
any state that the guards let pass, runs no code but the library's own: no `exec`, no `eval`, no file, no process.
`DENIED` says what does not. A class whose state compiled code believes needs a guard in `binpickle/trust/guards`.
"""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parent.parent
SETS = ROOT / "binpickle" / "trust" / "sets"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from trust_corpus import fitted_estimators, frames  # noqa: E402

from binpickle.pickling.pickler import Pickling  # noqa: E402
from binpickle.trust import scan, untrusted  # noqa: E402
from reliability.use_arrow import arrow_objects  # noqa: E402
from reliability.use_torch import torch_objects  # noqa: E402

DENIED = (
    "scipy.stats",  # its distributions pass a string of their state to exec
    "sklearn.datasets",  # reads files and the network
    "sklearn.externals",
    "sklearn.utils._mocking",
    "sklearn.utils._testing",
    "sklearn.utils.estimator_checks",
    "sklearn.conftest",
    "numpy",  # the machine's own rules are for NumPy; a few functions are added by name
    "builtins",
    "functools",  # frames of pandas 1.3 call a partial object, which the machine refuses in any case
    "_loss",  # a class of scikit-learn 1.3 under a wrong name, which nothing can import
)

SEEN: dict[str, set[str]] = defaultdict(set)
"""How streams of fitted objects use each name, in the words of `GlobalUse.uses`."""

SAID = {"value": "value", "new": "instantiated", "call": "called"}

# Cython classes that are made by a call with the number that they hold.
CALLED_MODULES = ("sklearn._loss._loss", "sklearn.linear_model._sgd_fast")

# What the kind of the name does not tell: abstract classes, and those that only a call makes.
USES = {
    "sklearn.tree._tree:Tree": "call",
    "sklearn._loss._loss:CyLossFunction": "value",
    "sklearn.linear_model._sgd_fast:LossFunction": "value",
    "sklearn.linear_model._sgd_fast:Classification": "value",
    "sklearn.linear_model._sgd_fast:Regression": "value",
    "sklearn.metrics._dist_metrics:__pyx_unpickle_DistanceMetric": "value",
    "sklearn.neighbors._distance_metric:DistanceMetric": "value",
    "scipy._lib.array_api_compat.numpy._aliases:asarray": "value",
    **{
        f"sklearn.neighbors.{module}:BinaryTree{width}": "value"
        for module in ("_kd_tree", "_ball_tree")
        for width in ("", "32", "64")
    },
    **{f"sklearn.metrics._dist_metrics:DistanceMetric{width}": "value" for width in ("", "32", "64")},
}

# What people pass as functions to FunctionTransformer, FeatureAgglomeration and so on.
NUMPY_FUNCTIONS = """
    abs absolute amax amin cbrt clip cos exp exp2 expm1 fabs log log10 log1p log2 max mean median min
    reciprocal rint sign sin sqrt square sum tan tanh
"""

SKLEARN_BASES = """
    sklearn.base:BaseEstimator
    sklearn.gaussian_process.kernels:Kernel sklearn.gaussian_process.kernels:Hyperparameter
    sklearn.model_selection._split:BaseCrossValidator sklearn.model_selection._split:BaseShuffleSplit
    sklearn.model_selection._split:_RepeatedSplits
    sklearn.metrics._scorer:_BaseScorer sklearn.metrics._dist_metrics:DistanceMetric
    sklearn.metrics._dist_metrics:DistanceMetric32 sklearn.metrics._dist_metrics:DistanceMetric64
    sklearn.linear_model._sgd_fast:LossFunction sklearn._loss._loss:CyLossFunction
    sklearn._loss.loss:BaseLoss sklearn._loss.link:BaseLink sklearn._loss.link:Interval
    sklearn.neighbors._kd_tree:BinaryTree sklearn.neighbors._kd_tree:BinaryTree32
    sklearn.neighbors._kd_tree:BinaryTree64 sklearn.neighbors._ball_tree:BinaryTree
    sklearn.neighbors._ball_tree:BinaryTree32 sklearn.neighbors._ball_tree:BinaryTree64
    sklearn.tree._tree:Tree sklearn.utils:Bunch sklearn.utils._bunch:Bunch
    sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor
    sklearn.utils._metadata_requests:MetadataRequest sklearn.utils._metadata_requests:MethodMetadataRequest
    sklearn.utils._metadata_requests:MetadataRouter
    sklearn.neural_network._stochastic_optimizers:BaseOptimizer sklearn.compose:make_column_selector
    sklearn.ensemble._gb_losses:LossFunction sklearn.ensemble._hist_gradient_boosting.loss:BaseLoss
"""

# Functions that estimators and scorers hold: they compute from arrays and do nothing else.
SKLEARN_FUNCTIONS = """
    sklearn.feature_selection:chi2 sklearn.feature_selection:f_classif sklearn.feature_selection:f_regression
    sklearn.feature_selection:mutual_info_classif sklearn.feature_selection:mutual_info_regression
    sklearn.feature_selection:r_regression
    sklearn.cluster._kmeans:_kmeans_single_lloyd sklearn.cluster._kmeans:_kmeans_single_elkan
    sklearn.metrics.pairwise:additive_chi2_kernel sklearn.metrics.pairwise:chi2_kernel
    sklearn.metrics.pairwise:cosine_distances sklearn.metrics.pairwise:cosine_similarity
    sklearn.metrics.pairwise:euclidean_distances sklearn.metrics.pairwise:haversine_distances
    sklearn.metrics.pairwise:laplacian_kernel sklearn.metrics.pairwise:linear_kernel
    sklearn.metrics.pairwise:manhattan_distances sklearn.metrics.pairwise:nan_euclidean_distances
    sklearn.metrics.pairwise:polynomial_kernel sklearn.metrics.pairwise:rbf_kernel
    sklearn.metrics.pairwise:sigmoid_kernel
"""

# Time zones by name, which read a library's own files and check the name, and those that read none.
PANDAS_EXTRA = {"pytz:_p", "pytz:_UTC", "pytz:FixedOffset", "dateutil.tz.tz:tzlocal", "dateutil.tz.tz:tzutc"}


def sklearn() -> set[str]:
    """Return the names for scikit-learn: what fitted estimators hold, and the classes of these kinds."""
    bases = tuple(_found(SKLEARN_BASES))
    names = {_name(found) for found in _found(SKLEARN_FUNCTIONS)} | _scorers()
    classes = [cls for cls in _classes("sklearn") if issubclass(cls, bases)]
    names |= {_name(cls) for cls in classes} | {name for cls in classes for name in _cython_helpers(cls)}
    names |= {f"numpy:{name}" for name in NUMPY_FUNCTIONS.split()}
    for _, estimator in fitted_estimators():
        names |= _used(estimator)
    return names | scipy()


def scipy() -> set[str]:
    """Return the names for scipy.sparse, under their old modules too."""
    sparse = importlib.import_module("scipy.sparse")
    kinds = ("_matrix", "_array")
    formats = [cls for cls in vars(sparse).values() if inspect.isclass(cls) and cls.__name__[3:] in kinds]
    old = {f"scipy.sparse.{cls.__name__[:3]}:{cls.__name__}" for cls in formats if cls.__name__.endswith("_matrix")}
    old |= {f"scipy.sparse._arrays:{cls.__name__}" for cls in formats if cls.__name__.endswith("_array")}
    return {_name(cls) for cls in formats} | old


def pandas() -> set[str]:
    """Return the names for pandas: what its objects hold, and all types, indices, arrays and offsets."""
    pd = importlib.import_module("pandas")
    bases = (pd.api.extensions.ExtensionDtype, pd.api.extensions.ExtensionArray, pd.Index, pd.offsets.BaseOffset)
    modules = (pd, pd.arrays, pd.offsets)
    names = {_name(cls) for module in modules for cls in _members(module, bases)}
    for _, frame in frames():
        names |= _used(frame)
    return {name for name in names | PANDAS_EXTRA if not name.startswith("pyarrow")}


def pyarrow() -> set[str]:
    """Return the names for pyarrow: what arrays and tables of the types that the guards know hold."""
    names: set[str] = set()
    for _, obj in arrow_objects():
        names |= _used(obj)
    return names


def torch() -> set[str]:
    """Return the names for torch: what tensors of each kind and state dicts hold, and all dtypes."""
    found = importlib.import_module("torch")
    names = {f"torch:{str(dtype)[6:]}" for dtype in vars(found).values() if isinstance(dtype, found.dtype)}
    for _, obj in torch_objects():
        names |= _used(obj)
    return names


def _found(names: str) -> Iterator[Any]:
    """Yield those of these objects that the installed release has."""
    for name in names.split():
        module, _, qualname = name.partition(":")
        try:
            yield getattr(importlib.import_module(module), qualname)
        except (ImportError, AttributeError):
            continue


def _scorers() -> set[str]:
    """Return the names of the functions that scikit-learn's own scorers hold."""
    module = importlib.import_module("sklearn.metrics._scorer")
    known = getattr(module, "_SCORERS", None) or module.SCORERS
    return {_name(scorer._score_func) for scorer in known.values()}


def _classes(package: str) -> Iterator[type]:
    """Yield the classes that the modules of a package define."""
    found = importlib.import_module(package)
    for info in pkgutil.walk_packages(found.__path__, f"{package}.", onerror=lambda name: None):
        if info.name.startswith(DENIED) or ".tests" in info.name:
            continue
        try:
            module = importlib.import_module(info.name)
        except Exception as error:  # noqa: BLE001 - what it needs is not installed
            print(f"{info.name}: {error}", file=sys.stderr)
            continue
        yield from (cls for cls in vars(module).values() if inspect.isclass(cls) and cls.__module__ == info.name)


def _cython_helpers(cls: type) -> Iterator[str]:
    """Yield the functions that pickles of a Cython class call to make an instance."""
    for helper in ("newObj", f"__pyx_unpickle_{cls.__name__}"):
        if hasattr(sys.modules[cls.__module__], helper):
            yield f"{cls.__module__}:{helper}"


def _members(module: Any, bases: Any) -> Iterator[type]:
    """Yield the public classes of a module that have one of these bases."""
    for name in dir(module):
        found = getattr(module, name, None)
        if inspect.isclass(found) and issubclass(found, bases):
            yield found


def _used(obj: Any) -> set[str]:
    """Return the globals that the stream of an object uses, without those of the safe set, and note how."""
    stream = io.BytesIO()
    pickling = Pickling(stream.write)
    pickling.dump(obj)
    stream.seek(0)
    found = untrusted(scan(stream.read, len(pickling.out_of_band().buffers)))
    found = [use for use in found if not use.module.startswith(DENIED) and not use.module.startswith("__")]
    for use in found:
        SEEN[use.name] |= set(use.uses)
    return {use.name for use in found}


def _use(name: str) -> str:
    """Return what a stream may do with a name: what it is decides, also for releases that are not installed."""
    module, _, qualname = name.partition(":")
    if name in USES:
        return USES[name]
    if module.startswith("numpy"):
        return "value"
    if qualname == "newObj" or qualname.startswith("__pyx_unpickle_") or module in CALLED_MODULES:
        return "call"
    found = next(_found(name), None)
    is_class = inspect.isclass(found) if found is not None else not qualname.lstrip("_")[0].islower()
    return "new" if is_class or module.startswith("scipy.sparse.") else "value"


def _by_streams(name: str, known: str) -> str:
    """Return what streams of this release, or of those before it, do with a name."""
    words = {word for word, use in SAID.items() if use in SEEN.get(name, ())} | set(known.split())
    return " ".join(sorted(words - {"value"})) or "value"


def _name(found: Any) -> str:
    return f"{found.__module__}:{found.__qualname__}"


def _write(library: str, names: set[str]) -> None:
    """Add names to the data file of a library, one name and its use a line; say which uses were seen and not given."""
    target = SETS / f"{library}.txt"
    lines = target.read_text(encoding="ascii").splitlines() if target.exists() else []
    known = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    if library in ("pandas", "pyarrow", "torch"):
        uses = {name: _by_streams(name, known.get(name, "")) for name in names | set(known)}
    else:
        uses = {name: _use(name) for name in names | set(known)}
    for name in sorted(set(SEEN) & set(uses)):
        if not SEEN[name] - {"argument", "value"} <= {SAID[word] for word in uses.get(name, "").split()}:
            print(f"{name}: {sorted(SEEN[name])} in streams, {uses.get(name)} in the set", file=sys.stderr)
    target.write_text("".join(f"{name} {use}\n" for name, use in sorted(uses.items())), encoding="ascii")


MAKERS = {"sklearn": sklearn, "scipy": scipy, "pandas": pandas, "pyarrow": pyarrow, "torch": torch}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for requested in sys.argv[1:]:
        SEEN.clear()
        _write(requested, MAKERS[requested]())
