"""Volumes of a pod that its containers see below /tmp, /run and /var: files written into the pod's scratch space.

ConfigMap, Secret, downward API and projected volumes, the service account's token among them, and emptyDir, which all
containers of a pod share since they share the scratch space. Anywhere else a container has the machine's own files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cluster import objects
from topo import container_env, rootfs
from topo.sources import ConfigError, Sources

Files = Mapping[str, bytes]
"""Absolute path in the container -> content."""

_DEFAULT_MODE = 0o644


def is_visible(mount_path: str) -> bool:
    """Whether what is mounted there can be seen in a container."""
    parts = PurePosixPath(os.path.normpath(mount_path)).parts
    return len(parts) > 2 and parts[0] == "/" and parts[1] in rootfs.SCRATCH_DIRECTORIES


def files(pod: Mapping[str, Any], container: Mapping[str, Any], sources: Sources) -> Files:
    """What the container's mounts show. An empty directory's path ends with a slash. Raises ConfigError."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    found: dict[str, bytes] = {}
    for mount in container.get("volumeMounts") or ():
        volume, path = volumes.get(mount["name"], {}), os.path.normpath(mount["mountPath"])
        if not is_visible(path):
            continue
        content = _content(volume, pod, sources)
        only = mount.get("subPath")
        if only is not None and only in content:
            found[path] = content[only]
            continue
        if not content:
            found[f"{path}/"] = b""
        for name, data in content.items():
            found[f"{path}/{name}"] = data
    return found


def write(scratch: str, made: Files) -> None:
    """Write them into a scratch space."""
    base = Path(rootfs.SCRATCH) / scratch
    for path, data in made.items():
        # In a container /var/run is a link to /run; here it would lead out of the scratch space.
        target = base / path.replace("/var/run/", "/run/", 1).lstrip("/")
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # A container may read it at any moment.
        new = target.with_name(f".{target.name}.new")
        new.write_bytes(data)
        new.chmod(_DEFAULT_MODE)
        new.replace(target)


def _content(volume: Mapping[str, Any], pod: Mapping[str, Any], sources: Sources) -> dict[str, bytes]:
    """The files of one volume, by their path in it; none of a kind that has no content here."""
    if "projected" in volume:
        found: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or ():
            found |= _content(source, pod, sources)
        return found
    if (config := volume.get("configMap")) is not None:
        return _keys("ConfigMap", config["name"], config, pod, sources)
    if (secret := volume.get("secret")) is not None:
        return _keys("Secret", secret.get("secretName") or secret["name"], secret, pod, sources)
    if (downward := volume.get("downwardAPI")) is not None:
        return dict(_downward(downward.get("items") or (), pod))
    if (token := volume.get("serviceAccountToken")) is not None:
        return {token["path"]: sources.token(pod, token.get("audience")).encode()}
    return {}


def _keys(
    kind: str, name: str, spec: Mapping[str, Any], pod: Mapping[str, Any], sources: Sources
) -> dict[str, bytes]:
    try:
        data = sources.data(kind, objects.namespace(pod), name)
        items = spec.get("items")
        if items is None:
            return dict(data)
        return {item["path"]: data[item["key"]] for item in items}
    except KeyError as error:
        if not spec.get("optional"):
            raise ConfigError(f"references non-existent config key: {error.args[0]}") from None
    except ConfigError:
        if not spec.get("optional"):
            raise
    return {}


def _downward(items: Iterable[Mapping[str, Any]], pod: Mapping[str, Any]) -> Iterable[tuple[str, bytes]]:
    for item in items:
        if (field_path := (item.get("fieldRef") or {}).get("fieldPath")) is not None:
            yield item["path"], (container_env.field_text(pod, field_path) or "").encode()
