"""The limits of control groups: the least of a group and those around it, in either version and in containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from common import each
from internals import available_memory, cpu_quota, memory_left

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
V1 = "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
MEMORY = "32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
HYBRID = V1 + MEMORY + "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
NO_NAMESPACE = "40 23 0:26 /docker/abc /sys/fs/cgroup ro master:9 - cgroup2 cgroup2 rw\n"
BLANK = "41 23 0:26 / /sys/fs/my\\040groups rw - cgroup2 cgroup2 rw\n"

# What the kernel says of groups and of mounts, the files of the groups, and the quota.
QUOTAS: dict[str, tuple[str, str, dict[str, str], float | None]] = {
    "own group": ("0::/job", V2, {"cgroup/job/cpu.max": "150000 100000"}, 1.5),
    "a group around it": ("0::/slice/job", V2, {"cgroup/slice/cpu.max": "200000 100000"}, 2),
    "the least": (
        "0::/a/b/c",
        V2,
        {
            "cgroup/a/cpu.max": "300000 100000",
            "cgroup/a/b/cpu.max": "100000 100000",
            "cgroup/a/b/c/cpu.max": "max 100000",
        },
        1,
    ),
    "another group": ("0::/a", V2, {"cgroup/b/cpu.max": "100000 100000"}, None),
    "no quota": ("0::/", V2, {"cgroup/cpu.max": "max 100000"}, None),
    "a container": ("0::/", V2, {"cgroup/cpu.max": "50000 100000"}, 0.5),
    "a container that sees the names outside": ("0::/docker/abc", NO_NAMESPACE, {"cgroup/cpu.max": "400000 100000"}, 4),
    "a group in it": ("0::/docker/abc/x", NO_NAMESPACE, {"cgroup/x/cpu.max": "100000 100000"}, 1),
    "a process that was moved out": ("0::/../other", V2, {"cgroup/cpu.max": "100000 100000"}, 1),
    "a folder with a blank": ("0::/job", BLANK, {"my groups/job/cpu.max": "100000 50000"}, 2),
    "version 1": (
        "4:memory:/m\n3:cpu,cpuacct:/jobs/1",
        V1 + MEMORY,
        {
            "cgroup/cpu,cpuacct/jobs/1/cpu.cfs_quota_us": "-1",
            "cgroup/cpu,cpuacct/jobs/1/cpu.cfs_period_us": "100000",
            "cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "250000",
            "cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000",
        },
        2.5,
    ),
    "both versions": (
        "3:cpu,cpuacct:/j\n0::/u",
        HYBRID,
        {
            "cgroup/cpu,cpuacct/j/cpu.cfs_quota_us": "300000",
            "cgroup/cpu,cpuacct/j/cpu.cfs_period_us": "100000",
            "cgroup/unified/u/cpu.max": "200000 100000",
        },
        2,
    ),
    "nothing said of mounts": ("", "", {"cgroup/cpu.max": "100000 100000"}, 1),
    "a broken line": ("nonsense", "nonsense", {"cgroup/cpu.max": "nonsense"}, None),
    "no period": ("0::/", V2, {"cgroup/cpu.max": "100000 0"}, None),
    "nothing": ("", "", {}, None),
}


def tell(root: Path, groups: str, mounts: str, files: dict[str, str]) -> None:
    told = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts}
    told.update({f"sys/fs/{name}": text for name, text in files.items()})
    for name, text in told.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


@each(QUOTAS, "groups", "mounts", "files", "quota")
def test_quota(groups: str, mounts: str, files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    """The quota that holds is the least of the group of the process and of all groups around it."""
    tell(tmp_path, groups, mounts, files)
    assert cpu_quota(str(tmp_path)) == (None if quota is None else pytest.approx(quota))


def test_no_kernel(tmp_path: Path) -> None:
    """A system without control groups sets no quota."""
    assert cpu_quota(str(tmp_path)) is None


STAT = "anon 500\ninactive_anon 7\nactive_file 30\ninactive_file 20\nfile_mapped 5"
STAT_V1 = "cache 99\nactive_file 1\ninactive_file 1\ntotal_active_file 30\ntotal_inactive_file 20"
LEFT: dict[str, tuple[str, str, dict[str, str], int | None]] = {
    "own group": (
        "0::/job",
        V2,
        {"cgroup/job/memory.max": "1000", "cgroup/job/memory.current": "600", "cgroup/job/memory.stat": STAT},
        450,
    ),
    "the least": (
        "0::/a/b",
        V2,
        {
            "cgroup/a/memory.max": "500",
            "cgroup/a/memory.current": "400",
            "cgroup/a/memory.stat": STAT,
            "cgroup/a/b/memory.max": "max",
            "cgroup/a/b/memory.high": "300",
            "cgroup/a/b/memory.current": "200",
        },
        100,
    ),
    "no limit": ("0::/a", V2, {"cgroup/a/memory.max": "max", "cgroup/a/memory.current": "600"}, None),
    "more than the limit": ("0::/a", V2, {"cgroup/a/memory.max": "500", "cgroup/a/memory.current": "600"}, 0),
    "version 1": (
        "4:memory:/m\n3:cpu,cpuacct:/jobs/1",
        V1 + MEMORY,
        {
            "cgroup/memory/m/memory.limit_in_bytes": "1000",
            "cgroup/memory/m/memory.usage_in_bytes": "600",
            "cgroup/memory/m/memory.stat": STAT_V1,
            "cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "cgroup/memory/memory.usage_in_bytes": "600",
        },
        450,
    ),
    "nonsense": ("0::/a", V2, {"cgroup/a/memory.max": "much", "cgroup/a/memory.current": "", "cgroup/x": ""}, None),
    "nothing": ("", "", {}, None),
}


@each(LEFT, "groups", "mounts", "files", "left")
def test_memory(groups: str, mounts: str, files: dict[str, str], left: int | None, tmp_path: Path) -> None:
    """What is left of memory is the least of all groups: the limit, less what is used, but for pages of files."""
    tell(tmp_path, groups, mounts, files)
    assert memory_left(str(tmp_path)) == left
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2 kB\n")
    assert available_memory(str(tmp_path)) == min(2048, left if left is not None else 2048)


def test_no_memory_told(tmp_path: Path) -> None:
    """A system that does not tell what is available is taken to have a quarter of its memory."""
    assert 0 <= available_memory(str(tmp_path)) < 1 << 50
