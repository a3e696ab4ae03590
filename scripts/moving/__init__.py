"""Moving in: what the reference dashboard kept in SQLite becomes people, apps, plans and events of ours."""
