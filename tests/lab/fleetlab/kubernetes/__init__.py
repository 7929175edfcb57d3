# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubernetes for the lab: built from its Go modules, as packages and image archives that a site without a network would have."""
