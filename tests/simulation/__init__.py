"""The seeded simulator of the world: real services, real SQL, virtual time, faults at every boundary.

One process, one task order, no threads: a seed means the same on every machine. These are the faults.

Graph: ``graph_faults`` draws them, ``graph_world`` carries them out between client and service.

- An error before or after the effect, and a timeout before or after it.
- 429 and 503, with and without Retry-After.
- Connection refused, and reset before or after the effect.
- An effect that comes up to a minute later, and outages.
- The same for single parts of a batch.
- Stale reads of calendarView, GET and filter (``graph_past``). New events are missing, changed or deleted
  ones look as before.

PostgreSQL: ``database_faults`` draws them, ``postgres_wire`` carries them out, under asyncpg.

- Connection lost before or after the effect, most often of a COMMIT; serialization failure.
- In one seed of fifty the server is killed, recovers and refuses connections for a while.

Processes (``orchestration``, ``fleet``):

- A crash at a database call or at any moment, so at any await; orderly shutdown in the middle of work.
- An activity executed twice, at once or up to a minute later, on the same or another process. The slower one
  continues as a zombie.
- An orchestration started twice.

Clocks (``world``): each process has its own, wrong by seconds, set at random moments, in some worlds by up to
two minutes. If one jumps by more than a lease tolerates, two processes may briefly write to a mailbox at
once. Only then the limit of one batch at a time is not checked. Exactly once is always checked.

People, between and during runs (``mailbox``, ``acting``, ``archives``, ``deciding``, ``answering``,
``locked_periods``, ``world``):

- ``meeting_edits``: enter, edit, move, cancel, decline, delete and duplicate events, and write entries beside
  meetings. Enter a meeting again at the same or another time, invite again, replace the organizer, drag an
  event to next week.
- ``series_edits``: split a series (renamed or not), move it by an hour or a day, change pattern or range.
  Reset its exceptions, drag occurrences, turn it into a single event and back.
- ``dragged_series``: in some worlds, drag an occurrence to the next day, archive it, move its whole series
  there, and say which of both is right.
- ``late_meeting``: in some worlds, archive an entry beside a meeting before the meeting itself is entered.
- Edit and delete copies, decide overlaps, answer action items or let them expire, lock periods, cancel runs.
- Request the same run twice, one that replaces, and a second archive of the same calendar in the same place.

``determined`` fixes what a seed means. ``trace`` hashes every step, so that two runs can be compared.
``fault_sites`` counts where faults strike. It makes some rare places more frequent in each world, also when
the storm is over. Most worlds verify only then. A mishap also befalls the last verification.
``rule_counts`` counts which rules of the product fired. In one world of five the archive is a calendar of our
own database (``archives``), which every fault of PostgreSQL strikes. Sources are always Graph's.

Graph keeps to the fault model of design.md. It remembers a transactionId for fifteen minutes. Stale reads
and late effects are at most a minute old. In the end nothing fails any more, and everything is archived once
more. Then ``judging`` compares the result with two oracles and with what the product counts (``hours``).
At last copies are changed by hand. A verification must find that, whatever fails then (``verifying``).
``oracle`` implements the rules of domain.md again (``rules``) and knows what plans read. ``minutes`` knows
only what the calendars held, and which meeting each entry is about for its people.

``without`` switches rules off one by one: a rule that no oracle misses is not tested.
"""
