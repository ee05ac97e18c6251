"""The ingress controller around nginx: its command line, its objects, its program in pods, the status of Ingresses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import samples
from ingress_site import CLASS, Object, endpoint_slice, ingress, service

from cluster.ingress_annotations import CLASS as CLASS_ANNOTATION
from cluster.ingress_controller import IMAGE, controller_objects, is_controller_image, runs_controller
from cluster.loops import put_given
from cluster.problems import MachineError
from cluster.reading.documents import Document
from cluster.reading.manifests import check
from topo import machine, rootfs
from topo.ingress import classes, nginx_conf, options, routes, status
from topo.ingress.nginx_conf import Settings
from topo.ingress.options import OptionError, Options
from topo.ingress.world import World

INGRESS: Object = ingress("i", ("shop.example", "Prefix", "/", "web"))


def test_the_command_line_of_published_manifests() -> None:
    words = (
        "/nginx-ingress-controller --publish-service=ingress-nginx/c --election-id=x --controller-class=k8s.io/ingress-nginx "
        "--ingress-class nginx --watch-ingress-without-class=true --http-port=8080 --enable-metrics"
    )
    assert options.parse(words.split()[1:]) == Options(
        publish_service="ingress-nginx/c", watch_ingress_without_class=True, http_port=8080,
        ignored=("--election-id=x", "--enable-metrics"),
    )  # fmt: skip


@pytest.mark.parametrize(("words", "said"), [
    (["--http-port=x"], "--http-port=x: found 'x'; must be a number"),
    (["--ingress-class"], "--ingress-class: found no value"),
])  # fmt: skip
def test_a_wrong_command_line(words: list[str], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        options.parse(words)


@pytest.mark.parametrize(("image", "is_one"), [
    (IMAGE, True), ("ingress-nginx/controller", True), ("k8s.gcr.io/ingress-nginx/controller:v1@sha256:ab", True),
    ("metallb/controller:v1", False), ("nginx", False), ("registry:5000/x/ingress-nginx", False),
])  # fmt: skip
def test_images_of_the_controller(image: str, is_one: bool) -> None:
    assert is_controller_image(image) is is_one


def test_a_cluster_with_an_ingress_gets_a_controller() -> None:
    made = controller_objects([INGRESS])
    assert [obj["kind"] for obj in made] == ["Namespace", "ServiceAccount", "IngressClass", "Deployment", "Service"]
    assert [problem for obj in made for problem in check(Document("", 0, dict(obj))).problems] == []
    assert runs_controller(made)
    assert controller_objects([CLASS]) == made
    assert controller_objects([samples.service("web")]) == ()
    assert controller_objects([INGRESS, *made]) == (), "it brings its own"


def of_class(**spec: Any) -> Object:
    made = ingress("i", ("shop.example", "Prefix", "/", "web"))
    del made["spec"]["ingressClassName"]
    return {**made, "apiVersion": "networking.k8s.io/v1", "spec": {**made["spec"], **spec}}


OTHERS: Object = {
    "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "other"},
    "spec": {"controller": "example.com/controller"},
}  # fmt: skip


def later(world: samples.Scratch, *objects: Object) -> None:
    put_given(world.draft, objects, world.cluster)
    world.settle()


@pytest.mark.parametrize(("asking", "made"), [
    ([of_class()], True), ([of_class(ingressClassName="nginx")], True), ([OTHERS], False),
    ([OTHERS, of_class(ingressClassName="other")], False), ([of_class(ingressClassName="nobody's")], False),
    ([OTHERS | {"metadata": {"name": "nginx"}}, of_class(ingressClassName="nginx")], False),
])  # fmt: skip
def test_an_ingress_that_comes_later_gets_a_controller_if_it_is_for_it(asking: list[Object], made: bool) -> None:
    assert bool(controller_objects(asking)) is made
    world = samples.Scratch(samples.cluster(), [])
    later(world, *asking)
    assert [pod["spec"]["containers"][0]["image"] for pod in world.pods()] == ([IMAGE] if made else [])
    if made:
        service = world.one("Service", "ingress-nginx-controller", "ingress-nginx")
        assert service["spec"]["clusterIP"]
        assert service["status"]["loadBalancer"]["ingress"]
        assert "created ingress-nginx" in world.events("IngressControllerCreated")[0]


def test_a_controller_that_is_there_is_enough_and_one_that_was_deleted_stays_away() -> None:
    world = samples.Scratch(samples.cluster(), [])
    later(world, of_class())
    later(world, OTHERS | {"metadata": {"name": "again"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    assert len(world.pods()) == 1
    world.delete(world.one("Deployment", "ingress-nginx-controller", "ingress-nginx"))
    again = of_class()
    again["metadata"] = {**again["metadata"], "name": "again"}
    later(world, again)
    assert world.draft.objects("Deployment") == []


def test_the_machine_must_have_nginx(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.shutil.which
    monkeypatch.setattr(machine.shutil, "which", lambda name, path: None if name == "nginx" else found(name, path=path))
    machine.check(samples.cluster(), [])
    with pytest.raises(MachineError, match="'nginx' is not there; run: sudo apt-get install nginx-light"):
        machine.check(samples.cluster(), [INGRESS])


def test_the_program_in_pods_needs_nothing_else(tmp_path: Path) -> None:
    """What a pod's root holds of this project is enough, without any package, and it says what is wrong."""
    rootfs.add_ingress_controller(tmp_path)
    program = (tmp_path / "nginx-ingress-controller").read_text()
    code = program.replace("/.ingress-controller", str(tmp_path / ".ingress-controller"))
    done = subprocess.run([sys.executable, "-ISc", code, "--http-port=x"], capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stderr) == (2, "--http-port=x: found 'x'; must be a number\n")


