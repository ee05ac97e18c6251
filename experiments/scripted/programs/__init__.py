"""Programs that experiments run in pods: each one file with nothing but Python's own library, handed over as text.

    http_load   requests over HTTP, at a rate or as fast as they are answered
    dns_load    questions to a DNS server, likewise
    pacing      what both do alike; its text is put before theirs

Each takes its options as one JSON argument, prints "began" when the first request is due, and at its end, or when it gets
SIGTERM, what it found as one line of JSON.
"""
