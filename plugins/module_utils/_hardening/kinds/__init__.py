# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds of items. Each module has ``plan(system, item) -> Plan``: it looks only, so that check mode tells exactly what a run does."""
