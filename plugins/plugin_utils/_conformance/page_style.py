# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Style of the conformance page, on top of that of the fleet's page: an answer always has its colour and its word together."""
from __future__ import annotations

from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.style import CSS as FLEET

CSS = FLEET + """
:root { --partial: #8a5a00; --no: #b3261e; --yes: #0b6e50; --error: #7b1fa2; }
@media (prefers-color-scheme: dark) { :root { --partial: #f0c060; --no: #ff8f87; --yes: #57d3a6; --error: #d9a3f0; } }
header, main, footer { max-width: none; }
table.answers { width: auto; min-width: 100%; }
table.answers th, table.answers td { border-right: 1px solid var(--edge); }
table.answers thead th { position: sticky; top: 0; z-index: 2; vertical-align: bottom; }
table.answers tbody th, table.answers thead th:first-child { position: sticky; left: 0; background: var(--sunk); z-index: 1; min-width: 15em; }
table.answers thead th:first-child { z-index: 3; }
table.answers tbody th small { display: block; font-weight: 400; color: var(--soft); }
table.answers thead small { display: block; font-weight: 400; color: var(--soft); }
.scroll.answers { max-height: 92vh; overflow: auto; }
td.answer { min-width: 8.5em; max-width: 22em; }
td.unlike { background: color-mix(in srgb, var(--c) 9%, transparent); }
.verdict { display: inline-block; font-weight: 700; font-size: 12.5px; color: var(--c); border: 1.5px solid var(--c); border-radius: 5px;
  padding: 0 7px; min-width: 3.2em; text-align: center; }
.v-yes { --c: var(--yes); } .v-partial { --c: var(--partial); } .v-no { --c: var(--no); }
.v-error { --c: var(--error); } .v-none { --c: var(--idle); }
.v-partial .verdict { border-style: dashed; } .v-no .verdict { border-width: 2.5px; } .v-error .verdict { border-style: double; border-width: 3px; }
.v-none .verdict { border-color: transparent; }
.time { color: var(--soft); font-size: 12.5px; font-variant-numeric: tabular-nums; margin-left: 6px; white-space: nowrap; }
details summary { cursor: pointer; list-style-position: inside; white-space: nowrap; }
details summary:focus-visible { outline: 2px solid var(--accent); }
details p { font-size: 13px; color: var(--text); overflow-wrap: anywhere; margin: 6px 0 2px; }
.deviations { columns: 2 34em; column-gap: 32px; }
.deviations section { break-inside: avoid; margin-bottom: 18px; }
.deviations h3 { margin: 0 0 6px; }
.deviations dl { margin: 0; }
.deviations dt { margin-top: 8px; font-weight: 600; }
.deviations dd { margin: 2px 0 0; font-size: 13.5px; overflow-wrap: anywhere; }
@media print {
  @page { size: A3 landscape; margin: 12mm; }
  .scroll.answers { max-height: none; overflow: visible; }
  table.answers th, table.answers td { position: static !important; padding: 4px 6px; font-size: 10.5px; }
  td.answer { min-width: 0; }
  details p { display: none; } details summary { list-style: none; }
  nav { display: none; } h2 { break-after: avoid; } tr { break-inside: avoid; }
}
"""
