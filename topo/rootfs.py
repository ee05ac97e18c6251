"""What files look like inside the sandbox: the host's, read-only; for pods a root of their own.

Two mount namespaces. The *agents'* has the host's whole tree read-only with a private /run; the services of the
testbed live there. The *pods'* is a small tree of its own: the host's programs read-only, a /dev with the
harmless devices, nothing of the testbed. Every process of a pod gets a copy of the latter in which /tmp, /run
and /var are the pod's scratch space (`confine`), so the fewer mounts here, the cheaper a process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cluster import run_directory
from cluster.ingress_controller import PROGRAM as INGRESS_CONTROLLER
from topo import linux

RUN = run_directory.INSIDE
"""The testbed's run directory, as seen inside the sandbox."""
NETNS = "/run/netns"
POD_ROOT = f"{RUN}-pod-root"
_POD_ROOT_FD = 100
POD_ROOT_NAMESPACE = f"/proc/1/fd/{_POD_ROOT_FD}"
"""The pods' mount namespace. PID 1 holds it open: a bind mount of it would be the usual way, but the kernel's
check against loops goes by numbers that since Linux 6.18 do not always grow."""
SCRATCH = "/run/scratch"
POD_SCRATCH = "/.scratch"
"""Where pods' scratch spaces are in the agents' and in the pods' tree (hidden again from each process)."""
POD_ETC = "/.etc"

SCRATCH_DIRECTORIES = ("tmp", "run", "var")
ETC_OWN_FILES = ("hosts", "resolv.conf", "hostname")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_INGRESS_CODE = "/.ingress-controller"
_INGRESS_FOLDERS = ("topo/ingress",)
_INGRESS_FILES = ("topo/__init__.py", "cluster/__init__.py", "cluster/ingress_annotations.py")
_INGRESS_START = f"""#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, "{_INGRESS_CODE}")
from topo.ingress.controller import main
sys.exit(main())
"""
_NOT_FOR_PODS = {"proc", "sys", "dev", "run", "tmp", "var", "etc", "boot", "mnt", "media", "lost+found"}


def build(run_directory: str) -> None:
    """Set up both trees in the caller's new mount namespace. Needs CAP_SYS_ADMIN over it."""
    run_fd = os.open(run_directory, os.O_PATH)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.make_read_only("/")
    linux.mount("proc", "/proc", "proc")
    linux.mount("tmpfs", "/run", "tmpfs", linux.MS_NOSUID, "mode=755")
    for directory in (RUN, NETNS, POD_ROOT, SCRATCH, "/run/openvswitch", "/run/lock"):
        Path(directory).mkdir(mode=0o755)
    _bind_writable(run_fd, RUN)
    os.close(run_fd)
    _make_private_tmp()
    _build_pod_root()


def _make_private_tmp() -> None:
    """A /tmp of the sandbox's own, in which only this program itself is still where it was (if it lives there)."""
    programs = {Path(sys.prefix), Path(__file__).resolve().parents[1]}
    hosts = os.open("/tmp", os.O_PATH)
    linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    for program in sorted(path for path in programs if path.is_relative_to("/tmp")):
        program.mkdir(parents=True, exist_ok=True)
        linux.bind(f"/proc/self/fd/{hosts}/{program.relative_to('/tmp')}", str(program), recursive=True)
    os.close(hosts)


def _bind_writable(run_fd: int, target: str) -> None:
    # The run directory's own mount was made read-only with the rest of the host's tree. Its copy here is a mount
    # of its own, whose flag can be taken back as long as nobody else's namespace inherited it.
    linux.bind(f"/proc/self/fd/{run_fd}", target)
    linux.mount("none", target, flags=linux.MS_REMOUNT | linux.MS_BIND | _kept_flags(target))


def _kept_flags(path: str) -> int:
    """A mount's flags that a user namespace may not take away."""
    flags = os.statvfs(path).f_flag
    kept = 0
    for bit, flag in ((os.ST_NOSUID, linux.MS_NOSUID), (os.ST_NODEV, linux.MS_NODEV), (os.ST_NOEXEC, linux.MS_NOEXEC)):
        kept |= flag if flags & bit else 0
    for bit, flag in ((os.ST_NOATIME, 1024), (os.ST_NODIRATIME, 2048), (os.ST_RELATIME, 1 << 21)):
        kept |= flag if flags & bit else 0
    return kept


