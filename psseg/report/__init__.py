"""The report: one page with a map, its sources and their table, that opens in any browser.

In: the products of a map, and the map. Out: one HTML file that needs nothing beside it. Python
gathers the data (`sources`, `field`, `layers`, `summary`) and fills the template (`page`); what the
page does is in the JavaScript files of the folder ``assets``; the map's zoom and pan are those of
Leaflet, whose licence is in the folder ``leaflet`` and in every report.
"""

from psseg.report.page import report_path, write_report

__all__ = ["report_path", "write_report"]
