"""The settings of a server: what it starts with, CONFIG GET and CONFIG SET.

Error texts were compared with those of redis-server 7.0.15 and valkey-server 9.1, which agree on all of them.
"""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import pytest

import durastore.config.table as table
from durastore.config import Config, ConfigError, ConfigFileError, OutputLimit, SavePoint, inert, load_arguments
from durastore.config.annotated import render
from durastore.config.kinds import Directive

SHIPPED = Path(__file__).parents[2] / "conf" / "durastore.conf"


def load(*arguments: str, stdin: str = "") -> Config:
    return load_arguments(arguments, io.StringIO(stdin))


def get(config: Config, name: str) -> str:
    [(_, value)] = config.get([name.encode()])
    return value.decode()


def refused(config: Config, *pairs: tuple[str, str], **options: bool) -> str:
    with pytest.raises(ConfigError) as caught:
        config.set([(name.encode(), value.encode()) for name, value in pairs], **options)
    return str(caught.value)


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_declared_directive_is_in_a_section_once() -> None:
    declared = [
        *(value for value in vars(table).values() if isinstance(value, Directive)),
        *table.TLS,
        *table.HTTP,
        *itertools.chain(*(value for value in vars(inert).values() if isinstance(value, tuple))),
    ]
    assert sorted(d.name for d in declared) == sorted(d.name for d in table.DIRECTIVES)
    names = [name for d in table.DIRECTIVES for name in (d.name, d.alias) if name]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("directive", table.DIRECTIVES, ids=lambda d: d.name)
def test_what_is_shown_reads_back(directive: Directive[Any]) -> None:
    start = directive.initial()
    shown = directive.show(start)
    words = shown.split(b" ") if directive.several and shown else [shown]
    assert directive.parse(words, start, appending=False) == start


def test_the_shipped_conf_file_is_the_one_that_the_table_gives() -> None:
    assert SHIPPED.read_text() == render(), "run scripts/make-conf"


def test_the_shipped_conf_file_loads_and_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(str(SHIPPED))
    assert config[table.APPEND_ONLY] is True
    assert config[table.APPEND_FSYNC] == "everysec"
    assert config[table.BIND] == ("127.0.0.1", "-::1")
    assert config[table.DIR] == str(tmp_path)
    different = {d.name for d in table.DIRECTIVES if config[d] != Config()[d]}
    assert different == {d.name for d in table.DIRECTIVES if d.shipped is not None}


def test_two_configs_share_nothing() -> None:
    one, other = Config(), Config()
    one.set([(b"timeout", b"9")])
    assert (one[table.TIMEOUT], other[table.TIMEOUT]) == (9, 0)


# --- start ------------------------------------------------------------------------------------------------------------


def test_file_then_stdin_then_command_line(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("# a comment\n\n  PORT 1\r\ntimeout 1\nhz 1\n")
    config = load(str(path), "-", "--hz", "3", stdin="timeout 2\nhz 2\n")
    assert (config[table.PORT], config[table.TIMEOUT], config[table.HZ]) == (1, 2, 3)
    assert config.file == str(path)


def test_command_line_words_run_to_the_next_name() -> None:
    config = load("--port", "6380", "--bind", "127.0.0.1", "::1", "--loglevel", "DEBUG", "--appendonly", "yes")
    assert config[table.PORT] == 6380
    assert config[table.BIND] == ("127.0.0.1", "::1")
    assert config[table.LOG_LEVEL] == "debug"
    assert config[table.APPEND_ONLY] is True


@pytest.mark.parametrize(
    "arguments",
    [["--port 6380"], ["--port 6380", "--hz", "5"], ["--hz", "5", "--port 6380"], ["--port", "6380"]],
)
def test_a_directive_and_its_word_may_be_one_argument(arguments: list[str]) -> None:
    assert load(*arguments)[table.PORT] == 6380


def test_a_word_may_begin_with_dashes() -> None:
    assert load("--requirepass", "--secret", "--port", "1")[table.REQUIRE_PASS] == b"--secret"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], "3600 1 300 100 60 10000"),
        (["--save", ""], ""),
        (["--save"], ""),
        (["--save", "--hz", "5"], ""),
        (["--save", "5", "5", "--save", "6", "6"], "5 5 6 6"),
        (["--save", "5 5 6 6"], "5 5 6 6"),
        (["--save 5 5 6 6"], "5 5 6 6"),
        (["--save", "5", "5", "--save", "", "--save", "3", "3"], "3 3"),
    ],
)
def test_save_points_add_up_and_an_empty_one_clears_them(arguments: list[str], shown: str) -> None:
    assert get(load(*arguments), "save") == shown


