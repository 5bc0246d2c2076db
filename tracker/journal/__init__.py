"""The journal as evidence: what an entry is, how it is hashed, signed, exported and checked. Standard library only.

Where to begin reading:

canonical    one byte string for each JSON value (RFC 8785)
leaf         the members of an entry that are hashed, and the form of each
private      what stays out of the leaf, and the digest that stands for it
draft        what is known of an entry before it has a place; `entry` seals it into one
tree         the Merkle tree over all entries (RFC 6962)
checkpoint   size and root of the tree, as a text to sign; `note` is the form of what is signed (C2SP)
export       a journal written to a folder; `manifest` is that folder's cover sheet
verify       that folder checked, offline; `examine` reads its entries one by one
pack         one consent's story as one file, with all that proves it
verify_pack  that file checked, offline: `pack_examine` holds its parts against each other, `verify_tokens` its tokens against the
             holder's keys, `pack_word` what they say against the entries; `pack_page` shows it all to people

Only `verify` and `verify_tokens` need more than the standard library: Ed25519 and RSA from `cryptography`. How a holder's tokens
are read is known to `tracker.profiles`. Nothing here reads a clock, makes an id or signs; those come in as arguments.
"""
