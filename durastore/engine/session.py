"""A connection without its socket: bytes in, bytes out.

``feed`` takes what arrived and runs every request that is complete; ``take_output`` gives the replies.  The session
stops by itself when its output grows large, CLIENT PAUSE holds a command or a command waits for keys; ``resume`` goes
on, in the last case after ``Waker.wake`` (``durastore.engine.blocking``).
"""

from __future__ import annotations

import logging
from typing import Final, final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.monitor import stop_monitoring
from durastore.commands.spec import ADMIN, PROTECTED, RUNS_OTHERS
from durastore.commands.tablerow import Command
from durastore.commands.transactions import leave_transaction
from durastore.engine.batch import BATCH, WORDS, Batch, Request
from durastore.engine.blocking import Blockable
from durastore.engine.engine import AS_SENT, BLOCKED, UNCHANGED, Engine
from durastore.protocol.parser import ARGUMENT, ERROR, REQUEST, RequestParser

log = logging.getLogger("durastore.engine")

# A session that has collected this much output waits until it is taken, so that a pipeline of large reads
# cannot hold all its replies in memory at once.
OUTPUT_PAUSE: Final = 1 << 20
# What begins lines of HTTP requests that a browser sends.
_OTHER_PROTOCOL: Final = (b"post", b"host:")
# Milliseconds between two warnings of them.
_WARNING_PAUSE: Final = 60_000
_NO_LIMIT: Final = 1 << 62


