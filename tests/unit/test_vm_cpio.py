"""topo/vm/cpio.py: what it writes, cpio(1) or a reader of the format's own words reads."""

from __future__ import annotations

import stat

from topo.vm import cpio

ENTRIES = [cpio.directory("bin"), cpio.program("bin/three", b"abc"), cpio.Entry("empty"), cpio.Entry("four", b"wxyz")]


def read(archive: bytes) -> list[tuple[str, int, bytes]]:
    """Name, mode and content of each entry, by the kernel's description of the format."""
    entries, at = [], 0
    while True:
        header = archive[at : at + 110]
        assert header[:6] == b"070701"
        fields = [int(header[6 + 8 * number : 14 + 8 * number], 16) for number in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        begin = (at + 110 + name_size + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            return entries
        entries.append((name[:-1].decode(), mode, archive[begin : begin + size]))
        at = (begin + size + 3) // 4 * 4


def test_what_is_written_is_read() -> None:
    assert read(cpio.archive(ENTRIES)) == [(each.path, each.mode, each.content) for each in ENTRIES]


def test_a_program_may_be_run_and_a_folder_entered() -> None:
    modes = {name: mode for name, mode, _ in read(cpio.archive(ENTRIES))}
    assert stat.S_ISDIR(modes["bin"]) and modes["bin"] & 0o111 == 0o111
    assert stat.S_ISREG(modes["bin/three"]) and modes["bin/three"] & 0o111 == 0o111
    assert modes["empty"] & 0o111 == 0


def test_the_same_entries_are_the_same_bytes() -> None:
    assert cpio.archive(ENTRIES) == cpio.archive(ENTRIES)
