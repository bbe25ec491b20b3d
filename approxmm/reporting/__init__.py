"""Reports: records in, files out.

`write_report` turns a finished study into one self-contained page, its figures as SVG and PNG, and its tables as
CSV and JSON. Matplotlib, pandas and jinja2 are loaded when a report is written, not before.
"""

from approxmm.reporting.report import ReportFiles, write_report

__all__ = ["ReportFiles", "write_report"]