@pytest.mark.parametrize(("name", "annotation", "without", "ours"), [
    ("nginx", None, False, True), ("other", None, True, False), ("missing", None, True, False),
    (None, "nginx", False, True), (None, "other", True, False), (None, None, False, False), (None, None, True, True),
])  # fmt: skip
def test_whose_an_ingress_is(name: str | None, annotation: str | None, without: bool, ours: bool) -> None:
    other = {**CLASS, "metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}}
    made: Any = {"kind": "Ingress", "metadata": {"namespace": "default", "name": "i"}, "spec": {}}
    made["spec"] |= {"ingressClassName": name} if name else {}
    made["metadata"]["annotations"] = {CLASS_ANNOTATION: annotation} if annotation else {}
    world = World([CLASS, other, made])
    assert classes.is_ours(made, world, Options(watch_ingress_without_class=without)) is ours
    elsewhere = Options(watch_ingress_without_class=without, watch_namespace="elsewhere")
    assert not classes.is_ours(made, world, elsewhere)


@pytest.mark.parametrize(("spec", "wanted"), [
    ({"type": "LoadBalancer"}, [{"ip": "172.18.0.9"}]),
    ({"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]}, [{"ip": "1.2.3.4"}, {"ip": "172.18.0.9"}]),
    ({"type": "NodePort", "clusterIPs": ["10.96.0.7"]}, [{"ip": "10.96.0.7"}]),
    ({"type": "ClusterIP", "clusterIPs": ["10.96.0.7", "fd00::7"]}, [{"ip": "10.96.0.7"}, {"ip": "fd00::7"}]),
    ({"type": "ExternalName", "externalName": "x.example"}, [{"hostname": "x.example"}]),
])  # fmt: skip
def test_the_address_in_the_status(spec: Object, wanted: list[Object]) -> None:
    published = {**service("c", **spec), "status": {"loadBalancer": {"ingress": [{"ip": "172.18.0.9", "ipMode": "VIP"}]}}}
    chosen = Options(publish_service="default/c")
    [(path, change)] = status.changes(World([CLASS, published, INGRESS]), chosen)
    assert path == "/apis/networking.k8s.io/v1/namespaces/default/ingresses/i/status"
    assert change == {"status": {"loadBalancer": {"ingress": wanted}}}
    assert not list(status.changes(World([CLASS, published, {**INGRESS, **change}]), chosen))


def text(*objects: Object, **settings: Any) -> str:
    chosen = replace(Settings(Options(), "/tmp/nginx"), **settings)
    return nginx_conf.text(routes.site(World([CLASS, *objects]), chosen.options), chosen)[0]


def test_the_same_objects_are_the_same_text() -> None:
    objects = [service("web"), endpoint_slice("web", 80, "10.0.0.1"), endpoint_slice("web", 80, "10.0.0.2"), INGRESS]
    assert text(*objects) == text(*reversed(objects))
    assert text(*objects) != text(*objects[:2], INGRESS)


def test_what_objects_say_stays_a_word() -> None:
    """Nobody writes nginx's language through a path."""
    path = '/x" { return 200; } location "/y\\'
    odd = ingress("i", ("shop.example", "Prefix", path, "web"))
    assert '"/x\\" { return 200; } location \\"/y\\\\"' in text(service("web"), odd)
    assert "return 200;" not in text(service("web"), ingress("i", ("shop.example", "Prefix", "/x\ny", "web")))


def test_an_external_name_is_looked_up_when_asked_for() -> None:
    external = service("web", type="ExternalName", externalName="other.example.")
    made = text(external, INGRESS, resolvers=["10.96.0.10"])
    assert 'set $external "other.example";' in made
    assert "proxy_pass http://$external:80;" in made
    assert "resolver 10.96.0.10 valid=1s ipv6=off;" in made


def test_a_configured_default_backend() -> None:
    chosen = Options(default_backend_service="default/web")
    site = routes.site(World([service("web"), endpoint_slice("web", 8080, "10.0.0.1")]), chosen)
    [host] = site.hosts
    [location] = host.locations
    assert (host.name, location.path, location.backend.name) == ("", "", "default.web.80")
