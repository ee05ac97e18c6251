"""When Events are told: a little later than what they tell of, so that nothing waits for them that is still to be done.

A start makes thousands of them, and is over sooner than anybody reads them.
"""

QUIET_S, LONGEST_WAIT_S = 0.5, 2.0
"""When nothing new has come for the first, or the oldest has waited for the second."""
