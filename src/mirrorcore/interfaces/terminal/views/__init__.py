"""The seven screens of the monitor, one a module; only the one that is seen is drawn."""
