"""From a graph to the steps that lead back: roles of operations, regions, search, propagation, plan."""
