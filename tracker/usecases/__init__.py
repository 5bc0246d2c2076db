"""What the tracker does, one deed a module: the judge and the ports put to work, without a library or a protocol in sight.

A use case takes what it needs of the world as ports in its constructor and says in words of the domain what it does. It
opens no connection, reads no configuration and knows no clock of its own; so a test drives it step by step.
"""
