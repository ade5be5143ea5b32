"""The metrics of the trade, with confidence intervals: what a risk team judges a model by.

`docs/reference/evaluation.md` defines every figure. `assumptions` holds what is assumed, `sample`
the scored transfers in order of their score, `cases` which frauds belong together, `measure` all
figures for one weighting of the accounts, `bootstrap` their intervals, `head` one head's results,
`report` all of them, and `page` and `plots` show them.
"""