@final
class Session(Blockable):
    """One client of an engine."""

    def __init__(self, engine: Engine, client: Client, max_bulk: int, max_buffer: int) -> None:
        super().__init__(client)
        self.engine = engine
        self.parser = RequestParser(max_bulk, max_buffer)
        self.parser.authenticated = not client.must_authenticate()
        # Requests that have arrived wait for output to be taken.
        self.output_full = False
        # The request in ``parser.argv`` waits: for keys where ``waiting`` is set, else for the end of CLIENT PAUSE.
        self.held = False
        # A request was held, so that those behind it went back to the parser.
        self._rewound = False
        # The deadline of the wait that the request which now runs again comes from, or -1.
        self._deadline: i64 = -1
        # Over client-query-buffer-limit, or a protocol error: for the log.
        self.failure = b""
        self._run_start: i64 = -1
        self._run_end: i64 = -1
        self._run_db: i64 = 0

    def feed(self, data: bytes) -> None:
        """Takes bytes from the peer and runs what is complete."""
        client = self.client
        if client.restricted:
            # Another client may have changed what strangers may do.
            self.parser.authenticated = not client.must_authenticate()
        self.parser.feed(data)
        if not self.held and not self.output_full:
            self._serve()

    def resume(self) -> None:
        """Goes on after a pause, after output was taken or after a wait; not while the request waits for keys."""
        self.output_full = False
        if self.held:
            self._run_held()
        if not self.held:
            self._serve()

    def run_again(self, deadline: i64) -> None:
        """See Blockable."""
        self._deadline = deadline
        self._run_held()
        self._deadline = -1
        self._flush_run()

    def _run_held(self) -> None:
        """Runs the request that was held."""
        self._release()
        request = Request()
        request.argv = self.parser.argv
        request.command = self.engine.find(request.argv)
        request.end = self.parser.pos
        self._execute(request)

    def give_up(self, error: bytes) -> None:
        """See Blockable."""
        self._release()
        client = self.client
        engine = self.engine
        engine.commands_processed += 1
        before: i64 = len(client.reply.out)
        command = engine.find(self.parser.argv)
        if error:
            engine.reject(client, command, error, False)
        else:
            client.reply.null_array()
        if command is not None:
            engine.count_unanswered(client, command, self.parser.argv)
        skipping: i64 = client.reply_skip
        client.reply_skip = 0
        self._keep_silent(before, skipping)

    def memory(self) -> i64:
        """The bytes that it takes beyond those of its objects: what it has said, what it hears, what it keeps."""
        parser = self.parser
        client = self.client
        size: i64 = parser.held() + client.reply.kept + len(client.reply.out)
        if self.held:
            for word in parser.argv:
                size += len(word) + ARGUMENT
        if client.in_multi or client.watching:
            size += client.transaction_memory()
        if client.subscriptions is not None:
            size += client.subscription_memory()
        return size

    def argument_bytes(self) -> i64:
        """The bytes of the arguments of a request that waits, or that is not complete."""
        size: i64 = self.parser.argument_bytes()
        if self.held:
            for word in self.parser.argv:
                size += len(word)
        return size

    def disconnect(self) -> None:
        """The peer is gone."""
        self.engine.blocking.leave(self)
        self.client.unwatch()
        self.client.gone = True
        self.engine.instance.channels.leave(self.client)
        self.engine.instance.tracking.disable(self.client.id)
        stop_monitoring(self.client)

    def take_output(self) -> bytes:
        """The replies since the last call."""
        return self.client.reply.take()

    def _serve(self) -> None:
        client = self.client
        batch = self.engine.batch
        if batch.running:
            batch = Batch()
        while not client.closing:
            outcome = self._parse_ahead(batch)
            batch.prefetch(client.db)
            whole = self._run(batch)
            if self.held or self.output_full:
                break
            if whole and outcome != REQUEST:
                if outcome == ERROR:
                    self._protocol_error()
                break
        self._flush_run()
        if not self.held:
            self.parser.let_go()

    def _parse_ahead(self, batch: Batch) -> i64:
        """Fills the batch; returns REQUEST where it became full, otherwise why it did not."""
        parser = self.parser
        engine = self.engine
        # What AUTH permits must not be refused before it has run.
        limit: i64 = BATCH if self.parser.authenticated else 1
        count: i64 = 0
        words: i64 = 0
        outcome: i64 = REQUEST
        command: Command | None = None
        known = b""
        while count < limit and words < WORDS:
            outcome = parser.next()
            if outcome != REQUEST:
                break
            request = batch.requests[count]
            request.argv = parser.argv
            # A pipeline mostly repeats one command.
            name = parser.argv[0]
            if command is None or name != known or command.needs_second_word:
                command = engine.find(parser.argv)
                known = name
            request.command = command
            request.start = parser.start
            request.end = parser.pos
            words += len(request.argv)
            count += 1
        batch.count = count
        batch.words = words
        return outcome

    def _run(self, batch: Batch) -> bool:
        """Runs the batch; False where it has to stop, and has given the rest back to the parser."""
        client = self.client
        out = client.reply.out
        whole = True
        batch.running = True
        self._rewound = False
        i: i64 = 0
        while i < batch.count:
            request = batch.requests[i]
            i += 1
            self._execute(request)
            if len(out) > OUTPUT_PAUSE and not client.replaying:
                self.output_full = True
            if self.output_full or self._rewound or client.closing:
                if not self._rewound:
                    self.parser.rewind(request.argv, request.end)
                whole = False
                break
            request.argv = batch.nothing
        batch.running = False
        return whole

    def _execute(self, request: Request) -> None:
        engine = self.engine
        client = self.client
        argv = request.argv
        command = request.command
        if (
            command is None
            or (engine.guarded and not client.replaying)
            or client.in_multi
            or client.restricted
            or client.reply_off
            or client.reply_skip != 0
            or client.subscriptions is not None
            or client.no_touch
            or (engine.memory.limit != 0 and engine.memory.exceeded())
        ):
            self._execute_guarded(request)
            return
        size: i64 = len(argv)
        arity: i64 = command.arity
        if (arity > 0 and size != arity) or size < -arity or command.flags & (PROTECTED | ADMIN | RUNS_OTHERS):
            self._execute_guarded(request)
            return
        client.last_command = command.spec.name
        index: i64 = client.db.index
        outcome: i64 = engine.run(client, command, argv)
        if outcome == AS_SENT:
            client.unlogged = True
            self._journal(request, index)
        elif outcome != UNCHANGED:
            client.unlogged = True
            self._flush_run()
            engine.journal_effects(argv, index)
            if outcome == BLOCKED:
                self._block(request)
        if engine.pushes:
            engine.deliver()
        if engine.ready:
            self._flush_run()
            engine.blocking.serve()

    def _execute_guarded(self, request: Request) -> None:
        """The careful path: something about the request, the connection or the server is out of the ordinary."""
        engine = self.engine
        client = self.client
        argv = request.argv
        command = request.command
        before: i64 = len(client.reply.out)
        skipping: i64 = client.reply_skip
        client.reply_skip = 0
        client.last_command = command.spec.name if command is not None else ""
        if engine.memory.limit != 0:
            # What is evicted to make room is journalled behind what has run.
            self._flush_run()
        complaint = engine.complaint(client, command, argv)
        if complaint is not None and client.replaying:
            # What a log holds was accepted once: that it is not now means that the log is not ours to understand.
            self.failure = complaint
            client.closing = True
        elif command is None and argv[0].lower() in _OTHER_PROTOCOL:
            self._refuse_browser()
            return
        elif complaint is not None:
            if command is not None and command.name == b"exec":
                leave_transaction(client)
                complaint = b"EXECABORT Transaction discarded because of: " + complaint.removeprefix(b"ERR ")
            elif client.in_multi:
                client.multi_failed = True
            engine.reject(client, command, complaint, True)
        else:
            assert command is not None
            if engine.holds(command, client, argv):
                client.reply_skip = skipping
                self._hold(request)
                return
            if not client.in_multi or not engine.queue(client, command, argv):
                client.last_command = command.spec.name
                # EXEC and administrative commands reach the journal by ways of their own.
                self._flush_run()
                index: i64 = client.db.index
                meter = engine.instance.keyspace.meter
                meter.marking = not client.no_touch or command.name == b"touch"
                outcome: i64 = engine.run(client, command, argv)
                meter.marking = True
                if self._deadline == -1:
                    # What has waited was shown when it came.
                    engine.show(client, command, argv)
                if outcome != UNCHANGED:
                    client.unlogged = True
                if outcome == AS_SENT:
                    engine.journal.add(argv, index)
                elif outcome != UNCHANGED:
                    engine.journal_effects(argv, index)
                if outcome == BLOCKED:
                    client.reply_skip = skipping
                    self._block(request)
                    if engine.pushes:
                        engine.deliver()
                    return
                self.parser.authenticated = not client.must_authenticate()
        self._keep_silent(before, skipping)
        if engine.busy is not None:
            # What a script has done so far is seen by others when it has ended.
            return
        if engine.instance.keyspace.noted:
            engine.instance.events.publish_noted()
        if engine.pushes:
            engine.deliver()
        if engine.ready:
            engine.blocking.serve()

    def _keep_silent(self, before: i64, skipping: i64) -> None:
        """Takes back the reply that begins at ``before`` where CLIENT REPLY says so."""
        if self.client.reply_off or skipping != 0:
            # CLIENT REPLY OFF and SKIP are silent themselves, and CLIENT REPLY ON is not.
            self.client.reply.out.truncate(before)

    def _hold(self, request: Request) -> None:
        """From now on the request waits, in ``parser.argv``."""
        self.parser.rewind(request.argv, request.end)
        self._rewound = True
        self.held = True
        self.client.blocked = True

    def _release(self) -> None:
        self.held = False
        self.client.blocked = False

    def _block(self, request: Request) -> None:
        """The request waits for keys, as the engine was told."""
        wait = self.engine.wait
        assert wait is not None
        self.engine.wait = None
        self._hold(request)
        self.engine.blocking.block(self, wait, wait.deadline if self._deadline == -1 else self._deadline)

    def _journal(self, request: Request, db: i64) -> None:
        """Journals a request as it was sent: as part of a run of the input where it stands there."""
        journal = self.engine.journal
        if not journal.enabled:
            return
        start: i64 = request.start
        if start == -1:
            self._flush_run()
            journal.add(request.argv, db)
            return
        if self._run_start == -1 or start != self._run_end or db != self._run_db:
            self._flush_run()
            self._run_start = start
            self._run_db = db
        self._run_end = request.end

    def _flush_run(self) -> None:
        if self._run_start != -1:
            self.engine.journal.raw(self.parser.buf[self._run_start : self._run_end], self._run_db)
            self._run_start = -1

    def _protocol_error(self) -> None:
        """Tells the peer, which is then disconnected."""
        client = self.client
        self.failure = self.parser.error or b"ERR client-query-buffer-limit reached"
        if not self.parser.error:
            log.warning("Closing client %d (%s) that reached max query buffer length", client.id, client.address)
        else:
            log.debug("%s from client %d (%s)", self.parser.error.decode("latin-1"), client.id, client.address)
            if not client.reply_off:
                self.engine.reject(client, None, self.parser.error, True)
        client.closing = True

    def _refuse_browser(self) -> None:
        """Cuts a peer off that speaks HTTP: a web page may have made a browser send commands in its requests."""
        client = self.client
        engine = self.engine
        client.reply.out.truncate(0)
        client.closing = True
        now: i64 = engine.instance.now
        if now - engine.warned_of_browser >= _WARNING_PAUSE:
            engine.warned_of_browser = now
            log.warning(
                "Possible SECURITY ATTACK detected. Somebody sends POST or Host: commands, which are HTTP's; likely an "
                "attacker tries cross-protocol scripting to compromise this server. The connection from %s is closed.",
                client.address,
            )


def replay_session(engine: Engine) -> Session:
    """A session that replays a log: without limits, without the checks that protect a live dataset."""
    client = Client(0, engine.instance)
    client.replaying = True
    client.deny_blocking = True
    session = Session(engine, client, _NO_LIMIT, _NO_LIMIT)
    session.parser.annotations = True
    return session
