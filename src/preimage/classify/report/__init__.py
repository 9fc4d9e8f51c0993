"""What the classes of pictures look like, as a page. One line a name."""

from preimage.classify.report.page import Section as Section
from preimage.classify.report.page import html_page as html_page
from preimage.classify.report.page import html_table as html_table
from preimage.classify.report.report import PictureReport as PictureReport
from preimage.classify.report.report import report_pictures as report_pictures
from preimage.classify.report.write import write_picture_report as write_picture_report