def _build_pod_root() -> None:
    """Build the pods' tree in a namespace of its own and keep that namespace open (POD_ROOT_NAMESPACE)."""
    ready_read, ready_write = os.pipe()
    done_read, done_write = os.pipe()
    child = os.fork()
    if child == 0:
        linux.unshare(linux.CLONE_NEWNS)
        _populate_pod_root()
        os.write(ready_write, b"1")
        os.read(done_read, 1)
        os._exit(0)
    os.close(ready_write)
    if os.read(ready_read, 1) != b"1":
        raise RuntimeError("the pods' root could not be built; the reason is above")
    namespace = os.open(f"/proc/{child}/ns/mnt", os.O_RDONLY)
    os.dup2(namespace, _POD_ROOT_FD, inheritable=False)
    os.write(done_write, b"1")
    os.waitpid(child, 0)
    for fd in (ready_read, done_read, done_write, namespace):
        os.close(fd)


def _populate_pod_root() -> None:
    root = Path(POD_ROOT)
    linux.mount("tmpfs", POD_ROOT, "tmpfs", linux.MS_NOSUID, "mode=755")
    for entry in os.scandir("/"):
        if entry.is_symlink():
            (root / entry.name).symlink_to(os.readlink(entry.path))
        elif entry.name not in _NOT_FOR_PODS and entry.is_dir():
            (root / entry.name).mkdir()
            linux.bind(entry.path, str(root / entry.name), recursive=True)
    for directory in ("proc", "sys", "dev", *SCRATCH_DIRECTORIES, POD_SCRATCH[1:]):
        (root / directory).mkdir()
    linux.mount("proc", str(root / "proc"), "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.bind("/sys", str(root / "sys"), recursive=True)
    linux.bind(SCRATCH, str(root / POD_SCRATCH[1:]))
    _populate_etc(root)
    _populate_dev(root / "dev")
    _add_client(root)
    add_ingress_controller(root)
    linux.make_read_only(POD_ROOT)
    linux.mount("none", str(root / POD_SCRATCH[1:]), flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_NOSUID)
    os.chdir(POD_ROOT)
    linux.pivot_root(".", ".")
    linux.unmount(".")
    os.chdir("/")


def _populate_etc(root: Path) -> None:
    """The host's /etc by symbolic links, so that a pod can have hosts and resolv.conf of its own."""
    (root / "etc").mkdir()
    (root / POD_ETC[1:]).mkdir()
    linux.bind("/etc", str(root / POD_ETC[1:]), recursive=True)
    for name in os.listdir("/etc"):
        if name not in ETC_OWN_FILES:
            (root / "etc" / name).symlink_to(f"{POD_ETC}/{name}")
    for name in ETC_OWN_FILES:
        (root / "etc" / name).touch()


def _populate_dev(dev: Path) -> None:
    # The host's /dev is writable through its device nodes even where its mount is read-only.
    linux.mount("tmpfs", str(dev), "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=755")
    for name in _DEVICES:
        (dev / name).touch()
        linux.bind(f"/dev/{name}", str(dev / name))
    for link, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (dev / link).symlink_to(f"/proc/self/fd{target}")
    (dev / "shm").symlink_to("/tmp")


def _add_client(root: Path) -> None:
    """`/agnhost`, as the upstream test image has it: the client commands that tests run in pods."""
    client = root / "agnhost"
    client.write_bytes((Path(__file__).parent / "agnhost.py").read_bytes())
    client.chmod(0o755)


def add_ingress_controller(root: Path) -> None:
    """The program of the ingress-nginx image, and the part of this project's code that it runs."""
    ours = Path(__file__).resolve().parents[1]
    folders = [path for folder in _INGRESS_FOLDERS for path in (ours / folder).iterdir() if path.is_file()]
    for path in (*folders, *(ours / file for file in _INGRESS_FILES)):
        copy = root / _INGRESS_CODE[1:] / path.relative_to(ours)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    program = root / INGRESS_CONTROLLER[1:]
    program.write_text(_INGRESS_START)
    program.chmod(0o755)
