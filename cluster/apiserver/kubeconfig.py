"""The kubeconfig of a testbed: one cluster, one user, one context, all named after it.

Written as JSON, which every reader of YAML reads. The user has the client certificate and the token: whoever holds the
file can run commands as the testbed's owner.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cluster.apiserver.pki import ADMIN, Pki


def document(name: str, host: str, port: int, pki: Pki) -> dict[str, Any]:
    address = f"[{host}]" if ":" in host else host
    context = f"mininetes-{name}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {
                    "server": f"https://{address}:{port}",
                    "certificate-authority-data": _encoded(pki.ca_certificate),
                },
            }
        ],
        "users": [
            {
                "name": ADMIN,
                "user": {
                    "client-certificate-data": _encoded(pki.admin_certificate),
                    "client-key-data": _encoded(pki.admin_key),
                    "token": pki.admin_token.read_text(),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": ADMIN}}],
        "current-context": context,
    }


def text(name: str, host: str, port: int, pki: Pki) -> bytes:
    return json.dumps(document(name, host, port, pki), indent=1).encode() + b"\n"


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
