"""Redis's commands, a module for each group; see ``spec.py`` for how one is declared."""
