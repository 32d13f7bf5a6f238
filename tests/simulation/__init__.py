"""The seeded simulator of the world: real services, real SQL, virtual time, faults at every boundary.

One process, one task order, no threads: a seed means the same wherever it runs. What goes wrong, and where:

Graph (``graph_faults`` draws, ``graph_world`` carries out, on the way between client and service)
    error before the effect, error after it, timeout before and after it, 429 and 503 with and without
    Retry-After, connection refused, reset before and after the effect, an effect that comes up to a minute
    later, outages; the same for single parts of a batch. ``graph_past``: stale reads of calendarView, GET and
    filter: what was not there yet is missing, what was changed or deleted is what it was.
PostgreSQL (``database_faults`` draws, ``postgres_wire`` carries out, under asyncpg)
    connection lost before and after the effect, of a COMMIT above all; serialization failure; in one seed of
    fifty the server is killed, recovers and refuses connections for a while.
Processes (``orchestration``)
    crash at a database call or at any moment, so that it happens at any await; orderly shutdown in the middle
    of work; an activity executed twice at once, at once or up to a minute later, on the same or another
    process, whose slower execution goes on as a zombie; an orchestration started twice.
Clocks (``world``)
    each process has its own, wrong by seconds, set at random moments, in some worlds by up to two minutes.
    Where one jumps by more than a lease bears, two processes may write to a mailbox at once for a moment:
    there alone the limit of one batch at a time is not checked. Exactly once is.
People (``mailbox``, ``acting``, ``archives``, ``deciding``, ``answering``, ``locking``, ``world``)
    ``meeting_edits``: enter, edit, move, cancel, decline, delete and duplicate events, write entries beside
    meetings, enter a meeting again at the same or another time, invite again, replace the organizer, drag an
    event to next week. ``series_edits``: split a series (renamed or not), move it by an hour or a day, change
    pattern or range, reset its exceptions, drag occurrences, turn it into a single event and back. All of it
    happens between and during runs. They edit and delete copies, decide overlaps, answer action items or let
    them expire, lock periods, cancel runs, ask for the same run twice or for one that replaces, and for a
    second archive of the same calendar in the same place.

What a seed means is in ``determined``; ``trace`` hashes every step, so that two runs can be compared.
``fault_sites`` counts where faults strike, and gives each world a grudge against some rare places;
``rule_counts`` counts which rules of the product fired.

In one world of five the archive is a calendar of our own database (``archives``), which every fault of
PostgreSQL strikes; sources are always Graph's.

Graph keeps to the fault model of design.md: it remembers a transactionId for fifteen minutes, stale reads and
late effects are a minute old at most. In the end nothing goes wrong any more, everything is archived once
more, and ``judging`` compares what is there with two oracles and what the product says counts (``hours``):
``oracle`` tells the rules of domain.md once more (``rules``) and knows what plans read; ``minutes`` knows
nothing but what the calendars held and which meeting each entry is about for the people in it.

``without`` switches rules off one by one: a rule that no oracle misses is not tested.
"""
