"""Describes a simulated world to people, as one HTML page with plots and their figures.

`page` puts it together; `scene` prepares the tables; the other files draw one subject each.
"""
