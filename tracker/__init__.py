"""Follow the lifecycle of open banking consents from the third party's side, and prove every move.

The words used everywhere:

consent       what a customer granted at a data holder; ours is keyed by `tracking_id`, whatever the world calls it
provider      one data holder as we see it: one issuer, one profile, one client of ours
profile       one ecosystem's rules as a value
report        one claim that a consent has a status, with the holder's time for it and the channel it came by
verdict       what a report means for what we know
journal       the append-only, gapless, ordered record of everything learnt or done; its items are entries
subscription  someone who must be told; a cursor into the journal
evidence      what proves an entry

Times that end in `_date_time` are the holder's, times that end in `_at` are ours.
"""
