"""How the page of an evidence pack looks: on a telephone, on a desk, and printed. System fonts and nothing from elsewhere."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light; --ink: #16202a; --dim: #51606e; --line: #d4dae0; --yes: #12633c; --no: #a11a1a; --open: #7a4b00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; color: var(--ink); background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header p { margin: 0; color: var(--dim); }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 0 0 .5rem; font-size: 1.15rem; }
h3 { margin: 0; font-size: 1rem; }
section { margin: 0 0 2rem; }
section h2:not(:first-child) { margin-top: 1.5rem; }
p { margin: 0 0 .5rem; }
.note { color: var(--dim); }
dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; min-width: 0; }
pre, code { font: .85rem/1.45 ui-monospace, monospace; }
pre { margin: .5rem 0 0; padding: .6rem .75rem; background: #f4f6f8; border-radius: .25rem; white-space: pre-wrap; }
.verdict { padding: 1rem; border: 1px solid var(--line); border-left: .4rem solid var(--open); border-radius: .25rem; }
.verdict.yes { border-left-color: var(--yes); } .verdict.yes h2, dd.yes { color: var(--yes); }
.verdict.no { border-left-color: var(--no); } .verdict.no h2, dd.no { color: var(--no); }
.verdict.open h2, dd.open { color: var(--open); }
.timeline { list-style: none; margin: 0; padding: 0; }
.timeline li { padding: 0 0 1.25rem 1.25rem; border-left: 2px solid var(--line); position: relative; break-inside: avoid; }
.timeline li::before { content: ""; position: absolute; left: -.45rem; top: .45rem; width: .8rem; height: .8rem;
  border-radius: 50%; background: #fff; border: 2px solid var(--dim); }
.timeline li.holders::before { background: var(--yes); border-color: var(--yes); }
.timeline li.false::before { background: var(--no); border-color: var(--no); }
.when { margin: 0; color: var(--dim); font-variant-numeric: tabular-nums; } .when span { float: right; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .5rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; }
footer { padding-top: 1rem; border-top: 1px solid var(--line); color: var(--dim); font-size: .9rem; }
@media screen and (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; }
  thead { display: none; } table, tbody, tr, td { display: block; } tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { border: 0; padding: .1rem 0; } td::before { content: attr(data-head); display: block; color: var(--dim); }
}
@media print {
  @page { margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; } tr, dl { break-inside: avoid; }
  .verdict, .timeline li::before, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
