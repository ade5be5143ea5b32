"""Who calls, and what each may do: roles, certificates, tokens of persons, and rates."""
