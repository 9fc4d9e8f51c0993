"""Densities of data frames. One line a name, in alphabetical order."""

from preimage.flows.tables.category import Category as Category
from preimage.flows.tables.column import Column as Column
from preimage.flows.tables.infer import infer_columns as infer_columns
from preimage.flows.tables.kinds import Bounded as Bounded
from preimage.flows.tables.kinds import Positive as Positive
from preimage.flows.tables.kinds import Real as Real
from preimage.flows.tables.kinds import Whole as Whole
from preimage.flows.tables.missing import Missing as Missing
from preimage.flows.tables.tabular_flow import TabularFlow as TabularFlow
from preimage.flows.tables.wanted import bounded as bounded
from preimage.flows.tables.wanted import categorical as categorical
from preimage.flows.tables.wanted import positive as positive
