"""How many CPUs the control groups of this process grant: containers, slices of systemd, jobs of batch systems.

Rule: a group is within others, and each may have a quota: the least holds. The kernel says which groups a process is in
(`/proc/self/cgroup`), and where their folders are (`/proc/self/mountinfo`), in either version of control groups.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import Iterator

__all__ = ["cpu_quota"]

# The files of a group that have its quota and the period, in either version.
_FILES = {"cgroup2": ("cpu.max",), "cgroup": ("cpu.cfs_quota_us", "cpu.cfs_period_us")}
# Where the groups usually are, for processes that are not told.
_USUAL = (("cgroup2", "/", "/sys/fs/cgroup"), ("cgroup", "/", "/sys/fs/cgroup/cpu"))


def cpu_quota(root: str = "/") -> float | None:
    """Return how many CPUs the control groups grant; `None` if they set no quota.

    Args:
        root: the folder that has `proc` and `sys`.
    """
    groups = dict(_groups(_read(root, "/proc/self/cgroup")))
    quotas = []
    for kind, top, folder in list(_mounts(_read(root, "/proc/self/mountinfo"))) or _USUAL:
        for group in _upwards(groups.get(kind) or "/", top):
            quota = _quota(root, posixpath.join(folder, group), _FILES[kind])
            if quota is not None:
                quotas.append(quota)
    return min(quotas, default=None)


def _groups(text: str) -> Iterator[tuple[str, str]]:
    """Yield the path of the group of this process, in each version that may have quotas."""
    for line in text.splitlines():
        number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if number == "0" and not controllers:
            yield "cgroup2", path
        elif "cpu" in controllers.split(","):
            yield "cgroup", path


def _mounts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the version, the topmost group and the folder of each tree of control groups that may have quotas."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *_, options) = before.split(), (after.split() or [""] * 3)
        if kind == "cgroup2" or kind == "cgroup" and "cpu" in options.split(","):
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


def _plain(path: str) -> str:
    """Return a path in which the kernel wrote blanks as three digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
