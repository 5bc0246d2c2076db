"""The frame of the documentation's page. `docs` fills in what is said as $name."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title: API</title>
<style>
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --accent: light-dark(#0b6e8a, #63c4dd); }
* { box-sizing: border-box }
html { scroll-padding-top: 7rem }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 2.2rem 1.2rem 6rem }
h1 { margin: 0 0 .3rem; font-size: 2rem } h1 span { font-size: 1rem; font-weight: 400 }
h2 { margin: 2.6rem 0 .8rem; font-size: 1.35rem } h2::first-letter { text-transform: uppercase }
nav { position: sticky; top: 0; padding: .7rem 0; margin: 1.2rem 0; background: Canvas; border-bottom: 1px solid var(--line) }
nav a { margin-right: 1.2rem; text-decoration: none } nav a::first-letter { text-transform: uppercase }
nav { z-index: 1 } nav a { display: inline-block } a { color: var(--accent) }
code, pre { font: .875em/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
pre { background: var(--soft); border-radius: .4rem; padding: .7rem .9rem; margin: .6rem 0 1rem }
pre { white-space: pre-wrap } pre.long { white-space: pre; overflow-x: auto } pre, td { overflow-wrap: break-word }
:is(p, td) code { display: inline-block; max-width: 100% } a code { text-decoration: underline }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0 }
details[open] > summary { border-bottom: 1px solid var(--line) }
details > div { padding: .3rem .9rem .8rem }
details > :target, tr:target { outline: 2px solid var(--accent) }
summary { padding: .55rem .9rem; cursor: pointer; display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline }
summary .path { font-weight: 600; overflow-wrap: anywhere } summary { position: relative; padding-right: 2rem }
summary::after { content: "+"; position: absolute; right: .9rem; opacity: .6 } [open] > summary::after { content: "–" }
b.get, b.post, b.delete { display: inline-block; min-width: 4.4rem; font-size: .82rem; letter-spacing: .03em }
b.get { color: light-dark(#176639, #6fcf97) } b.post { color: light-dark(#8a4b00, #f2b866) }
b.delete { color: light-dark(#a11d1d, #ff8f8f) }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; font-size: .93rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--soft) }
th { font-weight: 600; border-color: var(--line) } td:last-child { width: 45% } i, .soft { opacity: .72 }
td:first-child:nth-last-child(2) { width: 22% } td:nth-child(2):last-child { width: auto }
@media (max-width: 44rem) {
  table, tbody, tr { display: block } th { display: none } h2 { margin-top: 2rem } nav { position: static }
  tr { padding: .4rem 0; border-bottom: 1px solid var(--line) } html { scroll-padding-top: 1rem }
  td, td:last-child, td:first-child:nth-last-child(2) { display: inline; width: auto; padding: 0 .6rem 0 0; border: 0 }
  td:last-child:nth-child(n + 3) { display: block } td:empty { display: none } td a code { font-size: .8em }
}
</style>
<h1>$title <span class="soft">$version</span></h1>
<p>$about</p>
<nav><a href="#start">start</a>$links<a href="#told">notifications</a><a href="#problems">problems</a
><a href="#schemas">schemas</a><a href="/openapi.json">OpenAPI</a></nav>

<h2 id="start">Start</h2>
<p>Make a key where the service runs. It is shown this once, and works at once:</p>
<pre>tracker keys add-api-key --name me --scope read,write</pre>
<p>Show it with every call. This asks the one question that matters before data is pulled or a payment is made;
the answer is <code>false</code> whenever anything is in doubt:</p>
<pre>KEY=trk_…  URL=http://127.0.0.1:8080
curl $$URL/v1/consents/demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10/usable -H "Authorization: Bearer $$KEY"</pre>
<p>Scopes: <code>read</code> sees consents and the journal; <code>write</code> registers, asks holders and subscribes;
<code>audit</code> also sees personal values in the journal; <code>admin</code> may do everything.</p>
<p>Lists are <code>{"items": […], "next_cursor": null | "…"}</code>: pass <code>next_cursor</code> as <code>cursor</code>
for the next page of the same search. What is in a path is percent-encoded once, a slash in a consent's id as
<code>%2F</code>. Whatever is not described here is refused: unknown members and parameters, times without an offset,
numbers for times, a name twice in one object.</p>
<table>$overview</table>
$operations
<h2 id="told">Notifications</h2>
$told
<h2 id="problems">Problems</h2>
<p>Errors are <code>application/problem+json</code> (RFC 9457). Programs may rely on <code>code</code>; people read
<code>detail</code>, and <code>errors</code> says with JSON pointers what exactly is wrong.</p>
<table><tr><th>Code<th>Status<th>Meaning$problems</table>
<h2 id="schemas">Schemas</h2>
$schemas
</html>
"""