def test_save_points_are_typed() -> None:
    assert load("--save", "60", "5")[table.SAVE] == (SavePoint(seconds=60, changes=5),)


def test_buffer_limits_of_other_classes_stay() -> None:
    config = load("--client-output-buffer-limit", "replica", "1mb", "1k", "5")
    assert config[table.CLIENT_OUTPUT_BUFFER_LIMIT].replica == OutputLimit(1 << 20, 1000, 5)
    assert get(config, "client-output-buffer-limit") == "normal 0 0 0 slave 1048576 1000 5 pubsub 33554432 8388608 60"


def test_includes_are_read_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "2.conf").write_text("hz 22\ntimeout 22\n")
    (tmp_path / "conf.d" / "1.conf").write_text("hz 11\n")
    main = tmp_path / "main.conf"
    main.write_text(f"timeout 1\ndir {tmp_path}\ninclude conf.d/*.conf\ninclude none/*.conf\nport 7\n")
    config = load(str(main))
    assert (config[table.HZ], config[table.TIMEOUT], config[table.PORT]) == (22, 22, 7)


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.conf"
    path.write_text(f"include {path}\n")
    with pytest.raises(ConfigFileError, match="nested"):
        load(str(path))


def test_dir_is_absolute_and_starts_at_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    config = load("--dir", "a", "--dir", "b")
    assert config[table.DIR] == str(tmp_path / "a" / "b")
    assert config.resolve("x.rdb") == str(tmp_path / "a" / "b" / "x.rdb")
    assert config.resolve("/x.rdb") == "/x.rdb"
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port 1 2", "wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("unixsocketperm 778", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1000", "argument must be between 0 and 777 inclusive"),
        ("colour blue", "Bad directive or wrong number of arguments"),
        ('dbfilename "open', "Unbalanced quotes in configuration line"),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ('appendfilename ""', "appendfilename can't be empty"),
        ("appenddirname ../x", "appenddirname can't be a path, just a dirname"),
        ("dir /nonexistent", "No such file or directory"),
        ("dir /dev/null", "Not a directory"),
        ('dir ""', "No such file or directory"),
        ("save 60", "Invalid save parameters"),
        ("include /nonexistent", "can't open config file '/nonexistent': No such file or directory"),
        ("snapshot-cpu-percent 0", "argument must be between 1 and 100 inclusive"),
    ],
)
def test_a_bad_line_is_reported_with_its_place(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(f"# first\nhz 5\n   {line}\nport 3\n")
    with pytest.raises(ConfigFileError) as caught:
        load(str(path))
    error = caught.value
    assert (error.source, error.line, error.text, error.reason) == (str(path), 3, line, reason)
    assert str(error) == f"Reading the configuration file, at line 3 of {path}\n>>> '{line}'\n{reason}"


def test_a_promise_that_cannot_be_kept_is_refused() -> None:
    assert get(load("--cluster-enabled", "no", "--tls-port", "0"), "cluster-enabled") == "no"
    with pytest.raises(ConfigFileError, match="this server supports only 'no'"):
        load("--cluster-enabled", "yes")


def test_a_bad_line_of_an_included_file_is_reported_there(tmp_path: Path) -> None:
    (tmp_path / "inner.conf").write_text("hz 1\nhz x\n")
    (tmp_path / "outer.conf").write_text(f"port 1\nport 2\nport 3\ninclude {tmp_path}/inner.conf\n")
    with pytest.raises(ConfigFileError) as caught:
        load(str(tmp_path / "outer.conf"))
    assert (caught.value.source, caught.value.line) == (str(tmp_path / "inner.conf"), 2)


def test_a_bad_command_line_and_a_missing_file_are_reported() -> None:
    with pytest.raises(ConfigFileError, match="line 2 of the command line\n>>> 'port \"x\"'"):
        load("--hz", "5", "--port", "x")
    with pytest.raises(ConfigFileError, match="can't open config file '/nonexistent': No such file"):
        load("/nonexistent")


# --- CONFIG GET -------------------------------------------------------------------------------------------------------


def test_get_answers_plain_names_as_they_were_asked_for_and_once() -> None:
    assert Config().get([b"PORT", b"port", b"nothing"]) == [(b"PORT", b"6379")]


def test_get_takes_globs_in_any_case_and_shows_aliases() -> None:
    assert Config().get([b"HASH-max-*"]) == [
        (b"hash-max-listpack-entries", b"512"),
        (b"hash-max-ziplist-entries", b"512"),
        (b"hash-max-listpack-value", b"64"),
        (b"hash-max-ziplist-value", b"64"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("maxmemory", "1gb", "1073741824"),
        ("appendonly", "YES", "yes"),
        ("appendfsync", "Always", "always"),
        ("hz", "5000", "500"),
        ("hz", "0", "1"),
        ("bind", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "AKEnm", "AKEm"),
        ("notify-keyspace-events", "KEmgn", "gnKEm"),
        ("notify-keyspace-events", "g$lshzxetdK", "AK"),
        ("client-output-buffer-limit", "NORMAL 1kb 2 3", "normal 1024 2 3 slave 268435456 67108864 60 "
         "pubsub 33554432 8388608 60"),
        ("slave-lazy-flush", "yes", "yes"),
        ("shutdown-on-sigterm", "FORCE now nosave", "nosave now force"),
        ("shutdown-on-sigint", "default save save", "save"),
        ("shutdown-on-sigint", "default", "default"),
    ],
)  # fmt: skip
def test_get_shows_values_in_redis_spelling(name: str, value: str, shown: str) -> None:
    config = Config()
    config.set([(name.encode(), value.encode())])
    assert get(config, name) == shown


def test_event_classes_are_kept_even_where_redis_does_not_show_them() -> None:
    config = Config()
    config.set([(b"notify-keyspace-events", b"KAn")])
    classes = config[table.NOTIFY_KEYSPACE_EVENTS]
    assert set(classes) == set("g$lshzxetdKn")


# --- CONFIG SET -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("databases", "3", "can't set immutable config"),
        ("DATABASES", "3", "can't set immutable config"),
        ("unixsocketperm", "777", "can't set immutable config"),
        ("DIR", "/tmp", "can't set protected config"),
        ("dbfilename", "x", "can't set protected config"),
        ("port", "70000", "argument must be between 0 and 65535 inclusive"),
        ("port", "+5", "argument couldn't be parsed into an integer"),
        ("tcp-keepalive", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"),
        ("list-max-listpack-size", "-2147483649", "argument must be between -2147483648 and 2147483647 inclusive"),
        ("hash-max-ziplist-entries", "-1", "argument must be between 0 and 9223372036854775807 inclusive"),
        ("rdbcompression", "maybe", "argument must be 'yes' or 'no'"),
        ("loglevel", "x", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
        ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
        ("maxmemory", "x", "argument must be a memory value"),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("save", "1 2 3", "Invalid save parameters"),
        ("save", "0 2", "Invalid save parameters"),
        ("save", "5 -1", "Invalid save parameters"),
        ("save", " 1 2", "Invalid save parameters"),
        ("client-output-buffer-limit", "x", "Wrong number of arguments in buffer limit configuration."),
        ("client-output-buffer-limit", "x 1 2 3", "Invalid client class specified in buffer limit configuration."),
        ("client-output-buffer-limit", "master 1 2 3", "Invalid client class specified in buffer limit configuration."),
        ("client-output-buffer-limit", "normal 1 2 -3",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        ("notify-keyspace-events", "Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("proc-title-template", "{title} ", "template format is invalid or contains unknown variables"),
        ("proc-title-template", "{x}", "template format is invalid or contains unknown variables"),
        ("bind", " ".join("123456789abcdefgh"), "Too many bind addresses specified."),
        ("cluster-enabled", "yes", "this server supports only 'no'"),
        ("latency-tracking-info-percentiles", "50 101",
         "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        ("latency-tracking-info-percentiles", "x", "Invalid latency-tracking-info-percentiles parameters"),
        ("shutdown-on-sigint", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
        ("shutdown-on-sigterm", "", "argument(s) must be one of the following: default, save, nosave, now, force"),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    ],
)  # fmt: skip
def test_set_refuses_in_redis_words(name: str, value: str, reason: str) -> None:
    shown = name if "can't set" in reason else name.lower()
    expected = f"ERR CONFIG SET failed (possibly related to argument '{shown}') - {reason}"
    assert refused(Config(), (name, value)) == expected


def test_set_refuses_unknown_and_doubled_names() -> None:
    config = Config()
    unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"
    assert refused(config, ("port", "1"), ("foo", "2")) == unknown
    assert refused(config, ("timeout", "1"), ("timeout", "2")) == (
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter"
    )
    config.set([(b"hash-max-listpack-entries", b"5"), (b"hash-max-ziplist-entries", b"7")])
    assert config[table.HASH_MAX_LISTPACK_ENTRIES] == 7


def test_a_reply_stays_one_line() -> None:
    assert "\n" not in refused(Config(), ("a\r\n+OK", "1"))


def test_set_is_all_or_nothing() -> None:
    config = Config()
    refused(config, ("timeout", "5"), ("port", "x"))
    assert config[table.TIMEOUT] == 0


def test_protected_directives_open_to_whom_the_conf_says(tmp_path: Path) -> None:
    config = load("--enable-protected-configs", "local")
    assert "protected" in refused(config, ("dir", str(tmp_path)))
    config.set([(b"dir", str(tmp_path).encode())], local=True)
    assert config[table.DIR] == str(tmp_path)
    load("--enable-protected-configs", "yes").set([(b"dbfilename", b"x.rdb")])


def test_nothing_that_loading_depends_on_changes_meanwhile() -> None:
    config = Config()
    assert refused(config, ("appendonly", "yes"), loading=True) == "LOADING Redis is loading the dataset in memory"
    config.set([(b"timeout", b"1")], loading=True)


def test_listeners_get_what_changed() -> None:
    config, seen = Config(), list[int]()
    config.on_change(table.TIMEOUT, seen.append)
    config.set([(b"timeout", b"5"), (b"hz", b"11")])
    config.set([(b"timeout", b"5")])
    assert seen == [5]


def test_a_listener_that_refuses_undoes_everything() -> None:
    config, seen = Config(), list[int]()

    def refuse(port: int) -> None:
        assert config[table.PORT] == port
        raise ConfigError("Unable to listen on this port. Check server logs.")

    config.on_change(table.TIMEOUT, seen.append)
    config.on_change(table.PORT, refuse)
    assert refused(config, ("timeout", "5"), ("port", "7")) == (
        "ERR CONFIG SET failed (possibly related to argument 'port') - "
        "Unable to listen on this port. Check server logs."
    )
    assert (config[table.TIMEOUT], config[table.PORT]) == (0, 6379)
    assert seen == [5, 0]
