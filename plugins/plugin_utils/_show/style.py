# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Style of the page: light and dark, on screen and on paper. A role always has its colour and its word together."""
from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --page: #f6f7f9; --panel: #ffffff; --sunk: #eef1f5; --text: #1b2430; --soft: #566273;
  --edge: #d5dbe3; --accent: #2456a6; --public: #0b7a5b; --floating: #2563c9; --external: #a65a00; --private: #6b5bb5;
  --management: #b03a6f; --unknown: #667080; --good: #1a8f5a; --bad: #c62f2f; --idle: #8a93a0; --warn: #b57700;
  --notice: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --panel: #1a2029; --sunk: #222a35; --text: #e4e9f0;
  --soft: #9daaba; --edge: #343e4c; --accent: #8ab4ff; --public: #4cc9a0; --floating: #7aaaff; --external: #f0a650;
  --private: #b3a4f5; --management: #f08cb8; --unknown: #9aa5b4; --good: #45c98a; --bad: #ff7b72; --idle: #8590a0;
  --warn: #e8b44a; --notice: #3a3016; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
header, main { max-width: 1360px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 28px; letter-spacing: -.01em; }
h2 { margin: 36px 0 12px; font-size: 19px; }
h3 { margin: 28px 0 8px; font-size: 16px; }
h3 small { color: var(--soft); font-weight: 400; }
p { margin: 4px 0; }
.soft { color: var(--soft); }
nav a { color: var(--accent); margin-right: 14px; }
.notice { background: var(--notice); border-left: 4px solid var(--warn); padding: 8px 14px; border-radius: 4px; margin: 14px 0; }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--edge); border-radius: 10px; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
.canvas { padding: 16px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px; border-bottom: 1px solid var(--edge); }
thead th { background: var(--sunk); font-weight: 600; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 600; min-width: 9em; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td ul { margin: 0; padding: 0; list-style: none; }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 13px; white-space: nowrap; }
.where { white-space: nowrap; }
.why { color: var(--soft); font-size: 13px; min-width: 22em; }
.role { display: inline-block; border: 1px solid var(--c); color: var(--c); border-radius: 99px; padding: 0 9px; font-size: 12.5px;
  white-space: nowrap; }
.floating-role { border-style: dashed; }
.state-word { white-space: nowrap; }
.state-word::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 6px;
  background: var(--idle); }
.state-word.is-running::before { background: var(--good); }
.state-word.is-error::before { background: var(--bad); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 12px 0; padding: 0; list-style: none; font-size: 13.5px; }
.legend svg { vertical-align: -4px; margin-right: 6px; }
.role-public { --c: var(--public); } .role-floating { --c: var(--floating); } .role-external { --c: var(--external); }
.role-private { --c: var(--private); } .role-management { --c: var(--management); } .role-unknown { --c: var(--unknown); }
svg text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--text); }
svg .cloud-title { font: 600 15px system-ui, "Segoe UI", Roboto, sans-serif; }
svg .domain-title, svg .small, svg .outside { fill: var(--soft); }
svg .domain-title { font-size: 10.5px; } svg .small { font-size: 10px; }
svg .network { fill: var(--c); font-weight: 600; }
svg .address { fill: var(--c); }
svg .more { fill: var(--soft); font-weight: 600; }
.cloud-frame { fill: var(--page); stroke: var(--edge); }
.domain-frame { fill: var(--panel); stroke: var(--edge); }
.rail { stroke: var(--c); stroke-width: 3; stroke-linecap: round; opacity: .55; }
.dot { fill: var(--c); stroke: var(--panel); stroke-width: 1.5; }
.ring { fill: var(--panel); stroke: var(--c); stroke-width: 2; }
.nat { stroke: var(--c); stroke-width: 1.5; stroke-dasharray: 4 3; }
.wire { stroke: var(--idle); stroke-width: 1.2; }
.more-wire { stroke-dasharray: 1 3; }
.hollow { fill: var(--panel); stroke: var(--idle); stroke-width: 1.5; }
.card { fill: var(--sunk); stroke: var(--edge); }
.more-card { fill: none; stroke-dasharray: 3 3; }
.state-running { fill: var(--good); } .state-error { fill: var(--bad); } .state-stopped, .state-other { fill: var(--idle); }
footer { max-width: 1360px; margin: 0 auto; padding: 28px 24px; color: var(--soft); font-size: 13px; }
@media print { body { background: none; } .scroll { overflow: visible; border: 0; } }
"""
