"""Comparison of the runs below a folder: tables, files, picture, and whether adapting paid."""

from pinn_ext.reports.compare.folder import NotWritten, compare
from pinn_ext.reports.planned_jobs import MOST_JOBS, expand, planned_jobs

__all__ = ["MOST_JOBS", "NotWritten", "compare", "expand", "planned_jobs"]
