"""mininetes outside."""

from __future__ import annotations

import click

from cluster.commands import name_option, output_option, print_json, print_table
from experiments.outside import Egress, answer, scene, ways
from experiments.testbed import CommandError, Testbed


@click.command()
@name_option
@output_option("table", "json")
def outside(name: str | None, form: str) -> int:
    """Try every way from outside to a Service, and back out. Exit status 1: one of them does not work."""
    testbed = Testbed(name)
    try:
        found = scene(testbed)
    except CommandError as error:
        raise click.ClickException(str(error)) from error
    rows: list[tuple[str, str, str, str]] = []
    failed = False
    for way in ways(found):
        how, url = ("egress", f"http://{way.address}") if isinstance(way, Egress) else (way.how, way.url)
        try:
            said = answer(testbed, way, found)
        except CommandError as error:
            failed, said = True, f"FAILED: {error}"
        rows.append((how, way.source, url, said))
    if form == "json":
        print_json([dict(zip(("way", "from", "to", "answer"), row, strict=True)) for row in rows])
    else:
        print_table(("WAY", "FROM", "TO", "ANSWER"), rows)
    return 1 if failed else 0
