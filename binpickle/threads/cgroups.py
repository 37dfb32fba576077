"""The CPUs and the memory that the control groups of this process grant: containers, slices of systemd, batch jobs.

Rule: a group is within others, and each may have a limit: the least holds. The kernel says which groups a process is in
(`/proc/self/cgroup`), and where their folders are (`/proc/self/mountinfo`), in either version of control groups.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max, memory.stat),
https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us),
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.limit_in_bytes, memory.stat).
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import Iterator

__all__ = ["cpu_quota", "memory_left"]

# The files of a group that have its quota and the period, in either version.
_FILES = {"cgroup2": ("cpu.max",), "cgroup": ("cpu.cfs_quota_us", "cpu.cfs_period_us")}
# The files of a group that have limits of its memory, the one that has its use, and the lines of `memory.stat` that
# count its pages of files, which the kernel takes back when it needs memory; in either version.
_LIMITS = {"cgroup2": ("memory.max", "memory.high"), "cgroup": ("memory.limit_in_bytes",)}
_USED = {"cgroup2": "memory.current", "cgroup": "memory.usage_in_bytes"}
_OF_FILES = {"cgroup2": ("active_file", "inactive_file"), "cgroup": ("total_active_file", "total_inactive_file")}


def cpu_quota(root: str = "/") -> float | None:
    """Return how many CPUs the control groups grant; `None` if they set no quota.

    Args:
        root: the folder that has `proc` and `sys`.
    """
    quotas = [_quota(root, folder, _FILES[kind]) for kind, folder in _folders(root, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def memory_left(root: str = "/") -> int | None:
    """Return how many bytes the control groups leave, the pages of files included that the kernel can take back.

    Args:
        root: see `cpu_quota`.

    Returns:
        The number of bytes; `None` if the groups set no limit.
    """
    left = [_memory_left(root, folder, kind) for kind, folder in _folders(root, "memory")]
    return min((nbytes for nbytes in left if nbytes is not None), default=None)


def _folders(root: str, controller: str) -> Iterator[tuple[str, str]]:
    """Yield the version and the folder of each group that this process is in, and that may have limits."""
    groups = dict(_groups(_read(root, "/proc/self/cgroup"), controller))
    usual = [("cgroup2", "/", "/sys/fs/cgroup"), ("cgroup", "/", f"/sys/fs/cgroup/{controller}")]
    # Where the groups usually are, for processes that are not told.
    for kind, top, folder in list(_mounts(_read(root, "/proc/self/mountinfo"), controller)) or usual:
        for group in _upwards(groups.get(kind) or "/", top):
            yield kind, posixpath.join(folder, group)


def _groups(text: str, controller: str) -> Iterator[tuple[str, str]]:
    """Yield the path of the group of this process, in each version that may have quotas."""
    for line in text.splitlines():
        number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if number == "0" and not controllers:
            yield "cgroup2", path
        elif controller in controllers.split(","):
            yield "cgroup", path


def _mounts(text: str, controller: str) -> Iterator[tuple[str, str, str]]:
    """Yield the version, the topmost group and the folder of each tree of control groups that may have quotas."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *_, options) = before.split(), (after.split() or [""] * 3)
        if kind == "cgroup2" or kind == "cgroup" and controller in options.split(","):
            yield kind, _plain(fields[3]), _plain(fields[4])


def _upwards(path: str, top: str) -> Iterator[str]:
    """Yield the path of a group, and of each group around it, relative to the topmost one that is mounted."""
    group = posixpath.relpath(path, top)
    if group.startswith(".."):  # the process is in no group that it can see
        group = "."
    while group != ".":
        yield group
        group = posixpath.dirname(group) or "."
    yield group


def _quota(root: str, folder: str, names: tuple[str, ...]) -> float | None:
    numbers = " ".join(_read(root, f"{folder}/{name}") for name in names).split()
    try:
        quota, period = map(float, numbers)
    except ValueError:  # there are no such files, or the quota is "max"
        return None
    return quota / period if quota > 0 and period > 0 else None


def _memory_left(root: str, folder: str, kind: str) -> int | None:
    limits = [_number(_read(root, f"{folder}/{name}")) for name in _LIMITS[kind]]
    used = _number(_read(root, f"{folder}/{_USED[kind]}"))
    limit = min((number for number in limits if number is not None), default=None)
    if limit is None or used is None:
        return None
    counts = dict(line.partition(" ")[::2] for line in _read(root, f"{folder}/memory.stat").splitlines())
    return max(0, limit - used + sum(_number(counts.get(name, "")) or 0 for name in _OF_FILES[kind]))


def _number(text: str) -> int | None:
    """Return a number in a file of a group; `None` if there is no such file, or no limit in it."""
    return int(text) if text.strip().isdigit() else None


def _plain(path: str) -> str:
    """Return a path in which the kernel wrote blanks as three digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
