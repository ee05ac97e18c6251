"""The loop around it all: whenever the API tells of something else, what nginx serves and what Ingresses' status says."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from topo.ingress import health, kube_api, nginx, nginx_conf, options, routes, status
from topo.ingress.kube_api import BROKEN, ApiError, KubeApi
from topo.ingress.nginx import Nginx, NginxError
from topo.ingress.nginx_conf import Settings
from topo.ingress.options import OptionError, Options
from topo.ingress.watching import Watching
from topo.ingress.world import World

DIRECTORY = Path("/tmp/nginx")
_GATHER_S = 0.02
"""How long changes are gathered before the next configuration: those of one rollout step come together."""
_LOOK_S = 2.0
"""How often to look without a change: whether nginx lives, and for what could not be written."""

_log = logging.getLogger("ingress")


class Controller:
    def __init__(self, api: KubeApi, chosen: Options, directory: Path = DIRECTORY) -> None:
        self._api = api
        self._options = chosen
        self._nginx = Nginx(directory, chosen.status_port)
        self._settings = Settings(
            chosen, str(directory), nginx.resolvers(), nginx.has_ipv6(), os.geteuid() == 0, nginx.open_files_limit()
        )
        self._watching = Watching(api)
        self._stop = threading.Event()
        self._generation = ""
        self._told: set[str] = set()
        """Warnings that still hold and were told."""

    def run(self) -> int:
        """Until `stop`, or until nginx ends by itself (1)."""
        self._watching.start()
        server = health.serve(self._options.healthz_port, self._is_healthy)
        while not self._stop.is_set():
            self._watching.changed.wait(_LOOK_S)
            self._stop.wait(_GATHER_S)
            self._watching.changed.clear()
            if (world := self._watching.world()) is not None:
                self._serve(world)
                self._publish(world)
            if self._generation and not self._nginx.is_running():
                _log.error("nginx has ended by itself")
                return 1
        # The Service takes the pod out at the same moment; connections that it has sent meanwhile are served.
        threading.Event().wait(self._options.shutdown_grace_s)
        self._nginx.quit()
        server.shutdown()
        return 0

    def stop(self) -> None:
        """From a signal handler."""
        self._stop.set()
        self._watching.changed.set()

    def _is_healthy(self) -> bool:
        return bool(self._generation) and self._nginx.is_running()

    def _serve(self, world: World) -> None:
        site = routes.site(world, self._options)
        for warning in site.warnings:
            if warning not in self._told:
                _log.warning("%s", warning)
        self._told = set(site.warnings)
        text, generation = nginx_conf.text(site, self._settings)
        if generation == self._generation:
            return
        try:
            self._nginx.configure(text, generation, site)
        except NginxError as error:
            if str(error) not in self._told:
                _log.error("%s", error)
            self._told.add(str(error))
            return
        self._generation = generation
        _log.info("nginx serves %d hosts, generation %s", len(site.hosts), generation)

    def _publish(self, world: World) -> None:
        for path, change in status.changes(world, self._options):
            try:
                self._api.merge(path, change)
            except (ApiError, *BROKEN) as error:
                _log.info("%s: %s", path, error)  # the next look tries again


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 2 for a wrong command line, 1 when nginx has ended by itself."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname).1s %(asctime)s %(message)s")
    try:
        chosen = options.parse(sys.argv[1:] if arguments is None else arguments)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    if chosen.ignored:
        _log.info("without effect here: %s", " ".join(chosen.ignored))
    controller = Controller(kube_api.of_this_pod(), chosen)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: controller.stop())
    return controller.run()
