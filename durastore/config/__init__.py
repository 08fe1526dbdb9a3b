"""Configuration: the grammar of conf files, one table of directives, and the settings of a server.

:mod:`~durastore.config.table` declares what can be set, :class:`Config` holds the values, and
:func:`load_arguments` makes one from a command line. This package imports nothing of ours.
"""

from durastore.config.config import Config
from durastore.config.kinds import ConfigError, Directive, OutputLimit, OutputLimits, SavePoint
from durastore.config.loading import ConfigFileError, load_arguments

__all__ = [
    "Config",
    "ConfigError",
    "ConfigFileError",
    "Directive",
    "OutputLimit",
    "OutputLimits",
    "SavePoint",
    "load_arguments",
]
