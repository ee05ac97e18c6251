"""`make run SPEC=cluster_specs/outside.yaml`: one line per way from outside to a Service, and back out."""

from __future__ import annotations

import re
import subprocess
import sys

from testbeds import ROOT

WAYS = {
    r"ClusterIP by port-forward +this machine +service/shop": r"shop-\w+-\w+",
    r"ClusterIP by port-forward +this machine +service/api": r"api-\w+-\w+",
    r"NodePort on control-plane +client/laptop +http://172.18.0.2:30080": r"shop-\w+-\w+",
    r"NodePort on worker +client/laptop +http://172.18.0.3:30080": r"shop-\w+-\w+",
    r"NodePort on worker2 +client/laptop +http://172.18.0.4:30080": r"shop-\w+-\w+",
    r"LoadBalancer +client/laptop": r"shop-\w+-\w+",
    r"ExternalName, from a pod": r"shop-\w+-\w+",
    r"Ingress by host plain.example +client/laptop +http://plain.example/hostname": r"shop-\w+-\w+",
    r"Ingress by path /api +client/laptop +http://plain.example/api/hostname": r"api-\w+-\w+",
    r"Ingress, HTTPS, host shop.example +client/laptop +https://shop.example/hostname": r"shop-\w+-\w+",
    r"egress": r"the outside saw 172\.18\.0\.\d+ \(node worker2?\)",
}
"""How a line begins -> what came back."""


def test_every_way_is_shown_and_works() -> None:
    spec = str(ROOT / "cluster_specs" / "outside.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.quickstart", spec],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [way for way, came in WAYS.items() if not re.search(rf"^{way}.* {came} *$", done.stdout, re.MULTILINE)]
    assert missing == [], done.stdout
