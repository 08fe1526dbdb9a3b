"""The command ``durastore``: read the configuration, then serve; or run a tool, where its name is the first word.

The arguments of the server are redis-server's, which no option parser describes: a conf file, ``-`` for standard
input, and any directive of the conf file as ``--directive word ...``.
"""

from __future__ import annotations

import sys
from typing import Final

import durastore
from durastore.cli import TOOLS
from durastore.config import Config, ConfigFileError, load_arguments

_HELP: Final = """\
Usage: durastore [conf-file] [-] [--directive word ...]...
       durastore --check-config [conf-file] [-] [--directive word ...]...
       durastore TOOL ...
       durastore -v | --version
       durastore -h | --help

Serves the data in the folder that the directive "dir" names, over the Redis protocol.
A directive on the command line overrides the conf file; - reads more of the conf from standard input.
--check-config only reads the configuration, says whether it can be used, and exits with 0 or 1.

Examples:
       durastore
       durastore conf/durastore.conf --port 6380 --loglevel debug
       durastore --dir /var/lib/durastore --appendonly yes --save ""
       echo 'maxclients 128' | durastore -

conf/durastore.conf explains every directive.

Tools ("durastore TOOL --help" tells more; a conf file of such a name is given as ./TOOL):
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command with ``argv`` (without the program's name; by default the process's own); the exit status.

    0 after an orderly shutdown, 1 when the configuration cannot be used; otherwise what the server returns.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments in (["-v"], ["--version"]):
        print(f"durastore {durastore.__version__}")
        return 0
    if arguments in (["-h"], ["--help"]):
        print(_HELP, *(f"       {name:<10} {summary}\n" for name, summary in TOOLS.items()), sep="", end="")
        return 0
    if arguments and arguments[0] in TOOLS:
        return _run_tool(arguments)
    only_check = arguments[:1] == ["--check-config"]
    try:
        config = load_arguments(arguments[1:] if only_check else arguments, sys.stdin)
        if only_check:
            _check_access(config)
    except ConfigFileError as error:
        print(f"\n*** FATAL CONFIG FILE ERROR (durastore {durastore.__version__}) ***\n{error}", file=sys.stderr)
        return 1
    if only_check:
        print(f"The configuration is good ({config.file or 'no conf file'}).")
        return 0
    return _serve(config)


def _run_tool(arguments: list[str]) -> int:
    from durastore.cli.tools import run

    return run(arguments)


def _check_access(config: Config) -> None:
    from durastore.server.access import check_access

    check_access(config)


def _serve(config: Config) -> int:
    # Imported here so that --help, --version and --check-config do not pay for, or depend on, the whole server.
    from durastore.server.app import serve

    return serve(config)


if __name__ == "__main__":
    sys.exit(main())
