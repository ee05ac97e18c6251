"""SPDY/3.1 frames, against the bytes that the specification draws (draft-mbelshe-httpbis-spdy-00, section 2.6)."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo.kubelet.spdy import (
    CANCEL,
    DICTIONARY,
    Data,
    Frame,
    Framing,
    GoAway,
    MoreHeaders,
    Ping,
    RstStream,
    SpdyError,
    SynReply,
    SynStream,
)

FRAMES: list[Frame] = [
    SynStream(1, {"streamtype": "stdin"}),
    SynStream(3, {}, fin=True),
    SynReply(1, {"a": "b"}),
    MoreHeaders(1, {"x": ""}),
    RstStream(5, CANCEL),
    Ping(7),
    GoAway(9),
    Data(1, b"hello"),
    Data(1, b"", fin=True),
]


def test_the_dictionary_is_the_specifications() -> None:
    # Every zlib stream that begins with it names it by this checksum.
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_data_frame() -> None:
    assert Framing().encode(Data(0x01020304, b"xyz", fin=True)) == bytes.fromhex("01020304 01 000003") + b"xyz"


def test_ping_frame() -> None:
    assert Framing().encode(Ping(0x2A)) == bytes.fromhex("8003 0006 00 000004 0000002a")


def test_rst_stream_frame() -> None:
    assert Framing().encode(RstStream(3, 5)) == bytes.fromhex("8003 0003 00 000008 00000003 00000005")


def test_goaway_frame() -> None:
    assert Framing().encode(GoAway(3)) == bytes.fromhex("8003 0007 00 000008 00000003 00000000")


def test_syn_stream_frame() -> None:
    frame = Framing().encode(SynStream(1, {"StreamType": "error"}))
    head, body = frame[:8], frame[8:]
    assert head[:5] == bytes.fromhex("8003 0001 00")
    assert int.from_bytes(head[5:], "big") == len(body)
    assert body[:10] == bytes.fromhex("00000001 00000000 00 00")
    plain = zlib.decompressobj(zdict=DICTIONARY).decompress(body[10:])
    assert plain == bytes.fromhex("00000001 0000000a") + b"streamtype" + bytes.fromhex("00000005") + b"error"


def test_another_implementations_header_block_is_read() -> None:
    # Compressed in one piece, without a dictionary's help but with its name, as zlib does at level 0.
    compressor = zlib.compressobj(0, zdict=DICTIONARY)
    plain = struct.pack("!I", 1) + struct.pack("!I", 4) + b"port" + struct.pack("!I", 2) + b"80"
    block = compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH)
    body = struct.pack("!IIBB", 1, 0, 0, 0) + block
    frame = struct.pack("!II", 0x80030001, len(body)) + body
    assert list(Framing().feed(frame)) == [SynStream(1, {"port": "80"})]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_what_one_side_sends_the_other_reads(frame: Frame) -> None:
    assert list(Framing().feed(Framing().encode(frame))) == [frame]


@given(st.lists(st.sampled_from(FRAMES), max_size=20), st.integers(1, 50))
def test_the_pieces_in_which_bytes_come_do_not_matter(frames: list[Frame], size: int) -> None:
    sender, receiver = Framing(), Framing()
    data = b"".join(sender.encode(frame) for frame in frames)
    read = [frame for at in range(0, len(data), size) for frame in receiver.feed(data[at : at + size])]
    assert read == frames


def test_frames_that_mean_nothing_here_are_passed_over() -> None:
    settings = bytes.fromhex("8003 0004 00 000004 00000000")
    window_update = bytes.fromhex("8003 0009 00 000008 00000001 00000fff")
    unknown = bytes.fromhex("8003 0063 00 000001 ff")
    assert list(Framing().feed(settings + window_update + unknown + Framing().encode(Ping(1)))) == [Ping(1)]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(bytes.fromhex("8002 0006 00 000004 0000002a"), id="version 2"),
        pytest.param(bytes.fromhex("8003 0006 00 000003 00002a"), id="short ping"),
        pytest.param(bytes.fromhex("8003 0001 00 00000c 00000001 00000000 0000 ffff"), id="headers that are not zlib"),
        pytest.param(bytes.fromhex("8003 0001 00 000002 0000"), id="short syn_stream"),
    ],
)
def test_malformed_frames_are_refused(frame: bytes) -> None:
    with pytest.raises(SpdyError):
        list(Framing().feed(frame))


def test_a_header_block_that_ends_in_the_middle_is_refused() -> None:
    compressor = zlib.compressobj(zdict=DICTIONARY)
    block = compressor.compress(struct.pack("!II", 1, 99) + b"x") + compressor.flush(zlib.Z_SYNC_FLUSH)
    body = struct.pack("!I", 1) + block
    with pytest.raises(SpdyError, match="middle"):
        list(Framing().feed(struct.pack("!II", 0x80030002, len(body)) + body))


def test_a_header_block_cannot_fill_the_memory() -> None:
    huge = Framing().encode(SynStream(1, {"x": "0" * (2 << 20)}))
    with pytest.raises(SpdyError, match="too large"):
        list(Framing().feed(huge))
