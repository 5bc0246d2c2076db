"""The world behind the ports: one library or one remote system in each module."""
