"""Simulated users (locust): people at five channels, who act on the answers that they get.

Only the process that locust runs in may import what lies here: gevent changes the sockets and
threads of its whole process, and the open-loop driver must not live with that.
"""
