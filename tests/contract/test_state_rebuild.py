"""Redis lost everything and is rebuilt: decisions go on as in a twin that never lost anything."""
