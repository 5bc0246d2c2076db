"""The rules: statuses, reports, the judge, when to ask, whom to tell. Pure; standard library only."""
